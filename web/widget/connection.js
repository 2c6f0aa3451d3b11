// One connection to the server: peer connection, data channel, the offer over HTTP, and all their deadlines.
// It owns no camera and draws nothing; it says what arrived (`onmessage`) and, once, what broke (`onfault`).
// Source: docs/protocol.md; W3C WebRTC 1.0. The measured reasons are beside the lines that rest on them.

import { Trouble } from './camera.js';
import { CHANNEL_LABEL, CHANNEL_PROTOCOL, encode, isObject, parse, readProblem } from './protocol.js';
import { Uplink } from './uplink.js';

/** @typedef {import('./protocol.js').ServerMessage} ServerMessage */
/** @typedef {import('./protocol.js').ClientMessage} ClientMessage */

/** Milliseconds. A lost DTLS flight costs 1 s and a lost SCTP INIT 3 s, so 10 s survive a bad network. */
export const DEADLINES = Object.freeze({ connect: 10_000, silence: 5_000, disconnected: 3_000, ping: 1_000, goodbye: 250 });

/** All codes that a connection can cause by itself; the server's own codes come beside them. */
export const CONNECTION_CODES = Object.freeze([
  'server_unreachable', 'server_answer', 'server_silent', 'connect_timeout', 'connection_failed', 'connection_lost', 'browser_unsupported',
]);

/** Problems of this one ticket: the same request would fail again, but a new attempt brings a new ticket. */
const NEW_TICKET_HELPS = ['ticket_invalid', 'ticket_used', 'session_unknown', 'session_over'];

/** A problem that the server itself named, with its own code. */
export class ServerProblem extends Trouble {
  /** @param {import('./protocol.js').Problem} problem  its text is for developers, in English: texts.js has better */
  constructor({ code, retry }) {
    super(code, { retry: retry || NEW_TICKET_HELPS.includes(code) });
  }
}

/**
 * @typedef {object} Ticket  what the relying app's backend got for this one attempt
 * @property {string} server   the server's origin, such as https://face.example
 * @property {string} session
 * @property {string} ticket   a secret; goes into one Authorization header and nowhere else
 * @property {RTCIceServer[]} ice_servers
 */

/**
 * @typedef {object} Ends
 * @property {(message: ServerMessage) => void} onmessage
 * @property {(trouble: Trouble) => void} onfault  at most once, and never after `close`
 * @property {() => void} [onslow]  the line to the server turned out to be slow
 * @property {typeof DEADLINES} [deadlines]
 */

export class Connection {
  /** @type {RTCPeerConnection} */ #peer;
  /** @type {RTCDataChannel} */ #channel;
  /** @type {RTCRtpSender} */ #sender;
  /** @type {Ticket | null} */ #ticket;
  /** @type {Ends} */ #ends;
  /** @type {typeof DEADLINES} */ #deadlines;
  /** @type {import('./protocol.js').Hello} */ #hello;
  /** @type {Uplink} */ #uplink;
  #abort = new AbortController();
  #closed = false;
  #pings = 0;
  /** @type {Map<string, ReturnType<typeof setTimeout>>} */ #timers = new Map();

  /**
   * @param {{ticket: Ticket, stream: MediaStream, track: MediaStreamTrack, hello: import('./protocol.js').Hello} & Ends} options
   * @throws {Trouble}
   */
  constructor({ ticket, stream, track, hello, ...ends }) {
    this.#ticket = ticket;
    this.#ends = ends;
    this.#deadlines = ends.deadlines ?? DEADLINES;
    this.#hello = hello;
    if (typeof RTCPeerConnection === 'undefined') throw new Trouble('browser_unsupported', { retry: false });
    try {
      this.#peer = new RTCPeerConnection({ iceServers: ticket.ice_servers });
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
    this.#after('connect', this.#deadlines.connect, 'connect_timeout');
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
    this.#ticket = null; // single use: nothing holds it after this request
    if (!ticket) throw new Trouble('ticket_missing');
    /** @type {Response} */
    let response;
    try {
      response = await fetch(`${ticket.server.replace(/\/+$/, '')}/v1/sessions/${encodeURIComponent(ticket.session)}/offer`, {
        method: 'POST',
        headers: { 'Authorization': `Bearer ${ticket.ticket}`, 'Content-Type': 'application/json' },
        body: JSON.stringify({ type: 'offer', sdp }),
        credentials: 'omit',
        cache: 'no-store',
        redirect: 'error',
        referrerPolicy: 'no-referrer',
        signal: this.#abort.signal,
      });
    } catch (cause) {
      throw new Trouble('server_unreachable', { cause });
    }
    const body = await readJson(response);
    if (!response.ok) {
      const problem = readProblem(body);
      throw problem ? new ServerProblem(problem) : new Trouble('server_answer');
    }
    if (!isObject(body) || body.type !== 'answer' || typeof body.sdp !== 'string') throw new Trouble('server_answer');
    return body.sdp;
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

/** @param {Response} response @returns {Promise<unknown>} undefined when it is not JSON */
export async function readJson(response) {
  try {
    return await response.json();
  } catch {
    return undefined;
  }
}
