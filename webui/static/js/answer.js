// Shows the answer: the digit, the ten bars and what the model saw; or, in words, what went wrong.

import { DIGITS, labelsOf, milliseconds, mishaps, percent, say, texts } from "./words.js";

const find = (id) => document.getElementById(id);
const [section, digit, sentence, facts, polarity] = ["answer", "digit", "sentence", "facts", "polarity"].map(find);
const [picture, bars, mishap, spoken, paper] = ["seen-picture", "bars", "mishap", "say", "paper"].map(find);
let shownLabels = null;

// Reasons to reject a picture that shows nothing to read: its scores mean nothing.
export const NOTHING = new Set(["blank", "no_contrast", "too_many_objects"]);
const LONGEST = 36; // characters of several digits that are shown as the answer

function rows(labels) {
  const body = bars.tBodies[0];
  if (shownLabels === null) shownLabels = [...body.rows].map((row) => row.cells[0].textContent);
  if (labels.join("\n") === shownLabels.join("\n")) return [...body.rows];
  const first = body.rows[0];
  body.replaceChildren(
    ...labels.map((label) => {
      const row = first.cloneNode(true);
      row.cells[0].textContent = label;
      return row;
    }),
  );
  shownLabels = labels;
  return [...body.rows];
}

// Whether a rejected picture shows nothing to read, as Trace.is_empty; without a trace, its reason says so.
const seesNothing = ({ reason, trace }) => (trace ? trace.reason !== null && !trace.box : NOTHING.has(reason));

// Why there is no digit: a word or two, then a sentence, which names the best guess if there is one.
const rejection = (answer) => `${texts[seesNothing(answer) ? "nothing" : `no_${answer.reason}`] ?? texts.no_not_a_digit}.`;
const reason = (answer) => say(texts[answer.reason] ? answer.reason : "other_reason", { label: answer.label, reason: answer.reason });
export const reasonOf = (answer) => `${rejection(answer)} ${reason(answer)}`;

// Announces a text to screen readers, after a moment, so that only the last of several in one place is heard.
const speaking = new Map();
export function announce(text, place = spoken) {
  clearTimeout(speaking.get(place));
  speaking.set(place, setTimeout(() => (place.textContent = text), 450));
}

// What was done to get what the model saw. Polarity is told only of pictures that the reader brought: the board and the
// test pictures are shown in the page's colours, so in one of its themes it would contradict them.
function preparation({ polarity, scale }, source) {
  if (source === "brought") return texts[polarity];
  return source === "sample" && scale === 1 ? texts.unchanged : texts.scaled;
}

// `took` is in ms. `truth` is the picture's label, if it is known; its `source` is "drawn", "sample" or "brought".
export function show(answer, took, { truth, source = "drawn" } = {}) {
  const { rejected, trace, label } = answer;
  const nothing = seesNothing(answer);
  section.classList.remove("waiting", "stale", "many");
  paper.classList.remove("stale");
  section.classList.toggle("rejected", rejected);
  digit.textContent = rejected ? "" : label;
  paper.dataset.answer = rejected ? "–" : label;
  sentence.replaceChildren();
  if (rejected) {
    const title = document.createElement("b");
    title.textContent = rejection(answer);
    sentence.append(title, ` ${reason(answer)}`);
  } else sentence.textContent = say("reads", { model: answer.model, label });
  const confidence = say("confidence", { share: percent(answer.confidence, 2) });
  const fact = (textContent, className = "") => Object.assign(document.createElement("span"), { textContent, className });
  const each = [fact(say("checkpoint", { ref: answer.checkpoint })), fact(say("took", { ms: milliseconds(took) }))];
  if (!nothing) each.unshift(fact(confidence, "confidence"));
  if (truth !== undefined) each.unshift(fact(say("labelled", { label: truth }), !rejected && truth !== label ? "wrong" : ""));
  facts.replaceChildren(...each.flatMap((one) => [one, " "]));
  picture.hidden = nothing || !trace;
  if (!picture.hidden) {
    picture.src = `data:image/png;base64,${trace.seen}`;
    picture.alt = picture.dataset.alt;
  }
  polarity.textContent = (!picture.hidden && preparation(trace, source)) || "\u00a0";
  const shares = rows(labelsOf[answer.model] ?? DIGITS);
  if (nothing) clear(shares);
  else shares.forEach((row, place) => {
    const share = answer.probabilities[place];
    row.className = !rejected && row.cells[0].textContent === label ? "best" : "";
    row.querySelector("rect").setAttribute("width", (share * 100).toFixed(2));
    row.cells[2].textContent = percent(share);
  });
  const all = [sentence.textContent, ...(rejected ? [] : [confidence]), ...(truth === undefined ? [] : [say("labelled", { label: truth })])].join(", ");
  document.title = document.title.replace(/^(.* · )?/, rejected ? "" : `${label} · `);
  announce(all);
}

