// The login page's own modules without a browser: words in both languages, bytes, and what a key signs.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import test from 'node:test';

import { decode, encode } from '../../web/login/bytes.js';
import { TEXTS } from '../../web/login/texts.js';

const FOLDER = new URL('../../web/login/', import.meta.url);
const script = ['login.js', 'talk.js'].map((name) => readFileSync(new URL(name, FOLDER), 'utf8')).join('\n');

test('both languages say everything, and name the app in the same sentences', () => {
  assert.deepEqual(Object.keys(TEXTS.en), Object.keys(TEXTS.de));
  for (const [key, text] of Object.entries(TEXTS.en)) {
    assert.equal(TEXTS.de[key].includes('{}'), text.includes('{}'), key);
  }
});

test('every word that the page says is there, and every code of its routes', () => {
  const said = [...script.matchAll(/(?:say|tell)\('(\w+)'/g)].map((found) => found[1]);
  assert.ok(said.length > 2);
  const routes = readFileSync(new URL('../../server/http/login/routes.py', import.meta.url), 'utf8');
  const codes = [...routes.slice(routes.indexOf('CODES')).matchAll(/"([a-z_]+)",/g)].map((found) => found[1]);
  assert.ok(codes.length > 5);
  for (const key of [...said, ...codes]) assert.ok(TEXTS.en[key], key);
});

test('bytes go both ways, without padding', () => {
  for (let length = 0; length < 70; length++) {
    const bytes = Uint8Array.from({ length }, (_, n) => (n * 37 + length) % 256);
    const text = encode(bytes.buffer);
    assert.equal(text, Buffer.from(bytes).toString('base64url'));
    assert.deepEqual(decode(text), bytes);
  }
  assert.equal(encode(null), '');
});

test('nothing of it makes markup or code of text', () => {
  for (const name of readdirSync(FOLDER).filter((one) => one.endsWith('.js'))) {
    assert.doesNotMatch(readFileSync(new URL(name, FOLDER), 'utf8'), /innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|new Function/, name);
  }
});
