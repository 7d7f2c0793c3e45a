// Requests to the server: the picture is the body, one request of each kind at a time, and errors have a short `kind`.

const PATIENCE = 20_000; // ms that a request may take
const AGAIN = 1500; // ms between tries, at least
const ROOT = new URL("../../", import.meta.url); // the zoo's root URL, which may have a path prefix

// The URL of a path such as "/read", wherever the zoo is.
export const at = (path) => new URL(path.slice(1), ROOT).href;

export class Mishap extends Error {
  // `kind` is the HTTP status, or "busy" for a 503 that says when to ask again, or "lost" when no response came or a
  // proxy reports that (502, 504). `after` is how many seconds to wait before asking again.
  constructor(kind, detail = "", after = 0) {
    super(detail || String(kind));
    this.kind = kind === 503 && after ? "busy" : kind === 502 || kind === 504 ? "lost" : kind;
    this.detail = detail;
    this.after = after;
  }

  // ms after which to ask again if the server is lost or refuses for now; null if that is of no use.
  get again() {
    return ["lost", "busy", 429].includes(this.kind) ? Math.max(AGAIN, 1000 * this.after) : null;
  }
}

// The seconds in Retry-After; 0 without that header or without a response.
const wait = (response) => Number(response?.headers.get("Retry-After")) || 0;

// Adds a timeout of PATIENCE to a signal, which may be undefined.
const within = (signal) => {
  const late = AbortSignal.timeout(PATIENCE);
  return signal ? AbortSignal.any([signal, late]) : late;
};

export async function post(path, { body, type }, signal) {
  // The browser derives the type from the file's name; the server recognises a picture by its bytes.
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

// Fetches a file of the server as a Blob.
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

// Wraps a request so that a newer one of its kind aborts it. It resolves with undefined if it was overtaken or called
// off.
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
