// Makes one file of the widget's modules, small and the same bytes every time, without a network.
// `node web/build.mjs` writes web/widget/built/, which the server sends and which is committed, because who runs a server has no Node.js; and
// build/widget/, a package for npm with types. The words of each language and the consent are files of their own, loaded when they are needed.
// Source: esbuild's documentation ("Splitting", "Chunk names"); Node.js, "Packages", exports.

import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const WIDGET = join(ROOT, 'web/widget');

/**
 * @param {readonly string[]} entries  files of web/widget/
 * @returns {Promise<Map<string, Uint8Array>>} by file name: the entries as they are called, and everything else with a hash in its name
 */
export async function bundle(entries) {
  const { outputFiles } = await build({
    absWorkingDir: ROOT,
    entryPoints: entries.map((name) => `web/widget/${name}`),
    outdir: 'build/widget',
    bundle: true,
    splitting: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    charset: 'utf8',
    entryNames: '[name]',
    chunkNames: '[name]-[hash]',
    legalComments: 'none',
    logLevel: 'warning',
    write: false,
  });
  return new Map(outputFiles.map(({ path, contents }) => [basename(path), contents]));
}

/** What the server sends. */
export const served = () => bundle(['face-login.js']);

/** @param {string} folder  is made anew @param {Map<string, Uint8Array>} files */
function fill(folder, files) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const [name, contents] of files) writeFileSync(join(folder, name), contents);
}

/** @param {string} folder  where a package for npm is made */
export async function pack(folder) {
  const { version, license } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
  const entry = (/** @type {string} */ name) => ({ types: `./types/${name}.d.ts`, default: `./${name}.js` });
  fill(folder, await bundle(['face-login.js', 'element.js']));
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify({
    name: 'lookgate-widget', version, license, type: 'module', description: 'The <face-login> element of Lookgate.',
    exports: { '.': entry('face-login'), './element': entry('element') }, sideEffects: ['./face-login.js', './*-*.js'],
  }, null, 2)}\n`);
  copyFileSync(join(ROOT, 'LICENSE'), join(folder, 'LICENSE'));
  execFileSync(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), join(WIDGET, 'face-login.js'), '--allowJs', '--declaration', '--emitDeclarationOnly',
    '--target', 'es2022', '--module', 'es2022', '--moduleResolution', 'bundler', '--strict', '--outDir', join(folder, 'types')], { stdio: 'inherit' });
  // The events and the tag are known wherever the class is.
  writeFileSync(join(folder, 'types/face-login.d.ts'), `import './globals.js';\n${readFileSync(join(folder, 'types/face-login.d.ts'), 'utf8')}`);
  copyFileSync(join(WIDGET, 'globals.d.ts'), join(folder, 'types/globals.d.ts'));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  fill(join(WIDGET, 'built'), await served());
  await pack(join(ROOT, 'build/widget'));
}
