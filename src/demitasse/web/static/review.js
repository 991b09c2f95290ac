/* A vote is one key away: what bears data-keys is pressed by any of them, unless something is being written. */
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || event.target.matches("input, textarea, select")) return;
  // An arrow moves a text that is being read.
  if (event.key.startsWith("Arrow") && event.target.closest(".words")) return;
  const pressed = document.querySelector(`[data-keys~="${CSS.escape(event.key)}"]`);
  if (!pressed) return;
  event.preventDefault();
  pressed.click();
});
