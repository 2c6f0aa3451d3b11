// The line, with a stand-in for fetch and a clock of the test's: what is asked when, what is told, and when it ends.
import assert from 'node:assert/strict';
import { beforeEach, mock, test } from 'node:test';
import { HOLD_S, askForPlace } from '../../web/widget/line.js';

const URL_ = 'https://face.example/v1/sessions/s/offer';
const problem = (code, more = {}, retry = true) => ({ error: { code, text: 't', retry }, ...more });
const line = (ahead, wait_s) => ({ line: { ahead, wait_s } });
let now, abort, asked, waits, holds;

beforeEach(() => {
  mock.restoreAll();
  mock.timers.reset();
  mock.timers.enable({ apis: ['setTimeout'] });
  now = 0;
  mock.method(performance, 'now', () => now);
  abort = new AbortController();
  asked = [];
  waits = [];
  holds = [];
});

const pass = (ms) => { now += ms; mock.timers.tick(ms); };
/** Lets all that is due go on; no promise here takes so many turns. */
const settle = async () => { for (let i = 0; i < 50; i++) await Promise.resolve(); await new Promise(setImmediate); };

/**
 * Ask, with these answers one after the other: `{status, body, after}` (Retry-After), an Error, or `{held}`: milliseconds before it.
 */
function ask(answers, patience_ms = 120_000) {
  globalThis.fetch = async (url, init) => {
    asked.push({ at: now, prefer: init.headers.Prefer, url, auth: init.headers.Authorization, body: init.body });
    if (init.signal.aborted) throw init.signal.reason;
    const { status = 503, body, after, held = 0, error } = answers[asked.length - 1] ?? answers.at(-1);
    now += held;
    if (error) throw error;
    return Response.json(body, { status, headers: after === undefined ? {} : { 'Retry-After': String(after) } });
  };
  const told = { done: false };
  told.end = askForPlace(URL_, { method: 'POST', headers: { Authorization: 'Bearer x' }, body: 'o', signal: abort.signal }, {
    patience_ms, onask: (ms) => holds.push(ms), onwait: (wait) => waits.push(wait),
  }).then((sdp) => { told.done = true; told.sdp = sdp; }, (trouble) => { told.done = true; told.code = trouble.code; told.retry = trouble.retry; });
  return told;
}
const YES = { status: 200, body: { type: 'answer', sdp: 'a' } };

test('ahead falls and the turn comes: at once when in line, held from the second request on', async () => {
  const told = ask([
    { body: problem('busy', line(2, 7.5)), after: 3 }, { body: problem('busy', line(1, 4)), after: 3, held: 8000 },
    { body: problem('busy', line(0, 2)), after: 3, held: 8000 }, { ...YES, held: 1500 },
  ]);
  await settle();
  assert.deepEqual([told.sdp, waits], ['a', [{ ahead: 2, wait_s: 7.5 }, { ahead: 1, wait_s: 4 }, { ahead: 0, wait_s: 2 }]]);
  assert.deepEqual(asked.map(({ at, prefer }) => [at, prefer]), [[0, undefined], [0, 'wait=8'], [8000, 'wait=8'], [16_000, 'wait=8']]);
  assert.deepEqual(holds, [0, 8000, 8000, 8000]);
  assert.deepEqual(new Set(asked.map(({ url, auth, body }) => url + auth + body)), new Set([`${URL_}Bearer xo`]));
});

test('where nothing is held the server names the pace, so nobody asks in a circle', async () => {
  const told = ask([{ body: problem('busy', line(2, 6)), after: 3 }, { body: problem('busy', line(2, 6)), after: 3 }, YES]);
  await settle();
  assert.equal(asked.length, 2);
  pass(2999);
  await settle();
  assert.equal(asked.length, 2);
  pass(1);
  await settle();
  assert.deepEqual([told.sdp, asked.length, asked[2].at], ['a', 3, 3000]);
});

