// The size of what a page loads, and the contrast of what a person reads.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { COLORS } from '../../web/widget/style.js';

const folder = new URL('../../web/widget/', import.meta.url);
const modules = readdirSync(folder).filter((name) => name.endsWith('.js'));

test('what a login loads is at most 38 kB gzipped, and an enrolment a module of 2.5 kB more', () => {
  const sizes = Object.fromEntries(modules.map((name) => [name, gzipSync(readFileSync(new URL(name, folder))).length]));
  const total = Object.values(sizes).reduce((a, b) => a + b) - sizes['consent.js'];
  assert.ok(modules.includes('face-login.js'));
  assert.ok(total <= 38_000, JSON.stringify({ total, ...sizes }));
  assert.ok(sizes['consent.js'] <= 2_500, JSON.stringify(sizes));
  for (const name of modules) assert.doesNotMatch(readFileSync(new URL(name, folder), 'utf8'), /^import .*consent\.js/m, name);
});

test('the modules load nothing but each other, and never write markup strings or log', () => {
  for (const name of modules) {
    const source = readFileSync(new URL(name, folder), 'utf8');
    for (const [, from] of source.matchAll(/(?:^|\n)(?:import|export)[^;'"]*from '([^']+)'/g)) assert.match(from, /^\.\/[a-z-]+\.js$/, name);
    assert.doesNotMatch(source, /innerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|console\.|localStorage|sessionStorage/, name);
  }
});

/** WCAG 2.2, relative luminance and contrast ratio. */
const luminance = (hex) => {
  const [r, g, b] = [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16) / 255).map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const contrast = (a, b) => {
  const [high, low] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (high + 0.05) / (low + 0.05);
};

for (const [scheme, c] of Object.entries(COLORS)) {
  test(`${scheme}: text has a contrast of at least 4.5:1, marks and focus 3:1`, () => {
    for (const [text, ground] of [[c.color, c.background], [c.muted, c.background], [c.on_accent, c.accent]]) assert.ok(contrast(text, ground) >= 4.5, `${text} ${ground}`);
    for (const [mark, ground] of [[c.accent, c.background], [c.success, c.stage], [c.danger, c.stage], [c.muted, c.stage]]) assert.ok(contrast(mark, ground) >= 3, `${mark} ${ground}`);
  });
}
