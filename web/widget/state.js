// The widget's state machine: one table of allowed moves and one function that moves.
// No camera, no network, no DOM, no clock: an input in, the next model out.
// Rules: only a verdict with a token ends in `accepted`; an input that the table does not allow in a state changes nothing
// (a late message of a closed attempt, a double click); every end can be left by `prepare` or
// `start`, which is a new attempt, or `reset`. No camera is open in `preparing` and `consenting`.
// `lose` is no end: the same attempt goes on with a new ticket, and nothing that the old session saw is kept.

/**
 * @typedef {'idle' | 'preparing' | 'consenting' | 'asking_camera' | 'connecting' | 'waiting' | 'framing' | 'gathering' | 'accepted' | 'rejected' | 'expired' | 'failed' | 'cancelled'} State
 * @typedef {'prepare' | 'ask' | 'start' | 'camera_ready' | 'wait' | 'enter' | 'lose' | 'framing' | 'gathering' | 'accept' | 'reject' | 'expire' | 'fail' | 'cancel' | 'reset'} Move
 */

/** @type {Readonly<Record<State, Readonly<Partial<Record<Move, State>>>>>} */
export const TABLE = Object.freeze({
  idle: { prepare: 'preparing', start: 'asking_camera', fail: 'failed' },
  preparing: { ask: 'consenting', start: 'asking_camera', fail: 'failed', cancel: 'cancelled' },
  consenting: { start: 'asking_camera', fail: 'failed', cancel: 'cancelled' },
  asking_camera: { camera_ready: 'connecting', fail: 'failed', cancel: 'cancelled' },
  connecting: { wait: 'waiting', lose: 'connecting', framing: 'framing', gathering: 'gathering', accept: 'accepted', reject: 'rejected', expire: 'expired', fail: 'failed', cancel: 'cancelled' },
  waiting: { wait: 'waiting', enter: 'connecting', lose: 'connecting', fail: 'failed', cancel: 'cancelled' },
  framing: { lose: 'connecting', gathering: 'gathering', accept: 'accepted', reject: 'rejected', expire: 'expired', fail: 'failed', cancel: 'cancelled' },
  gathering: { lose: 'connecting', framing: 'framing', accept: 'accepted', reject: 'rejected', expire: 'expired', fail: 'failed', cancel: 'cancelled' },
  accepted: { prepare: 'preparing', start: 'asking_camera', reset: 'idle' },
  rejected: { prepare: 'preparing', start: 'asking_camera', reset: 'idle' },
  expired: { prepare: 'preparing', start: 'asking_camera', reset: 'idle' },
  failed: { prepare: 'preparing', start: 'asking_camera', reset: 'idle' },
  cancelled: { prepare: 'preparing', start: 'asking_camera', reset: 'idle' },
});

/** @type {readonly State[]} */
export const STATES = Object.freeze(/** @type {State[]} */ (Object.keys(TABLE)));

/**
 * @typedef {object} Model  all that the view may know
 * @property {State} state
 * @property {string | null} hint      what to correct now, a code; in `expired` what stood longest
 * @property {string | null} heard     the server's own word for it
 * @property {number} progress         0 to 1, within `gathering`
 * @property {string[]} reasons        why it was refused, codes
 * @property {string | null} problem   what failed, a code
 * @property {string} text             what the relying app says of a problem whose code is its own
 * @property {boolean} retry           whether a new session makes sense
 * @property {boolean} recorded        whether the server keeps this session's video
 * @property {boolean} slow            whether the line to the server turned out to be slow
 * @property {boolean} lit             whether the screen is painted for a challenge, within `gathering`
 * @property {Readonly<Wait> | null} wait   what is known of the line, within `waiting`
 * @property {Readonly<Wait> | null} told   what of it is worth to be read aloud: the newest milestone
 * @property {boolean} mute           whether the page says this end itself
 * @property {boolean} changed        whether the camera has just been changed
 * @property {boolean} more           whether the hint stands so long that more is said
 * @property {number | null} again_s   seconds until a new attempt makes sense; null: it does, or never
 * @property {string | null} lost      what was lost, a code, until the new session begins
 */

/**
 * @typedef {import('./line.js').Wait} Wait
 * @typedef {{move: Move, reasons?: string[], problem?: string, text?: string, retry?: boolean, wait?: Wait, hint?: string | null, again_s?: number | null}} MoveInput
 * @typedef {{hint: string | null} | {progress: number} | {recorded: boolean} | {slow: boolean} | {lit: boolean} | {mute: boolean} | {changed: boolean} | {more: boolean} | {again_s: number | null}} FactInput
 * @typedef {MoveInput | FactInput} Input
 */

/** @type {Readonly<Model>} */
export const START = Object.freeze({
  state: 'idle', hint: null, heard: null, progress: 0, reasons: [], problem: null, text: '', retry: false, recorded: false, slow: false, lit: false,
  wait: null, told: null, mute: false, changed: false, more: false, again_s: null, lost: null,
});

/** @param {State} state whether an attempt is running: camera or connection may be open, or will be */
export const isLive = (state) => ['preparing', 'consenting', 'asking_camera', 'connecting', 'waiting', 'framing', 'gathering'].includes(state);

