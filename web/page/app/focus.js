/**
 * Where the focus goes: away from what a pointer used, so that keys are the page's again, and from what is disabled.
 */

/** @param {HTMLSelectElement[]} choosers beside the buttons */
export function freeKeysAfterPointer(choosers) {
  document.querySelector("nav")?.addEventListener("click", ({ detail, target }) => {
    if (detail && target instanceof HTMLButtonElement) target.blur(); // by a pointer: the next space is a pause again
  });
  let pointed = false; // was a chooser opened by a pointer?
  for (const chooser of choosers) {
    chooser.addEventListener("pointerdown", () => (pointed = true));
    chooser.addEventListener("keydown", () => (pointed = false));
    chooser.addEventListener("change", () => pointed && chooser.blur());
  }
}

/**
 * From a button that has become disabled to the first of `others` that is not.
 * @param {Element | null} focused the one that the focus was on, and shown on, before
 * @param {HTMLButtonElement[]} others
 */
export function leaveDisabled(focused, ...others) {
  if (focused instanceof HTMLButtonElement && focused.disabled) others.find((each) => !each.disabled)?.focus();
}
