// The cookie of a known device: fetched with the verdict's word, because a data channel can set none.
// It asks once and waits for nothing: the page goes on with its token, and a browser that keeps no cookie is a new device.
// Source: docs/protocol.md, "Known devices".

import { environment } from './environment.js';

/**
 * @param {string} base  the session's URL at the server
 * @param {string} word  of the verdict; good for one minute, once
 */
export function keepDevice(base, word) {
  environment.fetch(`${base}/device`, {
    method: 'POST',
    headers: { 'Authorization': `Bearer ${word}` },
    credentials: 'include',
    keepalive: true, // the page may leave at once
    cache: 'no-store',
    redirect: 'error',
    referrerPolicy: 'no-referrer',
  }).catch(() => undefined);
}
