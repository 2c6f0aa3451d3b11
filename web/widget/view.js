// What the person sees: mirrored picture in an oval, one sentence, a progress ring, buttons, the choice of camera.
// It renders a model and reports clicks; it knows no camera, no network and no rules of moving.
// Source: WCAG 2.2; WAI-ARIA 1.2 (status, progressbar). DOM calls only, no markup strings: fit for Trusted Types.

import { buttonOf, isEnd, isLive } from './state.js';
import { dress } from './style.js';
import { countDown, directionOf, placeInLine, say, sentence, shownToDo, textsOf } from './texts.js';

/** @typedef {Readonly<import('./state.js').Model>} Model */
/** @typedef {{start: () => void, agree: () => void, cancel: () => void, retry: () => void, reload: () => void, decline: () => void, camera: (id: string) => void}} Clicks */
/** @typedef {{language: string, own: Readonly<Record<string, string>>, cameras: {id: string, label: string}[], cameraId: string}} Setting */

const SVG = 'http://www.w3.org/2000/svg';

/** Shapes in a 300 x 400 box; the rings start at the top and go clockwise, their length counts as 100. */
const RING = 'M150 6A144 194 0 1 1 149.9 6';
const MARKS = Object.freeze({
  face: 'M150 120c-46 0-72 34-72 84 0 54 34 96 72 96s72-42 72-96c0-50-26-84-72-84M124 196v8M176 196v8M126 248q24 18 48 0',
  tick: 'M92 208l40 42 78-92',
  cross: 'M102 152l96 96M198 152l-96 96',
  clock: 'M150 128a72 72 0 1 0 .1 0M150 156v46l30 22',
});

/**
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, string>} [attributes]
 * @param {(Node | string)[]} children
 * @returns {HTMLElementTagNameMap[K]}
 */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** @param {string} d @param {string} name */
function path(d, name) {
  const element = document.createElementNS(SVG, 'path');
  element.setAttribute('d', d);
  element.setAttribute('class', name);
  element.setAttribute('pathLength', '100');
  return element;
}

export class View {
  #root;
  // Everything has the direction of the language that is spoken, which may not be the page's. A page's own words or a server's text may be in
  // another one: `dir=auto` looks at the words.
  // The `muted` and `playsinline` attributes come before any source: without them Safari does not play inline by itself.
  #video = make('video', { part: 'video', muted: '', playsinline: '', autoplay: '', disablepictureinpicture: '' });
  #ring = path(RING, 'ring');
  #stage = make('div', { class: 'stage', part: 'stage' });
  /** The drawing alone: a progress bar has no named parts (WAI-ARIA 1.2, children presentational). */
  #progress = document.createElementNS(SVG, 'svg');
  #cause = make('b', { dir: 'auto' });
  #do = make('span', { dir: 'auto' });
  #says = make('p', { class: 'says', part: 'guidance', role: 'status', 'aria-live': 'polite', 'aria-atomic': 'true' }, this.#cause, ' ', this.#do);
  /** The place in line: seen at each change, read aloud (`#told`) at milestones only, or nobody could listen to anything else. */
  #wait = make('p', { class: 'wait', dir: 'auto', part: 'wait' });
  #told = make('p', { class: 'told', 'aria-live': 'polite', 'aria-atomic': 'true' });
  /** Places for the page: before an attempt, while it is prepared, and after one that did not succeed. */
  #before = make('slot', { name: 'before' });
  #loading = make('slot', { name: 'loading' });
  #after = make('slot', { name: 'after-refusal' });
  #notice = make('p', { class: 'notice', dir: 'auto', part: 'notice' });
  /** What consent.js shows, within `consenting`. */
  consent = make('div', { class: 'consent', dir: 'auto', part: 'consent' });
  #agree = make('button', { class: 'primary', part: 'button agree', type: 'button' });
  /** @type {Model['state']} */ #was = 'idle';
  #start = make('button', { class: 'primary', part: 'button start', type: 'button' });
  #retry = make('button', { class: 'primary', part: 'button retry', type: 'button' });
  #reload = make('button', { class: 'primary', part: 'button reload', type: 'button' });
  #cancel = make('button', { part: 'button cancel', type: 'button' });
  #decline = make('button', { part: 'button decline', type: 'button' });
  #label = make('label', { for: 'camera' });
  #select = make('select', { id: 'camera', part: 'camera' });
  #choice = make('div', { class: 'choice' }, this.#label, this.#select);
  /** What a light challenge paints: the whole viewport, below the frame. */
  layer = make('div', { class: 'light', part: 'light', 'aria-hidden': 'true' });
  #frame = make('div', { class: 'frame', part: 'frame', role: 'group' });

