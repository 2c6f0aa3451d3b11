// The state table and the one function that moves: properties over all states and inputs.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { START, STATES, TABLE, isEnd, isLive, step } from '../../web/widget/state.js';

const MOVES = ['prepare', 'ask', 'start', 'camera_ready', 'wait', 'enter', 'lose', 'framing', 'gathering', 'accept', 'reject', 'expire', 'fail', 'cancel', 'reset'];
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
  for (const state of STATES.filter(isEnd)) {
    assert.equal(step(at(state), { move: 'start' }).state, 'asking_camera');
    assert.equal(step(at(state), { move: 'prepare' }).state, 'preparing');
  }
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
    { move: 'wait', wait: { ahead: 3, wait_s: 9 } }, { move: 'lose', problem: 'server_silent' },
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
    assert.equal(model.wait !== null, model.state === 'waiting');
    if (model.lost !== null) assert.ok(['connecting', 'waiting'].includes(model.state));
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

test('a loss throws all of the old session away but the slow line, and is remembered until the new one begins', () => {
  let model = step({ ...at('gathering'), hint: 'come_closer', progress: 0.6, recorded: true, slow: true, lit: true }, { move: 'lose', problem: 'server_silent' });
  assert.deepEqual(model, { ...START, state: 'connecting', slow: true, lost: 'server_silent' });
  model = step(model, { move: 'wait', wait: { ahead: 1, wait_s: 2 } });
  model = step(model, { move: 'enter' });
  assert.deepEqual(model, { ...START, state: 'connecting', slow: true, lost: 'server_silent' });
  assert.equal(step(model, { move: 'framing' }).lost, null);
});

test('each change of the line is seen, and only its milestones are told', () => {
  const told = [];
  let model = at('connecting');
  for (const ahead of [null, 12, 11, 10, 7, 6, 5, 4, 3, 2, 1, 0, 0, 1, 2, 3]) {
    model = step(model, { move: 'wait', wait: { ahead, wait_s: 3 } });
    assert.deepEqual(model.wait, { ahead, wait_s: 3 });
    if (model.told && model.told.ahead !== told.at(-1)) told.push(model.told.ahead);
  }
  assert.deepEqual(told, [12, 6, 3, 1, 0, 1, 3]);
  for (const wait_s of [3, 2]) assert.equal(step({ ...model, told: { ahead: 0, wait_s: 9 } }, { move: 'wait', wait: { ahead: 0, wait_s } }).told.wait_s, 9);
  const before = model;
  model = step(model, { move: 'wait', wait: { ahead: 3, wait_s: 7 } });
  assert.deepEqual([model.wait, model.told], [{ ahead: 3, wait_s: 7 }, before.told]);
  assert.equal(step(model, { move: 'wait', wait: { ahead: 3, wait_s: 7 } }), model);
});
