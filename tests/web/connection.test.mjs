// The connection's deadlines and duties, with stand-ins for the browser's WebRTC and fetch; deadlines are short, clocks are real.
import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Connection, DEADLINES } from '../../web/widget/connection.js';
import { hello } from '../../web/widget/protocol.js';
import { readTicket } from '../../web/widget/ticket.js';

const SHORT = { connect: 60, silence: 50, disconnected: 30, ping: 10, goodbye: 5 };
const TICKET = { server: 'https://face.example/', session: 'a/b', ticket: 'secret', ice_servers: [{ urls: 'turn:t' }] };
let peers, requests, answer;

class Channel {
  readyState = 'connecting';
  sent = [];
  send(text) { this.sent.push(JSON.parse(text)); }
  open() { this.readyState = 'open'; this.onopen?.(); }
  say(message) { this.onmessage?.({ data: JSON.stringify(message) }); }
}

class Peer {
  connectionState = 'new';
  closed = false;
  constructor(configuration) { this.configuration = configuration; peers.push(this); }
  createDataChannel(label, options) { this.label = label; this.options = options; return (this.channel = new Channel()); }
  addTransceiver(track, init) { this.init = init; return { sender: { replaceTrack: async (t) => { this.replaced = t; } } }; }
  async createOffer() { return { type: 'offer', sdp: 'o' }; }
  async setLocalDescription() { this.localDescription = { sdp: 'offer-sdp' }; }
  async setRemoteDescription({ sdp }) { if (sdp === 'bad') throw new Error('bad'); this.remote = sdp; }
  close() { this.closed = true; }
  becomes(state) { this.connectionState = state; this.onconnectionstatechange?.(); }
}

beforeEach(() => {
  peers = [];
  requests = [];
  answer = () => Response.json({ type: 'answer', sdp: 'answer-sdp' });
  globalThis.RTCPeerConnection = Peer;
  globalThis.fetch = async (url, init) => { requests.push([url, init]); return answer(init); };
});
const connections = [];
afterEach(() => connections.splice(0).forEach((c) => c.close()));

function connect(deadlines = SHORT) {
  const said = [], faults = [];
  const connection = new Connection({
    ticket: TICKET, stream: {}, track: {}, hello: hello('w'), deadlines,
    onmessage: (m) => said.push(m), onfault: (t) => faults.push([t.code, t.retry]),
  });
  connections.push(connection);
  connection.open();
  return { connection, said, faults, peer: peers.at(-1) };
}
const until = async (check) => { for (let i = 0; i < 200 && !check(); i++) await sleep(2); assert.ok(check()); };

test('the numbers people wait for', () => {
  assert.deepEqual({ ...DEADLINES }, { connect: 10_000, silence: 4_000, disconnected: 1_500, ping: 1_000, goodbye: 250 });
});

test('one offer, at once, with the ticket in one header and nowhere else', async () => {
  const { peer } = connect();
  await until(() => peer.remote);
  assert.equal(peer.remote, 'answer-sdp');
  assert.deepEqual(peer.configuration, { iceServers: TICKET.ice_servers });
  assert.deepEqual([peer.label, peer.options.protocol, peer.options.ordered, peer.init.direction], ['lookgate', 'lookgate.v1', true, 'sendonly']);
  const [[url, init]] = requests;
  assert.equal(url, 'https://face.example/v1/sessions/a%2Fb/offer');
  assert.equal(init.headers.Authorization, 'Bearer secret');
  assert.deepEqual([init.credentials, init.redirect, init.cache, init.referrerPolicy], ['include', 'error', 'no-store', 'no-referrer']);
  assert.ok(!(url + init.body).includes('secret'));
});

test('hello first, then pings that count up', async () => {
  const { peer } = connect();
  peer.channel.open();
  await until(() => peer.channel.sent.length >= 4);
  assert.deepEqual(peer.channel.sent.slice(0, 4), [{ type: 'hello', version: 1, widget: 'w' }, ...[0, 1, 2].map((n) => ({ type: 'ping', n }))]);
});

test('no answer at all is the server\'s, not the network\'s', async () => {
  answer = () => new Promise(() => {});
  const { faults, peer } = connect();
  await until(() => faults.length);
  assert.deepEqual([faults, peer.closed], [[['offer_timeout', true]], true]);
  assert.equal(requests[0][1].signal.aborted, true);
});

