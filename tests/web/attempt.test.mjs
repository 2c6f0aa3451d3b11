// What an attempt survives, how often and for how long: literal times, no camera, no network.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ANEW, Attempt } from '../../web/widget/attempt.js';
import { Trouble } from '../../web/widget/camera.js';

const t = (code, options) => new Trouble(code, options);
const ANEW_NOW = { pause: 0, lost: true };

test('the numbers people wait for', () => {
  assert.deepEqual({ ...ANEW }, { times: 2, within: 15_000, pause: 1_000, patience: 120_000, fresh: 30_000 });
});

for (const code of ['server_silent', 'connection_lost', 'server_stopping']) {
  test(`${code} starts anew at once, twice and no more`, () => {
    const attempt = new Attempt();
    for (let n = 0; n < 2; n++) {
      assert.deepEqual(attempt.after(t(code), 'connecting', 1000 * n), ANEW_NOW);
      attempt.mended();
    }
    assert.equal(attempt.after(t(code), 'connecting', 5000), null);
  });
}

for (const code of ['camera_ended', 'page_hidden', 'internal', 'session_replaced', 'too_many_failures', 'connect_timeout', 'connection_failed',
  'server_unreachable', 'ticket_failed', 'ticket_invalid', 'origin_not_allowed', 'busy']) {
  test(`${code} out of the line is an end`, () => assert.equal(new Attempt().after(t(code), 'connecting', 0), null));
}

test('a server that comes back is asked with longer and longer pauses, for 15 s', () => {
  const attempt = new Attempt();
  let now = 4000;
  assert.deepEqual(attempt.after(t('server_silent'), 'connecting', now), ANEW_NOW);
  const pauses = [];
  for (const code of ['ticket_failed', 'server_unreachable', 'not_ready', 'server_answer', 'connect_timeout', 'ticket_failed']) {
    const plan = attempt.after(t(code), 'connecting', now);
    pauses.push(plan && plan.pause);
    if (plan) now += plan.pause;
  }
  assert.deepEqual(pauses, [1000, 2000, 3000, 4000, null, null]);
});

test("while it starts anew, the page's own trouble ends it unless its server is in trouble; so does what no time mends", () => {
  for (const [trouble, goes] of [[t('lookgate_down', { passing: true }), true], [t('login_needed'), false], [t('camera_ended'), false], [t('page_hidden'), false],
    [t('session_replaced'), false], [t('too_many_failures'), false], [t('internal'), false], [t('ticket_used'), true]]) {
    const attempt = new Attempt();
    attempt.after(t('connection_lost'), 'connecting', 0);
    assert.equal(attempt.after(trouble, 'connecting', 10) !== null, goes, trouble.code);
  }
});

test('in line a dead ticket is replaced, once, and a dead server is a loss', () => {
  const attempt = new Attempt();
  assert.deepEqual(attempt.after(t('ticket_invalid'), 'waiting', 0), { pause: 0, lost: false });
  assert.equal(attempt.after(t('ticket_invalid'), 'waiting', 0), null);
  for (const code of ['server_unreachable', 'server_answer', 'connect_timeout']) assert.deepEqual(new Attempt().after(t(code), 'waiting', 0), ANEW_NOW);
  assert.equal(new Attempt().after(t('busy'), 'waiting', 0), null);
});

test('the patience is one for all sessions of an attempt, from the first wait on', () => {
  const attempt = new Attempt();
  assert.equal(attempt.patience(50_000), ANEW.patience);
  attempt.waits(60_000);
  attempt.waits(90_000);
  assert.equal(attempt.patience(100_000), ANEW.patience - 40_000);
});

test('who waits was heard: a loss before is mended', () => {
  const attempt = new Attempt();
  attempt.after(t('server_silent'), 'connecting', 0);
  attempt.waits(1000);
  assert.deepEqual(attempt.after(t('server_unreachable'), 'waiting', 60_000), ANEW_NOW);
});

test('a place that was given up to others leads back into the line; a refusal at the door does not', () => {
  for (const state of ['framing', 'gathering']) assert.deepEqual(new Attempt().after(t('busy'), state, 0), ANEW_NOW);
  for (const state of ['connecting', 'waiting']) assert.equal(new Attempt().after(t('busy'), state, 0), null);
  for (const code of ['server_unreachable', 'ticket_invalid', 'session_replaced']) assert.equal(new Attempt().after(t(code), 'framing', 0), null);
});

test('a second loss has its own pauses, from the shortest on', () => {
  const attempt = new Attempt();
  for (const now of [0, 60_000]) {
    attempt.after(t('server_silent'), 'framing', now);
    assert.deepEqual([1, 2].map(() => attempt.after(t('ticket_failed'), 'connecting', now)?.pause), [1000, 2000]);
    attempt.mended();
  }
});

test('a ticket that was taken early is used once, and not when it is old and there are more', () => {
  const ticket = { server: '', session: 's', ticket: 't', ice_servers: [] };
  const attempt = new Attempt();
  assert.equal(attempt.early(0, true), null);
  attempt.keep(ticket, 1000);
  assert.equal(attempt.early(1000 + ANEW.fresh - 1, true), ticket);
  assert.equal(attempt.early(1000, true), null);
  attempt.keep(ticket, 1000);
  assert.equal(attempt.early(1000 + ANEW.fresh, true), null);
  attempt.keep(ticket, 1000);
  assert.equal(attempt.early(1000 + 10 * ANEW.fresh, false), ticket);
});
