// The stand-in's browser script: as much of Stripe.js as our page uses, with the same names and answers.
(() => {
  "use strict";
  const origin = new URL(document.currentScript.src).origin;
  const base = origin + "/_sandbox/js";

  const frame = (path, title) => {
    const made = document.createElement("iframe");
    made.src = base + path;
    made.title = title;
    made.style.border = "0";
    made.style.width = "100%";
    return made;
  };

  // One question to a frame of ours, answered by a message from that very frame.
  const ask = (target, question) =>
    new Promise((resolve) => {
      const id = crypto.randomUUID();
      const hear = (event) => {
        if (event.origin !== origin || event.source !== target.contentWindow || event.data.id !== id) return;
        removeEventListener("message", hear);
        resolve(event.data.answer);
      };
      addEventListener("message", hear);
      target.contentWindow.postMessage({ id, ...question }, origin);
    });

  const challenge = (clientSecret) =>
    new Promise((resolve) => {
      const cover = document.createElement("div");
      Object.assign(cover.style, {
        position: "fixed", inset: "0", background: "rgba(0,0,0,.5)", display: "grid", placeItems: "center", zIndex: 9999,
      });
      const bank = frame("/challenge", "Authentication");
      Object.assign(bank.style, { width: "min(380px, 92vw)", height: "216px", borderRadius: "12px", background: "#fff" });
      cover.append(bank);
      document.body.append(cover);
      bank.addEventListener("load", async () => {
        const answer = await ask(bank, { clientSecret });
        cover.remove();
        resolve(answer);
      });
    });

  const named = (answer) => {
    if (answer.error) return { error: answer.error };
    return answer.object === "setup_intent" ? { setupIntent: answer } : { paymentIntent: answer };
  };

  const settled = async (clientSecret, answer) =>
    named(answer.status === "requires_action" ? await challenge(clientSecret) : answer);

  // What a wallet would show its owner stands on the frame, for whoever wants to see it.
  const agreed = ({ applePay, ...others }, fields) => {
    if (Object.keys(others).length) throw new Error(`IntegrationError: no options ${Object.keys(others)} here.`);
    const wanted = applePay?.recurringPaymentRequest;
    if (!wanted) return;
    const { amount, recurringPaymentIntervalUnit: unit, recurringPaymentStartDate: start } = wanted.regularBilling;
    const whole = Number.isInteger(amount) && amount > 0 && start instanceof Date && !Number.isNaN(start.getTime());
    if (!whole || !["day", "month", "year"].includes(unit) || !URL.canParse(wanted.managementURL)) {
      throw new Error("IntegrationError: applePay.recurringPaymentRequest is not as it should be.");
    }
    fields.dataset.applePay = JSON.stringify(wanted);
  };

  const elements = (options) => {
    if (options.mode !== "setup" || !options.allowedPaymentMethodTypes) {
      throw new Error("IntegrationError: the stand-in knows elements of mode setup with allowedPaymentMethodTypes.");
    }
    const bank = options.allowedPaymentMethodTypes.includes("sepa_debit");
    const fields = bank ? frame("/account", "Bank account") : frame("/fields", "Card");
    fields.style.height = "240px";
    return {
      fields,
      submit: () => ask(fields, { ask: "check" }),
      create(kind, wishes = {}) {
        if (kind !== "payment") throw new Error(`IntegrationError: no element named ${kind} here.`);
        agreed(wishes, fields);
        return {
          mount: (where) => (typeof where === "string" ? document.querySelector(where) : where).append(fields),
          unmount: () => fields.remove(),
          destroy: () => fields.remove(),
          on: (what, heard) => what === "ready" && fields.addEventListener("load", () => heard({})),
        };
      },
    };
  };

  window.Stripe = (key) => {
    if (!/^pk_test_/.test(key)) throw new Error("IntegrationError: a sandbox takes keys that begin with pk_test_.");
    return {
      elements,
      async confirmSetup({ elements: chosen, clientSecret, confirmParams }) {
        const returnUrl = confirmParams.return_url;
        return settled(clientSecret, await ask(chosen.fields, { ask: "confirm", clientSecret, returnUrl }));
      },
      // The payer leaves for PayPal's page; whoever called is not there any more when they are back.
      async confirmPayPalSetup(clientSecret, { return_url, mandate_data }) {
        if (mandate_data?.customer_acceptance?.type !== "online") {
          throw new Error("IntegrationError: PayPal takes no set-up without a mandate that was given online.");
        }
        location.assign(`${base}/paypal?client_secret=${clientSecret}&back=${encodeURIComponent(return_url)}`);
        return new Promise(() => {});
      },
      async handleNextAction({ clientSecret }) {
        return named(await challenge(clientSecret));
      },
    };
  };
})();
