// What `make widget` makes: the bytes that the server sends, and a package that TypeScript and Node.js can load.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync } from 'node:zlib';
import { pack, served } from '../../web/build.mjs';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** @param {(folder: string) => void | Promise<void>} work  with an app's folder, in which the package is installed */
async function withPackage(work) {
  const folder = mkdtempSync(join(tmpdir(), 'widget-'));
  try {
    await pack(join(folder, 'node_modules/lookgate-widget'));
    await work(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

test('what is committed is what `make widget` makes now, twice the same', async () => {
  const folder = join(ROOT, 'web/widget/built');
  const made = await served();
  assert.deepEqual(readdirSync(folder).sort(), [...made.keys()].sort(), 'run `make widget`');
  for (const [name, contents] of made) assert.ok(readFileSync(join(folder, name)).equals(contents), `${name}: run \`make widget\``);
  assert.deepEqual(await served(), made);
});

test('a login loads at most 16 kB compressed, a language and the consent at most 3 kB more', async () => {
  const made = await served();
  const sizes = Object.fromEntries([...made].map(([name, contents]) => [name, brotliCompressSync(contents).length]));
  const login = Object.keys(sizes).filter((name) => /^(face-login|chunk-)/.test(name));
  assert.equal(login.length, 2, JSON.stringify(sizes));
  assert.ok(login.reduce((sum, name) => sum + sizes[name], 0) <= 16_000, JSON.stringify(sizes));
  for (const [name, size] of Object.entries(sizes)) if (!login.includes(name)) assert.ok(size <= 3_000, JSON.stringify(sizes));
});

test('under Node.js, where a page may be rendered, neither way in throws, and nothing is registered', () => withPackage((folder) => {
  const script = "const a = await import('lookgate-widget'); const b = await import('lookgate-widget/element'); console.log(Object.keys(a), Object.keys(b), a.FaceLogin === b.FaceLogin)";
  const said = execFileSync(process.execPath, ['--input-type=module', '-e', script], { cwd: folder, encoding: 'utf8' });
  assert.equal(said.trim(), "[ 'FaceLogin' ] [ 'FaceLogin' ] true");
}));

/** @returns {string} what the compiler says of an app's file */
function compiled(folder, name, source) {
  writeFileSync(join(folder, name), source);
  try {
    execFileSync(process.execPath, [join(ROOT, 'node_modules/typescript/bin/tsc'), '--noEmit', '--strict', '--module', 'es2022', '--moduleResolution', 'bundler', '--target', 'es2022',
      join(folder, name)], { cwd: folder, encoding: 'utf8' });
    return '';
  } catch (error) {
    return error.stdout;
  }
}

test('TypeScript knows the tag, its methods, its events and what they carry', () => withPackage((folder) => {
  const app = (body) => `import 'lookgate-widget';\nconst face = document.querySelector('face-login')!;\n${body}\n`;
  assert.equal(compiled(folder, 'good.ts', app(`
    face.start();
    const state: 'idle' | string = face.state;
    face.getTicket = async () => ({ server: 'https://login.example', session: 's', ticket: 't' });
    face.addEventListener('face-login:success', ({ detail }) => { const token: string = detail.token; const s: number = detail.expiresIn; });
    face.addEventListener('face-login:failure', ({ detail }) => { const outcome: 'rejected' | 'expired' = detail.outcome; });`)), '');
  assert.match(compiled(folder, 'bad.ts', app("face.addEventListener('face-login:success', ({ detail }) => detail.tokn);")), /tokn/);
  assert.match(compiled(folder, 'worse.ts', app('face.begin();')), /begin/);
}));
