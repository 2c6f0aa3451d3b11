// The light challenge on the screen: colours painted over the page, around and behind the video, each at its time.
// It knows no wire and no rules of moving; it paints what it is given and says when each step was really painted.
// Source: docs/challenge.md; HTML, requestAnimationFrame; WCAG 2.2, success criterion 2.3.1, whose limits the server keeps
// (pipeline/challenge.py) and this module keeps again, because a page paints on its own person's screen.

/** @typedef {{color: string, ms: number}} Step */
/** @typedef {{step: number, ms: number}} Painted  milliseconds since the challenge came, by the frame's own time */

/** No step shorter than this is painted: four changes a second at most. */
export const SHORTEST_MS = 250;

/** Whether the person's system asks for less motion: then nothing is painted, and the server asks for turns of the head. */
export const wantsLessMotion = () => globalThis.matchMedia?.('(prefers-reduced-motion: reduce)').matches ?? false;

/**
 * Which step is due. No rendering, so that it can be tested without a screen.
 * @param {readonly Step[]} steps
 * @param {number} elapsed  milliseconds since the first frame
 * @returns {number} the index, or -1 when all are over
 */
export function due(steps, elapsed) {
  let end = 0;
  return steps.findIndex(({ ms }) => elapsed < (end += ms));
}

/** Relative luminance of `#rrggbb` (WCAG 2.2). @param {string} color */
export function luminance(color) {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
    const value = parseInt(color.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}

/** Whether painting this can flash: a short step, or a jump of a tenth in luminance. @param {readonly Step[]} steps */
export const flashes = (steps) => steps.some(({ color, ms }, k) =>
  ms < SHORTEST_MS || (k > 0 && Math.abs(luminance(color) - luminance(steps[k - 1]?.color ?? color)) >= 0.1));

export class Challenge {
  #layer;
  #frame = 0;

  /** @param {HTMLElement} layer  covers the viewport, below the video; hidden while nothing is painted */
  constructor(layer) {
    this.#layer = layer;
    this.stop();
  }

  /**
   * Paint the steps, from the next frame on; what was painted before is over.
   * @param {readonly Step[]} steps
   * @param {(painted: Painted) => void} onpainted  once for each step, in order; a step that a busy page skipped is told, too
   */
  start(steps, onpainted) {
    this.stop();
    if (flashes(steps) || wantsLessMotion()) return; // not answered is not accepted: nobody is put at risk for it
    const came = performance.now();
    let began = -1;
    let shown = -1;
    /** @param {number} now  the frame's time, on the clock of performance.now */
    const paint = (now) => {
      if (began < 0) began = Math.max(now, came); // a busy page's frame is older than the message: it shortens no step
      const step = due(steps, now - began);
      if (step < 0) return this.stop();
      this.#frame = requestAnimationFrame(paint);
      if (step === shown) return;
      const color = steps[step]?.color ?? '';
      this.#layer.hidden = false;
      this.#layer.style.backgroundColor = color;
      while (shown < step) onpainted({ step: ++shown, ms: Math.max(0, now - came) });
    };
    this.#frame = requestAnimationFrame(paint);
  }

  /** Give the page back. */
  stop() {
    cancelAnimationFrame(this.#frame);
    this.#layer.hidden = true;
    this.#layer.style.backgroundColor = '';
  }
}
