// The `test` mode says what a server would say, as far as the protocol's reader goes, and signs nothing.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { REASONS, parse } from '../../web/widget/protocol.js';
import { NO_TOKEN, rehearse, script } from '../../web/widget/page/rehearsal.js';

test('every end ends in its verdict, and no other message comes after it', () => {
  for (const end of ['accepted', ...REASONS]) {
    const said = script(end);
    const verdict = said.at(-1);
    assert.equal(verdict.type, 'verdict');
    assert.equal(said.filter(({ type }) => type === 'verdict').length, 1);
    assert.equal(verdict.outcome, end === 'accepted' ? 'accepted' : end === 'timeout' ? 'expired' : 'rejected');
    if (end !== 'accepted') assert.deepEqual(verdict.reasons, [end]);
  }
});

test('what stands in a token\'s place is no JWS', () => {
  const [header] = NO_TOKEN.split('.');
  assert.throws(() => JSON.parse(Buffer.from(header, 'base64url').toString()));
});

test('an attempt that is over hears nothing more', async () => {
  const abort = new AbortController();
  const heard = [];
  await rehearse('accepted', abort.signal, () => {}, (message) => { heard.push(message.type); if (heard.length === 2) abort.abort(); });
  assert.deepEqual(heard, ['welcome', 'hint']);
  await rehearse('accepted', abort.signal, () => assert.fail('moved'), () => assert.fail('heard'));
});

test('the reader of the wire is not loosened for it', () => assert.ok(!('ok' in parse('{"kind":"test"}'))));