// Shows the digits that were read one by one in a picture of several objects, in place of the answer that it is none.
export function showRead(model, text) {
  const whole = text.replaceAll(/\s+/g, " ");
  section.classList.remove("rejected");
  section.classList.add("many");
  digit.textContent = whole.length > LONGEST ? `${whole.slice(0, LONGEST - 1)}…` : whole;
  delete paper.dataset.answer;
  sentence.lastChild.data = ` ${say("read_each", { model, text })}`;
  facts.querySelector(".confidence")?.remove();
  clear([...bars.tBodies[0].rows]); // the scores are those of the whole picture as one digit
  document.title = document.title.replace(/^(.* · )?/, `${digit.textContent} · `);
  announce(sentence.textContent);
}

function clear(rows) {
  for (const row of rows) {
    row.className = "";
    row.querySelector("rect").setAttribute("width", "0");
    row.cells[2].textContent = "–";
  }
}

export function empty() {
  section.classList.remove("rejected", "stale", "many");
  paper.classList.remove("stale");
  section.classList.add("waiting");
  delete paper.dataset.answer;
  digit.textContent = "";
  sentence.textContent = texts.empty;
  facts.textContent = polarity.textContent = "\u00a0";
  picture.hidden = true;
  picture.alt = "";
  clear(rows(DIGITS));
  document.title = document.title.replace(/^.* · /, "");
  announce("");
}

// Shows why there is no answer to a first picture yet. An earlier answer stays.
export function missing(reason) {
  if (section.classList.contains("waiting")) sentence.textContent = reason;
}

// Marks the answer as that of an earlier picture.
export function stale() {
  for (const place of [section, paper]) place.classList.add("stale");
}

const own = {
  lost: { title: texts.lost, advice: texts.lost_advice },
  slow: { title: texts.slow, advice: texts.slow_advice },
  busy: { title: texts.busy, advice: texts.again_advice },
  429: { title: texts.too_often, advice: texts.again_advice },
  401: { title: texts.no_key, advice: texts.no_key_advice, remedy: [texts.sign_in, () => location.reload()] },
};
const wordsFor = (kind) => own[kind] ?? mishaps[kind] ?? mishaps[500];
export const titleOf = (kind) => wordsFor(kind).title;

let told = null; // what went wrong last, and with what; kept when its notice is closed

// Shows a notice. `what` went wrong: the answer, or something asked beside it. Only `fine(what)` removes it again.
export function trouble(kind, detail = "", what = section) {
  const before = told;
  told = { kind, detail, what };
  if (before?.kind === kind && before.detail === detail) return;
  const { title, advice, remedy } = wordsFor(kind);
  const box = document.createElement("div");
  box.className = "notice";
  box.setAttribute("role", "alert");
  const heading = document.createElement("h2");
  heading.textContent = title;
  const text = document.createElement("p");
  text.textContent = advice;
  box.append(heading, text);
  if (detail) {
    const exact = document.createElement("p");
    exact.lang = "en"; // the API's messages are English
    exact.textContent = detail;
    const summary = Object.assign(document.createElement("summary"), { textContent: texts.exactly });
    const more = document.createElement("details");
    more.append(summary, exact);
    box.append(more);
  }
  if (remedy) {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: remedy[0] });
    button.addEventListener("click", remedy[1]);
    box.append(button);
  }
  vacate();
  mishap.append(box);
  closable(box);
}

// Shows a notice about a picture that cannot be taken, even if the same notice is already shown.
export function refuse(kind, detail) {
  told = null;
  trouble(kind, detail);
}

// Removes the notice about `what`. The notice that the page came with, about its URL, stays until it is closed.
export function fine(what = section) {
  if (told?.what !== what) return;
  told = null;
  vacate();
}

// After a new attempt, a notice that was closed may be shown again.
export function acted() {
  if (!mishap.children.length) told = null;
}

// Removes the notice. Focus inside it moves to the answer.
function vacate() {
  if (mishap.contains(document.activeElement)) section.focus({ preventScroll: true });
  mishap.replaceChildren();
}

// Adds a close button. A closed notice is not shown again until another was, or until the reader does something.
function closable(box) {
  const shut = document.createElement("button");
  Object.assign(shut, { type: "button", className: "shut", textContent: "×", ariaLabel: texts.close });
  shut.addEventListener("click", vacate);
  box.append(shut);
}
for (const box of mishap.children) closable(box); // the notice that the page came with
