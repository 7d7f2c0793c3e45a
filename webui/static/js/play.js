// The front page's main script: each change of the board is sent at once, and the answer shown. It connects the other
// modules of this folder.

import * as address from "./address.js";
import * as answer from "./answer.js";
import * as arena from "./arena.js";
import * as closer from "./closer.js";
import * as pen from "./pen.js";
import * as several from "./several.js";
import * as sources from "./sources.js";
import { get, Mishap, newest, post } from "./ask.js";
import { Aside, SLOW } from "./beside.js";
import { Board } from "./ink.js";
import { loadSeveral, saveSeveral } from "./keeping.js";
import { texts } from "./words.js";

const PAUSE = 60; // ms without movement after which an unfinished stroke is sent
const OTHERS = 60; // ms after the answer until all models are asked
const RESTS = 700; // ms until a drawing of several objects is read one by one: the next stroke may join them

const find = (id) => document.getElementById(id);
const [form, paper, invite, undo, redo, eraser, clear, size] =
  ["play", "paper", "invite", "undo", "redo", "eraser", "clear", "size"].map(find);
const [why, steps, read] = ["why", "steps", "read"].map(find);
const radios = [...form.elements].filter((element) => element.name === "model_type");
const chosen = () => radios.find((radio) => radio.checked)?.value;
const ERASED = new Set(["blank", "no_contrast"]); // why a picture without ink is rejected
const query = (extra = {}) => new URLSearchParams({ model: chosen(), ...extra });

// Requests

const predict = newest((signal, content) => post(`/predict_${chosen()}?trace=1`, content, signal));

let due, later, again, resting;
let current = null; // the request whose answer is shown or awaited
let refused = false; // the notice shown is about a picture that was taken back

function afresh() {
  current = null;
  return ask();
}

// Sends the board, unless that was the last request: if a pen rests before it is lifted, its answer is already there.
async function ask(drawing = false) {
  clearTimeout(due);
  clearTimeout(again);
  if (!chosen() || board.empty) return;
  const { state } = board;
  const about = `${chosen()} ${state}`;
  if (current?.about === about) {
    current.drawing &&= drawing;
    if (current.answered && !drawing) settled(current);
    return;
  }
  clearTimeout(later);
  clearTimeout(resting);
  const content = board.content();
  const mine = (current = { about, state, content, drawing, answered: false, owed: new Set([votes]) });
  const slow = setTimeout(() => {
    answer.trouble("slow");
    answer.missing(texts.awaited);
  }, SLOW);
  const start = performance.now();
  try {
    const found = await predict(content);
    if (!found) return;
    const source = board.sample !== null ? "sample" : board.untouched ? "brought" : "drawn";
    answer.show(found, performance.now() - start, { truth: address.labelOf(board.sample), source });
    if (!refused) answer.fine();
    refused = false;
    Object.assign(mine, { answered: true, reason: found.reason, rejected: found.rejected });
    settled(mine, start);
  } catch (error) {
    failed(error);
  } finally {
    clearTimeout(slow);
  }
}

function settled(question, start = performance.now()) {
  const { drawing, owed, reason } = question;
  if (!drawing && ERASED.has(reason) && !board.untouched) erase(false);
  if (!drawing && why.ariaPressed === "true") explain(question);
  if (!drawing && steps.ariaExpanded === "true") owed.add(stepwise);
  if (awaited.has(reading) || closer.isRead()) owed.add(reading);
  if (!drawing && reason === "several_objects") {
    clearTimeout(resting);
    if (board.untouched) owed.add(reading);
    else resting = setTimeout(() => owed.add(reading) && look(question), RESTS);
  }
  if (!drawing) performance.measure("stroke to answer", { start: Math.min(board.ended ?? start, start), end: performance.now() });
  clearTimeout(later);
  later = setTimeout(() => look(question), OTHERS);
}

// Asks which pixels decided, or says why none did: there is nothing to read, or more than one object.
function explain({ owed, reason }) {
  if (!answer.NOTHING.has(reason) && reason !== "several_objects") return owed.add(heat);
  closer.noHeat();
  if (awaited.delete(heat)) answer.announce(closer.hint());
}

