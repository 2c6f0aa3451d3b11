// A passkey: the challenge of the server goes to the browser, the signature comes back. It decides nothing.
// Source: WebAuthn Level 3, section 5.1.4 (get).

import { decode, encode } from './bytes.js';

export const supported = Boolean(globalThis.PublicKeyCredential && navigator.credentials);

/** @param {{challenge: string, rpId: string, timeout: number, userVerification: UserVerificationRequirement}} options of the server */
export async function signWithPasskey({ challenge, rpId, timeout, userVerification }) {
  const found = /** @type {PublicKeyCredential | null} */ (await navigator.credentials.get({
    // No allowCredentials: the key says who it is, and the server never says who has one.
    publicKey: { challenge: decode(challenge), rpId, timeout, userVerification },
  }));
  if (!found) throw new DOMException('', 'NotAllowedError');
  const answer = /** @type {AuthenticatorAssertionResponse} */ (found.response);
  return {
    kind: 'passkey',
    id: encode(found.rawId),
    client_data: encode(answer.clientDataJSON),
    authenticator_data: encode(answer.authenticatorData),
    signature: encode(answer.signature),
    user_handle: encode(answer.userHandle),
  };
}
