// Drawing with the keyboard: the arrow keys move a pen over the board, Space or Enter puts it down and lifts it.

import { announce } from "./answer.js";
import { SIDE } from "./painting.js";
import { number, say, texts } from "./words.js";

const SQUARES = 28; // squares of the paper in each direction
const STEP = SIDE / SQUARES;
const FINE = STEP / 4; // step with Shift
const EDGE = STEP / 2;
const WAYS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

const find = (id) => document.getElementById(id);
const [paper, mark, place] = ["paper", "pen", "where"].map(find);
const tell = (text) => announce(text, place); // in a place of its own, so that it does not replace an answer

export function listen(board) {
  const { canvas } = board;
  const held = new Set(); // arrow keys that are held; two at once move diagonally
  let [x, y] = [SIDE / 2, SIDE / 2];
  let stroke = null;
  const down = () => stroke !== null && board.stroke === stroke;

  const showPen = () => {
    paper.classList.add("keyed");
    mark.classList.toggle("down", down());
    mark.setAttribute("transform", `translate(${x} ${y})`);
    mark.querySelector("circle").setAttribute("r", board.size / 2);
  };
  const where = () => say("pen_at", { column: number(Math.ceil(x / STEP)), row: number(Math.ceil(y / STEP)) });
  const lift = () => {
    if (down()) board.end();
    stroke = null;
  };
  const leave = () => {
    lift();
    held.clear();
    paper.classList.remove("keyed", "moved");
  };
  const within = (value) => Math.min(SIDE - EDGE, Math.max(EDGE, value));
  const move = (step) => {
    for (const key of held) {
      x = within(x + WAYS[key][0] * step);
      y = within(y + WAYS[key][1] * step);
    }
    if (down()) board.move([x, y, 0.5]);
    showPen();
    tell(where());
  };

  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key in WAYS || event.key === " " || event.key === "Enter") paper.classList.add("moved"); // hides the hint
    if (event.key in WAYS) {
      held.add(event.key);
      move(event.shiftKey ? FINE : STEP);
    } else if (event.key === " " || event.key === "Enter") {
      if (event.repeat) return event.preventDefault();
      if (down()) lift();
      else if (!board.stroke) {
        board.begin([x, y, 0.5]);
        ({ stroke } = board);
      }
      showPen();
      tell(`${texts[down() ? "pen_down" : "pen_up"]}, ${where()}`);
    } else if (event.key === "Escape" && down()) {
      lift();
      showPen();
      tell(texts.pen_up);
    } else return;
    event.preventDefault();
  });
  canvas.addEventListener("keyup", (event) => held.delete(event.key));
  canvas.addEventListener("focus", () => canvas.matches(":focus-visible") && showPen());
  canvas.addEventListener("blur", leave);
  canvas.addEventListener("pointerdown", leave, { capture: true });
}
