// The browser's own functions that the element uses, so that the tests of a page can put others in their place.
// Looked up at each call: what a page replaced on `window` counts, too. Source: docs/widget.md, "Testing a page".

/**
 * @typedef {object} Environment
 * @property {(constraints: MediaStreamConstraints) => Promise<MediaStream>} getUserMedia
 * @property {typeof fetch} fetch
 * @property {typeof RTCPeerConnection} RTCPeerConnection
 */

/** What a page put in place of the browser's. @type {Partial<Environment>} */
let own = {};

/** @param {Partial<Environment>} environment */
export function replace(environment) {
  own = { ...environment };
}

/** @type {Readonly<Environment>} */
export const environment = Object.freeze({
  get getUserMedia() {
    return own.getUserMedia ?? navigator.mediaDevices?.getUserMedia?.bind(navigator.mediaDevices);
  },
  get fetch() {
    // As a function of the window, which is all that it can be called as.
    return own.fetch ?? globalThis.fetch.bind(globalThis);
  },
  get RTCPeerConnection() {
    return own.RTCPeerConnection ?? globalThis.RTCPeerConnection;
  },
});
