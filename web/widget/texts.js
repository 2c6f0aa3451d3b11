// What the element says to people, by code and by language: which one, loaded when it is spoken, and the look-up.
// The words are in texts/, one file a language; here is no rule but the order: own words of the page, the language, English, a generic sentence.
// Keys: state_*, hint_*, more_*, reason_*, problem_*, do_*, button_*, label_*; a test holds every code of the wire against them.

import en from './texts/en.js';
import { isEnd } from './state.js';

/** @typedef {import('./texts/en.js').Texts} Texts */

/** How each language but English is loaded: by who speaks it only. @type {Readonly<Record<string, () => Promise<{default: Texts}>>>} */
const LOADS = Object.freeze({
  de: () => import('./texts/de.js'),
  es: () => import('./texts/es.js'),
  fr: () => import('./texts/fr.js'),
  zh: () => import('./texts/zh.js'),
  ar: () => import('./texts/ar.js'),
});
export const LANGUAGES = Object.freeze(['en', ...Object.keys(LOADS)]);
/** Milliseconds to wait for what is known of ends; a server that is gone sends nothing. */
const ENDS_MS = 1_000;
const RIGHT_TO_LEFT = ['ar'];

/** Those that are here. @type {Record<string, Texts>} */
const loaded = { en };

/** @param {string} language  of `pickLanguage` @returns {Readonly<Texts> | undefined} undefined: not loaded */
export const textsOf = (language) => Object.hasOwn(loaded, language) ? loaded[language] : undefined;

/** @param {string} language  of `pickLanguage` */
export const directionOf = (language) => RIGHT_TO_LEFT.includes(language) ? 'rtl' : 'ltr';

/**
 * Have the words of a language here. One that cannot be had is English from then on: an attempt does not wait for words.
 * @param {string} language  of `pickLanguage`
 */
export async function load(language) {
  if (textsOf(language)) return;
  try {
    loaded[language] = (await LOADS[language]?.())?.default ?? en;
  } catch {
    loaded[language] = en;
  }
}

/** What is said of a hint that stands long: loaded by who needs it. @type {Readonly<Record<string, () => Promise<{default: Texts}>>>} */
const MORE = Object.freeze({
  en: () => import('./texts/more/en.js'),
  de: () => import('./texts/more/de.js'),
  es: () => import('./texts/more/es.js'),
  fr: () => import('./texts/more/fr.js'),
  zh: () => import('./texts/more/zh.js'),
  ar: () => import('./texts/more/ar.js'),
});

/** What is known of ends, once there was one that needs it. @type {typeof import('./page/ends.js') | null} */
let ends = null;

/** Have it here, within a second: the end of an attempt is told with the words that there are. */
export const loadEnds = () => Promise.race([
  import('./page/ends.js').then((module) => { ends = module; }, () => undefined),
  new Promise((resolve) => { setTimeout(resolve, ENDS_MS); }),
]);

/** Where the cause is theirs. @param {string} code */
export const tellDevelopers = (code) => ends?.tellDevelopers(code);

/** Have these words here, too; without them nothing more is said. @param {string} language  of `pickLanguage` */
export async function loadMore(language) {
  try {
    const more = (await MORE[language]?.())?.default;
    loaded[language] = { ...(textsOf(language) ?? en), ...more };
  } catch { /* as before */ }
}

/**
 * The first language of a list that we speak.
 * @param {readonly (string | null | undefined)[]} wanted  BCP 47 tags, best first
 * @returns {string}
 */
export function pickLanguage(wanted) {
  for (const tag of wanted) {
    const primary = tag?.toLowerCase().split(/[-_]/)[0] ?? '';
    if (LANGUAGES.includes(primary)) return primary;
  }
  return 'en';
}

/**
 * @param {string} key       such as `hint_no_face`
 * @param {string} language  of `pickLanguage`
 * @param {Readonly<Texts>} [own]  the page's own words, by the same keys
 * @returns {string} never empty: an unknown code gives its kind's generic sentence
 */
export function say(key, language, own = {}) {
  const generic = `${key.split('_')[0]}_unknown`;
  for (const k of [key, generic]) {
    for (const texts of [own, textsOf(language) ?? en, en, ends?.words ?? {}]) {
      if (Object.hasOwn(texts, k)) return String(texts[k]);
    }
  }
  return say(ends ? 'problem_unknown' : 'state_failed', language, own);
}

