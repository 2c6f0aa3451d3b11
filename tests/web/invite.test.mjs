// The invitation page's own modules without a browser: words in both languages, and that every code has one.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import test from 'node:test';
import { gzipSync } from 'node:zlib';

import { TEXTS } from '../../web/invite/texts.js';

const FOLDER = new URL('../../web/invite/', import.meta.url);
const script = readFileSync(new URL('invite.js', FOLDER), 'utf8');

test('both languages say everything, and name the app in the same sentences', () => {
  assert.deepEqual(Object.keys(TEXTS.en), Object.keys(TEXTS.de));
  for (const [key, text] of Object.entries(TEXTS.en)) {
    assert.equal(TEXTS.de[key].includes('{}'), text.includes('{}'), key);
  }
});

test('every word that the page says is there, and every code that its routes raise', () => {
  const said = [...script.matchAll(/(?:say|tell)\('(\w+)'/g), ...script.matchAll(/'#[\w ]+': '(\w+)'/g)].map((found) => found[1]);
  assert.ok(said.length > 10);
  const codes = ['steps.py', 'visit.py', 'own.py'].flatMap((name) => {
    const routes = readFileSync(new URL(`../../server/http/invite/${name}`, import.meta.url), 'utf8');
    return [...routes.matchAll(/Problem\("([a-z_]+)"\)/g)].map((found) => found[1]);
  });
  assert.ok(codes.length > 10);
  for (const key of [...said, ...codes].filter((one) => one !== 'origin_not_allowed')) assert.ok(TEXTS.en[key], key);
});

test('nothing of it makes markup or code of text, and it is small', () => {
  let size = 0;
  for (const name of readdirSync(FOLDER).filter((one) => one.endsWith('.js'))) {
    const text = readFileSync(new URL(name, FOLDER), 'utf8');
    assert.doesNotMatch(text, /innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|new Function/, name);
    size += gzipSync(text, { level: 9 }).length;
  }
  assert.ok(size <= 8192, `${size}`);
});
