// Requests beside the answer: their place shows that they wait, and if they fail, the answer stays as it is.

import * as answer from "./answer.js";
import { Mishap, newest, post } from "./ask.js";

export const SLOW = 2500; // ms after which the page says that it waits

export class Aside {
  // `place` is marked busy while `path()` is requested; `show(found, content)` shows the response. `release()` gives up
  // a request that is of no use. A long wait or a failure is shown in a notice, unless `late()` and `failed()` say
  // otherwise.
  constructor(place, path, show, { release, late, failed } = {}) {
    Object.assign(this, { place, show, release });
    this.content = null; // the picture of the request under way
    this.late = late ?? (() => answer.trouble("slow", "", this));
    this.failed = failed ?? ((error) => answer.trouble(error.kind, error.detail, this));
    this.question = newest((signal, content) => post(path(), content, signal));
  }

  // Resolves with the ms after which to ask again, or null if that is of no use or not needed.
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

  // Aborts the request: nobody waits for it any more.
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
