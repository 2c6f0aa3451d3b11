// An app's page as its own build would make it: `node bundle.mjs PAGE` prints one script, with the package `lookgate-widget` in it.
// The package is made into a folder of its own, and goes again. Source: web/build.mjs; esbuild's documentation ("Alias").
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { pack } from '../../web/build.mjs';

const folder = mkdtempSync(join(tmpdir(), 'widget-'));
try {
  await pack(folder);
  const { outputFiles } = await build({
    absWorkingDir: fileURLToPath(new URL('../..', import.meta.url)),
    entryPoints: [process.argv[2]],
    alias: { 'lookgate-widget': join(folder, 'face-login.js') },
    bundle: true, format: 'esm', jsx: 'automatic', write: false, logLevel: 'error',
    define: { 'process.env.NODE_ENV': '"production"', __VUE_OPTIONS_API__: 'true', __VUE_PROD_DEVTOOLS__: 'false', __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: 'false' },
  });
  process.stdout.write(outputFiles[0].text);
} finally {
  rmSync(folder, { recursive: true });
}
