// A closer look at one picture: which pixels decided, the steps to what the model saw, and the digits of a picture with
// several.

import { texts, say } from "./words.js";

const find = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";
const [heat, legend, list] = ["heat", "why-hint", "closer-list"].map(find);
export const section = find("closer");
const [boxes, line] = ["boxes", "reading-text"].map(find);
export const reading = find("reading");

// Red speaks for the label, blue against it. The stronger the evidence, the more opaque the colour. `rejected` says that
// the label is only the best guess.
export function showHeat({ heat: rows, label, by }, rejected) {
  const pen = heat.getContext("2d");
  heat.width = rows[0].length;
  heat.height = rows.length;
  const most = Math.max(1e-9, ...rows.flat().map(Math.abs));
  const image = pen.createImageData(heat.width, heat.height);
  rows.flat().forEach((level, at) => {
    const share = Math.abs(level) / most;
    image.data.set(level >= 0 ? [230, 60, 20] : [40, 110, 255], 4 * at);
    image.data[4 * at + 3] = level === 0 ? 0 : Math.round(40 + 215 * share ** 0.7);
  });
  pen.putImageData(image, 0, 0);
  heat.hidden = false;
  legend.textContent = say(by === "weights" ? "weights_of" : rejected ? "why_guess" : "why_of", { label });
}

// Says that there is no single answer of which pixels could decide.
export function noHeat() {
  heat.hidden = true;
  legend.textContent = texts.why_none;
}

export function hideHeat() {
  heat.hidden = true;
  legend.textContent = "\u00a0";
}

export const hint = () => legend.textContent;

export function showSteps({ steps }) {
  list.replaceChildren(
    ...steps.map(({ name, picture }) => {
      const item = document.createElement("li");
      const image = Object.assign(new Image(), { src: picture, alt: "" });
      image.className = name === "seen" || name === "fitted" ? "coarse" : "";
      const caption = document.createElement("span");
      caption.textContent = texts[name] ?? name;
      item.append(image, caption);
      return item;
    }),
  );
  section.hidden = false;
}

export const hideSteps = () => (section.hidden = true);

const node = (name, attributes) => {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
};

export const isRead = () => !reading.hidden || boxes.childElementCount > 0;

// Frames the digits on the board and shows them as text below it; if `framed`, only frames them, and nothing moves.
export function showReading({ text, digits }, { width, height }, framed) {
  const unit = Math.max(width, height) / 100;
  boxes.setAttribute("viewBox", `0 0 ${width} ${height}`);
  boxes.replaceChildren(
    ...digits.flatMap(({ label, box: [left, top, right, bottom], rejected, touching }) => {
      const frame = node("rect", { x: left, y: top, width: right - left, height: bottom - top, rx: unit / 2 });
      frame.setAttribute("class", rejected || touching ? "doubtful" : "");
      const high = Math.max(top - unit, 4.5 * unit);
      const mark = node("text", { x: left, y: high, "font-size": 5 * unit });
      mark.textContent = rejected ? `${label}?` : label;
      return [frame, mark];
    }),
  );
  boxes.classList.remove("stale");
  reading.classList.remove("stale");
  line.textContent = text || texts.read_none;
  if (!framed) reading.hidden = false;
  return text ? say("read_some", { text }) : texts.read_none;
}

// Marks the reading as that of another model.
export function staleReading() {
  for (const place of [boxes, reading]) place.classList.add("stale");
}

export function hideReading() {
  if (!isRead()) return;
  boxes.replaceChildren();
  reading.hidden = true;
}
