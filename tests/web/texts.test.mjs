// Every code that a person can meet has a sentence in every language.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { CAMERA_CODES, cameraCode, constraints } from '../../web/widget/camera.js';
import { CONNECTION_CODES } from '../../web/widget/connection.js';
import { HINTS, REASONS } from '../../web/widget/protocol.js';
import { START, STATES } from '../../web/widget/state.js';
import { LANGUAGES, directionOf, load, pickLanguage, placeInLine, say, sentence, textsOf } from '../../web/widget/texts.js';
import DE from '../../web/widget/texts/de.js';
import EN from '../../web/widget/texts/en.js';

const needed = [
  'state_lost',
  ...STATES.map((s) => `state_${s}`), ...HINTS.map((h) => `hint_${h}`), ...REASONS.map((r) => `reason_${r}`),
  ...[...CAMERA_CODES, ...CONNECTION_CODES, 'ticket_missing', 'ticket_failed', 'page_hidden', 'internal'].map((c) => `problem_${c}`),
];

test('a language is loaded when it is spoken', async () => {
  assert.equal(textsOf('de'), undefined);
  assert.equal(say('button_start', 'de'), EN.button_start, 'before it is here');
  await load('de');
  assert.equal(say('button_start', 'de'), DE.button_start);
  await load('tlh');
  assert.equal(say('button_start', 'tlh'), EN.button_start, 'of none that there is');
});

test('every file of words is a language that can be picked, and the other way round', () => {
  const files = readdirSync(new URL('../../web/widget/texts/', import.meta.url)).map((name) => name.replace('.js', ''));
  assert.deepEqual(files.sort(), [...LANGUAGES].sort());
  assert.deepEqual(LANGUAGES.map(directionOf), LANGUAGES.map((language) => (language === 'ar' ? 'rtl' : 'ltr')));
});

for (const language of LANGUAGES) {
  test(`${language}: all codes, no empty sentence, the same keys and places for numbers as English`, async () => {
    await load(language);
    const texts = textsOf(language);
    for (const key of needed) assert.ok(texts[key], key);
    assert.deepEqual(Object.keys(texts), Object.keys(EN));
    for (const [key, text] of Object.entries(texts)) {
      assert.ok(text.trim().length > 1, key);
      assert.equal(text.split('{n}').length, EN[key].split('{n}').length, key);
      if (language !== 'en' && !['label_camera_number'].includes(key)) assert.notEqual(text, EN[key], key);
    }
  });
}

test('an unknown code gives the generic sentence of its kind', () => {
  assert.equal(say('hint_tilt_head', 'en'), EN.hint_unknown);
  assert.equal(say('reason_stale', 'de'), DE.reason_unknown);
  assert.equal(say('problem_on_fire', 'xx'), EN.problem_unknown);
  assert.equal(say('hint___proto__', 'en'), EN.hint_unknown);
  assert.equal(say('constructor', 'en'), EN.problem_unknown);
});

test("the page's own words win", () => {
  assert.equal(say('hint_no_face', 'de', { hint_no_face: 'Hallo?' }), 'Hallo?');
  assert.equal(say('hint_tilt_head', 'en', { hint_tilt_head: 'Tilt.' }), 'Tilt.');
});

test('languages are picked by their primary tag, English at last', () => {
  assert.equal(pickLanguage(['de-AT']), 'de');
  assert.equal(pickLanguage([undefined, null, '', 'xx', 'DE_ch']), 'de');
  assert.equal(pickLanguage(['constructor', 'ja']), 'en');
});

test('the sentence follows the model: problem, then hint, then state with reasons', () => {
  assert.equal(sentence({ ...START, state: 'failed', problem: 'camera_busy' }, 'en'), EN.problem_camera_busy);
  assert.equal(sentence({ ...START, state: 'failed', problem: 'login_needed', text: 'Log in first.' }, 'de'), 'Log in first.');
  assert.equal(sentence({ ...START, state: 'failed', problem: 'camera_busy', text: 'x' }, 'en'), EN.problem_camera_busy);
  assert.equal(sentence({ ...START, state: 'failed', problem: 'login_needed' }, 'en'), EN.problem_unknown);
  assert.equal(sentence({ ...START, state: 'framing', hint: 'come_closer' }, 'en'), EN.hint_come_closer);
  assert.equal(sentence({ ...START, state: 'framing' }, 'en'), EN.state_framing);
  assert.equal(sentence({ ...START, state: 'rejected', reasons: ['no_match', 'x'] }, 'en'),
    [EN.state_rejected, EN.reason_no_match, EN.reason_unknown].join(' '));
});

test('camera errors are told by name, never by message', () => {
  const named = (name) => Object.assign(new Error('NotFoundError no camera'), { name });
  const table = { NotAllowedError: 'camera_denied', SecurityError: 'camera_denied', NotFoundError: 'camera_missing', NotReadableError: 'camera_busy',
    AbortError: 'camera_busy', OverconstrainedError: 'camera_unsuitable', TypeError: 'camera_failed', Error: 'camera_failed' };
  for (const [name, code] of Object.entries(table)) assert.equal(cameraCode(named(name)), code, name);
  for (const odd of [undefined, null, 'NotFoundError', 5]) assert.equal(cameraCode(odd), 'camera_failed');
});

test('a chosen camera is exact, everything else a wish; never audio', () => {
  assert.deepEqual(constraints('abc').video.deviceId, { exact: 'abc' });
  assert.equal(constraints().video.facingMode, 'user');
  assert.equal(constraints().audio, false);
});

test('a place in line: what is known of it, as roughly as it is known', () => {
  const says = (ahead, wait_s, language = 'en') => placeInLine({ ahead, wait_s }, language);
  assert.equal(says(0, 0.5), 'You are next. It takes about a second.');
  assert.equal(says(0, 1.5), 'You are next. It takes a few seconds.');
  assert.equal(says(1, 12), 'One person is before you. It takes about 10 seconds.');
  assert.equal(says(1, 7.9, 'de'), 'Eine Person ist vor Ihnen. Es dauert einige Sekunden.');
  assert.equal(says(12, 53), '12 people are before you. It takes about 55 seconds.');
  assert.equal(says(12, 55.1), '12 people are before you. It takes about a minute.');
  assert.equal(says(40, 170, 'de'), '40 Personen sind vor Ihnen. Es dauert etwa 3 Minuten.');
  assert.equal(says(3, null), '3 people are before you.');
  assert.equal(says(null, null), '');
  assert.equal(placeInLine(null, 'en'), '');
  assert.equal(placeInLine({ ahead: 7, wait_s: null }, 'de', { label_ahead: 'noch {n}' }), 'noch 7');
  for (let s = 0; s < 600; s++) { // never further off than a third, where a number is said
    const n = Number(/(\d+) seconds/.exec(says(null, s))?.[1] ?? NaN);
    if (!Number.isNaN(n)) assert.ok(Math.abs(n - s) <= s / 3, `${n} for ${s}`);
  }
});

test('after a loss it says that it starts again', () => {
  assert.equal(sentence({ ...START, state: 'connecting', lost: 'server_silent' }, 'en'), EN.state_lost);
  assert.equal(sentence({ ...START, state: 'waiting', lost: 'server_silent' }, 'en'), EN.state_waiting);
});
