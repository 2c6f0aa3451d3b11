// What the page set on one element, read when it is needed: where a session comes from, for what, and whether it starts by itself.
// The ticket is here, taken out of the DOM. Not here: what happens with it (ticket.js), the moves (state.js). Source: docs/widget.md, "Attributes".

import { languagesOf } from './page/page.js';
import { pickLanguage } from './texts.js';
import { readJsonAttribute, takeTicket } from './ticket.js';

/** The server's address when the page names none: it serves this module under `web/`, perhaps below a path of a proxy. */
const HOME = new URL('..', import.meta.url).href;

export class Wishes {
  #element;
  /** The ticket attribute is read into here and taken out of the DOM; one attempt takes it. */ ticket = '';
  /** @type {(() => Promise<import('./ticket.js').Given>) | null} */ getTicket = null;

  /** @param {HTMLElement} element */
  constructor(element) {
    this.#element = element;
  }

  /** @param {string} name */
  #get(name) {
    return this.#element.getAttribute(name);
  }

  /** Whether the page gave a way to any number of sessions. */
  get canAskAgain() {
    return Boolean(this.getTicket || this.#get('session-url'));
  }

  get canStart() {
    return this.canAskAgain || Boolean(this.#get('session') && this.ticket) || this.rehearsal !== null;
  }

  /** The page knows that this is no enrolment, so that the camera may open at once. */
  get asksNothing() {
    return ['login', 'identify'].includes(this.#get('purpose') ?? '');
  }

  get startsByItself() {
    return this.#element.hasAttribute('auto-start');
  }

  /** The language to speak, of those that there are. */
  get language() {
    return pickLanguage(languagesOf(this.#element));
  }

  /** The camera to use; empty: whichever. */
  get camera() {
    return this.#get('camera') ?? '';
  }

  /** Which end a page's own test wants to see; null: this is no test. */
  get rehearsal() {
    return this.#get('test');
  }

  /** Whether the picture is shown as in a mirror. @param {boolean} usual */
  mirrored(usual) {
    const mirror = this.#get('mirror');
    return mirror === 'on' || (mirror !== 'off' && usual);
  }

  /** @param {AbortSignal} signal */
  takeTicket(signal) {
    const session = this.#get('session');
    const { ticket } = this;
    if (!this.canAskAgain) this.ticket = '';
    return takeTicket({
      getTicket: this.getTicket,
      url: this.#get('session-url'),
      csrf: this.#get('csrf-token') ?? '',
      given: session && ticket ? { session, ticket, ice_servers: readJsonAttribute(this.#get('ice-servers')) } : null,
    }, this.#get('server') || HOME, signal);
  }
}
