// The bank's own place: what is pressed here is told to the stand-in, and then to the page that opened it.
const post = async (path, body) =>
  (await fetch("/_sandbox/js/" + path, { method: "POST", body: JSON.stringify(body) })).json();

addEventListener("message", async ({ data, source, origin }) => {
  const answer = (told) => source.postMessage({ id: data.id, answer: told }, origin);
  const client_secret = data.clientSecret;
  const now = await post("read", { client_secret });
  if (now.status !== "requires_action") return answer(now);
  const press = async (succeeded) => {
    // Pressed once: whoever presses again means the next bank, not this one on its way out.
    document.querySelector("main").hidden = true;
    answer(await post("authenticate", { client_secret, succeeded }));
  };
  document.getElementById("complete").addEventListener("click", () => press(true), { once: true });
  document.getElementById("fail").addEventListener("click", () => press(false), { once: true });
  document.querySelector("main").hidden = false;
});
