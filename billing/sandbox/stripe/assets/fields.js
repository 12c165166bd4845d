// The card or account stays in this frame: the page outside learns whether it was taken, and nothing else.
const card = document.getElementById("card");
const told = document.getElementById("error");

let wallet = null;
// A wallet that is pressed stands for a card, and pressed again no more.
const wallets = [...card.querySelectorAll("[data-wallet]")];
const press = (button) => {
  wallet = wallet === button.dataset.wallet ? null : button.dataset.wallet;
  for (const each of wallets) each.setAttribute("aria-pressed", String(each.dataset.wallet === wallet));
  told.textContent = "";
};
wallets.forEach((each) => each.addEventListener("click", () => press(each)));

const names = card.dataset.names.split(" ");
const value = (name) => card.elements[name].value.trim();
const confirm = async (clientSecret, returnUrl) => {
  const given = wallet ? { wallet } : Object.fromEntries(names.map((name) => [name, value(name)]));
  const body = { client_secret: clientSecret, return_url: returnUrl, ...given };
  return (await fetch("/_sandbox/js/confirm_setup", { method: "POST", body: JSON.stringify(body) })).json();
};
const check = () => {
  const missing = !wallet && names.some((name) => !value(name));
  told.textContent = missing ? card.dataset.missing : "";
  return missing ? { error: { type: "validation_error", message: told.textContent } } : {};
};

card.addEventListener("submit", (event) => event.preventDefault());
addEventListener("message", async ({ data, source, origin }) => {
  const answer = data.ask === "confirm" ? await confirm(data.clientSecret, data.returnUrl) : check();
  source.postMessage({ id: data.id, answer }, origin);
});
