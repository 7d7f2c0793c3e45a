// The board: strokes, pictures under them, undo and redo. Drawn twice: for the eyes, and dark on white for the models.

import { inkOf, outline, paintPicture, SIDE } from "./painting.js";

const SENT = 280; // pixels on each side of a drawing as it is sent
const KEPT = "zoo.board";
const LARGEST = 1_500_000; // characters of a picture that is kept over a reload

const rounded = (value) => Math.round(value * 10) / 10;

export class Board {
  // `changed(drawing)` is called after each change; `drawing` says that a stroke is still under way.
  constructor(canvas, changed) {
    this.canvas = canvas;
    this.changed = changed;
    this.done = [];
    this.undone = [];
    this.state = 0; // counts up with each change of what is to be seen; the end of a stroke is none
    this.size = 40;
    this.erasing = false;
    this.stroke = null;
    this.pictures = new Map();
    this.screen = canvas.getContext("2d");
    this.paper = Object.assign(document.createElement("canvas"), { width: SENT, height: SENT });
    this.sheet = this.paper.getContext("2d", { willReadFrequently: true });
    this.#listen();
    this.restore();
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", () => this.#draw());
    new ResizeObserver(() => this.#resize()).observe(canvas);
    addEventListener("pagehide", () => this.keep());
  }

  // What lies on the board: the picture below, and the strokes since.
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

  get empty() {
    const { bottom, strokes } = this.layers;
    return !bottom && ![...strokes, this.stroke].some((stroke) => stroke && !stroke.erase);
  }

  // Whether a picture that was brought lies on the board as it came.
  get untouched() {
    const { bottom, strokes } = this.layers;
    return Boolean(bottom) && !strokes.length && !this.stroke;
  }

  // The test picture on the board, if it is untouched.
  get sample() {
    return this.untouched ? this.layers.bottom.sample : null;
  }

  // What to send, with its type and measures: an untouched picture as its own bytes, all else as drawn. null when empty.
  content() {
    if (this.empty) return null;
    if (this.untouched) {
      const { bottom } = this.layers;
      const { width = SENT, height = SENT } = bottom.bitmap ?? {};
      return { body: bottom.blob, type: bottom.blob.type, width, height };
    }
    this.#paint(this.sheet, SENT / SIDE, "#000");
    this.sheet.globalCompositeOperation = "destination-over";
    this.sheet.fillStyle = "#fff";
    this.sheet.fillRect(0, 0, SENT, SENT);
    this.sheet.globalCompositeOperation = "source-over";
    // Bytes, not a Blob: the browser can send them without asking another process for them first.
    const body = Uint8Array.from(atob(this.paper.toDataURL("image/png").split(",")[1]), (one) => one.charCodeAt(0));
    return { body, type: "image/png", width: SENT, height: SENT };
  }

  // Put a picture on the board, over all that was there, which undo brings back.
  async show(blob, { sample = null, name = "" } = {}) {
    const bitmap = await createImageBitmap(blob).catch(() => null);
    const id = crypto.randomUUID?.() ?? String(Math.random());
    this.pictures.set(id, { blob, bitmap, sample, name, ink: sample === null ? null : inkOf(bitmap) });
    this.#add({ kind: "picture", id });
  }

  // Take back a picture that nobody can read; whether there is another below it.
  withdraw() {
    if (this.done.at(-1)?.kind !== "picture") return false;
    this.done.pop();
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

  // The question goes out first, and is on its way while the board is drawn.
  #after() {
    this.changed(false);
    this.#soon();
    clearTimeout(this.keeping);
    this.keeping = setTimeout(() => this.keep(), 300);
  }

  // A stroke, by whatever draws it: places as [x, y, pressure], in the board's units and 0-1.
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
    this.canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 && !(event.buttons & 32)) return;
      if (this.stroke) return;
      event.preventDefault();
      this.canvas.setPointerCapture(event.pointerId);
      this.pointer = event.pointerId;
      this.begin(at(event), { erase: this.erasing || Boolean(event.buttons & 32), pen: event.pointerType === "pen" });
    });
    this.canvas.addEventListener("pointermove", (event) => {
      if (!this.stroke || event.pointerId !== this.pointer) return;
      const events = event.getCoalescedEvents?.() ?? [];
      this.move(...(events.length ? events : [event]).map(at));
    });
    const end = (event) => {
      if (this.stroke && event.pointerId === this.pointer) this.end();
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
    pen.fillStyle = colour;
    for (const stroke of this.stroke ? [...strokes, this.stroke] : strokes) {
      pen.globalCompositeOperation = stroke.erase ? "destination-out" : "source-over";
      pen.fill(stroke === this.stroke ? outline(stroke) : (stroke.path ??= outline(stroke)));
    }
    pen.globalCompositeOperation = "source-over";
  }

  // Over a reload, and a switch of language, the board stays as it is.
  keep() {
    const used = new Set(this.done.filter((mark) => mark.kind === "picture").map((mark) => mark.id));
    const pictures = [...this.pictures].filter(([id]) => used.has(id));
    Promise.all(pictures.map(async ([id, { blob, sample, name, url }]) => [id, { sample, name, url: url ?? (await inText(blob)) }]))
      .then((kept) => {
        for (const [id, { url }] of kept) this.pictures.get(id).url = url;
        this.#store(Object.fromEntries(kept));
      });
  }

  #store(pictures) {
    const done = this.done
      .filter((mark) => mark.kind !== "picture" || pictures[mark.id]?.url)
      .map(({ path, ...mark }) => mark);
    try {
      sessionStorage.setItem(KEPT, JSON.stringify({ done, pictures, size: this.size }));
    } catch {
      // No room, or storage is not allowed: the board then lasts as long as the page.
    }
  }

  restore() {
    let kept;
    try {
      kept = JSON.parse(sessionStorage.getItem(KEPT));
    } catch {
      kept = null;
    }
    this.ready = (async () => {
      if (!kept) return;
      this.size = kept.size;
      for (const [id, { url, sample, name }] of Object.entries(kept.pictures)) {
        if (!url) continue;
        const blob = fromText(url);
        const bitmap = await createImageBitmap(blob).catch(() => null);
        this.pictures.set(id, { blob, bitmap, sample, name, url, ink: sample === null ? null : inkOf(bitmap) });
      }
      this.done = kept.done.filter((mark) => mark.kind !== "picture" || this.pictures.has(mark.id));
      this.#draw();
    })();
  }
}

function inText(blob) {
  if (blob.size * 1.4 > LARGEST) return null;
  return new Promise((resolve) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => resolve(null);
    reader.readAsDataURL(blob);
  });
}

function fromText(url) {
  const [head, text] = url.split(",");
  const bytes = Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
  return new Blob([bytes], { type: head.slice(5).split(";")[0] });
}
