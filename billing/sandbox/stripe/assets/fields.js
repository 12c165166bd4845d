// The card stays in this frame: the page outside learns whether it was taken, and nothing else.
const card = document.getElementById("card");
const told = document.getElementById("error");

const value = (name) => card.elements[name].value.trim();
const confirm = async (clientSecret, returnUrl) => {
  const body = {
    client_secret: clientSecret, return_url: returnUrl,
    number: value("number"), expiry: value("expiry"), cvc: value("cvc"),
  };
  return (await fetch("/_sandbox/js/confirm_setup", { method: "POST", body: JSON.stringify(body) })).json();
};
const check = () => {
  const missing = ["number", "expiry", "cvc"].some((name) => !value(name));
  told.textContent = missing ? "Your card's details are incomplete." : "";
  return missing ? { error: { type: "validation_error", message: told.textContent } } : {};
};

card.addEventListener("submit", (event) => event.preventDefault());
addEventListener("message", async ({ data, source, origin }) => {
  const answer = data.ask === "confirm" ? await confirm(data.clientSecret, data.returnUrl) : check();
  source.postMessage({ id: data.id, answer }, origin);
});
