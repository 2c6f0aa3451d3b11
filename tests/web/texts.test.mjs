// Every code that a person can meet has a sentence in every language.
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { test } from 'node:test';
import { CAMERA_CODES, cameraCode, constraints } from '../../web/widget/camera.js';
import { CONNECTION_CODES } from '../../web/widget/connection.js';
import { HINTS, REASONS } from '../../web/widget/protocol.js';
import { START, STATES, buttonOf } from '../../web/widget/state.js';
import { LANGUAGES, countDown, directionOf, load, loadEnds, loadMore, pickLanguage, placeInLine, say, sentence, shownToDo, textsOf, whatToDo } from '../../web/widget/texts.js';
import DE from '../../web/widget/texts/de.js';
import words from '../../web/widget/page/words.js';
import basic from '../../web/widget/texts/en.js';

const EN = { ...basic, ...words };

test('before anything is known of ends, an end says that it failed and what helps most', () => {
  const failed = { ...START, state: 'failed', problem: 'camera_busy' };
  assert.deepEqual([sentence(failed, 'en'), whatToDo(failed, 'en')], [EN.state_failed, EN.do_line]);
  const gone = { ...START, state: 'failed', problem: 'server_unreachable' };
  assert.deepEqual([sentence(gone, 'en'), whatToDo(gone, 'en')], [EN.problem_server_unreachable, EN.do_line]);
  assert.equal(whatToDo({ ...START, state: 'cancelled' }, 'en'), EN.do_again);
});

test('what is known of ends is loaded once', () => loadEnds());

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
  const files = readdirSync(new URL('../../web/widget/texts/', import.meta.url)).filter((name) => name.endsWith('.js')).map((name) => name.replace('.js', ''));
  assert.deepEqual(files.sort(), [...LANGUAGES].sort());
  assert.deepEqual(LANGUAGES.map(directionOf), LANGUAGES.map((language) => (language === 'ar' ? 'rtl' : 'ltr')));
});

for (const language of LANGUAGES) {
  test(`${language}: all codes, no empty sentence, the same keys and places for numbers as English`, async () => {
    await load(language);
    const texts = { ...(language === 'en' ? words : {}), ...textsOf(language) };
    for (const key of needed) assert.ok(texts[key], key);
    assert.deepEqual(Object.keys(texts).sort(), Object.keys(EN).sort());
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

/** Every end: a code, and whether the server said that another try makes sense. */
const ENDS = [
  ...[...CAMERA_CODES, ...CONNECTION_CODES, 'ticket_missing', 'ticket_failed', 'page_hidden', 'internal', 'too_many_failures', 'face_disabled', 'origin_not_allowed',
    'busy', 'consent_needed', 'session_over', 'video_too_large', 'never_heard_of'].map((problem) => ({ state: 'failed', problem })),
  ...[...REASONS, 'never_heard_of'].flatMap((reason) => ['rejected', 'expired'].map((state) => ({ state, reasons: [reason] }))),
  { state: 'rejected' }, { state: 'expired' }, { state: 'cancelled' }, ...HINTS.map((hint) => ({ state: 'expired', reasons: ['timeout'], hint })),
].flatMap((end) => [true, false].map((retry) => ({ ...START, ...end, retry })));

for (const language of LANGUAGES) {
  test(`${language}: every end says what to do, in words of its own, and has a button`, async () => {
    await load(language);
    for (const end of ENDS) {
      const told = whatToDo(end, language);
      assert.ok(told.length > 3, JSON.stringify(end));
      assert.ok(sentence(end, language).length > 1, JSON.stringify(end));
      assert.notEqual(told, sentence(end, language), JSON.stringify(end));
      if (language !== 'en') assert.notEqual(told, whatToDo(end, 'en'), JSON.stringify(end));
      assert.equal(buttonOf(end), end.retry && !['ticket_missing', 'internal'].includes(end.problem) ? 'retry' : 'reload');
      // Nobody is told to try again where that cannot help.
      if (!end.retry && language === 'en') assert.doesNotMatch(told, /^Try again/, JSON.stringify(end));
    }
  });

  test(`${language}: a hint that stands long says more`, async () => {
    const more = (await import(`../../web/widget/texts/more/${language}.js`)).default;
    const english = (await import('../../web/widget/texts/more/en.js')).default;
    assert.deepEqual(Object.keys(more), Object.keys(english));
    for (const key of Object.keys(more)) assert.ok(key === 'more_unknown' || HINTS.includes(key.slice(5)), key);
    const stands = { ...START, state: 'framing', hint: 'more_light', more: true };
    await loadMore(language);
    assert.equal(whatToDo(stands, language), more.more_more_light);
    assert.equal(whatToDo({ ...stands, hint: 'move_back' }, language), more.more_unknown);
    assert.equal(whatToDo({ ...stands, more: false }, language), '');
  });
}

test('the hint that stood longest explains the end, in place of the time', () => {
  const end = { ...START, state: 'expired', reasons: ['timeout'], hint: 'more_light', retry: true };
  assert.equal(sentence(end, 'en'), `${EN.state_expired} ${EN.hint_more_light}`);
  assert.equal(whatToDo(end, 'en'), EN.do_again);
});

test('a page that says the cause says what to do, or lets us', () => {
  const end = { ...START, state: 'failed', problem: 'camera_busy', retry: true };
  assert.equal(shownToDo(end, 'en'), EN.do_close);
  assert.equal(shownToDo(end, 'en', { problem_camera_busy: 'Zoom has it. Close it.' }), '');
  assert.equal(shownToDo({ ...end, problem: 'login_needed', text: 'Log in first.' }, 'en'), '');
  assert.equal(shownToDo({ ...end, mute: true }, 'en'), '');
});

test('a wait is told in minutes and seconds', () => {
  assert.equal(countDown({ ...START, again_s: 65 }, 'en'), 'You can try again in 1:05.');
  assert.equal(countDown({ ...START, again_s: 900 }, 'de'), 'Ein neuer Versuch geht in 15:00.');
  assert.equal(countDown(START, 'en'), '');
  assert.equal(whatToDo({ ...START, state: 'failed', problem: 'too_many_failures', again_s: 30, retry: true }, 'en'), EN.do_later);
});
