// The `test` mode: walks an attempt's states without a camera, a session or a server, so that the tests of a page can see each of them.
// It makes no token: what it hands over is refused by every server, because nobody signed it. Loaded by the attribute only.
// Source: docs/widget.md, "Testing a page".

/** What stands in a token's place. */
export const NO_TOKEN = 'test-mode.nobody-signed-this.refused-everywhere';
/** Milliseconds between two messages. */
const STEP_MS = 20;

/** @typedef {import('../protocol.js').ServerMessage} ServerMessage */

/**
 * What a server would say on the way to an end.
 * @param {string} end  `accepted`, or a reason such as `no_match`; `timeout` is an `expired`
 * @returns {readonly any[]}
 */
export function script(end) {
  const verdict = end === 'accepted'
    ? { outcome: end, token: NO_TOKEN, expires_in_s: 0 }
    : { outcome: end === 'timeout' ? 'expired' : 'rejected', reasons: [end], retry: true };
  return [
    { type: 'welcome', recorded: false },
    { type: 'hint', hint: 'come_closer' },
    { type: 'hint', hint: null },
    { type: 'phase', phase: 'gathering' },
    ...[0.25, 0.5, 0.75, 1].map((fraction) => ({ type: 'progress', fraction })),
    { type: 'verdict', ...verdict },
  ];
}

/**
 * @param {string} end
 * @param {AbortSignal} signal
 * @param {(move: 'start' | 'camera_ready') => void} step
 * @param {(message: ServerMessage) => void} hear
 */
export async function rehearse(end, signal, step, hear) {
  if (signal.aborted) return;
  step('start');
  step('camera_ready');
  for (const message of script(end || 'accepted')) {
    await new Promise((resolve) => setTimeout(resolve, STEP_MS));
    if (signal.aborted) return;
    hear(message);
  }
}
