// `verify` of web/examples/express_app.mjs, which README shows: what it takes and what it refuses.
// The whole app runs in a browser in tests/e2e/test_relying_apps.py.
import assert from 'node:assert/strict';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { after, test } from 'node:test';
import { SignJWT, exportJWK, generateKeyPair } from 'jose';

const ours = await generateKeyPair('ES256');
const other = await generateKeyPair('ES256');
const jwk = { ...await exportJWK(ours.publicKey), kid: 'k', use: 'sig', alg: 'ES256' };
const published = createServer((_, response) => response.end(JSON.stringify({ keys: [jwk] })));
await new Promise((resolve) => published.listen(0, '127.0.0.1', resolve));
const server = `http://127.0.0.1:${published.address().port}`;

// The part before the app: the constants and `verify`. Beside this file, so that its packages are found.
const [part] = readFileSync(new URL('../../web/examples/express_app.mjs', import.meta.url), 'utf8').split('const app = ');
const copy = new URL(`.examples.${process.pid}.mjs`, import.meta.url);
writeFileSync(copy, `${part.replace('http://localhost:8470', server)}\nexport { verify };\n`);
const { verify } = await import(copy).finally(() => rmSync(copy));
after(() => {
  published.closeAllConnections();
  published.close();
});

const now = () => Math.floor(Date.now() / 1000);

function token({ key = ours.privateKey, typ = 'face+jwt', ...changed }) {
  const at = now();
  const claims = { iss: server, aud: 'my-app', sub: 'alice', iat: at, nbf: at - 10, exp: at + 120, nonce: 'n1', jti: 'j1', purpose: 'login', ...changed };
  return new SignJWT(claims).setProtectedHeader({ alg: 'ES256', kid: 'k', typ }).sign(key);
}

const tried = async (changed) => verify(await token(changed), 'login', 'n1', 'alice');

test('a good token is taken, from a clock that is 4 s ahead, too', async () => {
  assert.equal((await tried({})).sub, 'alice');
  assert.equal((await tried({ iat: now() + 4, nbf: now() + 4 })).sub, 'alice');
});

for (const [name, changed] of Object.entries({
  key: { key: other.privateKey }, typ: { typ: 'JWT' }, issuer: { iss: 'https://elsewhere.example' }, audience: { aud: 'another-app' },
  subject: { sub: 'bob' }, nonce: { nonce: 'n2' }, 'no nonce': { nonce: undefined }, purpose: { purpose: 'enroll' },
  expired: { exp: now() - 10 }, early: { nbf: now() + 60 },
})) {
  test(`refused: ${name}`, () => assert.rejects(tried(changed)));
}

test('without an attempt under way nothing is taken', async () => {
  await assert.rejects(verify(await token({}), undefined, undefined, 'alice'));
});
