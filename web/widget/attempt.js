// One attempt, from one click to one end: what it holds, and which troubles it survives with a new ticket.
// It opens nothing and has no clock of its own: a trouble and the time in, a pause or the end out. A verdict never comes here.
// Source: docs/widget.md, "What it does by itself".

import { NEW_TICKET_HELPS } from './line.js';

/**
 * How often an attempt starts anew; and milliseconds: how long a server may take to come back, from a loss on; what the pauses between
 * two tries grow by; how long a person waits in line; how old a ticket may be at the offer.
 */
export const ANEW = Object.freeze({ times: 2, within: 15_000, pause: 1_000, patience: 120_000, fresh: 30_000 });

/** The server is gone, or the line to it, before there was a verdict. */
const LOST = ['server_silent', 'connection_lost', 'server_stopping'];
/** In line there is no connection yet that could be lost. */
const LOST_IN_LINE = ['server_unreachable', 'server_answer', 'offer_timeout', 'connect_timeout'];
/** A place that was given up to others, because nobody was in the picture or the first one came late: back into the line. */
const LOST_PLACE = ['busy'];
/** @type {Readonly<Partial<Record<import('./state.js').State, readonly string[]>>>} */
const LOST_IN = Object.freeze({ waiting: LOST_IN_LINE, framing: LOST_PLACE, gathering: LOST_PLACE });
/** What a server that starts again, or its proxy, may say meanwhile. */
const PASSING = [...LOST, ...LOST_IN_LINE, 'ticket_failed', 'connection_failed', 'not_ready', 'store_unavailable', ...NEW_TICKET_HELPS];

export class Attempt {
  abort = new AbortController();
  /** @type {import('./camera.js').Camera | null} */ camera = null;
  /** @type {import('./connection.js').Connection | null} */ connection = null;
  /** For every session of it. @type {import('./protocol.js').Consent | null} */ consent = null;
  /** The person agrees. */ agree = () => {};
  /** With the time. @type {{ticket: import('./connection.js').Ticket, at: number} | null} */ #early = null;
  #times = 0;
  #tries = 0;
  #renewed = false;
  /** Until when the present loss may be mended; null: nothing is lost. @type {number | null} */ #until = null;
  /** When the patience ends; null before the first wait. @type {number | null} */ #patient = null;

  /**
   * @param {import('./camera.js').Trouble} trouble
   * @param {import('./state.js').State} state  where it came
   * @param {number} now  milliseconds
   * @returns {{pause: number, lost: boolean} | null} milliseconds before a new ticket is asked for; lost: more than the ticket; null: it is over
   */
  after({ code, passing }, state, now) {
    if (state === 'waiting' && NEW_TICKET_HELPS.includes(code)) {
      if (this.#renewed) return null;
      this.#renewed = true;
      return { pause: 0, lost: false };
    }
    if (this.#until !== null) {
      const pause = ANEW.pause * ++this.#tries;
      return (passing || PASSING.includes(code)) && now + pause < this.#until ? { pause, lost: true } : null;
    }
    if (!LOST.includes(code) && !LOST_IN[state]?.includes(code)) return null;
    if (++this.#times > ANEW.times) return null;
    this.#until = now + ANEW.within;
    this.#tries = 0;
    return { pause: 0, lost: true };
  }

  /** The server was heard again: what comes next is a loss of its own. */
  mended() {
    this.#until = null;
  }

  /** It stands in line from now on. @param {number} now  milliseconds */
  waits(now) {
    this.mended();
    this.#patient ??= now + ANEW.patience;
  }

  /** Milliseconds that it may still stand in line, over all its sessions. @param {number} now */
  patience(now) {
    return this.#patient === null ? ANEW.patience : this.#patient - now;
  }

  /** A ticket from before the camera. @param {import('./connection.js').Ticket} ticket @param {number} now */
  keep(ticket, now) {
    this.#early = { ticket, at: now };
  }

  /**
   * That ticket, once, unless it is old and there are more.
   * @param {number} now
   * @param {boolean} more
   */
  early(now, more) {
    const kept = this.#early;
    this.#early = null;
    return kept && (!more || now - kept.at < ANEW.fresh) ? kept.ticket : null;
  }

  /** Let go of the connection, for another one. */
  disconnect() {
    this.connection?.close();
    this.connection = null;
  }

  /** Let go of all. */
  close() {
    this.abort.abort();
    this.#early = null;
    this.disconnect();
    this.camera?.close();
  }
}
