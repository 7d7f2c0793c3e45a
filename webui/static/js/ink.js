// The board: strokes, pictures under them, undo and redo. Drawn twice: for the eyes, and dark on white for the models.

import getStroke from "../vendor/perfect-freehand.js";

const SIDE = 560; // the board's own units
const SENT = 280; // pixels on each side of a drawing as it is sent
const KEPT = "zoo.board";
const LARGEST = 1_500_000; // characters of a picture that is kept over a reload

const rounded = (value) => Math.round(value * 10) / 10;

function outline(stroke) {
  const points = getStroke(stroke.points, {
    size: stroke.size,
    thinning: stroke.pen ? 0.45 : 0.12,
    smoothing: 0.6,
    streamline: stroke.pen ? 0.35 : 0.45,
    simulatePressure: !stroke.pen,
    last: true,
  });
  const path = new Path2D();
  if (!points.length) return path;
  path.moveTo(...points[0]);
  points.forEach(([x, y], place) => {
    const [nextX, nextY] = points[(place + 1) % points.length];
    path.quadraticCurveTo(x, y, (x + nextX) / 2, (y + nextY) / 2);
  });
  path.closePath();
  return path;
}

export class Board {
  // `changed(drawing)` is called after each change; `drawing` says that a stroke is still under way.
  constructor(canvas, changed) {
    this.canvas = canvas;
    this.changed = changed;
    this.done = [];
    this.undone = [];
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

  // The test picture on the board, if it is untouched.
  get sample() {
    const { bottom, strokes } = this.layers;
    return strokes.length ? null : bottom?.sample ?? null;
  }

  // What to send, with its measures: an untouched picture as its own bytes, all else as drawn. null when empty.
  content() {
    if (this.empty) return null;
    const { bottom, strokes } = this.layers;
    if (bottom && !strokes.length && !this.stroke) {
      const { width = SENT, height = SENT } = bottom.bitmap ?? {};
      return { picture: bottom.blob, width, height };
    }
    this.#paint(this.sheet, SENT / SIDE, "#000");
    this.sheet.globalCompositeOperation = "destination-over";
    this.sheet.fillStyle = "#fff";
    this.sheet.fillRect(0, 0, SENT, SENT);
    this.sheet.globalCompositeOperation = "source-over";
    const bytes = Uint8Array.from(atob(this.paper.toDataURL("image/png").split(",")[1]), (one) => one.charCodeAt(0));
    return { picture: new Blob([bytes], { type: "image/png" }), width: SENT, height: SENT };
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
    this.#after();
    return !this.empty;
  }

  clear() {
    if (!this.empty || this.layers.strokes.length) this.#add({ kind: "clear" });
  }

  undo() {
    if (!this.done.length) return;
    this.undone.push(this.done.pop());
    this.#after();
  }

  redo() {
    if (!this.undone.length) return;
    this.done.push(this.undone.pop());
    this.#after();
  }

  #add(mark) {
    this.done.push(mark);
    this.undone = [];
    this.#after();
  }

  #after() {
    this.#draw();
    this.changed(false);
    clearTimeout(this.keeping);
    this.keeping = setTimeout(() => this.keep(), 300);
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
      const erase = this.erasing || Boolean(event.buttons & 32);
      this.stroke = { kind: "stroke", points: [at(event)], size: this.size, erase, pen: event.pointerType === "pen" };
      this.#soon();
    });
    this.canvas.addEventListener("pointermove", (event) => {
      if (!this.stroke || event.pointerId !== this.pointer) return;
      const events = event.getCoalescedEvents?.() ?? [];
      for (const one of events.length ? events : [event]) this.stroke.points.push(at(one));
      this.#soon();
      this.changed(true);
    });
    const end = (event) => {
      if (!this.stroke || event.pointerId !== this.pointer) return;
      const stroke = this.stroke;
      this.stroke = null;
      this.#add(stroke);
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

// A test picture is light on black; on the board it is ink like any other.
function inkOf(bitmap) {
  if (!bitmap) return null;
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const pen = canvas.getContext("2d");
  pen.drawImage(bitmap, 0, 0);
  const levels = pen.getImageData(0, 0, bitmap.width, bitmap.height);
  for (let at = 0; at < levels.data.length; at += 4) {
    levels.data[at + 3] = levels.data[at];
    levels.data.fill(0, at, at + 3);
  }
  pen.putImageData(levels, 0, 0);
  return canvas;
}

function paintPicture(pen, { bitmap, ink }, colour) {
  pen.imageSmoothingQuality = "high";
  if (ink) {
    const layer = new OffscreenCanvas(SIDE, SIDE);
    const brush = layer.getContext("2d");
    brush.imageSmoothingQuality = "high";
    brush.drawImage(ink, 0, 0, SIDE, SIDE);
    brush.globalCompositeOperation = "source-in";
    brush.fillStyle = colour;
    brush.fillRect(0, 0, SIDE, SIDE);
    pen.drawImage(layer, 0, 0);
    return;
  }
  const scale = SIDE / Math.max(bitmap.width, bitmap.height);
  const [width, height] = [bitmap.width * scale, bitmap.height * scale];
  pen.drawImage(bitmap, (SIDE - width) / 2, (SIDE - height) / 2, width, height);
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
