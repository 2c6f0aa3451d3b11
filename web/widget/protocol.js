// The data channel's messages: encode what the page says, parse what the server says.
// No sockets, no DOM, no state: text in, plain objects out; a bad message is a result, never an exception.
// Source: docs/protocol.md; tests/vectors/protocol/ holds one file per message or fault.

/** The version that `hello` announces. */
export const VERSION = 1;

/** `label` and `protocol` of the data channel. */
export const CHANNEL_LABEL = 'lookgate';
export const CHANNEL_PROTOCOL = 'lookgate.v1';

/**
 * @typedef {{width: number, height: number, fps: number, kind?: string}} CameraSettings  pixels, pixels, frames a second, sort of camera
 * @typedef {{code: string, text: string, retry: boolean}} Problem
 * @typedef {{text_id: string, version: string, language: string, sha256: string}} Consent  what the person of an enrolment agreed to
 * @typedef {{type: 'hello', version: number, widget: string, camera?: CameraSettings, reduced_motion?: boolean}} Hello
 * @typedef {{type: 'ping', n: number}} Ping
 * @typedef {{type: 'cancel'}} Cancel
 * @typedef {{type: 'painted', n: number, step: number, ms: number}} Painted
 * @typedef {{type: 'decline'}} Decline
 * @typedef {Hello | Ping | Cancel | Painted | Decline} ClientMessage
 * @typedef {{type: 'welcome', session: string, purpose: string, time_limit_s: number, recorded: boolean}} Welcome
 * @typedef {{type: 'recording', recorded: boolean}} Recording
 * @typedef {{type: 'phase', phase: 'framing' | 'gathering' | 'accepted' | 'rejected' | 'expired'}} Phase
 * @typedef {{type: 'progress', fraction: number}} Progress
 * @typedef {{type: 'hint', hint: string | null}} Hint
 * @typedef {{type: 'challenge', n: number, steps: import('./challenge.js').Step[]}} ChallengeMessage
 * @typedef {{type: 'verdict', outcome: 'accepted', reasons: string[], token: string, expires_in_s: number, device?: string, retry: boolean}} Accepted
 * @typedef {{type: 'verdict', outcome: 'rejected' | 'expired', reasons: string[], retry: boolean, wait_s?: number}} Refused  wait_s: seconds until a new session makes sense
 * @typedef {Accepted | Refused} Verdict
 * @typedef {{type: 'pong', n: number}} Pong
 * @typedef {{type: 'error', error: Problem}} Fault
 * @typedef {Welcome | Recording | Phase | Progress | Hint | ChallengeMessage | Verdict | Pong | Fault} ServerMessage
 * @typedef {'message_malformed' | 'message_unknown' | 'message_invalid'} ParseFault
 */

/** Hints, reasons and phases that the wire knows today; others may come and are shown generically. */
export const HINTS = Object.freeze([
  'no_face', 'one_face_only', 'come_closer', 'move_back', 'center_face', 'look_at_camera', 'hold_still',
  'more_light', 'less_light', 'uncover_face', 'camera_frozen', 'camera_dark', 'camera_slow', 'turn_slowly',
  'camera_gray', 'connection_slow', 'open_eyes', 'face_lost', 'face_changes', 'picture_jumps',
  'turn_left', 'turn_right', 'look_up', 'look_down',
]);
export const REASONS = Object.freeze([
  'no_match', 'liveness', 'quality', 'timeout', 'cancelled', 'disconnected', 'internal',
]);
export const PHASES = Object.freeze(['framing', 'gathering', 'accepted', 'rejected', 'expired']);

/** @param {unknown} v @returns {v is string} */
const isText = (v) => typeof v === 'string' && v !== '';
/** @param {unknown} v @returns {v is boolean} */
const isFlag = (v) => typeof v === 'boolean';
/** @param {unknown} v @returns {v is number} */
const isNumber = (v) => typeof v === 'number' && Number.isFinite(v);
/** @param {unknown} v @returns {v is Record<string, unknown>} */
export const isObject = (v) => typeof v === 'object' && v !== null && !Array.isArray(v);

/**
 * One reader per message type. A reader copies the fields it knows, so unknown ones fall away; undefined means invalid.
 * A Map and not an object: `"__proto__"` is a type like any other unknown one.
 * @typedef {(m: Record<string, unknown>) => ServerMessage | ParseFault} Reader
 */
