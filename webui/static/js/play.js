// The front page: what is drawn or brought is asked of the chosen model at once, then of all.

import * as answer from "./answer.js";
import * as arena from "./arena.js";
import * as closer from "./closer.js";
import * as sources from "./sources.js";
import { at, Mishap, newest, post } from "./ask.js";
import { Board } from "./ink.js";
import { percent, say, texts } from "./words.js";

const PAUSE = 60; // ms without movement after which an unfinished stroke is asked about
const OTHERS = 180; // ms after the answer until all models are asked
const SLOW = 2500; // ms after which a wait is told
const AGAIN = 1500; // ms between tries to reach a lost server

const find = (id) => document.getElementById(id);
const [form, invite, undo, redo, eraser, clear, size] =
  ["play", "invite", "undo", "redo", "eraser", "clear", "size"].map(find);
const [why, steps, read, copy] = ["why", "steps", "read", "copy"].map(find);
const radios = [...form.elements].filter((element) => element.name === "model_type");
const chosen = () => radios.find((radio) => radio.checked)?.value;
const query = (extra = {}) => new URLSearchParams({ model: chosen(), ...extra });

// Asking

const predict = newest((signal, picture) => post(`/predict_${chosen()}?trace=1`, picture, signal));
const everyone = newest((signal, picture) => post("/arena", picture, signal));
const decided = newest((signal, picture) => post(`/why?${query()}`, picture, signal));
const stepwise = newest((signal, picture) => post(`/explain?${query()}`, picture, signal));
const many = newest((signal, picture) => post(`/read?${query()}`, picture, signal));

let due, later, again;
let refused = false; // the notice on show is about a picture that was taken back

async function ask(drawing = false) {
  clearTimeout(due);
  clearTimeout(later);
  clearTimeout(again);
  if (!chosen()) return;
  const content = board.content();
  if (!content) return;
  const slow = setTimeout(() => answer.trouble("slow"), SLOW);
  const start = performance.now();
  try {
    const found = await predict(content.picture);
    if (!found) return;
    answer.show(found, performance.now() - start);
    if (!refused) answer.fine();
    refused = false;
    if (!drawing) performance.measure("stroke to answer", { start: board.ended ?? start, end: performance.now() });
    later = setTimeout(() => look(content, drawing), OTHERS);
  } catch (error) {
    failed(error);
  } finally {
    clearTimeout(slow);
  }
}

async function look(content, drawing) {
  try {
    const votes = await everyone(content.picture);
    if (votes) arena.show(votes);
    if (drawing) return;
    if (why.ariaPressed === "true") await lookWhy(content);
    if (steps.ariaExpanded === "true") await lookSteps(content);
  } catch (error) {
    failed(error);
  }
}

async function lookWhy(content) {
  const found = await decided(content.picture);
  if (found) closer.showHeat(found);
}

async function lookSteps(content) {
  const found = await stepwise(content.picture);
  if (found) closer.showSteps(found);
}

function failed(error) {
  if (!(error instanceof Mishap)) throw error;
  answer.stale();
  answer.trouble(error.kind, error.detail);
  if (error.kind === "lost") again = setTimeout(() => ask(), AGAIN);
  if ([400, 413, 415].includes(error.kind)) refused = board.withdraw();
}

addEventListener("online", () => ask());

// The board

function changed(drawing) {
  const nothing = board.empty;
  invite.hidden = !nothing;
  closer.hideReading();
  many.off();
  if (!drawing) {
    board.ended = performance.now();
    closer.hideHeat();
    decided.off();
    buttons();
    share();
  }
  clearTimeout(due);
  if (nothing) {
    for (const question of [predict, everyone, stepwise]) question.off();
    for (const timer of [later, again]) clearTimeout(timer);
    answer.empty();
    arena.empty();
    closer.hideSteps();
  } else if (drawing) due = setTimeout(() => ask(true), PAUSE);
  else ask();
}

function buttons() {
  undo.disabled = !board.done.length;
  redo.disabled = !board.undone.length;
  for (const button of [clear, why, steps, read]) button.disabled = board.empty;
}

const board = new Board(find("board"), changed);

undo.addEventListener("click", () => board.undo());
redo.addEventListener("click", () => board.redo());
clear.addEventListener("click", () => board.clear());
eraser.addEventListener("click", () => {
  board.erasing = !board.erasing;
  eraser.ariaPressed = String(board.erasing);
});
size.addEventListener("input", () => (board.size = Number(size.value)));
document.addEventListener("keydown", (event) => {
  if (!(event.ctrlKey || event.metaKey) || event.altKey || event.target.matches("input[type=search]")) return;
  const key = event.key.toLowerCase();
  if (key !== "z" && key !== "y") return;
  event.preventDefault();
  if (key === "y" || event.shiftKey) board.redo();
  else board.undo();
});

// Models

