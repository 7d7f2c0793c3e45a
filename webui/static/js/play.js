// The front page at work: each change of the board is asked about at once, and the answer shown. Everything in this
// folder speaks through here; nothing is drawn or asked elsewhere.

import * as address from "./address.js";
import * as answer from "./answer.js";
import * as arena from "./arena.js";
import * as closer from "./closer.js";
import * as pen from "./pen.js";
import * as several from "./several.js";
import * as sources from "./sources.js";
import { at, Mishap, newest, post } from "./ask.js";
import { Board } from "./ink.js";
import { loadSeveral, saveSeveral } from "./keeping.js";
import { texts } from "./words.js";

const PAUSE = 60; // ms without movement after which an unfinished stroke is asked about
const OTHERS = 60; // ms after the answer until all models are asked
const SLOW = 2500; // ms after which a wait is told

const find = (id) => document.getElementById(id);
const [form, paper, invite, undo, redo, eraser, clear, size] =
  ["play", "paper", "invite", "undo", "redo", "eraser", "clear", "size"].map(find);
const [why, steps, read] = ["why", "steps", "read"].map(find);
const radios = [...form.elements].filter((element) => element.name === "model_type");
const chosen = () => radios.find((radio) => radio.checked)?.value;
const query = (extra = {}) => new URLSearchParams({ model: chosen(), ...extra });

// Asking

const predict = newest((signal, content) => post(`/predict_${chosen()}?trace=1`, content, signal));
const everyone = newest((signal, content) => post("/arena", content, signal));
const decided = newest((signal, content) => post(`/why?${query()}`, content, signal));
const stepwise = newest((signal, content) => post(`/explain?${query()}`, content, signal));
const many = newest((signal, content) => post(`/read?${query()}`, content, signal));

let due, later, again;
let current = null; // the question whose answer is shown or awaited
let refused = false; // the notice on show is about a picture that was taken back

function afresh() {
  current = null;
  return ask();
}

// Asks about the board, unless that is what was asked last: a pen that rests before it is lifted has its answer then.
async function ask(drawing = false) {
  clearTimeout(due);
  clearTimeout(again);
  if (!chosen() || board.empty) return;
  const about = `${chosen()} ${board.state}`;
  if (current?.about === about) {
    current.drawing &&= drawing;
    if (current.answered && !drawing) settled(current);
    return;
  }
  clearTimeout(later);
  const content = board.content();
  const mine = (current = { about, content, drawing, answered: false });
  const slow = setTimeout(() => answer.trouble("slow"), SLOW);
  const start = performance.now();
  try {
    const found = await predict(content);
    if (!found) return;
    answer.show(found, performance.now() - start, address.labelOf(board.sample));
    if (!refused) answer.fine();
    refused = false;
    mine.answered = true;
    mine.crowd = found.reason === "several_objects" && board.untouched;
    settled(mine, start);
  } catch (error) {
    failed(error);
  } finally {
    clearTimeout(slow);
  }
}

function settled(question, start = performance.now()) {
  if (!question.drawing) performance.measure("stroke to answer", { start: Math.min(board.ended ?? start, start), end: performance.now() });
  clearTimeout(later);
  later = setTimeout(() => look(question), OTHERS);
}

async function look({ content, drawing, crowd }) {
  try {
    if (crowd) await readAll(content);
    const votes = await everyone(content);
    if (votes) arena.show(votes);
    if (drawing) return;
    if (why.ariaPressed === "true") await lookWhy(content);
    if (steps.ariaExpanded === "true") await lookSteps(content);
  } catch (error) {
    failed(error);
  }
}

async function readAll(content) {
  const found = await many(content);
  if (found) answer.announce(closer.showReading(found, content));
}

// Whose answer a person waits for: it is told and brought into sight, whichever question of the board brings it.
const awaited = new Set();

async function lookWhy(content) {
  const found = await decided(content);
  if (!found) return;
  closer.showHeat(found);
  if (awaited.delete(why)) answer.announce(closer.hint());
}

async function lookSteps(content) {
  const found = await stepwise(content);
  if (!found) return;
  closer.showSteps(found);
  if (!awaited.delete(steps)) return;
  reveal(closer.section);
  answer.announce(texts.stepwise);
}