/** @param {State} state whether this attempt is over */
export const isEnd = (state) => state !== 'idle' && !isLive(state);

/**
 * The button of an end: a new attempt; or the page from its beginning, where no attempt can help, or only with what a page brings anew.
 * @param {Readonly<Model>} model
 * @returns {'retry' | 'reload'}
 */
export const buttonOf = ({ problem, retry, again_s }) => (retry || again_s !== null) && problem !== 'ticket_missing' && problem !== 'internal' ? 'retry' : 'reload';

/**
 * The one function that moves. The same object comes back when nothing changed.
 * @param {Readonly<Model>} model
 * @param {Input} input
 * @returns {Readonly<Model>}
 */
export function step(model, input) {
  if (!('move' in input)) return learn(model, input);
  const next = TABLE[model.state][input.move];
  if (next === undefined) return model;
  if (next === 'idle') return START;
  if (next === 'waiting') return queue(model, input.wait ?? { ahead: null, wait_s: null });
  if (!isEnd(next)) {
    // Evidence is thrown away on the way back to framing (the server does the same), so is what we drew of it.
    const lost = input.move === 'lose' ? input.problem ?? 'connection_lost' : next === 'connecting' ? model.lost : null;
    if (next === 'connecting') return { ...START, state: next, slow: model.slow, lost };
    const fresh = ['idle', 'preparing', 'consenting', 'asking_camera'].includes(next);
    return { ...START, state: next, hint: fresh ? null : model.hint, heard: fresh ? null : model.heard, more: !fresh && model.more, changed: !fresh && model.changed, recorded: fresh ? false : model.recorded, slow: fresh ? false : model.slow };
  }
  return {
    ...START,
    state: next,
    progress: next === 'accepted' ? 1 : 0,
    reasons: next === 'rejected' || next === 'expired' ? input.reasons ?? [] : [],
    problem: next === 'failed' ? input.problem ?? 'internal' : null,
    text: next === 'failed' ? input.text ?? '' : '',
    slow: model.slow,
    hint: next === 'expired' ? input.hint ?? null : null,
    again_s: input.again_s ?? null,
    retry: next === 'cancelled' ? true : next === 'accepted' ? false : input.retry ?? false,
  };
}

/**
 * A place in line. Who listens hears of it first, when half of the people or none are left, and when they became twice as many.
 * @param {Readonly<Model>} model
 * @param {Wait} wait
 * @returns {Readonly<Model>}
 */
function queue(model, wait) {
  const { ahead, wait_s } = wait;
  if (model.wait && model.wait.ahead === ahead && model.wait.wait_s === wait_s) return model;
  const said = model.told?.ahead ?? null;
  const same = ahead === null || (said !== null && ahead > said / 2 && ahead <= 2 * said) || (said === 0 && ahead === 0);
  return { ...START, state: 'waiting', slow: model.slow, lost: model.lost, wait, told: same ? model.told : wait };
}

/** What a server sees while a camera is being changed. */
const OF_A_CHANGE = ['camera_slow', 'camera_frozen', 'camera_dark', 'picture_jumps', 'face_lost', 'no_face'];

/**
 * The server sees that pictures come too slowly; that it is the line's fault, or that of a change of cameras, this side may know better.
 * @param {Readonly<Model>} model
 * @param {Readonly<Model>} before
 * @returns {Readonly<Model>}
 */
function named(model, before) {
  const { heard, slow, changed } = model;
  const hint = changed && OF_A_CHANGE.includes(heard ?? '') ? 'camera_changed' : slow && heard === 'camera_slow' ? 'connection_slow' : heard;
  return hint !== before.hint ? { ...model, hint, more: false } : model.slow === before.slow && changed === before.changed && heard === before.heard ? before : model;
}

/**
 * What is learned without moving; only a live connection can teach, and an end who shows it.
 * @param {Readonly<Model>} model
 * @param {FactInput} fact
 * @returns {Readonly<Model>}
 */
function learn(model, fact) {
  if ('mute' in fact) return isEnd(model.state) && model.mute !== fact.mute ? { ...model, mute: fact.mute } : model;
  if ('again_s' in fact) return model.again_s === null ? model : { ...model, again_s: fact.again_s, retry: model.retry || fact.again_s === null };
  if (!['connecting', 'framing', 'gathering'].includes(model.state)) return model;
  if ('hint' in fact) {
    return named({ ...model, heard: fact.hint }, model);
  }
  if ('recorded' in fact) return fact.recorded === model.recorded ? model : { ...model, recorded: fact.recorded };
  if ('slow' in fact) return fact.slow === model.slow ? model : named({ ...model, slow: fact.slow }, model);
  if ('changed' in fact) return fact.changed === model.changed ? model : named({ ...model, changed: fact.changed }, model);
  if ('more' in fact) return model.hint === null ? model : { ...model, more: fact.more };
  if ('lit' in fact) return model.state !== 'gathering' || fact.lit === model.lit ? model : { ...model, lit: fact.lit };
  if (model.state !== 'gathering' || !Number.isFinite(fact.progress)) return model;
  const progress = Math.min(1, Math.max(0, fact.progress));
  return progress === model.progress ? model : { ...model, progress };
}
