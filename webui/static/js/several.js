// Several pictures at once: a row for each, with what is read; a click puts one on the board.

import * as answer from "./answer.js";
import { Mishap, post } from "./ask.js";
import { percent, say, texts } from "./words.js";

const section = document.getElementById("several");
const list = document.getElementById("several-list");

// `show(file, name)` puts one on the board; files above `most` bytes are not sent.
export async function tellAll(files, model, most, show) {
  section.hidden = false;
  const rows = files.map((file) => [file, row(file, show)]);
  list.replaceChildren(...rows.map(([, made]) => made));
  for (const [file, made] of rows) await tell(file, model, made, file.size <= most);
}

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

async function tell(file, model, item, fits) {
  const what = item.querySelector(".what");
  try {
    if (!fits) throw new Mishap(413);
    const content = { body: file, type: file.type };
    const found = await post(`/predict_${model}`, content);
    const row = found.reason === "several_objects" ? (await post(`/read?model=${model}`, content)).text : "";
    if (found.rejected && !row) what.textContent = answer.reasonOf(found);
    else {
      const label = Object.assign(document.createElement("b"), { textContent: row || found.label });
      what.replaceChildren(label, row ? "" : ` ${percent(found.confidence, 2)}`);
    }
  } catch (error) {
    if (!(error instanceof Mishap)) throw error;
    what.textContent = answer.titleOf(error.kind);
    what.classList.add("wrong");
  }
}
