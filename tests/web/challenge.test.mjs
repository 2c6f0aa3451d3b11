// The light challenge without a screen: which step is due, what is never painted, what a camera's name tells.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cameraKind } from '../../web/widget/camera.js';
import { Challenge, due, flashes, luminance } from '../../web/widget/challenge.js';
import { hello } from '../../web/widget/protocol.js';
import { START, step } from '../../web/widget/state.js';
import { load, sentence } from '../../web/widget/texts.js';

const STEPS = [{ color: '#aaaaaa', ms: 400 }, { color: '#ff70ff', ms: 250 }, { color: '#00c400', ms: 310 }];

/** A screen whose frames come when the test says so. */
function screen(t) {
  const frames = [];
  let now = 1000;
  t.mock.method(performance, 'now', () => now);
  globalThis.requestAnimationFrame = (f) => frames.push(f);
  globalThis.cancelAnimationFrame = (n) => { frames[n - 1] = () => {}; };
  t.after(() => { delete globalThis.requestAnimationFrame; delete globalThis.cancelAnimationFrame; delete globalThis.matchMedia; });
  const layer = { hidden: false, style: { backgroundColor: 'x' } };
  return { layer, at(ms) { now = 1000 + ms; frames.splice(0).forEach((f) => f(now)); } };
}

test('which step is due', () => {
  assert.deepEqual([0, 399, 400, 649, 650, 959, 960, 5000].map((ms) => due(STEPS, ms)), [0, 0, 1, 1, 2, 2, -1, -1]);
});

test('every step is painted once, in order, told with its time, and the page is given back', (t) => {
  const { layer, at } = screen(t);
  const told = [];
  const challenge = new Challenge(layer);
  assert.equal(layer.hidden, true);
  challenge.start(STEPS, (painted) => told.push(painted));
  assert.equal(layer.hidden, true); // until the first frame
  at(16);
  assert.deepEqual([layer.hidden, layer.style.backgroundColor], [false, '#aaaaaa']);
  at(400);
  at(420); // 404 after the first frame
  assert.equal(layer.style.backgroundColor, '#ff70ff');
  at(700);
  at(990);
  assert.deepEqual([layer.hidden, layer.style.backgroundColor], [true, '']);
  at(1100);
  assert.deepEqual(told, [{ step: 0, ms: 16 }, { step: 1, ms: 420 }, { step: 2, ms: 700 }]);
});

test('a frame that is older than the challenge shortens no step', (t) => {
  const { layer, at } = screen(t);
  const told = [];
  new Challenge(layer).start(STEPS, (painted) => told.push(painted));
  at(-30);
  at(390);
  assert.deepEqual([layer.style.backgroundColor, told], ['#aaaaaa', [{ step: 0, ms: 0 }]]);
  at(400);
  assert.deepEqual(told[1], { step: 1, ms: 400 });
});

test('a step that a busy page skipped is told, too; a stop ends it', (t) => {
  const { layer, at } = screen(t);
  const told = [];
  const challenge = new Challenge(layer);
  challenge.start(STEPS, ({ step: n }) => told.push(n));
  at(10);
  at(800);
  assert.deepEqual(told, [0, 1, 2]);
  challenge.start(STEPS, () => told.push('again'));
  challenge.stop();
  at(900);
  assert.deepEqual([told.length, layer.hidden], [3, true]);
});

test('nothing that could flash is painted, nor anything for who asked for less motion', (t) => {
  const { layer, at } = screen(t);
  const challenge = new Challenge(layer);
  for (const bad of [[{ color: '#aaaaaa', ms: 100 }], [{ color: '#000000', ms: 300 }, { color: '#ffffff', ms: 300 }]]) {
    assert.equal(flashes(bad), true);
    challenge.start(bad, () => assert.fail());
    at(50);
  }
  globalThis.matchMedia = (query) => ({ matches: query.includes('reduce') });
  challenge.start(STEPS, () => assert.fail());
  at(100);
  assert.equal(layer.hidden, true);
  assert.equal(flashes(STEPS), false);
  assert.ok(Math.abs(luminance('#ff0000') - 0.2126) < 1e-4);
});

test('what a camera is called tells its sort, and nothing else is sent', () => {
  const kinds = {
    'Integrated Camera (04f2:b6dd)': 'integrated', 'FaceTime HD Camera (Built-in)': 'integrated', 'HP TrueVision HD': 'integrated',
    'Logitech C920 (046d:0825)': 'usb', 'HD Webcam': 'usb', 'OBS Virtual Camera': 'virtual', 'OBS-Camera': 'virtual', 'Snap Camera': 'virtual',
    'ManyCam Virtual Webcam': 'virtual', 'Dummy video device (0x0000)': 'virtual', 'fake_device_0': 'virtual',
    "Ada's iPhone Camera": 'phone', 'camera2 1, facing front': 'phone', 'Iriun Webcam': 'phone', '': 'unknown', 'Bob': 'unknown',
  };
  for (const [label, kind] of Object.entries(kinds)) assert.equal(cameraKind(label), kind, label);
  const settings = { width: 640, height: 480, frameRate: 15, label: 'x' };
  assert.deepEqual(hello('w', settings, { kind: 'usb', lessMotion: true }),
    { type: 'hello', version: 1, widget: 'w', camera: { width: 640, height: 480, fps: 15, kind: 'usb' }, reduced_motion: true });
});

test('while the screen is lit the sentence says so', async () => {
  await load('de');
  let model = START;
  for (const move of ['start', 'camera_ready', 'framing']) model = step(model, { move });
  assert.equal(step(model, { lit: true }), model); // not before there is evidence
  model = step(step(model, { move: 'gathering' }), { lit: true });
  assert.match(sentence(model, 'en'), /changes its colour/);
  assert.match(sentence(model, 'de'), /wechselt/);
  assert.equal(step(model, { move: 'framing' }).lit, false);
  assert.equal(step(model, { lit: false }).lit, false);
});
