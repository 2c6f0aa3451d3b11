// The slow line: when it is noticed, what is sent then, and what the person reads. A stand-in for the browser's sender.
import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { START, step } from '../../web/widget/state.js';
import { load, sentence } from '../../web/widget/texts.js';
import DE from '../../web/widget/texts/de.js';
import EN from '../../web/widget/texts/en.js';
import { BITS, FEW_FPS, LATE_S, LOOK_MS, LOSSY, Uplink, affordable } from '../../web/widget/uplink.js';

await load('de');

/** A sender that sends so many bits a second, of which a share is lost on a line of so many seconds there and back. */
class Sender {
  set = [];
  ms = 0;
  bytes = 0;
  constructor(bits, lost, trip_s = 0.05) { Object.assign(this, { bits, lost, trip_s }); }
  async getStats() {
    this.ms += LOOK_MS;
    this.bytes += this.bits / 8 * LOOK_MS / 1000;
    return new Map([
      ['o', { type: 'outbound-rtp', timestamp: this.ms, bytesSent: this.bytes, headerBytesSent: 0 }],
      ['r', { type: 'remote-inbound-rtp', timestamp: this.ms, fractionLost: this.lost }],
      ['c', { type: 'candidate-pair', nominated: true, currentRoundTripTime: this.trip_s }],
    ]);
  }
  getParameters() { return { encodings: [{}] }; }
  async setParameters({ encodings }) { this.set.push(encodings[0]); }
}

/** @returns how often the line was called slow, after so many looks */
async function watched(sender, looks) {
  mock.timers.enable({ apis: ['setInterval'] });
  let slow = 0;
  const uplink = new Uplink(sender, () => { slow += 1; });
  uplink.start();
  for (let n = 0; n < looks; n++) {
    mock.timers.tick(LOOK_MS);
    for (let turn = 0; turn < 8; turn++) await Promise.resolve();
  }
  uplink.stop();
  const before = sender.ms;
  mock.timers.tick(10 * LOOK_MS);
  assert.equal(sender.ms, before, 'stopped');
  mock.timers.reset();
  return slow;
}

test('a good line is left alone', async () => {
  const sender = new Sender(1_000_000, LOSSY, LATE_S);
  assert.equal(await watched(sender, 12), 0);
  assert.deepEqual(sender.set, []);
});

test('where packets are lost, half of what came through is sent, and never more again', async () => {
  const sender = new Sender(1_000_000, 0.2);
  assert.ok(await watched(sender, 4) > 0);
  assert.deepEqual(sender.set, [{ maxBitrate: 400_000 }]);
});

test('few bits are for few pictures', async () => {
  const sender = new Sender(1_000_000, 0.9);
  await watched(sender, 4);
  assert.deepEqual(sender.set, [{ maxBitrate: BITS.least, maxFramerate: FEW_FPS }]);
  assert.equal(affordable(1_000_000, 0.7), 150_000);
});

test('a queue that stays full is a slow line as well, and one late answer is none', async () => {
  assert.equal(await watched(new Sender(1_000_000, 0, LATE_S + 0.1), 3), 0);
  const sender = new Sender(1_000_000, 0, LATE_S + 0.1);
  assert.equal(await watched(sender, 6), 1);
  assert.deepEqual(sender.set, [{ maxBitrate: 400_000 }]);
});

test('a closed connection has no statistics, and nothing comes of it', async () => {
  const sender = new Sender(1_000_000, 0.9);
  sender.getStats = async () => { throw new Error('closed'); };
  assert.equal(await watched(sender, 4), 0);
});

test('the person reads of the connection, not of the camera', () => {
  const connection = EN.hint_connection_slow;
  const live = { ...START, state: 'framing', hint: 'camera_slow', heard: 'camera_slow' };
  assert.equal(sentence(live, 'en'), EN.hint_camera_slow);
  const slow = step(live, { slow: true });
  assert.equal(sentence(slow, 'en'), connection);
  assert.equal(step({ ...slow, hint: null, heard: null }, { hint: 'camera_slow' }).hint, 'connection_slow');
  assert.equal(sentence({ ...slow, hint: 'come_closer' }, 'en'), EN.hint_come_closer);
  assert.ok(sentence(step(slow, { move: 'expire', reasons: ['timeout'] }), 'en').endsWith(connection));
  assert.ok(sentence(step(slow, { move: 'fail', problem: 'server_silent' }), 'de').endsWith(DE.hint_connection_slow));
  assert.ok(!sentence(step(slow, { move: 'reject', reasons: ['no_match'] }), 'en').includes(connection));
  assert.ok(!sentence(step(slow, { move: 'fail', problem: 'camera_ended' }), 'en').includes(connection));
  const again = step(step(slow, { move: 'expire', reasons: ['timeout'] }), { move: 'start' });
  assert.equal(again.slow, false, 'a new attempt is a new line');
});