test('a server that talks keeps the line; one that stops does not', async () => {
  const { faults, peer, said } = connect();
  peer.channel.open();
  for (let n = 0; n < 8; n++) { peer.channel.say({ type: 'pong', n }); await sleep(15); }
  assert.deepEqual([faults, said.length], [[], 8]);
  await until(() => faults.length);
  assert.deepEqual(faults, [['server_silent', true]]);
});

test('what cannot be read is passed over', async () => {
  const { peer, said, faults } = connect();
  peer.channel.open();
  peer.channel.onmessage({ data: 'nonsense' });
  peer.channel.onmessage({ data: new ArrayBuffer(3) });
  peer.channel.say({ type: 'flash' });
  peer.channel.say({ type: 'hint', hint: null });
  assert.deepEqual([said, faults], [[{ type: 'hint', hint: null }], []]);
});

test('a short disconnection heals, a long one does not; failed is failed', async () => {
  const { faults, peer } = connect({ ...SHORT, connect: 5000, silence: 5000 });
  peer.channel.open();
  peer.becomes('disconnected');
  await sleep(10);
  peer.becomes('connected');
  await sleep(40);
  assert.deepEqual(faults, []);
  peer.becomes('disconnected');
  await until(() => faults.length);
  assert.deepEqual(faults, [['connection_lost', true]]);
  const second = connect();
  second.peer.becomes('failed');
  assert.deepEqual(second.faults, [['connection_failed', true]]);
});

test('one fault only, and none after close', async () => {
  const { faults, peer, connection } = connect();
  const channel = peer.channel;
  channel.open();
  const onclose = channel.onclose;
  onclose();
  onclose();
  peer.becomes('failed');
  assert.deepEqual(faults, [['connection_lost', true]]);
  connection.close();
  const other = connect();
  other.connection.close();
  await sleep(80);
  assert.deepEqual([other.faults, other.peer.closed], [[], true]);
});

for (const [name, give, fault] of [
  ['no network', () => { throw new TypeError('x'); }, ['server_unreachable', true]],
  ['a proxy page', () => new Response('<h1>', { status: 502 }), ['server_answer', true]],
  ['not an answer', () => Response.json({ type: 'offer', sdp: 'x' }), ['server_answer', true]],
  ['an answer that the browser refuses', () => Response.json({ type: 'answer', sdp: 'bad' }), ['server_answer', true]],
  ['a problem', () => Response.json({ error: { code: 'sdp_malformed', text: 't', retry: false } }, { status: 400 }), ['sdp_malformed', false]],
  ['a used ticket: a new one helps', () => Response.json({ error: { code: 'ticket_used', text: 't', retry: false } }, { status: 409 }), ['ticket_used', true]],
]) {
  test(`the offer meets ${name}`, async () => {
    answer = give;
    const { faults } = connect();
    await until(() => faults.length);
    assert.deepEqual(faults, [fault]);
  });
}

test('cancel is told before the line is cut', async () => {
  const { peer, connection, faults } = connect();
  peer.channel.open();
  connection.cancel();
  assert.deepEqual(peer.channel.sent.at(-1), { type: 'cancel' });
  assert.equal(peer.closed, false);
  await until(() => peer.closed);
  assert.deepEqual(faults, []);
  const early = connect();
  early.connection.cancel();
  assert.equal(early.peer.closed, true);
});

const BUSY = { error: { code: 'busy', text: 't', retry: true }, line: { ahead: 2, wait_s: 4 } };

/** A connection that is told `busy` so many times, then nothing until `admit`. */
function inLine(times, deadlines = SHORT) {
  const waits = [], faults = [];
  let admit;
  answer = ({ signal }) => (times-- > 0 ? Response.json(BUSY, { status: 503 })
    : new Promise((resolve, reject) => {
      admit = () => resolve(Response.json({ type: 'answer', sdp: 'answer-sdp' }));
      signal.addEventListener('abort', reject);
    }));
  const connection = new Connection({
    ticket: TICKET, stream: {}, track: {}, hello: hello('w'), deadlines, patience: 60_000,
    onmessage: () => {}, onwait: (wait) => waits.push(wait), onfault: (t) => faults.push([t.code, t.retry]),
  });
  connections.push(connection);
  connection.open();
  return { connection, waits, faults, peer: peers.at(-1), admit: () => admit() };
}

