// PayPal's place: what is pressed here is told to the stand-in, and the payer goes back to where the page wanted them.
const asked = new URLSearchParams(location.search);
const client_secret = asked.get("client_secret");
const back = new URL(asked.get("back"));
const post = async (path, body) =>
  (await fetch("/_sandbox/js/" + path, { method: "POST", body: JSON.stringify(body) })).json();

const leave = (status) => {
  back.searchParams.set("setup_intent", client_secret.split("_secret_")[0]);
  back.searchParams.set("setup_intent_client_secret", client_secret);
  back.searchParams.set("redirect_status", status);
  location.replace(back);
};
const press = async (succeeded) => {
  document.querySelector("main").hidden = true;
  await post("authenticate", { client_secret, succeeded });
  leave(succeeded ? "succeeded" : "failed");
};
document.getElementById("agree").addEventListener("click", () => press(true));
document.getElementById("cancel").addEventListener("click", () => press(false));

const begun = post("confirm_paypal_setup", { client_secret, return_url: back.href, to: location.href });
begun.then((answer) => {
  if (answer.error) return leave("failed");
  document.querySelector("main").hidden = false;
});