for (const radio of radios) {
  radio.addEventListener("change", () => {
    share();
    decided.off();
    closer.hideHeat();
    ask();
  });
}
form.addEventListener("submit", (event) => {
  event.preventDefault();
  ask();
});

// A closer look

why.addEventListener("click", () => {
  const on = why.ariaPressed !== "true";
  why.ariaPressed = String(on);
  const content = board.content();
  if (on && content) lookWhy(content).catch(failed);
  else closer.hideHeat();
});
steps.addEventListener("click", () => {
  const on = steps.ariaExpanded !== "true";
  steps.ariaExpanded = String(on);
  const content = board.content();
  if (on && content) lookSteps(content).catch(failed);
  else closer.hideSteps();
});
read.addEventListener("click", async () => {
  const content = board.content();
  if (!content) return;
  try {
    const found = await many(content.picture);
    if (found) answer.announce(closer.showReading(found, content));
  } catch (error) {
    failed(error);
  }
});

async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast(texts.copied);
  } catch {
    toast(texts.not_copied);
  }
}
function toast(text) {
  const place = find("toast");
  place.textContent = text;
  clearTimeout(toast.gone);
  toast.gone = setTimeout(() => (place.textContent = ""), 4000);
}
copy.addEventListener("click", () => copied(location.href));
find("reading-copy").addEventListener("click", () => copied(find("reading-text").textContent));

// The address, and what of it goes on to the next page

function share() {
  const address = new URL(location.href);
  const { sample } = board;
  const put = (url, key, value) => (value === null || value === undefined ? url.searchParams.delete(key) : url.searchParams.set(key, value));
  put(address, "model", chosen());
  put(address, "sample", sample);
  address.searchParams.delete("lang");
  address.hash = "";
  if (address.href !== location.href) history.replaceState(null, "", address);
  for (const link of document.querySelectorAll(".languages a")) {
    const url = new URL(link.href);
    put(url, "model", chosen());
    put(url, "sample", sample);
    link.href = url;
  }
  for (const link of strip) {
    const url = new URL(link.href);
    put(url, "model", chosen());
    link.href = url;
    if (link.dataset.sample === String(sample)) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
  }
}

// Samples, and pictures that are brought

const strip = [...document.querySelectorAll(".strip a")];
async function showSample(place) {
  try {
    const response = await fetch(at(`/samples/${place}.png`)).catch(() => {
      throw new Mishap("lost");
    });
    if (!response.ok) throw new Mishap(response.status);
    await board.show(await response.blob(), { sample: place });
  } catch (error) {
    if (!(error instanceof Mishap)) throw error;
    answer.trouble(error.kind);
  }
}
for (const link of strip) {
  link.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    showSample(Number(link.dataset.sample));
  });
}

const several = find("several");
async function bring(files) {
  const most = Number(form.dataset.most);
  const fit = files.filter((file) => file.size <= most);
  if (files.length === 1) {
    if (!fit.length) return answer.trouble(413);
    return board.show(files[0], { name: files[0].name ?? "" });
  }
  several.hidden = false;
  const rows = files.map((file) => [file, row(file)]);
  find("several-list").replaceChildren(...rows.map(([, made]) => made));
  for (const [file, made] of rows) await tell(file, made, file.size <= most);
}

function row(file) {
  const item = document.createElement("li");
  const button = document.createElement("button");
  button.type = "button";
  button.className = "thumb";
  const name = file.name || texts.unknown_picture;
  button.ariaLabel = say("all_of_it", { name });
  const image = Object.assign(new Image(), { alt: "", src: URL.createObjectURL(file) });
  image.addEventListener("error", () => image.remove());
  image.addEventListener("load", () => URL.revokeObjectURL(image.src));
  button.append(image);
  button.addEventListener("click", () => board.show(file, { name }));
  const of = Object.assign(document.createElement("span"), { className: "of", textContent: name });
  const what = Object.assign(document.createElement("span"), { className: "what", textContent: "…" });
  item.append(button, of, what);
  return item;
}

async function tell(file, item, fits) {
  const what = item.querySelector(".what");
  try {
    if (!fits) throw new Mishap(413);
    const found = await post(`/predict_${chosen()}`, file);
    if (found.rejected) what.textContent = answer.reasonOf(found);
    else {
      const label = Object.assign(document.createElement("b"), { textContent: found.label });
      what.replaceChildren(label, ` ${percent(found.confidence, 2)}`);
    }
  } catch (error) {
    if (!(error instanceof Mishap)) throw error;
    what.textContent = answer.titleOf(error.kind);
    what.classList.add("wrong");
  }
}
sources.listen(bring);

// The beginning: the sample of the address, or what was on the board before

const asked = form.dataset.sample;
await board.ready;
size.value = board.size;
if (asked !== undefined && String(board.sample) !== asked) await showSample(Number(asked));
else if (!board.empty || board.done.length) changed(false);
else buttons();
