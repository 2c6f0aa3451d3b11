// docs/widget.md names every attribute, event, error code and theme colour that there is.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { CAMERA_CODES } from '../../web/widget/camera.js';
import { CONNECTION_CODES } from '../../web/widget/connection.js';
import { START, STATES, buttonOf } from '../../web/widget/state.js';
import { loadEnds, sentence, whatToDo } from '../../web/widget/texts.js';
import { COLORS } from '../../web/widget/style.js';

const read = (path) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const page = read('docs/widget.md');
const element = read('web/widget/element.js') + read('web/widget/wishes.js');
const has = (text) => assert.ok(page.includes(text), text);

test('attributes', () => {
  const list = element.match(/observedAttributes = \[([^\]]+)\]/)[1];
  const used = [...element.matchAll(/(?:[gh](?:et|as)Attribute|#get)\('([a-z-]+)'\)/g)].map((m) => m[1]);
  for (const name of new Set([...list.matchAll(/'([a-z-]+)'/g)].map((m) => m[1]).concat(used))) has(`\`${name}\``);
});

test('events', () => {
  const names = [...element.matchAll(/(?:#emit\(|\s)'([a-z]+)', (?:\{|\(\) =>)/g)].map((m) => m[1]);
  assert.ok(names.length >= 7);
  for (const name of names) has(`\`face-login:${name}\``);
});

test('states and error codes', () => {
  const own = [...(element + read('web/widget/ticket.js')).matchAll(/Trouble\('([a-z_]+)'/g)].map((m) => m[1]);
  for (const code of [...STATES, ...CAMERA_CODES, ...CONNECTION_CODES, ...own]) has(`\`${code}\``);
});

test('theme colours and parts', () => {
  for (const name of Object.keys(COLORS.light)) has(`-${name.replace('_', '-')}\``);
  for (const [, parts] of read('web/widget/view.js').matchAll(/part: '([a-z ]+)'/g)) for (const part of parts.split(' ')) has(`\`${part}\``);
});

/** The ends that the table has: what is beside them in `Trouble` or a verdict. */
const NEVER = ['camera_policy', 'camera_frame', 'camera_insecure', 'browser_unsupported', 'face_disabled', 'origin_not_allowed'];
const PROBLEMS = [...CAMERA_CODES, 'ticket_missing', 'ticket_failed', 'consent_needed', 'ticket_invalid', ...CONNECTION_CODES.filter((code) => code !== 'browser_unsupported'),
  'page_hidden', 'internal', 'busy', 'too_many_sessions', 'too_many_failures', 'face_disabled', 'session_replaced', 'origin_not_allowed', 'store_unavailable',
  'server_stopping', 'video_too_large'];
const ENDS = [
  ...PROBLEMS.map((code) => [code, { ...START, state: 'failed', problem: code, retry: !NEVER.includes(code), again_s: code === 'too_many_failures' ? 30 : null }]),
  ...['no_match', 'liveness', 'quality', 'disconnected', 'internal'].map((reason) => [reason, { ...START, state: 'rejected', reasons: [reason], retry: true }]),
  ['timeout', { ...START, state: 'expired', reasons: ['timeout'], retry: true }],
  ['timeout, after a hint', { ...START, state: 'expired', reasons: ['timeout'], hint: 'more_light', retry: true }],
  ['a refusal that begins a wait', { ...START, state: 'rejected', reasons: ['no_match'], again_s: 30 }],
  ['cancelled', { ...START, state: 'cancelled', retry: true }],
];

test('the table of the ends is what the element says', async () => {
  await loadEnds();
  const button = (end) => end.again_s !== null ? 'Try again, after the time' : buttonOf(end) === 'retry' ? 'Try again' : 'the slot, or Reload this page';
  for (const [name, end] of ENDS) has(`| \`${name.split(',')[0]}\`${name.includes(',') ? ',' + name.split(',')[1] : ''} | ${sentence(end, 'en')} | ${whatToDo(end, 'en')} | ${button(end)} |`.replace('`a refusal that begins a wait`', 'a refusal that begins a wait'));
});
