// What the modules may not do, and the contrast of what a person reads.
import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { COLORS, CSS } from '../../web/widget/style.js';

const folder = new URL('../../web/widget/', import.meta.url);
const modules = readdirSync(folder, { recursive: true }).filter((name) => name.endsWith('.js') && !name.startsWith('built'));

test('the modules load nothing but each other, and never write markup strings or log', () => {
  assert.ok(modules.includes('element.js') && modules.includes('texts/de.js'));
  assert.equal(readFileSync(new URL('page/developers.js', folder), 'utf8').match(/console\./g).length, 1, 'the one place');
  for (const name of modules) {
    const source = readFileSync(new URL(name, folder), 'utf8').replace(name === 'page/developers.js' ? 'console.warn(`<face-login> ${code}: ${CAUSES[code]}. See docs/widget.md.`)' : /$^/, '');
    for (const [, from] of source.matchAll(/(?:^|\n)(?:import|export)[^;'"]*from '([^']+)'/g)) assert.match(from, /^\.{1,2}\/[a-z/-]+\.js$/, name);
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

test('what is drawn over the colours of a challenge stands out by 3:1', () => {
  assert.match(CSS, /\.light:not\(\[hidden\]\)\+\.frame :is\(\.ring,\.track\)\{stroke:#000!important\}/);
  assert.ok((0.39 + 0.05) / 0.05 >= 3); // every colour of a challenge has a luminance of .40 within .01 (docs/challenge.md), and black has none
});
