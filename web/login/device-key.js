// A key of this browser, where there is no authenticator: P-256, not extractable, in IndexedDB.
// What is signed has our origin in it (server/factors/webcrypto.py). Source: W3C Web Cryptography API section 23.

import { decode, encode } from './bytes.js';

const NAME = 'lookgate-keys';
const ECDSA = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };

/** @template T @param {IDBTransactionMode} mode @param {(store: IDBObjectStore) => IDBRequest<T>} ask @returns {Promise<T>} */
function stored(mode, ask) {
  return new Promise((done, fail) => {
    const opening = indexedDB.open(NAME, 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore('keys');
    opening.onerror = () => fail(opening.error);
    opening.onsuccess = () => {
      const change = opening.result.transaction('keys', mode);
      const asked = ask(change.objectStore('keys'));
      change.oncomplete = () => {
        opening.result.close();
        done(asked.result);
      };
      change.onabort = () => fail(change.error);
    };
  });
}

/** The key of a person here, if there is one. @param {string} whose @returns {Promise<{id: string, key: CryptoKey} | undefined>} */
export const deviceKey = (whose) => stored('readonly', (store) => store.get(whose)).catch(() => undefined);

/** @param {{id: string, key: CryptoKey}} held @param {string} challenge */
export async function signWithDeviceKey({ id, key }, challenge) {
  return { kind: 'webcrypto', id, signature: encode(await crypto.subtle.sign(ECDSA, key, toSign(challenge))) };
}

/** A new key and its public half, kept under the name that the server gives it. @param {string} whose */
export async function makeDeviceKey(whose) {
  const pair = await crypto.subtle.generateKey(ECDSA, false, ['sign']);
  const spki = await crypto.subtle.exportKey('spki', pair.publicKey);
  const named = new Uint8Array([...utf8('lookgate device key id\0'), ...new Uint8Array(spki)]);
  const held = { id: encode(await crypto.subtle.digest('SHA-256', named)), key: pair.privateKey };
  await stored('readwrite', (store) => store.put(held, whose));
  return { ...held, public_key: encode(spki) };
}

/** @param {string} challenge */
const toSign = (challenge) => new Uint8Array([...utf8(`lookgate device key v1\0${location.origin}\0`), ...decode(challenge)]);

/** @param {string} words */
const utf8 = (words) => new TextEncoder().encode(words);
