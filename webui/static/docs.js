// The description of the API in the page's own colours, light or dark.
const shown = document.querySelector("rapi-doc");
const dark = matchMedia("(prefers-color-scheme: dark)");

function follow() {
  const colours = getComputedStyle(document.documentElement);
  const named = { "bg-color": "--paper", "text-color": "--text", "primary-color": "--blue" };
  shown.setAttribute("theme", dark.matches ? "dark" : "light");
  for (const [attribute, name] of Object.entries(named)) {
    shown.setAttribute(attribute, colours.getPropertyValue(name).trim());
  }
}

dark.addEventListener("change", follow);
follow();
