// What a person can do about each end: one table. It is loaded at the first end that needs it, with the English words of the ends, and imports
// nothing that a login loads, or that would be one request more.
// Source: docs/widget.md, "Ends", which a test holds against this table.

export { tellDevelopers } from './developers.js';
export { default as words } from './words.js';

/** By code of a reason or a problem; what is not here follows `retry`. @type {Readonly<Record<string, string>>} */
const DO = Object.freeze({
  camera_denied: 'allow', camera_dismissed: 'asked', camera_policy: 'window', camera_frame: 'window', camera_missing: 'connect',
  camera_busy: 'close', camera_unsuitable: 'choose', video_too_large: 'choose', camera_ended: 'plug', camera_failed: 'restart',
  camera_insecure: 'https', browser_unsupported: 'browser',
  ticket_missing: 'reload', internal: 'reload', consent_needed: 'read',
  ticket_invalid: 'again', ticket_used: 'again', session_unknown: 'again', session_over: 'again', session_replaced: 'again',
  page_hidden: 'again', cancelled: 'again',
  server_unreachable: 'line', server_silent: 'line', connection_lost: 'line', disconnected: 'line',
  connect_timeout: 'network', connection_failed: 'network',
  too_many_failures: 'later', face_disabled: 'other',
  no_match: 'face', liveness: 'real', quality: 'light', timeout: 'oval',
});

/** Where the server names no time and no retry, these have their own way all the same. */
const EVER = ['allow', 'window', 'https', 'browser', 'other', 'reload'];

/** @typedef {Readonly<import('../state.js').Model>} Model */

/**
 * What to do at an end, as the key of a sentence.
 * @param {Model} model  an end that is not `accepted`
 * @returns {string}
 */
export function advice({ state, problem, reasons, hint, retry, again_s }) {
  if (again_s !== null) return 'do_later';
  const known = DO[state === 'cancelled' ? state : problem ?? reasons.find((reason) => reason !== 'internal' && Object.hasOwn(DO, reason)) ?? ''];
  const own = hint === null ? known : 'again'; // the hint said what to do
  return `do_${own && (retry || EVER.includes(own)) ? own : retry ? 'moment' : 'way'}`;
}