test('the wait is nobody\'s deadline: it counts from the accepted offer on', async () => {
  const { waits, faults, peer, admit } = inLine(1);
  await until(() => requests.length === 2);
  await sleep(2 * SHORT.connect);
  assert.deepEqual([faults, waits], [[], [{ ahead: 2, wait_s: 4 }]]);
  const began = performance.now();
  admit();
  await until(() => peer.remote);
  assert.deepEqual(waits.slice(1), [null]);
  await until(() => faults.length);
  assert.deepEqual(faults, [['connect_timeout', true]]);
  assert.ok(performance.now() - began >= 0.9 * SHORT.connect);
});

test('a pause that the server names may be longer than the deadline for connecting', async () => {
  answer = () => Response.json({ error: BUSY.error }, { status: 503, headers: { 'Retry-After': '1' } });
  const waits = [], faults = [];
  const connection = new Connection({
    ticket: TICKET, stream: {}, track: {}, hello: hello('w'), deadlines: SHORT, patience: 60_000,
    onmessage: () => {}, onwait: (wait) => waits.push(wait), onfault: (t) => faults.push(t.code),
  });
  connections.push(connection);
  connection.open();
  await until(() => waits.length === 1);
  await sleep(3 * SHORT.connect);
  assert.deepEqual([faults, requests.length], [[], 1]);
});

test('the offer and its ticket are asked with again as they are', async () => {
  const { peer, admit } = inLine(1);
  await until(() => requests.length === 2);
  admit();
  await until(() => peer.remote);
  const [[url, first], [again, second]] = requests;
  assert.deepEqual([again, second.body, second.headers], [url, first.body, { ...first.headers, Prefer: 'wait=8' }]);
  assert.deepEqual([peers.length, first.headers.Prefer], [1, undefined]);
});

test('who cancels in line leaves it: the request that is held is cut, and nothing is said any more', async () => {
  const { connection, waits, faults, peer } = inLine(1);
  await until(() => requests.length === 2);
  connection.cancel();
  assert.deepEqual([requests[1][1].signal.aborted, peer.closed], [true, true]);
  await sleep(20);
  assert.deepEqual([requests.length, waits.length, faults], [2, 1, []]);
});

test('without patience there is no line', async () => {
  answer = () => Response.json(BUSY, { status: 503 });
  const { faults } = connect();
  await until(() => faults.length);
  assert.deepEqual([faults, requests.length], [[['busy', true]], 1]);
});

test('a ticket goes to http and https only, and must be whole', () => {
  assert.equal(readTicket({ session: 's', ticket: 't' }, 'https://a').server, 'https://a');
  assert.deepEqual(readTicket({ session: 's', ticket: 't' }, 'https://a').ice_servers, []);
  for (const bad of [null, [], 'x', {}, { session: 's' }, { session: '', ticket: 't' }, { session: 's', ticket: 't', ice_servers: {} },
    { session: 's', ticket: 't', server: 'javascript:alert(1)' }, { session: 's', ticket: 't', server: 5 }, { session: 's', ticket: 't', server: '//x' }]) {
    assert.throws(() => readTicket(bad, 'https://a'), { code: 'ticket_failed' });
  }
});

test('an acceptance fetches the cookie of a known device with its word, and tells the page all the same', async () => {
  const { peer, said } = connect();
  await until(() => peer.remote);
  peer.channel.open();
  const verdict = { type: 'verdict', outcome: 'accepted', reasons: [], token: 't', expires_in_s: 120, device: 'word', retry: false };
  peer.channel.onmessage({ data: JSON.stringify(verdict) });
  const [url, init] = requests.at(-1);
  assert.equal(url, 'https://face.example/v1/sessions/a%2Fb/device');
  assert.deepEqual([init.method, init.headers.Authorization, init.credentials, init.keepalive], ['POST', 'Bearer word', 'include', true]);
  assert.deepEqual(said.at(-1), verdict);
});
