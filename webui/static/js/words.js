// The page's texts and numbers in its language. The server puts the texts into attributes of the form.

const form = document.querySelector("#play");
const lang = document.documentElement.lang;

export const texts = JSON.parse(form.dataset.words);
export const mishaps = JSON.parse(form.dataset.mishaps);
export const labelsOf = JSON.parse(form.dataset.labels);
export const DIGITS = [..."0123456789"];

export const say = (name, values = {}) => texts[name].replace(/%\((\w+)\)s/g, (_, key) => values[key] ?? "");

const formats = new Map();
function format(places) {
  if (!formats.has(places)) {
    const digits = { minimumFractionDigits: places, maximumFractionDigits: places };
    formats.set(places, new Intl.NumberFormat(lang, digits));
  }
  return formats.get(places);
}

export const number = (value, places = 0) => format(places).format(value);

// As the server writes it: a share that would only round to 0 or 1 is written with < or >.
export function percent(share, places = 1) {
  const step = 10 ** -(places + 2);
  const written = (value) => `${format(places).format(value * 100)}\u00a0%`;
  if (share > 0 && share < step / 2) return `<\u00a0${written(step)}`;
  if (share >= 1 - step / 2 && share < 1) return `>\u00a0${written(1 - step)}`;
  return written(share);
}

export const milliseconds = (ms) => number(ms, ms < 10 ? 1 : 0);
