// One connection to the server: peer connection, data channel, and all their deadlines; the offer's way is line.js.
// It owns no camera and draws nothing; it says what arrived (`onmessage`) and, once, what broke (`onfault`).
// Source: docs/protocol.md; W3C WebRTC 1.0. The measured reasons are beside the lines that rest on them.

import { Trouble } from './camera.js';
import { environment } from './environment.js';
import { keepDevice } from './device.js';
import { askForPlace } from './line.js';
import { CHANNEL_LABEL, CHANNEL_PROTOCOL, encode, parse } from './protocol.js';
import { Uplink } from './uplink.js';

/** @typedef {import('./protocol.js').ServerMessage} ServerMessage */
/** @typedef {import('./protocol.js').ClientMessage} ClientMessage */

/**
 * Milliseconds. A lost DTLS flight costs 1 s and a lost SCTP INIT 3 s, so 10 s survive a bad network. The server ends a session after
 * 3.5 s of silence (docs/operations.md), so there is nothing to wait for after 4, and a browser says "disconnected" after 2.5 s
 * without a packet: either way the loss is known, and a new ticket asked for, within 5 s.
 */
export const DEADLINES = Object.freeze({ connect: 10_000, silence: 4_000, disconnected: 1_500, ping: 1_000, goodbye: 250 });

/** All codes that a connection can cause by itself; the server's own codes come beside them. */
export const CONNECTION_CODES = Object.freeze([
  'server_unreachable', 'server_answer', 'server_silent', 'offer_timeout', 'connect_timeout', 'connection_failed', 'connection_lost', 'browser_unsupported',
]);

/**
 * @typedef {object} Ticket  what the relying app's backend got for this one attempt
 * @property {string} server   the server's origin, such as https://face.example
 * @property {string} session
 * @property {string} ticket   a secret; goes into one Authorization header and nowhere else
 * @property {RTCIceServer[]} ice_servers
 * @property {boolean | null} [consent]  whether the person must agree to a text first; null: the server knows
 */

/**
 * @typedef {object} Ends
 * @property {(message: ServerMessage) => void} onmessage
 * @property {(trouble: Trouble) => void} onfault  at most once, and never after `close`
 * @property {() => void} [onslow]  the line to the server turned out to be slow
 * @property {(wait: import('./line.js').Wait | null) => void} [onwait]  there is no place yet, each time that this is said; null: now there is
 * @property {typeof DEADLINES} [deadlines]
 */

export class Connection {
  /** @type {RTCPeerConnection} */ #peer;
  /** @type {RTCDataChannel} */ #channel;
  /** @type {RTCRtpSender} */ #sender;
  /** @type {Ticket | null} */ #ticket;
  /** The session's URL at the server. */ #session = '';
  /** @type {Ends} */ #ends;
  /** @type {typeof DEADLINES} */ #deadlines;
  /** @type {import('./protocol.js').Hello} */ #hello;
  /** @type {import('./protocol.js').Consent | null} */ #consent;
  /** @type {Uplink} */ #uplink;
  #abort = new AbortController();
  /** @type {number} */ #patience;
  #closed = false;
  #pings = 0;
  /** @type {Map<string, ReturnType<typeof setTimeout>>} */ #timers = new Map();

  /**
   * @param {{ticket: Ticket, stream: MediaStream, track: MediaStreamTrack, hello: import('./protocol.js').Hello, consent?: import('./protocol.js').Consent | null, patience?: number} & Ends} options
   *   consent: what the person of an enrolment agreed to; patience: milliseconds to wait in line, by default not at all
   * @throws {Trouble}
   */
  constructor({ ticket, stream, track, hello, consent = null, patience = 0, ...ends }) {
    this.#ticket = ticket;
    this.#consent = consent;
    this.#ends = ends;
    this.#deadlines = ends.deadlines ?? DEADLINES;
    this.#hello = hello;
    this.#patience = patience;
    try {
      this.#peer = new environment.RTCPeerConnection({ iceServers: ticket.ice_servers });
    } catch (cause) { // a malformed ICE server list
      throw new Trouble('server_answer', { cause });
    }
    this.#channel = this.#peer.createDataChannel(CHANNEL_LABEL, { protocol: CHANNEL_PROTOCOL, ordered: true });
    // No contentHint and no setParameters: measured, neither moves the bit rate; the server's answer does.
    this.#sender = this.#peer.addTransceiver(track, { direction: 'sendonly', streams: [stream] }).sender;
    this.#uplink = new Uplink(this.#sender, () => this.#ends.onslow?.());
    this.#listen();
  }

  /** Offer, answer, hello. What goes wrong from here on comes by `onfault`. */
  open() {
    this.#connectWithin(this.#deadlines.connect, 'offer_timeout');
    this.#negotiate().catch((error) => this.#fault(error instanceof Trouble ? error : new Trouble('connection_failed', { cause: error })));
  }

  async #negotiate() {
    const peer = this.#peer;
    await peer.setLocalDescription(await peer.createOffer());
    // Posted at once, without the ~120 ms that gathering takes: the server strips candidates from every offer
    // and learns our addresses from our connectivity checks (peer-reflexive, RFC 8445 section 7.3.1.3), relays included.
    const sdp = await this.#post(peer.localDescription?.sdp ?? '');
    if (this.#closed) return;
    try {
      await peer.setRemoteDescription({ type: 'answer', sdp });
    } catch (cause) {
      throw new Trouble('server_answer', { cause });
    }
  }