/** Reasons and problems that a slow line can be behind: pictures that were too few or too poor, words that were lost. */
const OF_THE_LINE = ['timeout', 'quality', 'liveness', 'disconnected', 'server_silent', 'connection_lost'];

/**
 * The sentence that a state shows: at an end, the cause.
 * @param {Readonly<import('./state.js').Model>} model
 * @param {string} language
 * @param {Readonly<Texts>} [own]
 * @returns {string}
 */
export function sentence(model, language, own) {
  if (model.mute) return '';
  if (model.problem !== null) {
    const key = `problem_${model.problem}`;
    const known = [own, en, ends?.words].some((texts) => texts && Object.hasOwn(texts, key));
    if (model.slow && OF_THE_LINE.includes(model.problem)) return `${say(key, language, own)} ${say('hint_connection_slow', language, own)}`;
    return known ? say(key, language, own) : model.text || say(key, language, own);
  }
  if ((model.state === 'framing' || model.state === 'gathering') && model.hint !== null) return say(`hint_${model.hint}`, language, own);
  if (model.state === 'expired' && model.hint !== null) return `${say('state_expired', language, own)} ${say(`hint_${model.hint}`, language, own)}`;
  const first = say(`state_${model.lit ? 'lit' : model.state === 'connecting' && model.lost ? 'lost' : model.state}`, language, own);
  const why = model.reasons.map((reason) => say(`reason_${reason}`, language, own));
  if (model.slow && model.reasons.some((reason) => OF_THE_LINE.includes(reason))) why.push(say('hint_connection_slow', language, own));
  return [first, ...why].join(' ');
}

/**
 * What to do: at an end, never empty; and of a hint that stands long, more. A page that says a cause itself says what to do itself.
 * @param {Readonly<import('./state.js').Model>} model
 * @param {string} language
 * @param {Readonly<Texts>} [own]
 * @returns {string}
 */
export function whatToDo(model, language, own = {}) {
  if (model.more && model.hint !== null && !isEnd(model.state)) {
    const key = [`more_${model.hint}`, 'more_unknown'].find((k) => Object.hasOwn(own, k) || Object.hasOwn(textsOf(language) ?? en, k));
    return key ? say(key, language, own) : '';
  }
  return isEnd(model.state) && model.state !== 'accepted' ? say(ends?.advice(model) ?? (model.state === 'cancelled' ? 'do_again' : 'do_line'), language, own) : '';
}

/**
 * What is shown of it: not what a page whose own words tell the cause, or that says the end itself, would say twice.
 * @type {typeof whatToDo}
 */
export function shownToDo(model, language, own = {}) {
  const key = model.problem !== null ? `problem_${model.problem}` : `reason_${model.reasons[0]}`;
  const words = whatToDo(model, language, own);
  return model.mute || Object.hasOwn(own, key) || model.text && sentence(model, language, own) === model.text ? '' : words;
}

/** Minutes and seconds until a new attempt makes sense. @param {Readonly<import('./state.js').Model>} model @param {string} language @param {Readonly<Texts>} [own] */
export const countDown = ({ again_s }, language, own) => again_s === null ? ''
  : say('label_again', language, own).replace('{n}', `${Math.floor(again_s / 60)}:${String(again_s % 60).padStart(2, '0')}`);

/**
 * What is known of a place in line: how many people, and about how long; empty when nothing is.
 * @param {Readonly<import('./line.js').Wait> | null} wait
 * @param {string} language
 * @param {Readonly<Texts>} [own]
 * @returns {string}
 */
export function placeInLine(wait, language, own) {
  /** @param {string} key @param {number} [n] */
  const count = (key, n) => say(key, language, own).replace('{n}', String(n));
  const { ahead = null, wait_s = null } = wait ?? {};
  return [
    ahead === null ? '' : count(ahead < 2 ? `label_ahead_${ahead}` : 'label_ahead', ahead),
    // An estimate is said as roughly as it is known.
    wait_s === null ? '' : wait_s < 1.5 ? count('label_wait_second') : wait_s < 8 ? count('label_wait_soon') : wait_s < 55 ? count('label_wait_seconds', Math.max(10, 5 * Math.round(wait_s / 5)))
      : wait_s < 90 ? count('label_wait_minute') : count('label_wait_minutes', Math.round(wait_s / 60)),
  ].join(' ').trim();
}
