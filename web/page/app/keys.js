/**
 * Keys: what they do, and the dialog that lists them.
 *
 * In:  key presses on the page. Out: calls of what they mean, unless somebody types or has letters switched off:
 * speech recognition presses letters, too (WCAG 2.1.4).
 *
 * @param {HTMLDialogElement} dialog @param {import("../types.js").About} about
 * @param {(key: string) => boolean} means does the key mean something now? Else the browser has it.
 * @param {(key: string) => void} act do what it means
 */
export function listenForKeys(dialog, { keys, percentages }, means, act) {
  const sign = (/** @type {string} */ tag, /** @type {string} */ words) =>
    Object.assign(document.createElement(tag), { textContent: words });
  const list = /** @type {HTMLElement} */ (dialog.querySelector("dl"));
  list.replaceChildren(...keys.flatMap(([key, meaning]) => [sign("dt", key), sign("dd", meaning)]));
  list.after(sign("p", percentages));
  const letters = /** @type {HTMLInputElement} */ (dialog.querySelector("input"));
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || dialog.open) return;
    const target = /** @type {HTMLElement} */ (event.target);
    const key = keyOf(event);
    if (target instanceof HTMLSelectElement || (key === " " && target instanceof HTMLButtonElement)) return;
    if (!letters.checked && key.length === 1 && key !== " ") return;
    if (!means(key)) return;
    event.preventDefault();
    if (!event.repeat) act(key);
  });
}

/**
 * The lower-case letter, sign or name of a key; of a letter of another alphabet, the Latin one that has its place.
 * @param {KeyboardEvent} event
 */
function keyOf({ key, code }) {
  return (key > "~" && /^Key[A-Z]$/.test(code) ? code.slice(3) : key).toLowerCase();
}