const READERS = new Map(/** @type {[string, Reader][]} */ ([
  ['welcome', (m) => isText(m.session) && isText(m.purpose) && isNumber(m.time_limit_s) && isFlag(m.recorded)
    ? { type: 'welcome', session: m.session, purpose: m.purpose, time_limit_s: m.time_limit_s, recorded: m.recorded }
    : 'message_invalid'],
  ['recording', (m) => isFlag(m.recorded) ? { type: 'recording', recorded: m.recorded } : 'message_invalid'],
  ['phase', (m) => {
    if (!isText(m.phase)) return 'message_invalid';
    if (!PHASES.includes(m.phase)) return 'message_unknown'; // a newer server's phase: stay where we are
    return { type: 'phase', phase: /** @type {Phase['phase']} */ (m.phase) };
  }],
  ['progress', (m) => isNumber(m.fraction) && m.fraction >= 0 && m.fraction <= 1
    ? { type: 'progress', fraction: m.fraction }
    : 'message_invalid'],
  ['hint', (m) => m.hint === null || isText(m.hint) ? { type: 'hint', hint: m.hint } : 'message_invalid'],
  ['challenge', readChallenge],
  ['verdict', readVerdict],
  ['pong', (m) => isNumber(m.n) ? { type: 'pong', n: m.n } : 'message_invalid'],
  ['error', (m) => {
    const problem = readProblem(m);
    return problem ? { type: 'error', error: problem } : 'message_invalid';
  }],
]));

/** Steps of a challenge: how many at most, and how long, milliseconds. */
const STEPS = Object.freeze({ most: 64, shortest: 250, longest: 2_000 });

/** @param {Record<string, unknown>} m @returns {ChallengeMessage | ParseFault} */
function readChallenge(m) {
  const { n, steps } = m;
  if (!isNumber(n) || !Array.isArray(steps) || !steps.length || steps.length > STEPS.most) return 'message_invalid';
  const good = steps.every((step) => isObject(step) && typeof step.color === 'string' && /^#[0-9a-f]{6}$/.test(step.color)
    && isNumber(step.ms) && step.ms >= STEPS.shortest && step.ms <= STEPS.longest);
  return good ? { type: 'challenge', n, steps: steps.map(({ color, ms }) => ({ color, ms })) } : 'message_invalid';
}

/** @param {Record<string, unknown>} m @returns {Verdict | ParseFault} */
function readVerdict(m) {
  const { outcome, reasons, token, expires_in_s, device, retry, wait_s } = m;
  if (!Array.isArray(reasons) || !reasons.every(isText) || !isFlag(retry)) return 'message_invalid';
  if (outcome === 'accepted') {
    // Default deny: an acceptance without its token is no acceptance.
    if (!isText(token) || !isNumber(expires_in_s)) return 'message_invalid';
    const known = isText(device) ? { device } : {}; // a convenience: none is no fault
    return { type: 'verdict', outcome, reasons: [...reasons], token, expires_in_s, ...known, retry };
  }
  if (outcome !== 'rejected' && outcome !== 'expired') return 'message_invalid';
  return { type: 'verdict', outcome, reasons: [...reasons], retry, ...(isNumber(wait_s) && wait_s > 0 && { wait_s }) };
}

/**
 * The one error shape of the data channel and of every HTTP error body: `{"error": {code, text, retry}}`.
 * @param {unknown} body
 * @returns {Problem | undefined}
 */
export function readProblem(body) {
  if (!isObject(body) || !isObject(body.error)) return undefined;
  const { code, text, retry } = body.error;
  return isText(code) && typeof text === 'string' && isFlag(retry) ? { code, text, retry } : undefined;
}

/**
 * Read one message of the server.
 * @param {unknown} data  what `MessageEvent.data` held; anything but a string is binary
 * @returns {{ok: ServerMessage} | {error: ParseFault}}
 */
export function parse(data) {
  if (typeof data !== 'string') return { error: 'message_malformed' };
  /** @type {unknown} */
  let message;
  try {
    message = JSON.parse(data);
  } catch {
    return { error: 'message_malformed' };
  }
  if (!isObject(message)) return { error: 'message_malformed' };
  if (typeof message.type !== 'string') return { error: 'message_invalid' };
  const read = READERS.get(message.type);
  if (!read) return { error: 'message_unknown' };
  const result = read(message);
  return typeof result === 'string' ? { error: result } : { ok: result };
}

/**
 * Write one message of the page.
 * @param {ClientMessage} message
 * @returns {string}
 */
export function encode(message) {
  return JSON.stringify(message);
}

/**
 * The `hello` for a camera's settings; `camera` is left out when the browser does not know all three numbers.
 * @param {string} widget  name and version, up to 32 characters
 * @param {MediaTrackSettings} [settings]
 * @param {{kind?: string, lessMotion?: boolean}} [more]  what sort of camera, by its name; whether the person wants less motion
 * @returns {Hello}
 */
export function hello(widget, settings = {}, { kind, lessMotion } = {}) {
  const { width, height, frameRate } = settings;
  /** @type {Hello} */
  const message = { type: 'hello', version: VERSION, widget: widget.slice(0, 32) };
  if (isNumber(width) && isNumber(height) && isNumber(frameRate)) message.camera = { width, height, fps: frameRate, ...(kind && { kind }) };
  if (lessMotion !== undefined) message.reduced_motion = lessMotion;
  return message;
}
