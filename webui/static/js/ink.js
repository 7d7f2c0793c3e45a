// The board: strokes, pictures under them, undo and redo. It is drawn twice: for the screen, and dark on white for the
// models.

import { load, save, saveNow, write } from "./keeping.js";
import { CONTRARY, fillBelow, groundOf, inkOf, outline, paintPicture, SIDE } from "./painting.js";

const SENT = 280; // pixels on each side of a drawing that is sent
const REST = 1000; // ms after a pen was near; until then, a touch is the hand that holds it
const FAINT = 40; // of 255; alpha that the eraser's soft edge may leave

const rounded = (value) => Math.round(value * 10) / 10;

export class Board {
  // `changed(drawing)` is called after each change; `drawing` says whether a stroke is still under way.
  constructor(canvas, changed) {
    this.canvas = canvas;
    this.changed = changed;
    this.done = [];
    this.undone = [];
    this.state = 0; // counts the visible changes; the end of a stroke is not one
    this.size = 40;
    this.erasing = false;
    this.stroke = null;
    this.pointer = {}; // id and type of the pointer that draws the stroke under way
    this.pictures = new Map();
    this.screen = canvas.getContext("2d");
    this.paper = Object.assign(document.createElement("canvas"), { width: SENT, height: SENT });
    this.sheet = this.paper.getContext("2d", { willReadFrequently: true });
    this.#listen();
    this.restore();
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", () => this.#draw());
    new ResizeObserver(() => this.#resize()).observe(canvas);
    addEventListener("pagehide", () => saveNow(this));
  }

  // What is on the board: the picture at the bottom, and the strokes drawn since.
  get layers() {
    let bottom = null;
    let strokes = [];
    for (const mark of this.done) {
      if (mark.kind === "stroke") strokes.push(mark);
      else {
        bottom = mark.kind === "picture" ? this.pictures.get(mark.id) : null;
        strokes = [];
      }
    }
    return { bottom, strokes };
  }

  // True also when everything drawn has been erased, once the eraser is lifted.
  get empty() {
    const { bottom, strokes } = this.layers;
    if (bottom) return false;
    if (![...strokes, this.stroke].some((stroke) => stroke && !stroke.erase)) return true;
    return !this.stroke && strokes.some((stroke) => stroke.erase) && !this.#inked();
  }

  // Whether the eraser has left any ink. Computed once per state.
  #inked() {
    if (this.looked?.state !== this.state) {
      this.#paint(this.sheet, SENT / SIDE, "#000");
      const { data } = this.sheet.getImageData(0, 0, SENT, SENT);
      this.looked = { state: this.state, ink: data.some((level, at) => at % 4 === 3 && level > FAINT) };
    }
    return this.looked.ink;
  }

  // Whether the board shows a picture exactly as it was brought.
  get untouched() {
    const { bottom, strokes } = this.layers;
    return Boolean(bottom) && !strokes.length && !this.stroke;
  }

  // The index of the test picture on the board, or null if there is none or it was drawn on.
  get sample() {
    return this.untouched ? this.layers.bottom.sample : null;
  }

  // What to send, with type, width and height: the original bytes of an untouched picture, else a PNG of the board.
  // null if the board is empty.
  content() {
    if (this.empty) return null;
    if (this.untouched) {
      const { bottom } = this.layers;
      const { width = SENT, height = SENT } = bottom.bitmap ?? {};
      return { body: bottom.blob, type: bottom.blob.type, width, height };
    }
    this.#paint(this.sheet, SENT / SIDE, "#000");
    fillBelow(this.sheet, "#fff");
    // Bytes, not a Blob: the browser can send them without fetching them from another process first.
    const body = Uint8Array.from(atob(this.paper.toDataURL("image/png").split(",")[1]), (one) => one.charCodeAt(0));
    return { body, type: "image/png", width: SENT, height: SENT };
  }

  // Puts a picture on the board, over everything that was there. Undo brings that back.
  async show(blob, { sample = null, name = "" } = {}) {
    const id = crypto.randomUUID?.() ?? String(Math.random());
    const picture = await pictureOf(blob, { sample, name });
    this.pictures.set(id, picture);
    this.before = { id, undone: this.undone };
    this.#add({ kind: "picture", id });
    write(picture);
  }

  // Takes back a picture that cannot be read, as if it had never come. Returns whether the board shows something else.
  withdraw() {
    if (this.done.at(-1)?.kind !== "picture") return false;
    const { id } = this.done.pop();
    if (this.before?.id === id) this.undone = this.before.undone;
    this.#altered();
    return !this.empty;
  }

  clear() {
    if (!this.empty || this.layers.strokes.length) this.#add({ kind: "clear" });
  }

  undo() {
    if (this.stroke) this.end();
    if (!this.done.length) return;
    this.undone.push(this.done.pop());
    this.#altered();
  }

  redo() {
    if (this.stroke || !this.undone.length) return;
    this.done.push(this.undone.pop());
    this.#altered();
  }

