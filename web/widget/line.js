// Waiting in line: the offer is asked again until there is a place, the patience ends, or something else is said.
// It knows no peer connection and draws nothing; the offer and its ticket stay as they are, because a refusal for want of a place
// uses up neither. Source: docs/protocol.md, "Waiting in line"; RFC 7240 (Prefer: wait); RFC 9110 section 10.2.3 (Retry-After).

import { Trouble } from './camera.js';
import { environment } from './environment.js';
import { isObject, readProblem } from './protocol.js';

/** Seconds that one request may be held by the server, because it answers as soon as there is a place: below proxies' shortest limits. */
export const HOLD_S = 8;
/** Milliseconds: who is told nothing waits so long; an answer that came sooner than this was not held, so the next waits its time. */
const PAUSE_MS = 2_000;
const HELD_MS = 1_000;

/**
 * Refusals that end by themselves and leave the ticket as it is: a place becomes free, the person's other attempt ends within its
 * time limit, people who share an address come at a rate. Not `too_many_failures`: there the wait is the point.
 */
const PASSING = ['busy', 'too_many_sessions', 'too_many_requests', 'too_many_connections'];

/** Problems of this one ticket: the same request would fail again, but a new ticket helps. */
export const NEW_TICKET_HELPS = Object.freeze(['ticket_invalid', 'ticket_used', 'session_unknown', 'session_over']);

/** A problem that the server itself named, with its own code. */
export class ServerProblem extends Trouble {
  /**
   * @param {import('./protocol.js').Problem} problem  its text is for developers, in English: texts.js has better
   * @param {number} [after_s]  what `Retry-After` says
   */
  constructor({ code, retry }, after_s) {
    super(code, { again_s: code === 'too_many_failures' && after_s || null, retry: retry || code === 'consent_needed' || NEW_TICKET_HELPS.includes(code) });
  }
}

/** @typedef {{ahead: number | null, wait_s: number | null}} Wait  people before this one; seconds that it may take; null: unknown */

/**
 * Ask until there is a place.
 * @param {string} url
 * @param {RequestInit & {headers: Record<string, string>, signal: AbortSignal}} request
 * @param {object} options
 * @param {number} options.patience_ms  how long to wait in line; 0: not at all
 * @param {(held_ms: number) => void} options.onask  before each request: how long the server may hold it
 * @param {(wait: Wait) => void} options.onwait  each time that there was no place
 * @returns {Promise<string>} the answer's SDP
 * @throws {Trouble}
 */
export async function askForPlace(url, request, { patience_ms, onask, onwait }) {
  const { signal } = request;
  const end = performance.now() + patience_ms;
  let hold_s = 0;
  let missed = false;
  for (;;) {
    const began = performance.now();
    onask(1000 * hold_s);
    /** @type {Response} */
    let response;
    try {
      response = await environment.fetch(url, hold_s ? { ...request, headers: { ...request.headers, Prefer: `wait=${hold_s}` } } : request);
    } catch (cause) {
      // One request lost in the line costs no rank; the second in a row is a server that is gone.
      if (!hold_s || missed || signal.aborted) throw new Trouble('server_unreachable', { cause });
      missed = true;
      await pause(HELD_MS, signal);
      continue;
    }
    missed = false;
    const body = await readJson(response);
    if (response.ok) {
      if (!isObject(body) || body.type !== 'answer' || typeof body.sdp !== 'string') throw new Trouble('server_answer');
      return body.sdp;
    }
    const problem = readProblem(body);
    if (!problem) throw new Trouble('server_answer');
    const wait = readWait(body);
    const after_s = Number(response.headers.get('Retry-After')) || 0;
    const later = 1000 * after_s || PAUSE_MS;
    // In line one asks again at once and is held; out of it, or where nothing was held, at the pace that the server names.
    const rest = wait && !(hold_s && performance.now() - began < HELD_MS) ? 0 : later;
    const left = end - performance.now() - rest;
    if (!problem.retry || !PASSING.includes(problem.code) || left <= 0) throw new ServerProblem(problem, after_s);
    onwait(wait ?? { ahead: null, wait_s: null });
    if (rest) await pause(rest, signal);
    hold_s = Math.min(HOLD_S, Math.ceil(left / 1000));
  }
}

/** @param {unknown} body @returns {Wait | null} null: not in line */
function readWait(body) {
  const line = isObject(body) && body.line;
  if (!isObject(line)) return null;
  /** @param {unknown} n */
  const count = (n) => typeof n === 'number' && n >= 0 && Number.isFinite(n) ? n : null;
  return { ahead: count(line.ahead), wait_s: count(line.wait_s) };
}

/** @param {number} ms @param {AbortSignal} signal @returns {Promise<void>} an abort ends it at once, and the next request fails */
const pause = (ms, signal) => new Promise((resolve) => {
  const timer = setTimeout(resolve, ms);
  signal.addEventListener('abort', () => { clearTimeout(timer); resolve(); }, { once: true });
});

/** @param {Response} response @returns {Promise<unknown>} undefined when it is not JSON */
export async function readJson(response) {
  try {
    return await response.json();
  } catch {
    return undefined;
  }
}
