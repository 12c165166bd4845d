// Back from the provider, at an address that says nothing: the link was kept in this tab. The method is finished, then the
// page shows what came of it.
(async () => {
  "use strict";
  const told = document.getElementById("told");
  told.hidden = false;
  // What the provider has put behind the address goes out of the browser's history.
  history.replaceState(null, "", location.pathname);
  const kept = sessionStorage.getItem("pay-return");
  sessionStorage.removeItem("pay-return");
  if (!kept) {
    told.textContent = told.dataset.lost;
    return;
  }
  const { base, query, card, owes } = JSON.parse(kept);
  try {
    const answer = await fetch(`${base}/cards/${card}${query}`, {
      method: "POST", headers: { "Content-Type": "application/json" }, body: "{}",
    });
    const { error } = await answer.json();
    sessionStorage.setItem("pay-back", JSON.stringify({ base, owes, problem: error?.message }));
  } finally {
    location.replace(base + query);
  }
})();
