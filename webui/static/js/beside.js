// What is asked beside the answer: its place shows that it waits, and where it fails, the answer stays as it is.

import * as answer from "./answer.js";
import { Mishap, newest, post } from "./ask.js";

export const SLOW = 2500; // ms after which a wait is told

export class Aside {
  // `place` is busy while `path()` is asked; `show(found, content)` shows what comes. `release()` lets go of what is in
  // vain. What waits long or fails is told in a notice, unless `late()` and `failed()` tell it otherwise.
  constructor(place, path, show, { release, late, failed } = {}) {
    Object.assign(this, { place, show, release });
    this.content = null; // what is asked about just now
    this.late = late ?? (() => answer.trouble("slow", "", this));
    this.failed = failed ?? ((error) => answer.trouble(error.kind, error.detail, this));
    this.question = newest((signal, content) => post(path(), content, signal));
  }

  // Resolves with the ms after which to ask again, null if that is of no use or not needed.
  async ask(content) {
    this.content = content;
    this.place.ariaBusy = "true";
    const slow = setTimeout(this.late, SLOW);
    try {
      const found = await this.question(content);
      if (!found) return null;
      answer.fine(this);
      this.show(found, content);
      return null;
    } catch (error) {
      if (!(error instanceof Mishap)) throw error;
      if (error.again === null) this.release?.();
      this.failed(error);
      return error.again;
    } finally {
      clearTimeout(slow);
      if (this.content === content) this.#rest();
    }
  }

  // Nobody waits for it any more.
  off() {
    this.question.off();
    this.#rest();
    answer.fine(this);
  }

  #rest() {
    this.content = null;
    this.place.ariaBusy = null;
  }
}