function failed(error) {
  if (!(error instanceof Mishap)) throw error;
  current = null;
  answer.stale();
  answer.missing(error.again === null ? texts.no_answer : texts.awaited);
  arena.unknown(texts.votes_failed);
  if (error.again === null) awaited.clear();
  else again = setTimeout(afresh, error.again);
  const taken = ![400, 413, 415].includes(error.kind);
  refused = !taken && board.withdraw();
  (taken ? answer.trouble : answer.refuse)(error.kind, error.detail);
}

addEventListener("online", () => (coming === null ? afresh() : showSample(coming)));

// Requests beside the answer

const awaited = new Set(); // asides that a person waits for: their answer is announced and scrolled into view
let voted = null; // the state of the board that the votes belong to

const heat = new Aside(
  why,
  () => `/why?${query()}`,
  (found) => {
    closer.showHeat(found, current?.rejected);
    if (!awaited.delete(heat)) return;
    reveal(find("seen"));
    answer.announce(closer.hint());
  },
  { release: () => decide(false) },
);
const stepwise = new Aside(
  steps,
  () => `/explain?${query()}`,
  (found) => {
    closer.showSteps(found);
    if (!awaited.delete(stepwise)) return;
    reveal(closer.section);
    answer.announce(texts.stepwise);
  },
  { release: () => unfold(false) },
);
const reading = new Aside(
  read,
  () => `/read?${query()}`,
  (found, content) => {
    const wanted = awaited.delete(reading);
    const framed = !wanted && !board.untouched && closer.reading.hidden;
    const text = closer.showReading(found, content, framed);
    if (current?.reason === "several_objects" && found.text) answer.showRead(found.model, found.text);
    if (!wanted) return; // only the answer is announced
    answer.announce(text);
    reveal(closer.reading, closer.reading.parentElement, 1);
  },
  { release: () => closer.hideReading() },
);
const votes = new Aside(
  find("consensus"),
  () => "/arena",
  (found, content) => {
    if (content !== current?.content) return;
    voted = current.state;
    arena.show(found);
    if (voted !== board.state) arena.stale();
  },
  { late: () => arena.unknown(texts.votes_late), failed: () => arena.unknown(texts.votes_failed) },
);

// Sends everything that an answered request still owes, except what is under way.
function look(question) {
  if (question !== current) return;
  for (const aside of question.owed) if (aside.content !== question.content) bring(aside, question);
}

async function bring(aside, question) {
  const wait = await aside.ask(question.content);
  if (question !== current) return;
  if (wait === null) question.owed.delete(aside);
  else {
    clearTimeout(again);
    again = setTimeout(look, wait, question);
  }
}

// The board

function changed(drawing) {
  const nothing = board.empty;
  clearTimeout(resting);
  answer.acted();
  expect(null);
  if (!drawing) {
    board.ended = performance.now();
    closer.hideHeat(); // before the request: it may be answered already, and then say that there is nothing to explain
    heat.off();
    stepwise.off();
    if (!nothing) ask();
    requestAnimationFrame(follow);
  }
  invite.hidden = !nothing;
  closer.hideReading();
  awaited.delete(reading);
  reading.off();
  if (board.state !== voted) arena.stale();
  if (nothing) {
    for (const question of [predict, votes, heat, stepwise]) question.off();
    for (const timer of [due, later, again]) clearTimeout(timer);
    current = voted = null;
    awaited.clear();
    answer.empty();
    answer.fine();
    arena.empty();
    closer.hideSteps();
    erase(false);
  } else if (drawing) {
    clearTimeout(due);
    due = setTimeout(() => ask(true), PAUSE);
  }
}

// Does what can wait until the request is on its way.
function follow() {
  buttons();
  address.share(chosen(), board.sample);
}

function buttons() {
  const nothing = board.empty;
  usable(undo, board.done.length > 0);
  usable(redo, board.undone.length > 0);
  for (const button of [eraser, clear]) usable(button, !nothing);
  for (const button of [why, steps, read]) usable(button, !nothing && Boolean(chosen()));
}

