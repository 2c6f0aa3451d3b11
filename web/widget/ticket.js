// Where one attempt's session and ticket come from: attributes, the page's function, or the page's URL.
// It opens no connection. A ticket is a secret with one use: it is handed out once and forgotten.
// Source: docs/protocol.md, "The order of things"; docs/widget.md.

import { Trouble } from './camera.js';
import { readJson } from './connection.js';
import { isObject, readProblem } from './protocol.js';

/** @typedef {import('./connection.js').Ticket} Ticket */
/** @typedef {{server?: string, session: string, ticket: string, ice_servers?: RTCIceServer[]}} Given  what a page's function or URL answers */

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
  /** @type {Response} */
  let response;
  try {
    response = await fetch(url, { method: 'POST', headers, body: '{}', credentials: 'same-origin', cache: 'no-store', signal });
  } catch (cause) {
    throw new Trouble('ticket_failed', { cause });
  }
  const body = await readJson(response);
  if (response.ok) return body;
  const problem = readProblem(body);
  // The relying app's own words, in its page's language: codes of its own are shown with them.
  throw problem ? new Trouble(problem.code, problem) : new Trouble('ticket_failed');
}

/**
 * @param {unknown} given
 * @param {string} server  used when the answer names none
 * @returns {Ticket}
 * @throws {Trouble}
 */
export function readTicket(given, server) {
  if (!isObject(given)) throw new Trouble('ticket_failed');
  const { session, ticket, ice_servers = [] } = given;
  const origin = given.server ?? server;
  if (typeof session !== 'string' || !session || typeof ticket !== 'string' || !ticket) throw new Trouble('ticket_failed');
  if (!Array.isArray(ice_servers) || typeof origin !== 'string' || !isHttp(origin)) throw new Trouble('ticket_failed');
  return { server: origin, session, ticket, ice_servers };
}

/** Only http and https: a ticket is never sent anywhere else. @param {string} url */
function isHttp(url) {
  try {
    return ['http:', 'https:'].includes(new URL(url).protocol);
  } catch {
    return false;
  }
}
