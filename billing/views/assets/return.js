// Back from the provider, at an address that says nothing: the link was kept in this tab. The card is finished, then the
// page shows what came of it.
(async () => {
  "use strict";
  // What the provider has put behind the address goes out of the browser's history.
  history.replaceState(null, "", location.pathname);
  const kept = sessionStorage.getItem("pay-return");
  sessionStorage.removeItem("pay-return");
  if (!kept) {
    document.getElementById("told").hidden = false;
    return;
  }
  const { base, query, card } = JSON.parse(kept);
  try {
    await fetch(`${base}/cards/${card}${query}`, {
      method: "POST", headers: { "Content-Type": "application/json" }, body: "{}",
    });
  } finally {
    location.replace(base + query);
  }
})();
