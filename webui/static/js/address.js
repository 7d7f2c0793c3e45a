// The page's URL names the model and the sample, so that a link to it shows the same. The links to other languages and
// samples carry them on, and the code sample in the footer names the same model.

import { copy } from "./copy.js";
import { texts } from "./words.js";

const find = (id) => document.getElementById(id);
const strip = [...document.querySelectorAll(".strip a")];
const languages = [...document.querySelectorAll(".languages a")];
const CHOSEN = "zoo.model";
let told = null;

const put = (url, key, value) => (value === null || value === undefined ? url.searchParams.delete(key) : url.searchParams.set(key, value));

// Puts the chosen model's name into the code sample.
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

// MNIST's label of a test picture in the strip; undefined for other pictures.
export const labelOf = (sample) => strip.find((link) => link.dataset.sample === String(sample))?.dataset.label;

// The model that was chosen last in this tab, or null if the URL names one.
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
    // Storage is not allowed: only the URL has it.
  }
}

// `show(place)` is called with the index of the sample that is clicked.
export function listen(show) {
  for (const link of strip) {
    link.addEventListener("click", (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      show(Number(link.dataset.sample));
    });
  }
}

// `drawn()` says whether the board shows something that a link cannot carry.
export const listenToCopy = (drawn) =>
  find("copy").addEventListener("click", () => copy(location.href, drawn() ? texts.copied_model : texts.copied, texts.not_copied));
const digits = find("reading-text");
find("reading-copy").addEventListener("click", () => copy(digits.textContent, texts.copied, texts.not_copied, digits));