// A button with focus keeps it: it is only marked as disabled (ARIA), and disabled once focus has left it.
function usable(button, is) {
  const held = button === document.activeElement;
  button.ariaDisabled = !is && held ? "true" : null;
  button.disabled = !is && !held;
}
form.addEventListener("focusout", ({ target }) => {
  if (target.ariaDisabled === "true") requestAnimationFrame(buttons);
});
form.addEventListener("click", (event) => event.target.closest("[aria-disabled=true]") && event.stopImmediatePropagation(), { capture: true });

// The eraser is on only while there is something to erase: otherwise the next digit would be drawn with it, invisibly.
function erase(on) {
  board.erasing = on;
  eraser.ariaPressed = String(on);
}

const board = new Board(find("board"), changed);
pen.listen(board);
address.listenToCopy(() => !board.empty && board.sample === null);

undo.addEventListener("click", () => board.undo());
redo.addEventListener("click", () => board.redo());
clear.addEventListener("click", () => board.clear());
eraser.addEventListener("click", () => erase(!board.erasing));
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
    answer.acted();
    address.share(chosen(), board.sample);
    for (const aside of [heat, stepwise, reading]) aside.off();
    closer.hideHeat();
    closer.staleReading();
    ask();
    several.tellAnew(chosen());
  });
}
form.addEventListener("submit", (event) => {
  event.preventDefault();
  answer.acted();
  afresh();
});

// A closer look

function decide(on) {
  why.ariaPressed = String(on);
  if (on) return closely(heat);
  spare(heat);
  closer.hideHeat();
}
function unfold(on) {
  steps.ariaExpanded = String(on);
  if (on) return closely(stepwise);
  spare(stepwise);
  closer.hideSteps();
}
why.addEventListener("click", () => decide(why.ariaPressed !== "true"));
steps.addEventListener("click", () => unfold(steps.ariaExpanded !== "true"));
read.addEventListener("click", () => closely(reading));

// Sends an aside at once if there is an answer, else together with it.
function closely(aside) {
  answer.acted();
  awaited.add(aside);
  if (!current?.answered) return ask();
  if (aside === heat) explain(current);
  else current.owed.add(aside);
  return look(current);
}

function spare(aside) {
  current?.owed.delete(aside);
  awaited.delete(aside);
  aside.off();
}

// Test pictures, and pictures that the reader brings

// Scrolls to an answer of which less than a share (0-1) would be in sight, as on a phone. Where there is room, what is
// around it comes along: the picture together with its digits.
function reveal(place, around = place, share = 0.5) {
  const { top, bottom, height } = place.getBoundingClientRect();
  const visible = Math.min(bottom, innerHeight) - Math.max(top, 0);
  const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const whole = around.clientHeight < innerHeight ? around : place;
  if (visible < share * height - 1) whole.scrollIntoView({ block: "nearest", behavior: calm ? "instant" : "smooth" });
}

const fetched = newest((signal, place) => get(`/samples/${place}.png`, signal));
let coming = null; // the test picture that is being fetched
let soon;

// Sets which test picture is awaited; null, when the reader goes on with something else, aborts the request.
function expect(place) {
  clearTimeout(soon);
  coming = place;
  if (place !== null) return;
  fetched.off();
  answer.fine(fetched);
}

// Fetches a test picture and puts it on the board. A lost server is asked only for the picture, which brings all else.
async function showSample(place) {
  expect(place);
  clearTimeout(again);
  try {
    const picture = await fetched(place);
    if (picture) await board.show(picture, { sample: place });
  } catch (error) {
    if (!(error instanceof Mishap)) throw error;
    answer.trouble(error.kind, error.detail, fetched);
    if (error.again !== null) soon = setTimeout(showSample, error.again, place);
    else afresh();
  }
}
address.listen(async (place) => {
  answer.acted();
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
  if (files[0].size > most) return answer.refuse(413);
  return show(files[0], files[0].name ?? "");
});

// Start: the test picture that the URL names, or what was on the board before

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
