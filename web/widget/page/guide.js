// What time does to what is said: a hint that stands long says more, the one that stood longest explains the end, a wait counts down.
// It moves nothing by itself: it says facts. Not here: the words, the moves. Source: docs/widget.md, "Ends".

/** Milliseconds after which a hint says more; that a change of the camera may take; of a second. */
const MORE_MS = 6_000;
const CHANGE_MS = 3_000;
const SECOND_MS = 1_000;

/** @typedef {Readonly<import('../state.js').Model>} Model */

export class Guide {
  #tell;
  #more;
  /** @type {string | null} */ #hint = null;
  #since = 0;
  /** Milliseconds, by hint. @type {Map<string, number>} */ #stood = new Map();
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #long;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #change;
  /** @type {ReturnType<typeof setInterval> | undefined} */ #count;

  /** @param {(fact: import('../state.js').FactInput) => void} tell @param {() => Promise<void>} more  has the words here that a long hint needs */
  constructor(tell, more) {
    this.#tell = tell;
    this.#more = more;
  }

  /** The camera is another one: what is missing for a moment is not its fault. */
  changed() {
    clearTimeout(this.#change);
    this.#tell({ changed: true });
    this.#change = setTimeout(() => this.#tell({ changed: false }), CHANGE_MS);
  }

  /** @param {Model} before @param {Model} model @param {number} now  milliseconds */
  saw(before, model, now) {
    if (model.state === 'asking_camera') this.#stood.clear();
    if (model.hint !== before.hint) this.#hear(model.state === 'expired' ? null : model.hint, now);
    if (model.again_s === null) clearInterval(this.#count);
    else if (before.again_s === null) this.#countDown(now + SECOND_MS * model.again_s);
  }

  /** The hint that stood longest in this attempt; null: there was none. @param {number} now */
  longest(now) {
    this.#hear(null, now);
    return [...this.#stood].reduce((/** @type {[string | null, number]} */ best, one) => one[1] > best[1] ? one : best, [null, 0])[0];
  }

  /** The element is gone. */
  stop() {
    clearTimeout(this.#long);
    clearTimeout(this.#change);
    clearInterval(this.#count);
  }

  /** @param {string | null} hint @param {number} now */
  #hear(hint, now) {
    if (hint === this.#hint) return;
    if (this.#hint !== null) this.#stood.set(this.#hint, (this.#stood.get(this.#hint) ?? 0) + now - this.#since);
    this.#hint = hint;
    this.#since = now;
    clearTimeout(this.#long);
    if (hint !== null) this.#long = setTimeout(() => this.#more().then(() => hint === this.#hint && this.#tell({ more: true })), MORE_MS);
  }

  /** By the clock, because a timer of a page that is not seen comes late. @param {number} end */
  #countDown(end) {
    clearInterval(this.#count);
    this.#count = setInterval(() => {
      const left = Math.max(0, Math.ceil((end - performance.now()) / SECOND_MS));
      this.#tell({ again_s: left || null });
    }, SECOND_MS);
  }
}
