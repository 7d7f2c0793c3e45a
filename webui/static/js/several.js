// Several pictures at once: a row for each, with what is read. A click puts a picture on the board.

import * as answer from "./answer.js";
import { Mishap, post } from "./ask.js";
import { saveSeveral } from "./keeping.js";
import { number, percent, say, texts } from "./words.js";

const find = (id) => document.getElementById(id);
const list = find("several-list");
export const section = find("several");
let latest = 0;
let rows = [];

// Lists files and has them read. `show(file, name)` puts one on the board; files above `most` bytes are not sent.
// Resolves with the text to announce, or "" if other pictures have come or the list was closed.
export function tellAll(files, model, most, show) {
  section.hidden = false;
  rows = files.map((file) => ({ file, fits: file.size <= most, item: row(file, show) }));
  list.replaceChildren(...rows.map(({ item }) => item));
  return tellAnew(model);
}

// Has the same pictures read by a model.
export async function tellAnew(model) {
  const mine = (latest += 1);
  const overtaken = () => mine !== latest;
  for (const { item } of rows) item.classList.add("stale");
  for (const one of rows) while (!overtaken() && !(await told(one, model, overtaken)));
  if (overtaken()) return "";
  const answers = rows.map(({ item }) => [...item.querySelectorAll("span")].map((part) => part.textContent.trim()).join(": "));
  return say("several_told", { count: number(rows.length), answers: answers.join("; ") });
}

find("several-close")?.addEventListener("click", () => {
  latest += 1;
  saveSeveral([]);
  section.hidden = true;
  rows = [];
  list.replaceChildren();
  find("file").focus({ preventScroll: true });
});

function row(file, show) {
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
  button.addEventListener("click", () => show(file, name));
  const of = Object.assign(document.createElement("span"), { className: "of", textContent: name });
  const what = Object.assign(document.createElement("span"), { className: "what", textContent: "…" });
  item.append(button, of, what);
  return item;
}

// Has one picture read. Resolves with true once there is an answer or an error that stays, and with false, after a
// pause, to ask again a server that is lost or refuses for now. What comes after something else was asked is not shown.
async function told({ file, item, fits }, model, overtaken) {
  const what = item.querySelector(".what");
  try {
    if (!fits) throw new Mishap(413);
    if (!model) throw new Mishap(503);
    const content = { body: file, type: file.type };
    const found = await post(`/predict_${model}`, content);
    const row = found.reason === "several_objects" ? (await post(`/read?model=${model}`, content)).text : "";
    if (overtaken()) return true;
    if (found.rejected && !row) what.textContent = answer.reasonOf(found);
    else {
      const label = Object.assign(document.createElement("b"), { textContent: row || found.label });
      what.replaceChildren(label, row ? "" : ` ${percent(found.confidence, 2)}`);
    }
    what.classList.remove("wrong");
    item.classList.remove("stale");
    return true;
  } catch (error) {
    if (!(error instanceof Mishap)) throw error;
    if (overtaken()) return true;
    what.textContent = answer.titleOf(error.kind);
    what.classList.add("wrong");
    item.classList.remove("stale");
    if (error.again === null) return true;
    await new Promise((resolve) => setTimeout(resolve, error.again));
    return false;
  }
}
