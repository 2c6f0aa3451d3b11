// The way to the server: how much of what we send is lost, and less of it where the line is slow.
// The server asks for a bit rate that shows a face at once (x-google-min-bitrate), which a browser never goes below by itself.
// On a slower line most packets would be lost and no picture be whole. Source: W3C WebRTC 1.0 section 5.2, webrtc-stats section 6.3.

/** Milliseconds between two looks; the server reports what it missed about once a second (RFC 3550 section 6.2). */
export const LOOK_MS = 500;
/** Share of packets lost from which a line is slow: Wi-Fi at the edge of its reach loses up to 5 %, a full queue a fifth and more. */
export const LOSSY = 0.15;
/** Seconds to the server and back from which a queue is full: 0.15 to the other side of the world, and 0.4 by satellite before 2020. */
export const LATE_S = 0.35;
/** Bits a second: below the first no picture of 640x480 is of use, and the second shows 15 of them a second. */
export const BITS = Object.freeze({ least: 60_000, smooth: 250_000 });
/** Pictures a second on a line that is not smooth: more bits for each, and still enough for a login. */
export const FEW_FPS = 8;

/**
 * What to send from now on, in bits a second: half of what came through, because the queue has to become empty, and what was lost
 * is sent again beside it.
 * @param {number} sent  bits a second that were sent
 * @param {number} lost  share of them that was lost, 0 to 1
 * @returns {number}
 */
export const affordable = (sent, lost) => Math.max(BITS.least, Math.round(0.5 * sent * (1 - lost)));

/** Watches one sender until it is stopped. */
export class Uplink {
  #sender;
  #onslow;
  /** @type {ReturnType<typeof setInterval> | undefined} */ #timer;
  /** @type {{ms: number, bytes: number} | null} */ #last = null;
  #reported = 0; // the newest report that was heeded, so that each counts once
  #late = 0;
  /** @type {number} */ #most = Infinity;

  /** @param {RTCRtpSender} sender @param {() => void} onslow  each time that the line turns out too slow for what was sent */
  constructor(sender, onslow) {
    this.#sender = sender;
    this.#onslow = onslow;
  }

  start() {
    this.#timer ??= setInterval(() => this.#look().catch(() => {}), LOOK_MS); // a closed connection has no statistics
  }

  stop() {
    clearInterval(this.#timer);
  }

  async #look() {
    let sent = 0;
    let report = { timestamp: 0, lost: 0 };
    let trip_s = 0;
    for (const one of (await this.#sender.getStats()).values()) {
      if (one.type === 'outbound-rtp') {
        const now = { ms: one.timestamp, bytes: (one.bytesSent ?? 0) + (one.headerBytesSent ?? 0) };
        if (this.#last && now.ms > this.#last.ms) sent = 8000 * (now.bytes - this.#last.bytes) / (now.ms - this.#last.ms);
        this.#last = now;
      }
      if (one.type === 'remote-inbound-rtp') report = { timestamp: one.timestamp, lost: one.fractionLost ?? 0 };
      if (one.type === 'candidate-pair' && one.nominated) trip_s = one.currentRoundTripTime ?? 0;
    }
    this.#late = trip_s > LATE_S ? this.#late + 1 : 0;
    const lossy = report.timestamp > this.#reported && report.lost > LOSSY;
    if (!sent || !(lossy || this.#late >= 4)) return;
    this.#reported = report.timestamp;
    this.#late = 0;
    this.#onslow();
    await this.#send(affordable(sent, lossy ? report.lost : 0.2));
  }

  /** @param {number} bits  a second, at most */
  async #send(bits) {
    if (bits >= this.#most) return;
    this.#most = bits;
    const parameters = this.#sender.getParameters();
    for (const encoding of parameters.encodings) {
      encoding.maxBitrate = bits;
      if (bits < BITS.smooth) encoding.maxFramerate = FEW_FPS;
    }
    await this.#sender.setParameters(parameters);
  }
}