function failed(error) {
  if (!(error instanceof Mishap)) throw error;
  current = null;
  awaited.clear();
  answer.stale();
  answer.trouble(error.kind, error.detail);
  if (error.again !== null) again = setTimeout(afresh, error.again);
  if ([400, 413, 415].includes(error.kind)) refused = board.withdraw();
}

addEventListener("online", afresh);

// The board

function changed(drawing) {
  const nothing = board.empty;
  if (!drawing) {
    board.ended = performance.now();
    if (!nothing) ask();
    requestAnimationFrame(follow);
  }
  invite.hidden = !nothing;
  closer.hideReading();
  many.off();
  if (nothing) {
    for (const question of [predict, everyone, stepwise]) question.off();
    for (const timer of [due, later, again]) clearTimeout(timer);
    current = null;
    awaited.clear();
    answer.empty();
    arena.empty();
    closer.hideSteps();
  } else if (drawing) {
    clearTimeout(due);
    due = setTimeout(() => ask(true), PAUSE);
  }
}

// What can wait until the question is on its way.
function follow() {
  closer.hideHeat();
  decided.off();
  buttons();
  address.share(chosen(), board.sample);
}

function buttons() {
  const held = document.activeElement;
  undo.disabled = !board.done.length;
  redo.disabled = !board.undone.length;
  for (const button of [clear, why, steps, read]) button.disabled = board.empty;
  if (held?.disabled) board.canvas.focus({ preventScroll: true, focusVisible: false }); // or the focus would be lost
}

const board = new Board(find("board"), changed);
pen.listen(board);
address.listenToCopy(() => !board.empty && board.sample === null);

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
    address.share(chosen(), board.sample);
    decided.off();
    closer.hideHeat();
    ask();
  });
}
form.addEventListener("submit", (event) => {
  event.preventDefault();
  afresh();
});

// A closer look

why.addEventListener("click", () => {
  const on = why.ariaPressed !== "true";
  why.ariaPressed = String(on);
  if (on) return closely(why, lookWhy);
  decided.off();
  closer.hideHeat();
});
steps.addEventListener("click", () => {
  const on = steps.ariaExpanded !== "true";
  steps.ariaExpanded = String(on);
  if (on) return closely(steps, lookSteps);
  stepwise.off();
  closer.hideSteps();
});
function closely(button, look) {
  const content = board.content();
  if (!content) return;
  awaited.add(button);
  look(content).catch(failed);
}
read.addEventListener("click", () => {
  const content = board.content();
  if (content) readAll(content).then(() => reveal(paper), failed);
});

// Samples, and pictures that are brought

// What is asked for far from where it is answered, as on a phone, would be answered out of sight.
function reveal(place) {
  const { top, bottom, height } = place.getBoundingClientRect();
  const visible = Math.min(bottom, innerHeight) - Math.max(top, 0);
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  if (visible < height / 2) place.scrollIntoView({ block: "nearest", behavior: calm ? "instant" : "smooth" });
}

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
address.listen(async (place) => {
  await showSample(place);
  reveal(paper);
});

const most = Number(form.dataset.most); // bytes
const show = async (file, name) => {
  await board.show(file, { name });
  reveal(paper);
};
const tellAll = (files) => several.tellAll(files, chosen(), most, show);
sources.listen((files) => {
  if (files.length > 1) {
    saveSeveral(files);
    tellAll(files).then((text) => text && answer.announce(text));
    return reveal(several.section);
  }
  if (files[0].size > most) return answer.trouble(413);
  return show(files[0], files[0].name ?? "");
});

// The beginning: the sample of the address, or what was on the board before

const asked = form.dataset.sample;
const before = radios.find((radio) => radio.value === address.before() && !radio.disabled);
if (before) before.checked = true;
address.name(chosen());
await board.ready;
size.value = board.size;
if (asked !== undefined && String(board.sample) !== asked) await showSample(Number(asked));
else if (!board.empty || board.done.length) changed(false);
else buttons();
const kept = loadSeveral();
if (kept.length && several.section.hidden) tellAll(kept);
