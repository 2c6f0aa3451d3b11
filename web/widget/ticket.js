// Where one attempt's session and ticket come from: attributes, the page's function, or the page's URL.
// It opens no connection. A ticket is a secret with one use: it is handed out once and forgotten.
// Source: docs/protocol.md, "The order of things"; docs/widget.md.

import { Trouble } from './camera.js';
import { environment } from './environment.js';
import { readJson } from './line.js';
import { isObject, readProblem } from './protocol.js';

/** @typedef {import('./connection.js').Ticket} Ticket */
/** Milliseconds: a relying app that says nothing for so long is taken for gone. */
export const TICKET_MS = 10_000;

/** @typedef {{server?: string, session: string, ticket: string, ice_servers?: RTCIceServer[], consent?: boolean}} Given  what a page's function or URL answers */

/**
 * Ask the relying app's own endpoint. A POST, because it creates something; the page's cookies go along.
 * @param {string} url
 * @param {{signal: AbortSignal, csrf: string}} options  csrf: sent as `X-CSRF-Token` when not empty
 * @returns {Promise<unknown>}
 * @throws {Trouble}
 */
export async function fetchTicket(url, { signal, csrf }) {
  /** @type {Record<string, string>} */
  const headers = { 'Accept': 'application/json', 'Content-Type': 'application/json' };
  if (csrf) headers['X-CSRF-Token'] = csrf;
  const abort = new AbortController();
  const stop = () => abort.abort();
  signal.addEventListener('abort', stop);
  const timer = setTimeout(stop, TICKET_MS);
  /** @type {Response} */
  let response;
  try {
    response = await environment.fetch(url, { method: 'POST', headers, body: '{}', credentials: 'same-origin', cache: 'no-store', signal: abort.signal });
  } catch (cause) {
    throw new Trouble('ticket_failed', { cause });
  } finally {
    clearTimeout(timer);
  }
  const body = await readJson(response);
  if (response.ok) return body;
  const problem = readProblem(body);
  // The relying app's own words, in its page's language: codes of its own are shown with them.
  throw problem ? new Trouble(problem.code, { ...problem, passing: problem.retry && response.status >= 500 }) : new Trouble('ticket_failed');
}

/**
 * @param {unknown} given
 * @param {string} server  used when the answer names none
 * @returns {Ticket}
 * @throws {Trouble}
 */
export function readTicket(given, server) {
  if (!isObject(given)) throw new Trouble('ticket_failed');
  const { session, ticket, ice_servers = [], consent } = given;
  const origin = given.server ?? server;
  if (typeof session !== 'string' || !session || typeof ticket !== 'string' || !ticket) throw new Trouble('ticket_failed');
  if (!Array.isArray(ice_servers) || typeof origin !== 'string' || !isHttp(origin)) throw new Trouble('ticket_failed');
  return { server: origin, session, ticket, ice_servers, consent: typeof consent === 'boolean' ? consent : null };
}

/** Only http and https: a ticket is never sent anywhere else. @param {string} url */
function isHttp(url) {
  try {
    return ['http:', 'https:'].includes(new URL(url).protocol);
  } catch {
    return false;
  }
}

/**
 * Sessions that come from the page: its function or its URL can be asked again, attributes hold one only.
 * @typedef {object} Source
 * @property {(() => Promise<Given>) | null} getTicket
 * @property {string | null} url
 * @property {string} csrf
 * @property {Given | null} given
 */

/**
 * @param {Source} source
 * @param {string} server  used when the answer names none
 * @param {AbortSignal} signal
 * @returns {Promise<Ticket>}
 * @throws {Trouble}
 */
export async function takeTicket({ getTicket, url, csrf, given }, server, signal) {
  if (getTicket) {
    try {
      return readTicket(await getTicket(), server);
    } catch (cause) {
      throw cause instanceof Trouble ? cause : new Trouble('ticket_failed', { cause });
    }
  }
  if (url) return readTicket(await fetchTicket(url, { signal, csrf }), server);
  if (!given) throw new Trouble('ticket_missing');
  return readTicket(given, server);
}

/** @param {string | null} value @returns {any} */
export function readJsonAttribute(value) {
  if (!value) return [];
  try {
    return JSON.parse(value);
  } catch {
    return undefined; // readTicket reads it as none: a session without TURN is better than no session
  }
}
