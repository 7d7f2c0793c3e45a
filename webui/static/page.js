// What a browser with JavaScript gets on top: a preview of the picture, and dropping or pasting it anywhere on the page.

const input = document.querySelector("#file");
const drop = document.querySelector("#drop");
const preview = document.querySelector("#preview");

function show() {
  URL.revokeObjectURL(preview.src);
  const file = input.files[0];
  preview.hidden = !file;
  drop.classList.toggle("filled", Boolean(file));
  if (file) preview.src = URL.createObjectURL(file);
}

function take(files) {
  const file = [...files].find((candidate) => candidate.type.startsWith("image/")) ?? files[0];
  if (!file) return false;
  const transfer = new DataTransfer();
  transfer.items.add(file);
  input.files = transfer.files;
  show();
  return true;
}

const holdsFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");

input.addEventListener("change", show);
// A browser that cannot show the format keeps the file's name, and sends it all the same.
preview.addEventListener("error", () => {
  preview.hidden = true;
  drop.classList.remove("filled");
});
document.addEventListener("paste", (event) => {
  if (take(event.clipboardData?.files ?? [])) event.preventDefault();
});
document.addEventListener("dragover", (event) => {
  if (!holdsFiles(event)) return;
  event.preventDefault();
  drop.classList.add("over");
});
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) drop.classList.remove("over");
});
document.addEventListener("drop", (event) => {
  drop.classList.remove("over");
  if (holdsFiles(event) && take(event.dataTransfer.files)) event.preventDefault();
});
if (input.files.length) show();
