// The element as a field of a form: its value is the token, and `required` holds the form back until there is one.
// Browsers without ElementInternals (Safari before 16.4) have no such field, and everything else works.
// Source: HTML, "Form-associated custom elements"; docs/widget.md, "In a form".

export class Field {
  #element;
  /** @type {ElementInternals | undefined} */ #internals;
  #filled = false;

  /** @param {HTMLElement} element  whose class says `formAssociated` */
  constructor(element) {
    this.#element = element;
    this.#internals = element.attachInternals?.();
  }

  /** @param {string | null} token  null: none, or not any more */
  fill(token) {
    this.#filled = token !== null;
    this.#internals?.setFormValue?.(token);
  }

  /**
   * Say whether the form may be sent.
   * @param {string} wanting  the sentence for who tries without
   * @param {HTMLElement} anchor  within the shadow root: where the browser points at
   */
  check(wanting, anchor) {
    const missing = this.#element.hasAttribute('required') && !this.#filled;
    this.#internals?.setValidity?.(missing ? { valueMissing: true } : {}, missing ? wanting : '', missing ? anchor : undefined);
  }
}
