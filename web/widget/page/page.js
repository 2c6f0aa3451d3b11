// The page around the element: properties that it set too early, what it hears, its languages, whether it is left. Not here: attributes.
// Source: web.dev, "Lazy properties"; BCP 47; HTML, "page visibility".

/** A tab that is left stops sending pictures; a short look away (a permission dialog on a phone) does not end it. */
const HIDDEN_MS = 2_000;

/**
 * What a page set before the element was defined would shadow its accessors: hand it through them.
 * @param {HTMLElement} element
 * @param {readonly string[]} names
 */
export function upgrade(element, names) {
  for (const name of names) {
    if (!Object.hasOwn(element, name)) continue;
    const value = Reflect.get(element, name);
    Reflect.deleteProperty(element, name);
    Reflect.set(element, name, value);
  }
}

/**
 * Tell the page, under two names, because JSX takes no colon.
 * @param {HTMLElement} element
 * @param {string} name
 * @param {object} detail
 * @param {boolean} cancelable
 * @returns {boolean} false: the page shows this itself
 */
export function announce(element, name, detail, cancelable) {
  const kinds = ['face-login:', 'facelogin-'];
  return kinds.map((kind) => element.dispatchEvent(new CustomEvent(kind + name, { detail, bubbles: true, composed: true, cancelable }))).every(Boolean);
}

/** @param {Element} element @returns {string[]} tags, best first: the page's own, then the browser's */
export function languagesOf(element) {
  const page = element.closest('[lang]')?.getAttribute('lang');
  return [...(page ? [page] : []), ...navigator.languages].filter((tag) => /^[A-Za-z0-9-]{1,32}$/.test(tag));
}

/** Says when the page is left, into the back/forward cache, too, where a live camera is not allowed; and when Escape is pressed anywhere in it. */
export class Leaving {
  #onleave;
  #onescape;
  /** @type {ReturnType<typeof setTimeout> | undefined} */ #timer;

  /** @param {() => void} onleave @param {() => void} onescape */
  constructor(onleave, onescape) {
    this.#onleave = onleave;
    this.#onescape = onescape;
  }

  watch() {
    document.addEventListener('visibilitychange', this.#onvisibility);
    document.addEventListener('keydown', this.#onkey);
    window.addEventListener('pagehide', this.#onleave);
  }

  stop() {
    document.removeEventListener('visibilitychange', this.#onvisibility);
    document.removeEventListener('keydown', this.#onkey);
    window.removeEventListener('pagehide', this.#onleave);
    clearTimeout(this.#timer);
  }

  /** @param {KeyboardEvent} event */
  #onkey = (event) => {
    if (event.key === 'Escape' && !event.defaultPrevented && !event.isComposing) this.#onescape(); // a dialog of the page may have taken it
  };

  #onvisibility = () => {
    clearTimeout(this.#timer);
    if (document.visibilityState === 'hidden') this.#timer = setTimeout(this.#onleave, HIDDEN_MS);
  };
}
