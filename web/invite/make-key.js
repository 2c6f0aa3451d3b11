// A new key of this device: a passkey, or one of this browser. The server's challenge goes in, the answer comes out.
// Source: WebAuthn Level 3, section 5.1.3 (create).

import { decode, encode } from '../login/bytes.js';
import { makeDeviceKey, signWithDeviceKey } from '../login/device-key.js';

/** @param {any} options of the server: PublicKeyCredentialCreationOptions with bytes as base64url */
export async function makePasskey(options) {
  const made = /** @type {PublicKeyCredential | null} */ (await navigator.credentials.create({
    publicKey: {
      ...options,
      challenge: decode(options.challenge),
      user: { ...options.user, id: decode(options.user.id) },
      excludeCredentials: [],
    },
  }));
  if (!made) throw new DOMException('', 'NotAllowedError');
  const answer = /** @type {AuthenticatorAttestationResponse} */ (made.response);
  return {
    kind: 'passkey',
    id: encode(made.rawId),
    client_data: encode(answer.clientDataJSON),
    attestation: encode(answer.attestationObject),
  };
}

/** @param {string} whose @param {{challenge: string}} options */
export async function makeBrowserKey(whose, options) {
  const held = await makeDeviceKey(whose);
  const signed = await signWithDeviceKey(held, options.challenge);
  return { kind: signed.kind, public_key: held.public_key, signature: signed.signature };
}
