// Asking the server: the picture as the body, one question at a time of each kind, and what went wrong in one word.

const PATIENCE = 20_000; // ms that a question may take
const AGAIN = 1500; // ms, at the least, between tries
const ROOT = new URL("../../", import.meta.url); // of the zoo, which may be under a prefix

// The address of "/read" and the like, wherever the zoo is.
export const at = (path) => new URL(path.slice(1), ROOT).href;

export class Mishap extends Error {
  // `kind` is the HTTP status, "busy" for a 503 that says when to ask again, or "lost" when no answer came, also where a
  // proxy says so; `after` is how many seconds to wait for that.
  constructor(kind, detail = "", after = 0) {
    super(detail || String(kind));
    this.kind = kind === 503 && after ? "busy" : kind === 502 || kind === 504 ? "lost" : kind;
    this.detail = detail;
    this.after = after;
  }

  // ms after which to ask again a server that is lost or refuses for now; null where that is of no use.
  get again() {
    return ["lost", "busy", 429].includes(this.kind) ? Math.max(AGAIN, 1000 * this.after) : null;
  }
}

// What the server says of when to ask again, in seconds; 0 where it says nothing, or no answer came.
const wait = (response) => Number(response?.headers.get("Retry-After")) || 0;

// One who waits is told within a time whether an answer comes.
const within = (signal) => {
  const late = AbortSignal.timeout(PATIENCE);
  return signal ? AbortSignal.any([signal, late]) : late;
};

export async function post(path, { body, type }, signal) {
  // A browser names the type by the file's name, the server knows it by its bytes.
  const headers = { Accept: "application/json", "Content-Type": type.startsWith("image/") ? type : "application/octet-stream" };
  const token = document.querySelector('meta[name="csrf-token"]')?.content;
  if (token) headers["X-CSRF-Token"] = token;
  let response, answer;
  try {
    response = await fetch(at(path), { method: "POST", headers, body, signal: within(signal) });
    answer = await response.json();
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    throw new Mishap(response && !response.ok ? response.status : "lost", "", wait(response));
  }
  if (!response.ok) throw new Mishap(response.status, answer.error, wait(response));
  return answer;
}

// A file of the server's.
export async function get(path, signal) {
  let response;
  try {
    response = await fetch(at(path), { signal: within(signal) });
    if (response.ok) return await response.blob();
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    throw new Mishap("lost");
  }
  throw new Mishap(response.status, "", wait(response));
}

// A question that a newer one of its kind makes void: resolves with undefined when it was overtaken or called off.
export function newest(question) {
  let current = null;
  const ask = async (...details) => {
    current?.abort();
    const mine = (current = new AbortController());
    try {
      const answer = await question(mine.signal, ...details);
      return current === mine ? answer : undefined;
    } catch (error) {
      if (current !== mine || mine.signal.aborted) return undefined;
      throw error;
    }
  };
  ask.off = () => {
    current?.abort();
    current = null;
  };
  return ask;
}
