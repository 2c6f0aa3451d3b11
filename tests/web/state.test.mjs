// The state table and the one function that moves: properties over all states and inputs.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { START, STATES, TABLE, isEnd, isLive, step } from '../../web/widget/state.js';

const MOVES = ['start', 'camera_ready', 'framing', 'gathering', 'accept', 'reject', 'expire', 'fail', 'cancel', 'reset'];
const at = (state) => ({ ...START, state });

test('the table names only known states and moves, and every state can be reached', () => {
  for (const row of Object.values(TABLE)) {
    for (const [move, to] of Object.entries(row)) {
      assert.ok(MOVES.includes(move), move);
      assert.ok(STATES.includes(to), to);
    }
  }
  const reached = new Set(['idle']);
  for (const state of reached) for (const to of Object.values(TABLE[state])) reached.add(to);
  assert.deepEqual([...reached].sort(), [...STATES].sort());
});

test('live, end and idle divide the states', () => {
  for (const state of STATES) assert.equal([isLive(state), isEnd(state), state === 'idle'].filter(Boolean).length, 1, state);
});

test('a move that the table does not allow changes nothing at all', () => {
  for (const state of STATES) {
    for (const move of MOVES) {
      const model = at(state);
      const next = step(model, { move });
      if (TABLE[state][move] === undefined) assert.equal(next, model, `${state} ${move}`);
      else assert.equal(next.state, TABLE[state][move]);
    }
  }
});

test('every live state can be cancelled and can fail; every end can be started again', () => {
  for (const state of STATES.filter(isLive)) {
    assert.equal(step(at(state), { move: 'cancel' }).state, 'cancelled');
    assert.equal(step(at(state), { move: 'fail', problem: 'camera_ended' }).state, 'failed');
  }
  for (const state of STATES.filter(isEnd)) assert.equal(step(at(state), { move: 'start' }).state, 'asking_camera');
});

test('only `accept` leads to accepted, and only from a connection', () => {
  for (const state of STATES) {
    for (const [move, to] of Object.entries(TABLE[state])) {
      if (to === 'accepted') assert.ok(move === 'accept' && ['connecting', 'framing', 'gathering'].includes(state));
    }
  }
  for (const move of MOVES) assert.notEqual(step(at('rejected'), { move }).state, 'accepted');
});

test('random walks keep the model consistent', () => {
  let seed = 11;
  const next = (n) => (seed = (seed * 1103515245 + 12345) % 2 ** 31) % n;
  const inputs = [
    ...MOVES.map((move) => ({ move })), { move: 'reject', reasons: ['no_match'], retry: true }, { move: 'fail', problem: 'camera_busy', retry: true },
    { hint: 'come_closer' }, { hint: null }, { progress: 0.5 }, { progress: 7 }, { progress: -1 }, { progress: NaN }, { recorded: true },
  ];
  let model = START;
  for (let i = 0; i < 50_000; i++) {
    model = step(model, inputs[next(inputs.length)]);
    assert.ok(model.progress >= 0 && model.progress <= 1);
    assert.equal(model.problem !== null, model.state === 'failed');
    if (model.reasons.length) assert.ok(['rejected', 'expired'].includes(model.state));
    if (model.hint !== null) assert.ok(['connecting', 'framing', 'gathering'].includes(model.state));
    if (model.state === 'framing') assert.equal(model.progress, 0);
    if (['idle', 'accepted'].includes(model.state)) assert.equal(model.retry, false);
  }
});

test('going back to framing throws the progress away and keeps the hint; an unchanged fact gives the same object', () => {
  let model = step(at('connecting'), { move: 'framing' });
  model = step(model, { hint: 'come_closer' });
  model = step(model, { move: 'gathering' });
  model = step(model, { progress: 0.6 });
  assert.equal(step(model, { progress: 0.6 }), model);
  model = step(model, { move: 'framing' });
  assert.deepEqual([model.progress, model.hint], [0, 'come_closer']);
});
