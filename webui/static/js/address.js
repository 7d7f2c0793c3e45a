// The address tells the model and the sample, so that a link to it shows the same; they go on to the next page too.
// The call in the foot of the page names the same model.

import { texts } from "./words.js";

const find = (id) => document.getElementById(id);
const strip = [...document.querySelectorAll(".strip a")];
const languages = [...document.querySelectorAll(".languages a")];
const CHOSEN = "zoo.model";
let told = null;

const put = (url, key, value) => (value === null || value === undefined ? url.searchParams.delete(key) : url.searchParams.set(key, value));

// The call asks the model that is chosen.
export function name(model) {
  if (model) find("called").textContent = model;
}

export function share(model, sample) {
  const now = JSON.stringify([model, sample]);
  if (now === told) return;
  told = now;
  if (model) remember(model);
  name(model);
  const address = new URL(location.href);
  put(address, "model", model);
  put(address, "sample", sample);
  address.searchParams.delete("lang");
  address.hash = "";
  if (address.href !== location.href) history.replaceState(null, "", address);
  for (const link of languages) {
    const url = new URL(link.href);
    put(url, "model", model);
    put(url, "sample", sample);
    link.href = url;
  }
  for (const link of strip) {
    const url = new URL(link.href);
    put(url, "model", model);
    link.href = url;
    if (link.dataset.sample === String(sample)) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

// What MNIST says a test picture of the strip is; undefined for others.
export const labelOf = (sample) => strip.find((link) => link.dataset.sample === String(sample))?.dataset.label;

// The model chosen last, for as long as the tab is open, where the address names none.
export function before() {
  if (new URLSearchParams(location.search).has("model")) return null;
  try {
    return sessionStorage.getItem(CHOSEN);
  } catch {
    return null;
  }
}

function remember(model) {
  try {
    sessionStorage.setItem(CHOSEN, model);
  } catch {
    // Storage is not allowed: the address alone tells it.
  }
}

// `show(place)` is called with the sample that is clicked.
export function listen(show) {
  for (const link of strip) {
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      show(Number(link.dataset.sample));
    });
  }
}

let gone;
function toast(text) {
  const place = find("toast");
  place.textContent = text;
  clearTimeout(gone);
  gone = setTimeout(() => (place.textContent = ""), 4000);
}

// Where a browser does not allow it, the place that has the text is selected, if there is one.
async function copied(text, done = texts.copied, place = null) {
  try {
    await navigator.clipboard.writeText(text);
    toast(done);
  } catch {
    if (place) getSelection().selectAllChildren(place);
    toast(texts.not_copied);
  }
}

// `drawn()` says whether there is something on the board that a link cannot hold.
export const listenToCopy = (drawn) =>
  find("copy").addEventListener("click", () => copied(location.href, drawn() ? texts.copied_model : texts.copied));
const digits = find("reading-text");
find("reading-copy").addEventListener("click", () => copied(digits.textContent, texts.copied, digits));
