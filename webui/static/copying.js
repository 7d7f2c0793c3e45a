// Shows the copy button of each code sample, and a short message when it was pressed. Where the browser does not allow
// copying, it selects the text.

const toast = document.querySelector("#toast");
let gone;
function say(text) {
  toast.textContent = text;
  clearTimeout(gone);
  gone = setTimeout(() => (toast.textContent = ""), 4000);
}

for (const button of document.querySelectorAll("button.copy")) {
  const code = button.parentElement.querySelector("code");
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(code.textContent);
      say(toast.dataset.copied);
    } catch {
      getSelection().selectAllChildren(code);
      say(toast.dataset.refused);
    }
  });
}
