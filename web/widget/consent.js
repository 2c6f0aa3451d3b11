// Consent before an enrolment: the text is fetched for this session, shown word for word, and what was agreed to goes with the offer.
// Loaded for an enrolment only. It opens no camera and keeps nothing; the server checks the word and records it.
// Source: docs/protocol.md, "Consent"; docs/consent.md; WCAG 2.2 (2.1.1: a box that scrolls takes the keyboard's focus).

import { Trouble } from './camera.js';
import { environment } from './environment.js';
import { ServerProblem, readJson } from './line.js';
import { isObject, readProblem } from './protocol.js';
import { dress } from './style.js';
import { TICKET_MS } from './ticket.js';

/** @typedef {import('./protocol.js').Consent & {purpose: string, body: string}} Wording */

const CSS = `
.consent{width:100%;overflow-wrap:anywhere}
.consent h2{margin:0 0 .5em;font-size:1.125em;text-wrap:balance}
.words{max-height:min(26em,55vh);overflow:auto;padding:.75em;border:1px solid var(--line);border-radius:calc(var(--face-login-radius,16px)*.6);font-size:.9375em;hyphens:auto}
.words p{margin:0}
.words p+p{margin-top:.75em}
.consent small{display:block;margin-top:.5em;color:var(--muted)}
`;

const FIELDS = /** @type {const} */ (['text_id', 'version', 'language', 'sha256', 'purpose', 'body']);

/**
 * What this session's person is to agree to.
 * @param {import('./connection.js').Ticket} ticket
 * @param {readonly string[]} languages  BCP 47 tags, best first
 * @param {AbortSignal} signal
 * @returns {Promise<Wording | null>} null: nothing, because it is no enrolment
 * @throws {Trouble}
 */
async function fetchConsent({ server, session, ticket }, languages, signal) {
  /** @type {Response} */
  let response;
  try {
    response = await environment.fetch(`${server.replace(/\/+$/, '')}/v1/sessions/${encodeURIComponent(session)}/consent`, {
      headers: { 'Authorization': `Bearer ${ticket}`, 'Accept-Language': languages.map((tag, n) => n ? `${tag};q=${(1 / (n + 1)).toFixed(2)}` : tag).join(', ') },
      credentials: 'omit',
      cache: 'no-store',
      redirect: 'error',
      referrerPolicy: 'no-referrer',
      signal: AbortSignal.any ? AbortSignal.any([signal, AbortSignal.timeout(TICKET_MS)]) : signal,
    });
  } catch (cause) {
    throw new Trouble('server_unreachable', { cause });
  }
  const body = await readJson(response);
  const problem = readProblem(body);
  if (problem) throw new ServerProblem(problem);
  if (!response.ok || !isObject(body) || body.consent === undefined) throw new Trouble('server_answer');
  const { consent } = body;
  if (consent === null) return null;
  if (!isObject(consent) || !FIELDS.every((field) => typeof consent[field] === 'string' && consent[field])) throw new Trouble('server_answer');
  return /** @type {Wording} */ (Object.fromEntries(FIELDS.map((field) => [field, consent[field]])));
}

/**
 * The person of an enrolment reads what it is, and agrees or goes: then the attempt is over, and this never ends.
 * @param {import('./attempt.js').Attempt} attempt  keeps what was agreed to, if anything is asked
 * @param {import('./connection.js').Ticket} ticket
 * @param {{box: HTMLElement, languages: readonly string[], onask: () => void}} page
 * @throws {Trouble}
 */
export async function ask(attempt, ticket, { box, languages, onask }) {
  const asked = await fetchConsent(ticket, languages, attempt.abort.signal);
  if (attempt.abort.signal.aborted || !asked) return;
  const words = show(box, asked);
  onask();
  // Who uses the keyboard reads on from here; a page that starts it by itself keeps its focus.
  if (/** @type {ShadowRoot} */ (box.getRootNode()).activeElement) words.focus();
  await new Promise((resolve) => { attempt.agree = () => resolve(null); });
  const { text_id, version, language, sha256 } = asked;
  attempt.consent = { text_id, version, language, sha256 };
}

/**
 * Show a text: its purpose, its paragraphs, and the name that stands below it on paper, too.
 * @param {HTMLElement} box  within the shadow root
 * @param {Wording} wording
 * @returns {HTMLElement} what takes the focus
 */
function show(box, { text_id, version, language, purpose, body }) {
  const root = /** @type {ShadowRoot} */ (box.getRootNode());
  if (!box.firstChild) dress(root, CSS);
  const title = Object.assign(document.createElement('h2'), { id: 'purpose', textContent: purpose });
  const words = document.createElement('div');
  words.className = 'words';
  words.tabIndex = 0;
  words.setAttribute('part', 'consent-text');
  words.setAttribute('role', 'group');
  words.setAttribute('aria-labelledby', 'purpose');
  words.append(...body.split(/\n{2,}/).map((text) => Object.assign(document.createElement('p'), { textContent: text })));
  const name = Object.assign(document.createElement('small'), { textContent: `${text_id}/${version}/${language}`, translate: false });
  box.lang = language;
  box.replaceChildren(title, words, name);
  return words;
}
