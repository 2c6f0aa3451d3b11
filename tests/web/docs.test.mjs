// docs/widget.md names every attribute, event, error code and theme colour that there is.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { CAMERA_CODES } from '../../web/widget/camera.js';
import { CONNECTION_CODES } from '../../web/widget/connection.js';
import { STATES } from '../../web/widget/state.js';
import { COLORS } from '../../web/widget/style.js';

const read = (path) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const page = read('docs/widget.md');
const element = read('web/widget/element.js') + read('web/widget/wishes.js');
const has = (text) => assert.ok(page.includes(text), text);

test('attributes', () => {
  const list = element.match(/observedAttributes = \[([^\]]+)\]/)[1];
  const used = [...element.matchAll(/(?:[gh](?:et|as)Attribute|#get)\('([a-z-]+)'\)/g)].map((m) => m[1]);
  for (const name of new Set([...list.matchAll(/'([a-z-]+)'/g)].map((m) => m[1]).concat(used))) has(`\`${name}\``);
});

test('events', () => {
  const names = [...element.matchAll(/#emit\('([a-z]+)'/g)].map((m) => m[1]);
  assert.ok(names.length >= 7);
  for (const name of names) has(`\`face-login:${name}\``);
});

test('states and error codes', () => {
  const own = [...(element + read('web/widget/ticket.js')).matchAll(/Trouble\('([a-z_]+)'/g)].map((m) => m[1]);
  for (const code of [...STATES, ...CAMERA_CODES, ...CONNECTION_CODES, ...own]) has(`\`${code}\``);
});

test('theme colours and parts', () => {
  for (const name of Object.keys(COLORS.light)) has(`-${name.replace('_', '-')}\``);
  for (const [, parts] of read('web/widget/view.js').matchAll(/part: '([a-z ]+)'/g)) for (const part of parts.split(' ')) has(`\`${part}\``);
});