  /** @param {string} sdp @returns {Promise<string>} the answer's SDP */
  async #post(sdp) {
    const ticket = this.#ticket;
    this.#ticket = null; // nothing holds it after there is a place
    if (!ticket) throw new Trouble('ticket_missing');
    this.#session = `${ticket.server.replace(/\/+$/, '')}/v1/sessions/${encodeURIComponent(ticket.session)}`;
    const answer = await askForPlace(`${this.#session}/offer`, {
      method: 'POST',
      headers: { 'Authorization': `Bearer ${ticket.ticket}`, 'Content-Type': 'application/json' },
      body: JSON.stringify({ type: 'offer', sdp, ...(this.#consent && { consent: this.#consent }) }),
      credentials: 'include', // a known device's cookie
      cache: 'no-store',
      redirect: 'error',
      referrerPolicy: 'no-referrer',
      signal: this.#abort.signal,
    }, {
      patience_ms: this.#patience,
      onask: (held_ms) => this.#connectWithin(this.#deadlines.connect + held_ms, 'offer_timeout'),
      onwait: (wait) => {
        if (this.#closed) return;
        this.#stop('connect');
        this.#ends.onwait?.(wait);
      },
    });
    // The deadline counts from here: neither the wait nor the way of the answer is the connection's.
    this.#connectWithin(this.#deadlines.connect, 'connect_timeout');
    if (!this.#closed) this.#ends.onwait?.(null);
    return answer;
  }

  /** @param {number} ms @param {'offer_timeout' | 'connect_timeout'} code  a slow answer is no network that blocks video */
  #connectWithin(ms, code) {
    if (!this.#closed) this.#after('connect', ms, code);
  }

  #listen() {
    const peer = this.#peer;
    const channel = this.#channel;
    channel.onopen = () => {
      this.send(this.#hello);
      this.#ping();
      this.#heard();
      this.#uplink.start();
    };
    channel.onmessage = (event) => {
      this.#heard();
      const result = parse(event.data);
      // Tolerant: what we cannot read we pass over; a server that says nothing readable runs into the deadlines.
      if ('ok' in result && !this.#closed) {
        this.#stop('connect');
        if (result.ok.type === 'verdict' && 'device' in result.ok && result.ok.device) keepDevice(this.#session, result.ok.device);
        this.#ends.onmessage(result.ok);
      }
    };
    channel.onclose = () => this.#fault(new Trouble('connection_lost'));
    channel.onerror = () => this.#fault(new Trouble('connection_lost'));
    peer.onconnectionstatechange = () => {
      const state = peer.connectionState;
      if (state === 'failed') this.#fault(new Trouble(channel.readyState === 'connecting' ? 'connection_failed' : 'connection_lost'));
      // "disconnected" heals by itself on a short gap (WebRTC 1.0 section 5.6.4), so it gets a moment.
      if (state === 'disconnected') this.#after('disconnected', this.#deadlines.disconnected, 'connection_lost');
      if (state === 'connected') this.#stop('disconnected');
    };
  }

  #ping() {
    if (this.#closed) return;
    this.send({ type: 'ping', n: this.#pings });
    this.#pings = (this.#pings + 1) % 2 ** 31;
    this.#timers.set('ping', setTimeout(() => this.#ping(), this.#deadlines.ping));
  }

  #heard() {
    if (!this.#closed) this.#after('silence', this.#deadlines.silence, 'server_silent');
  }

  /** @param {string} name @param {number} ms @param {string} code */
  #after(name, ms, code) {
    this.#stop(name);
    this.#timers.set(name, setTimeout(() => this.#fault(new Trouble(code)), ms));
  }

  /** @param {string} name */
  #stop(name) {
    clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
  }

  /** @param {Trouble} trouble */
  #fault(trouble) {
    if (this.#closed) return;
    this.close();
    this.#ends.onfault(trouble);
  }

  /** @param {ClientMessage} message @returns {boolean} whether it was handed to an open channel */
  send(message) {
    if (this.#closed || this.#channel.readyState !== 'open') return false;
    this.#channel.send(encode(message));
    return true;
  }

  /** The person chose another camera. @param {MediaStreamTrack} track */
  async replaceTrack(track) {
    if (!this.#closed) await this.#sender.replaceTrack(track);
  }

  /** Tell the server that the person gave up, then close; closing at once would lose the message. */
  cancel() {
    const told = this.send({ type: 'cancel' });
    this.#silence();
    if (told) setTimeout(() => this.#peer.close(), this.#deadlines.goodbye);
    else this.#peer.close();
  }

  /** Close; nothing is said any more, neither to the server nor to the page. */
  close() {
    this.#silence();
    this.#peer.close();
  }

  #silence() {
    this.#closed = true;
    this.#ticket = null;
    this.#uplink.stop();
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
    this.#abort.abort();
    this.#channel.onopen = this.#channel.onmessage = this.#channel.onclose = this.#channel.onerror = null;
    this.#peer.onconnectionstatechange = null;
  }
}
