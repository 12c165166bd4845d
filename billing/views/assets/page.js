// The customer's page: pays, authenticates and takes a new card through the provider's own script. Our server sees no
// card: the fields are the provider's frame. What the page says is always what the server says; so a step ends in a reload.
(() => {
  "use strict";
  const { base, key, seller, language, currency, noForm, offline, busy, state, owes, newest } = document.body.dataset;
  const at = (id) => document.getElementById(id);
  const query = `?lang=${language}`;
  const POLL_MS = 1500;
  const POLLS = 40;

  const ask = async (path, body) => {
    try {
      const answer = await fetch(base + path + query, body === undefined
        ? { cache: "no-store" }
        : { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
      return await answer.json();
    } catch {
      return { error: { code: "offline", message: offline } };
    }
  };

  let provider = null;
  const stripe = () => {
    if (!provider && window.Stripe && key) provider = window.Stripe(key, { locale: language });
    return provider;
  };

  const say = (where, message) => {
    where.textContent = message;
    where.hidden = !message;
    if (message) where.scrollIntoView({ block: "nearest" });
  };
  const tell = (message, tone) => {
    const told = at("told");
    told.className = `told ${tone}`;
    say(told, message);
  };
  const fail = (message) => tell(message, "bad");
  // Never done, so that nothing can be pressed on a page that is going.
  const again = () => {
    location.reload();
    return new Promise(() => {});
  };

  let working = false;
  // One thing at a time: a second press while the first is under way does nothing.
  const once = async (button, act) => {
    if (working) return;
    working = true;
    const label = button.textContent;
    const buttons = document.querySelectorAll("button");
    buttons.forEach((each) => { each.disabled = true; });
    button.textContent = busy;
    button.setAttribute("aria-busy", "true");
    try {
      await act();
    } finally {
      working = false;
      button.textContent = label;
      button.removeAttribute("aria-busy");
      buttons.forEach((each) => { each.disabled = false; });
    }
  };

  const pause = () => new Promise((resolve) => setTimeout(resolve, POLL_MS));

  // Wait until nothing is under way, then show what came of it.
  const follow = async () => {
    for (let round = 0; round < POLLS; round += 1) {
      await pause();
      const now = await ask("/state");
      if (!now.error && now.message !== "payment_in_flight") return again();
    }
    return undefined;
  };

  // Pay the oldest, authenticate where that is wanted, and go on until nothing is open of what this page shows.
  const pay = async () => {
    for (;;) {
      let tried = await ask("/attempts", newest ? { newest } : {});
      if (tried.status === "action") {
        if (!stripe()) return fail(noForm);
        await stripe().handleNextAction({ clientSecret: tried.secret });
        tried = await ask(`/attempts/${tried.attempt}`, {});
      }
      if (tried.error) {
        if (["payment_in_flight", "nothing_owed"].includes(tried.error.code)) return again();
        return fail(tried.error.message);
      }
      if (tried.status === "not_tried") return fail(tried.message);
      if (tried.status !== "paid") return again();
      const now = await ask("/state");
      if (now.error || !now.open) return again();
    }
  };

  // The provider is told where to come back to: an address without the link, which stays in this tab.
  const leave = (card) => sessionStorage.setItem("pay-return", JSON.stringify({ base, query, card, owes }));

  // Apple gives a number that outlives the telephone only for an agreement, with what is paid when. Without one it gives
  // the telephone's own. Where it is managed says nothing and is the same for everybody: no wallet is told the link.
  const agreement = (told) => told.amount && {
    recurringPaymentRequest: {
      paymentDescription: seller,
      managementURL: `${location.origin}/pay-manage`,
      billingAgreement: document.querySelector("#agreed + span").textContent,
      regularBilling: {
        amount: told.amount, label: seller, recurringPaymentStartDate: new Date(told.start),
        recurringPaymentIntervalUnit: told.unit, recurringPaymentIntervalCount: told.count,
      },
    },
  };

  // The provider's fields of one form: for cards, or for a bank account, whose holder's name they ask for as well.
  const mounted = {};
  const open = async (form, fields, type) => {
    if (!stripe()) return fail(noForm);
    if (!mounted[form]) {
      const applePay = type === "card" && agreement(await ask("/recurring"));
      const theme = matchMedia("(prefers-color-scheme: dark)").matches ? "night" : "stripe";
      mounted[form] = stripe().elements({
        mode: "setup", currency, allowedPaymentMethodTypes: [type], appearance: { theme },
      });
      mounted[form].create("payment", applePay ? { applePay } : {}).mount(fields);
    }
    return show(form);
  };
  // What was said of the present card says nothing of another one: it goes while that is tried.
  const hush = (quiet) => {
    const told = at("told");
    told.hidden = quiet || !told.textContent;
  };
  const show = (form) => {
    at("present").hidden = true;
    at(form).hidden = false;
    at(form).scrollIntoView({ block: "nearest" });
  };

  const save = async (form, problem, agreed, path, said) => {
    const elements = mounted[form];
    say(problem, "");
    if (!agreed.checked) return say(problem, problem.dataset.consent);
    hush(true);
    const checked = await elements.submit();
    if (checked.error) return undefined;
    const begun = await ask(path, { agreed: true, ...said });
    if (begun.error) return say(problem, begun.error.message);
    leave(begun.card);
    const { error } = await stripe().confirmSetup({
      elements, clientSecret: begun.secret, redirect: "if_required",
      confirmParams: { return_url: `${location.origin}/pay-return${query}` },
    });
    if (error) return say(problem, error.message);
    const done = await ask(`/cards/${begun.card}`, {});
    if (done.error) return say(problem, done.error.message);
    sessionStorage.removeItem("pay-return");
    // A bank account is debited by itself, once its holder was told when.
    return owes === "yes" && form === "new" ? pay() : again();
  };

  at("pay")?.addEventListener("click", (event) => once(event.currentTarget, pay));
  at("other")?.addEventListener("click", (event) => once(event.currentTarget, () => open("new", "#fields", "card")));
  at("by-bank")?.addEventListener("click", (event) =>
    once(event.currentTarget, () => open("bank", "#bank-fields", "sepa_debit")));
  document.querySelectorAll(".back").forEach((each) => each.addEventListener("click", () => {
    each.closest("form").hidden = true;
    at("present").hidden = false;
    hush(false);
  }));
  at("new")?.addEventListener("submit", (event) => {
    event.preventDefault();
    once(at("save"), () => save("new", at("problem"), at("agreed"), "/cards", {}));
  });
  at("bank")?.addEventListener("submit", (event) => {
    event.preventDefault();
    const days = Number(event.currentTarget.dataset.days);
    once(at("bank-save"), () => save("bank", at("bank-problem"), at("bank-agreed"), "/accounts", { days }));
  });
  // The wallet's owner agrees at the provider, and comes back as a card's owner does.
  const connect = async () => {
    const problem = at("wallet-problem");
    say(problem, "");
    if (!at("wallet-agreed").checked) return say(problem, problem.dataset.consent);
    hush(true);
    const begun = await ask("/wallets", { agreed: true });
    if (begun.error) return say(problem, begun.error.message);
    leave(begun.card);
    if (!begun.approve) {
      // Through Stripe: its script leads to PayPal, and says so where it can't.
      if (!stripe()) return say(problem, noForm);
      const { error } = await stripe().confirmPayPalSetup(begun.secret, {
        return_url: `${location.origin}/pay-return${query}`,
        mandate_data: { customer_acceptance: { type: "online", online: { infer_from_client: true } } },
      });
      if (error) return say(problem, error.message);
    } else {
      location.assign(begun.approve);
    }
    return new Promise(() => {});
  };
  at("by-wallet")?.addEventListener("click", () => show("wallet"));
  at("wallet")?.addEventListener("submit", (event) => {
    event.preventDefault();
    once(at("connect"), connect);
  });
  // What came of the way to the provider and back: why nothing was saved, or what was promised before it, to pay.
  const back = () => {
    const left = JSON.parse(sessionStorage.getItem("pay-back") ?? "{}");
    sessionStorage.removeItem("pay-back");
    if (left.base !== base) return;
    if (left.problem) tell(left.problem, "wait");
    else if (left.owes === "yes" && at("pay")) once(at("pay"), pay);
  };

  // Kept by the browser and shown again, it would say what was: some keep a page whatever its headers say.
  addEventListener("pageshow", (event) => { if (event.persisted) again(); });

  if (state === "payment_in_flight") follow();
  else back();
})();
