// Keeps the models that are ticked for comparison in the URL, and in the links to this page in another order or
// language, so that they stay ticked there. The button shows how many are ticked, and is enabled if that many can be
// compared.

const ticks = [...document.querySelectorAll("input[name=m]")];
const links = document.querySelectorAll(".roster thead a, .languages a");

function carry(address) {
  const url = new URL(address);
  url.searchParams.delete("m");
  for (const tick of ticks) if (tick.checked) url.searchParams.append("m", tick.value);
  return url.href;
}

const button = document.querySelector("#compare");
const count = document.querySelector("#ticked");

function tell() {
  const ticked = ticks.filter((tick) => tick.checked).length;
  count.textContent = `(${ticked})`;
  button.disabled = ticked < 2 || ticked > Number(button.dataset.most);
}

function follow() {
  tell();
  history.replaceState(null, "", carry(location.href));
  for (const link of links) link.href = carry(link.href);
}

for (const tick of ticks) tick.addEventListener("change", follow);
if (button) tell();
