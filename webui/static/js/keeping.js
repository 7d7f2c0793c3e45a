// Keeps what is on the board, and several pictures that were brought, for as long as the tab is open: through a reload,
// a switch of language, a visit to another page.

const KEY = "zoo.board";
const SEVERAL = "zoo.several";
const LARGEST = 1_500_000; // characters of one picture as a data: URL
const ROOM = 2_000_000; // characters of several pictures, out of 5 million that a browser stores for everything
const SIDES = [2000, 1200, 700, 350]; // pixels on the long side of the copy of a larger picture, tried in turn

// Saves a board's marks, including what can be undone and redone, and their pictures. If that takes too much room,
// saves only what is visible; if the picture still takes too much, only the strokes.
export async function save(board) {
  const unwritten = () => [...board.done, ...board.undone]
    .map((mark) => board.pictures.get(mark.id))
    .filter((picture) => picture && picture.url === undefined);
  for (let few = unwritten(); few.length; few = unwritten()) await Promise.all(few.map(write));
  saveNow(board);
}

// Turns a picture into text as soon as it is there, so that it is ready when the page is left.
export function write(picture) {
  picture.writing ??= inText(picture).then((url) => (picture.url = url));
  return picture.writing;
}

// Saves at once, as a page that is left must: without the pictures that are not yet text.
export function saveNow(board) {
  const { done, undone, pictures, size } = board;
  const top = done.slice(Math.max(0, done.findLastIndex((mark) => mark.kind !== "stroke")));
  const strokes = top.map((mark) => (mark.kind === "stroke" ? mark : { kind: "clear" }));
  const choices = [{ done, undone }, { done: top, undone: [] }, { done: strokes, undone: [] }];
  if (stored(choices[0], pictures, size)) return;
  keepSeveral([]);
  if (choices.some((marks) => stored(marks, pictures, size))) return;
  try {
    sessionStorage.removeItem(KEY); // keeping nothing is better than keeping an earlier drawing
  } catch {
    // Storage is not allowed: the board lasts as long as the page.
  }
}

function stored({ done, undone }, pictures, size) {
  const kept = {};
  const bare = (mark) => {
    if (mark.kind !== "picture") return { ...mark, path: undefined };
    const { sample, name, url } = pictures.get(mark.id);
    if (!url) return { kind: "clear" };
    kept[mark.id] = { sample, name, url };
    return mark;
  };
  const marks = { done: done.map(bare), undone: undone.map(bare) };
  try {
    sessionStorage.setItem(KEY, JSON.stringify({ ...marks, pictures: kept, size }));
  } catch {
    return false;
  }
  return true;
}

// Returns what was saved, or null: `{done, undone, size, pictures}`. A picture is `[id, {blob, sample, name, url}]`.
export function load() {
  try {
    const { pictures, ...marks } = JSON.parse(sessionStorage.getItem(KEY));
    return { ...marks, pictures: Object.entries(pictures).map(([id, one]) => [id, { ...one, blob: fromText(one.url) }]) };
  } catch {
    return null;
  }
}

let turn = 0; // counts the calls of saveSeveral; only the latest one saves

// Saves several files in place of the earlier ones. A file is left out if it is too long and not a picture, or if even
// a small copy of it is too long.
export async function saveSeveral(files) {
  const mine = (turn += 1);
  keepSeveral([]);
  const most = Math.min(LARGEST, ROOM / files.length);
  const kept = [];
  for (const file of files) {
    const bitmap = file.size * 1.4 <= most ? null : await createImageBitmap(file).catch(() => null);
    const url = await inText({ blob: file, bitmap }, most);
    bitmap?.close();
    if (url) kept.push({ name: file.name ?? "", url });
  }
  if (mine === turn) keepSeveral(kept);
}

function keepSeveral(kept) {
  try {
    if (kept.length) sessionStorage.setItem(SEVERAL, JSON.stringify(kept));
    else sessionStorage.removeItem(SEVERAL);
  } catch {
    // As with the board: without room, they last as long as the page.
  }
}

// Returns the files that were saved, as an array that may be empty.
export function loadSeveral() {
  try {
    return JSON.parse(sessionStorage.getItem(SEVERAL)).map(({ name, url }) => {
      const blob = fromText(url);
      return new File([blob], name, { type: blob.type });
    });
  } catch {
    return [];
  }
}

// Returns a picture as a data: URL of at most `most` characters, or "" if even a small copy of it is too long.
async function inText({ blob, bitmap }, most = LARGEST) {
  if (blob.size * 1.4 <= most) return read(blob);
  if (!bitmap) return "";
  const long = Math.max(bitmap.width, bitmap.height);
  for (const side of SIDES) {
    const scale = Math.min(1, side / long);
    const canvas = new OffscreenCanvas(Math.max(1, bitmap.width * scale), Math.max(1, bitmap.height * scale));
    const pen = canvas.getContext("2d");
    pen.imageSmoothingQuality = "high";
    pen.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    // A browser that cannot write WebP writes PNG.
    const copy = await canvas.convertToBlob({ type: "image/webp", quality: 0.92 });
    if (copy.size * 1.4 <= most) return read(copy);
  }
  return "";
}

function read(blob) {
  return new Promise((resolve) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => resolve("");
    reader.readAsDataURL(blob);
  });
}

function fromText(url) {
  const [head, text] = url.split(",");
  const bytes = Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
  return new Blob([bytes], { type: head.slice(5).split(";")[0] });
}
