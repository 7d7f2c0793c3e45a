// The description of the API follows the reader's choice of light or dark.
const shown = document.querySelector("rapi-doc");
const dark = matchMedia("(prefers-color-scheme: dark)");
const follow = () => shown.setAttribute("theme", dark.matches ? "dark" : "light");
dark.addEventListener("change", follow);
follow();
