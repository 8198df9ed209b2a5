/**
 * Files that a person drops on the page or pastes.
 *
 * In:  what to do with one, and with something else that is dropped. Out: nothing; it listens from now on.
 */

/**
 * @param {(file: File, of: number) => void} show of: how many were given at once
 * @param {() => void} refuse
 */
export function listenForFiles(show, refuse) {
  const { classList } = document.body;
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    classList.add("dragging");
  });
  document.addEventListener("dragleave", (event) => event.relatedTarget || classList.remove("dragging"));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    classList.remove("dragging");
    const files = event.dataTransfer?.files;
    if (files?.length) show(files[0], files.length);
    else refuse();
  });
  document.addEventListener("paste", (event) => {
    const files = event.clipboardData?.files;
    if (files?.length) show(files[0], files.length);
  });
}
