// Bytes as JSON carries them: base64url without padding, by hand, because `toBase64` and `parseRequestOptionsFromJSON`
// are younger than the browsers that this runs in. Source: RFC 4648 section 5.

/** @param {ArrayBuffer | null | undefined} bytes @returns {string} */
export function encode(bytes) {
  const text = String.fromCharCode(...new Uint8Array(bytes ?? new ArrayBuffer(0)));
  return btoa(text).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
}

/** @param {string} text */
export function decode(text) {
  const raw = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  return Uint8Array.from(raw, (one) => one.charCodeAt(0));
}