  #add(mark) {
    this.done.push(mark);
    this.undone = [];
    this.#altered();
  }

  #altered() {
    this.state += 1;
    this.#after();
  }

  // The request goes out first, so that it is on its way while the board is drawn.
  #after() {
    this.changed(false);
    this.#soon();
    clearTimeout(this.keeping);
    this.keeping = setTimeout(() => this.keep(), 300);
  }

  // Begins a stroke, of a pointer or the keyboard, at [x, y, pressure]: in the board's units, the pressure in 0-1.
  begin(place, { erase = this.erasing, pen = false } = {}) {
    this.stroke = { kind: "stroke", points: [place], size: this.size, erase, pen };
    this.state += 1;
    this.#soon();
  }

  move(...places) {
    this.stroke.points.push(...places);
    this.state += 1;
    this.#soon();
    this.changed(true);
  }

  // Drops the stroke under way.
  cancel() {
    this.stroke = null;
    this.#altered();
  }

  end() {
    this.done.push(this.stroke);
    this.undone = [];
    this.stroke = null;
    this.#after();
  }

  #listen() {
    const at = (event) => {
      const box = this.canvas.getBoundingClientRect();
      const x = ((event.clientX - box.left) * SIDE) / box.width;
      const y = ((event.clientY - box.top) * SIDE) / box.height;
      return [rounded(x), rounded(y), rounded(event.pressure || 0.5)];
    };
    const touching = new Set(); // fingers; a second one draws nothing, and cancels the stroke of the first
    let penned = -Infinity; // time of the last event of a pen, in ms
    this.canvas.addEventListener("pointerdown", (event) => {
      const { pointerId: id, pointerType: type, buttons } = event;
      if (event.button !== 0 && !(buttons & 32)) return;
      if (type === "touch") touching.add(id);
      if (this.stroke && (this.pointer.type !== "touch" || type === "mouse")) return;
      if (this.stroke) this.cancel(); // a pen wins over a hand that rests on the board
      if (type === "touch" && (touching.size > 1 || event.timeStamp < penned + REST)) return;
      event.preventDefault();
      this.canvas.setPointerCapture(id);
      this.pointer = { id, type };
      this.begin(at(event), { erase: this.erasing || Boolean(buttons & 32), pen: type === "pen" });
    });
    this.canvas.addEventListener("pointermove", (event) => {
      if (event.pointerType === "pen") penned = event.timeStamp;
      if (!this.stroke || event.pointerId !== this.pointer.id) return;
      const events = event.getCoalescedEvents?.() ?? [];
      this.move(...(events.length ? events : [event]).map(at));
    });
    const end = (event) => {
      touching.delete(event.pointerId);
      if (event.pointerType === "pen") penned = event.timeStamp;
      if (this.stroke && event.pointerId === this.pointer.id) this.end();
    };
    this.canvas.addEventListener("pointerup", end);
    this.canvas.addEventListener("pointercancel", end);
  }

  #soon() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this.#draw();
    });
  }

  #resize() {
    const side = Math.round(this.canvas.clientWidth * Math.min(devicePixelRatio, 3));
    if (!side || side === this.canvas.width) return;
    this.canvas.width = this.canvas.height = side;
    this.#draw();
  }

  #draw() {
    this.#paint(this.screen, this.canvas.width / SIDE, getComputedStyle(this.canvas).color);
  }

  #paint(pen, scale, colour) {
    const { bottom, strokes } = this.layers;
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, pen.canvas.width, pen.canvas.height);
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    if (bottom?.bitmap) paintPicture(pen, bottom, colour);
    const ground = bottom?.ground;
    pen.fillStyle = ground ? CONTRARY[ground] : colour; // so that people and models can see what is drawn on a picture
    for (const stroke of this.stroke ? [...strokes, this.stroke] : strokes) {
      pen.globalCompositeOperation = stroke.erase ? "destination-out" : "source-over";
      pen.fill(stroke === this.stroke ? outline(stroke) : (stroke.path ??= outline(stroke)));
    }
    if (ground) fillBelow(pen, ground);
    pen.globalCompositeOperation = "source-over";
  }

  keep() {
    return save(this);
  }

  restore() {
    const kept = load();
    this.ready = (async () => {
      if (!kept) return;
      this.size = kept.size;
      for (const [id, { blob, ...more }] of kept.pictures) this.pictures.set(id, await pictureOf(blob, more));
      this.done = kept.done;
      this.undone = kept.undone;
      this.state += 1;
      this.#draw();
    })();
  }
}

// A picture with what the board needs to draw it: its pixels, or null if the browser cannot decode it, and the
// background for it (`ground`).
async function pictureOf(blob, { sample, name, url }) {
  const bitmap = await createImageBitmap(blob).catch(() => null);
  const own = sample === null;
  return { blob, bitmap, sample, name, url, ink: own ? null : inkOf(bitmap), ground: own ? groundOf(bitmap) : null };
}