for (const code of ['busy', 'too_many_sessions', 'too_many_requests', 'too_many_connections']) {
  test(`${code} without a line: after Retry-After, or 2 s where none is told`, async () => {
    const told = ask([{ body: problem(code), after: 5 }, { body: problem(code) }, YES]);
    await settle();
    assert.deepEqual([waits, asked.length], [[{ ahead: null, wait_s: null }], 1]);
    pass(4999);
    await settle();
    assert.equal(asked.length, 1);
    pass(1);
    await settle();
    assert.deepEqual([asked.length, asked[1].prefer], [2, `wait=${HOLD_S}`]);
    pass(2000);
    await settle();
    assert.equal(told.sdp, 'a');
  });
}

for (const [code, status, retry] of [['too_many_failures', 429, true], ['store_unavailable', 503, true], ['busy', 503, false], ['sdp_malformed', 400, false], ['not_ready', 503, true]]) {
  test(`${code} (retry: ${retry}) is an end`, async () => {
    const told = ask([{ status, body: problem(code, {}, retry), after: 1 }]);
    await settle();
    assert.deepEqual([told.code, told.retry, asked.length, waits], [code, retry, 1, []]);
  });
}

test('the patience ends, with what was said last, and no request is held beyond it', async () => {
  const told = ask([{ body: problem('busy', line(2, 7)), after: 3 }, { body: problem('busy', line(9, 99)), after: 3, held: 8000 }], 20_000);
  await settle();
  assert.deepEqual([told.code, told.retry], ['busy', true]);
  assert.deepEqual(asked.map(({ prefer }) => prefer), [undefined, 'wait=8', 'wait=8', 'wait=4']);
});

test('a pace beyond the patience is an end at once', async () => {
  const told = ask([{ body: problem('too_many_requests'), after: 121 }]);
  await settle();
  assert.deepEqual([told.code, waits], ['too_many_requests', []]);
});

test('an expired ticket ends the line by its name', async () => {
  const told = ask([{ body: problem('busy', line(1, 2)), after: 2 }, { status: 401, body: problem('ticket_invalid', {}, false), held: 8000 }]);
  await settle();
  assert.deepEqual([told.code, told.retry], ['ticket_invalid', true]);
});

test('one request lost in line costs nothing; two in a row, or the first of all, are a server that is gone', async () => {
  const lost = { error: new TypeError('network') };
  const busy = { body: problem('busy', line(1, 2)), after: 2, held: 8000 };
  const told = ask([busy, lost, busy, lost, lost]);
  await settle();
  pass(1000);
  await settle();
  assert.deepEqual([told.done, asked.length], [false, 4]);
  pass(1000);
  await settle();
  assert.deepEqual([told.code, asked.length, asked[2].prefer], ['server_unreachable', 5, 'wait=8']);
  asked = [];
  const first = ask([lost]);
  await settle();
  assert.equal(first.code, 'server_unreachable');
});

test('what is no answer is none, and a line of nonsense is no line', async () => {
  for (const body of [{ type: 'offer', sdp: 'x' }, { type: 'answer' }, [], 'x']) {
    asked = [];
    const told = ask([{ status: 200, body }]);
    await settle();
    assert.equal(told.code, 'server_answer');
  }
  asked = [];
  const told = ask([{ status: 502, body: '<h1>' }]);
  await settle();
  assert.equal(told.code, 'server_answer');
  asked = [];
  ask([{ body: problem('busy', { line: { ahead: '3', wait_s: -1 } }), after: 1 }, { body: problem('busy', { line: 5 }), held: 8000 }, YES]);
  await settle();
  assert.deepEqual(waits, Array(2).fill({ ahead: null, wait_s: null }));
});

test('an abort ends a pause at once', async () => {
  const told = ask([{ body: problem('busy'), after: 30 }]);
  await settle();
  assert.equal(told.done, false);
  abort.abort();
  await settle();
  assert.deepEqual([told.code, asked.length], ['server_unreachable', 2]);
});
