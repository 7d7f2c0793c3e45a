// Shows the copy button of each code sample.

import { copy } from "./js/copy.js";

const texts = document.getElementById("toast")?.dataset;

for (const button of document.querySelectorAll("button.copy")) {
  const code = button.parentElement.querySelector("code");
  button.hidden = false;
  button.addEventListener("click", () => copy(code.textContent, texts.copied, texts.refused, code));
}
