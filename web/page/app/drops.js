/**
 * Files that a person drops on the page or pastes.
 *
 * In:  what to do with one, and with something else that is dropped. Out: nothing; it listens from now on.
 */

/** @param {(file: File) => void} show @param {() => void} refuse */
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
    const file = event.dataTransfer?.files[0];
    if (file) show(file);
    else refuse();
  });
  document.addEventListener("paste", (event) => {
    const file = event.clipboardData?.files[0];
    if (file) show(file);
  });
}
