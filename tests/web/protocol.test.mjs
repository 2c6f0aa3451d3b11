// The wire's vectors, read by the widget: the server's messages through the parser, the page's through the encoder.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { HINTS, encode, hello, parse, readProblem } from '../../web/widget/protocol.js';

const folder = new URL('../vectors/protocol/', import.meta.url);
const files = readdirSync(folder).filter((name) => name.endsWith('.json'));
const vectors = files.map((name) => ({ file: name, ...JSON.parse(readFileSync(new URL(name, folder), 'utf8')) }));
const raw = ({ text, bytes_hex }) => {
  if (bytes_hex !== undefined) return new Uint8Array(Buffer.from(bytes_hex, 'hex')).buffer;
  return typeof text === 'string' ? text : text.before + text.repeat.repeat(text.times) + text.after;
};

test('every file is named after its vector', () => {
  assert.ok(vectors.length > 100);
  for (const v of vectors) assert.equal(`${v.name}.json`, v.file);
});

for (const v of vectors.filter((v) => v.direction === 'server')) {
  test(`parse ${v.name}`, () => assert.deepEqual(parse(raw(v)), v.expect));
}

for (const v of vectors.filter((v) => v.direction === 'client' && v.expect.ok)) {
  test(`encode ${v.name}`, () => {
    const text = encode(v.expect.ok);
    assert.deepEqual(JSON.parse(text), JSON.parse(raw(v)));
    assert.ok(Buffer.byteLength(text) <= 4096);
  });
}

test('a vector exists for every hint', () => {
  const seen = new Set(vectors.filter((v) => v.direction === 'server').map((v) => v.expect.ok?.hint));
  for (const hint of HINTS) assert.ok(seen.has(hint), hint);
});

test('hello leaves the camera out when a number is missing or not finite', () => {
  assert.deepEqual(hello('w', { width: 640, height: 480 }), { type: 'hello', version: 1, widget: 'w' });
  assert.deepEqual(hello('w', { width: 640, height: 480, frameRate: NaN }), { type: 'hello', version: 1, widget: 'w' });
  assert.deepEqual(hello('w'.repeat(50), { width: 640, height: 480, frameRate: 15 }).camera, { width: 640, height: 480, fps: 15 });
  assert.equal(hello('w'.repeat(50)).widget.length, 32);
});

test('whatever the server sends, parse answers and never throws', () => {
  const pieces = ['{', '}', '[', ']', '"type"', ':', '"verdict"', ',', '"outcome"', '"accepted"', 'null', '1e999', '"reasons"', '[]', '-', ' ', '"\\ud800"'];
  let seed = 7;
  const next = (n) => (seed = (seed * 1103515245 + 12345) % 2 ** 31) % n;
  for (let i = 0; i < 20_000; i++) {
    const text = Array.from({ length: next(14) }, () => pieces[next(pieces.length)]).join('');
    const result = parse(text);
    assert.ok('ok' in result || 'error' in result);
  }
});

test('no acceptance without a token, whatever else is there', () => {
  for (const token of [undefined, null, '', 5, {}, ['t']]) {
    assert.deepEqual(parse(JSON.stringify({ type: 'verdict', outcome: 'accepted', reasons: [], token, expires_in_s: 60, retry: false })), { error: 'message_invalid' });
  }
});

test('readProblem takes the one error shape and nothing else', () => {
  assert.deepEqual(readProblem({ error: { code: 'a', text: 't', retry: true, more: 1 } }), { code: 'a', text: 't', retry: true });
  for (const bad of [undefined, null, 5, [], {}, { error: 'x' }, { error: { code: 'a', text: 't' } }, { error: { code: '', text: 't', retry: true } }]) {
    assert.equal(readProblem(bad), undefined);
  }
});