  /** @param {ShadowRoot} root @param {Clicks} clicks */
  constructor(root, clicks) {
    this.#root = root;
    this.#video.muted = true;
    const svg = this.#progress;
    for (const [name, value] of Object.entries({ viewBox: '0 0 300 400', role: 'progressbar', 'aria-valuemin': '0', 'aria-valuemax': '100' })) svg.setAttribute(name, value);
    svg.append(path(RING, 'track'), this.#ring, ...Object.entries(MARKS).map(([name, d]) => path(d, `mark ${name}`)));
    this.#stage.append(make('div', { class: 'oval' }, this.#video), svg);
    this.#frame.append(this.#stage, make('div', { class: 'words' }, this.#before, this.#choice, this.#says, this.#loading, this.consent, this.#wait, this.#told, this.#notice, this.#decline,
      make('div', { class: 'buttons' }, this.#start, this.#agree, this.#retry, this.#reload, this.#cancel), this.#after));
    root.append(this.layer, this.#frame);
    dress(root);
    this.#start.onclick = clicks.start;
    this.#agree.onclick = clicks.agree;
    this.#retry.onclick = clicks.retry;
    this.#reload.onclick = clicks.reload;
    this.#cancel.onclick = clicks.cancel;
    this.#decline.onclick = clicks.decline;
    this.#select.onchange = () => clicks.camera(this.#select.value);
  }

  /** Where a form points at when it wants a face. */
  get anchor() {
    return this.#start;
  }

  /**
   * Show a picture, or none.
   * @param {MediaStream | null} stream
   * @param {boolean} [mirrored]
   */
  show(stream, mirrored = true) {
    this.#video.srcObject = stream;
    this.#video.classList.toggle('mirrored', mirrored);
    this.#video.hidden = stream === null;
    // A refused autoplay (battery saver) costs the preview only: the server gets its frames from the track.
    if (stream) this.#video.play()?.catch(() => {});
  }

  /** @param {Model} model @param {Setting} setting */
  render(model, { language, own, cameras, cameraId }) {
    /** @param {string} key */
    const text = (key) => say(key, language, own);
    const { state } = model;
    const live = !isEnd(state) && state !== 'idle';
    const focused = this.#root.activeElement;
    this.#frame.dataset.state = state;
    this.#frame.dataset.hint = state === 'framing' || state === 'gathering' ? model.hint ?? '' : '';
    this.#frame.lang = language;
    this.#frame.dir = directionOf(language);
    // Nothing is said in English to who reads it a moment later in their own language.
    this.#frame.classList.toggle('quiet', !textsOf(language));
    this.#frame.setAttribute('aria-label', text('label_element'));
    this.#video.setAttribute('aria-label', text('label_video'));

    const percent = Math.round(model.progress * 100);
    this.#progress.setAttribute('aria-label', text('label_progress'));
    this.#progress.setAttribute('aria-valuenow', String(percent));
    this.#ring.style.strokeDasharray = state === 'gathering' || state === 'accepted' ? `${percent} 100` : '';

    write(this.#cause, sentence(model, language, own));
    write(this.#do, shownToDo(model, language, own));
    write(this.#wait, model.wait ? placeInLine(model.wait, language, own) : countDown(model, language, own));
    write(this.#told, placeInLine(model.told, language, own));
    this.#wait.hidden = !this.#wait.textContent;
    write(this.#notice, text('label_recorded'));
    write(this.#decline, text('button_decline'));
    this.#notice.hidden = this.#decline.hidden = !(live && model.recorded);

    write(this.#start, text('button_start'));
    write(this.#agree, text('button_agree'));
    write(this.#retry, text('button_retry'));
    write(this.#reload, text('button_reload'));
    write(this.#cancel, text('button_cancel'));
    this.#start.hidden = state !== 'idle';
    this.#before.hidden = !['idle', 'preparing', 'consenting'].includes(state);
    this.#loading.hidden = !['preparing', 'asking_camera', 'connecting'].includes(state);
    this.#after.hidden = !isEnd(state) || state === 'accepted';
    if (live && !isLive(this.#was)) this.#frame.scrollIntoView({ block: 'nearest' }); // nobody starts an attempt out of sight
    this.#was = state;
    this.consent.hidden = this.#agree.hidden = state !== 'consenting';
    this.#stage.hidden = state === 'consenting';
    this.#cancel.hidden = !live;
    const button = isEnd(state) && state !== 'accepted' && !model.mute ? buttonOf(model) : '';
    this.#retry.hidden = button !== 'retry';
    this.#retry.disabled = model.again_s !== null;
    this.#reload.hidden = button !== 'reload' || this.#after.assignedNodes().length > 0;
    this.#choose(cameras, cameraId, text);

    // A button that vanished under the keyboard's focus hands it to the one that took its place.
    if (focused instanceof HTMLElement && focused.hidden) {
      [this.#retry, this.#reload, this.#cancel, this.#start].find((one) => !one.hidden && !one.disabled)?.focus();
    }
  }

  /** @param {Setting['cameras']} cameras @param {string} current @param {(key: string) => string} text */
  #choose(cameras, current, text) {
    this.#choice.hidden = cameras.length < 2 || ['accepted', 'preparing', 'consenting', 'asking_camera'].includes(this.#frame.dataset.state ?? '');
    write(this.#label, text('label_camera'));
    const wanted = JSON.stringify([cameras, text('label_camera_number')]);
    if (this.#select.dataset.of !== wanted) {
      this.#select.dataset.of = wanted;
      this.#select.replaceChildren(...cameras.map(({ id, label }, n) =>
        make('option', { value: id }, label || text('label_camera_number').replace('{n}', String(n + 1)))));
    }
    if (current && this.#select.value !== current) this.#select.value = current;
  }
}

/** Touch the text only when it changed, or a screen reader says it again. @param {HTMLElement} element @param {string} text */
function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}
