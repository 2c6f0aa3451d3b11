// The class of <face-login>: attributes, methods and events; it runs one attempt after the other. It is not registered here.
// Rules are in state.js, pixels on the screen in view.js, the camera in camera.js, the wire in connection.js and protocol.js.
// Source: docs/widget.md (attributes and events), docs/protocol.md (the wire), HTML custom elements.

import { Attempt } from './attempt.js';
import { Trouble, checkTheWay, listCameras, openCamera } from './camera.js';
import { Challenge, wantsLessMotion } from './challenge.js';
import { Connection } from './connection.js';
import { replace } from './environment.js';
import { Field } from './page/field.js';
import { Guide } from './page/guide.js';
import { ServerProblem } from './line.js';
import { hello } from './protocol.js';
import { Leaving, announce, languagesOf, upgrade } from './page/page.js';
import { START, isEnd, isLive, step } from './state.js';
import { load, loadEnds, loadMore, say, sentence, tellDevelopers, textsOf, whatToDo } from './texts.js';
import { View } from './view.js';
import { Wishes } from './wishes.js';

/** @typedef {import('./protocol.js').Verdict} Verdict */
/** @typedef {import('./state.js').Input} Input */

const WIDGET = 'face-login/0.1.0';

/** Where a page is rendered on a server there are no elements: the class can be loaded there, and not made. */
const Base = globalThis.HTMLElement ?? /** @type {typeof HTMLElement} */ (class {});

export class FaceLogin extends Base {
  static observedAttributes = ['server', 'session', 'ticket', 'ice-servers', 'session-url', 'auto-start', 'lang', 'required', 'test'];
  static formAssociated = true;

  /** The browser's functions that a page's tests put others in place of. @param {Partial<import('./environment.js').Environment>} own */
  static set environment(own) { replace(own); }

  #view;
  #challenge;
  #field = new Field(this);
  /** @type {Readonly<import('./state.js').Model>} */ #model = START;
  /** @type {Attempt | null} */ #attempt = null;
  #wishes = new Wishes(this);
  /** @type {Readonly<Record<string, string>>} */ #texts = {};
  /** @type {{id: string, label: string}[]} */ #cameras = [];
  #leaving = new Leaving(() => this.#leave(), () => this.cancel());
  #guide = new Guide((fact) => this.#step(fact), () => loadMore(this.#wishes.language));
  #ending = {}; // which end is being told
  #began = false; // auto-start happens once
  #retryAsked = false; // a retry waits for the page's new ticket
  #declined = false; // whoever declined once is not asked again by this element

  constructor() {
    super();
    this.#view = new View(this.attachShadow({ mode: 'open', delegatesFocus: true }), {
      start: () => this.start(),
      agree: () => this.#attempt?.agree(),
      cancel: () => this.cancel(),
      retry: () => this.retry(),
      reload: () => location.reload(),
      decline: () => this.decline(),
      camera: (id) => this.#changeCamera(id),
    });
    this.#challenge = new Challenge(this.#view.layer);
    this.#view.show(null);
  }

  /** @returns {import('./state.js').State} */
  get state() { return this.#model.state; }

  /** The page's own words, by the keys of texts.js; they win in every language. */
  get texts() { return this.#texts; }

  set texts(texts) {
    this.#texts = { ...texts };
    this.#render();
  }

  /** The page's way to a new session: called once for each attempt, and again after a loss. */
  get getTicket() { return this.#wishes.getTicket; }

  set getTicket(getTicket) {
    this.#wishes.getTicket = getTicket;
    if (this.isConnected) this.#autoStart();
  }

  /** The `deviceId` of the camera that is open, or would be; empty: whichever there is. */
  get camera() { return this.#attempt?.camera?.settings.deviceId ?? this.#wishes.camera; }

  connectedCallback() {
    upgrade(this, ['texts', 'getTicket']);
    this.#leaving.watch();
    navigator.mediaDevices?.addEventListener?.('devicechange', this.#ondevices);
    this.#render();
    this.#autoStart();
  }

  disconnectedCallback() {
    // A move within the page disconnects and connects again in one go: only a real removal ends the attempt.
    queueMicrotask(() => {
      if (this.isConnected) return;
      this.#leaving.stop();
      this.#guide.stop();
      navigator.mediaDevices?.removeEventListener?.('devicechange', this.#ondevices);
      this.#wishes.ticket = '';
      this.#release();
      if (isLive(this.#model.state)) this.#step({ move: 'cancel' });
      this.#clear(); // put back, it is as new
    });
  }

  /** @param {string} name @param {string | null} _old @param {string | null} value */
  attributeChangedCallback(name, _old, value) {
    if (name === 'ticket') {
      if (value === null) return; // our own removal
      this.#wishes.ticket = value;
      this.removeAttribute('ticket');
    }
    if (!this.isConnected) return;
    if (name === 'lang' || name === 'required') this.#render();
    else this.#autoStart();
  }

  /** Begin an attempt. Without effect while one is running. */
  start() {
    if (isLive(this.#model.state)) return;
    this.#retryAsked = false;
    this.#began = true;
    this.#release();
    const attempt = this.#attempt = new Attempt();
    this.#step({ move: this.#wishes.asksNothing ? 'start' : 'prepare' });
    this.#run(attempt).catch((error) => this.#fail(attempt, error));
  }

  /** The person gives up: the camera goes off and the server is told. */
  cancel() {
    if (!isLive(this.#model.state)) return;
    const connection = this.#attempt?.connection;
    if (this.#attempt) this.#attempt.connection = null; // it says goodbye by itself, `#release` would cut it short
    connection?.cancel();
    this.#release();
    this.#step({ move: 'cancel' });
    this.#emit('cancel', {});
  }

  /** As it was before the first attempt: no result, no end. One that runs is given up. */
  reset() {
    this.cancel();
    this.#clear();
    this.#autoStart();
  }

  formResetCallback() { this.reset(); }
  /** The person does not want to be recorded: the server removes what it has, and the attempt goes on. */
  decline() {
    this.#declined = true;
    // The notice stays until the server has agreed.
    this.#attempt?.connection?.send({ type: 'decline' });
  }

  /**
   * A new attempt needs a new ticket. With `getTicket` or `session-url` the element gets it by itself; else it asks the page by
   * `face-login:retry` and starts as soon as `session` and `ticket` are set.
   */
  retry() {
    if (!isEnd(this.#model.state)) return;
    if (this.#wishes.canStart) return this.start();
    this.#retryAsked = true;
    this.#emit('retry', {});
  }

  #clear() {
    this.#began = this.#retryAsked = false;
    this.#field.fill(null);
    this.#step({ move: 'reset' });
    this.#render();
  }

  /** @param {Attempt} attempt */
  async #run(attempt) {
    const end = this.#wishes.rehearsal;
    if (end !== null) {
      const { rehearse } = await import('./page/rehearsal.js');
      return rehearse(end, attempt.abort.signal, (move) => this.#step({ move }), (message) => this.#hear(attempt, message));
    }
    checkTheWay();
    if (this.#wishes.asksNothing) {
      // A session that cannot be had is known before anybody is asked for a camera. A page's only ticket is not spent on that.
      if (this.#wishes.canAskAgain) attempt.keep(await this.#wishes.takeTicket(attempt.abort.signal), performance.now());
    } else {
      const ticket = await this.#wishes.takeTicket(attempt.abort.signal);
      if (attempt !== this.#attempt) return;
      attempt.keep(ticket, performance.now());
      if (ticket.consent !== false) {
        const { ask } = await import('./consent.js');
        await ask(attempt, ticket, { box: this.#view.consent, languages: languagesOf(this), onask: () => this.#step({ move: 'ask' }) });
      }
      if (attempt === this.#attempt) this.#step({ move: 'start' });
    }
    if (attempt !== this.#attempt) return;
    const camera = await openCamera({ deviceId: this.#wishes.camera, signal: attempt.abort.signal });
    if (!this.#adopt(attempt, camera)) return;
    this.#step({ move: 'camera_ready' });
    await this.#connect(attempt);
  }

  /** A new session for this attempt. @param {Attempt} attempt */
  async #connect(attempt) {
    const ticket = attempt.early(performance.now(), this.#wishes.canAskAgain) ?? await this.#wishes.takeTicket(attempt.abort.signal);
    if (attempt !== this.#attempt || !attempt.camera) return;
    if (ticket.consent && !attempt.consent) throw new Trouble('consent_needed'); // the page said that it is a login
    const opened = attempt.camera; // may have been changed meanwhile
    const connection = attempt.connection = new Connection({
      ticket,
      stream: opened.stream,
      track: opened.track,
      hello: hello(WIDGET, opened.settings, { kind: opened.kind, lessMotion: wantsLessMotion() }),
      consent: attempt.consent,
      patience: attempt.patience(performance.now()),
      onmessage: (message) => this.#hear(attempt, message),
      onfault: (trouble) => this.#fail(attempt, trouble),
      onslow: () => attempt === this.#attempt && this.#step({ slow: true }),
      onwait: (wait) => this.#wait(attempt, wait),
    });
    connection.open();
  }

  /** @param {Attempt} attempt @param {import('./camera.js').Camera} camera @returns {boolean} false: it came too late and was closed */
  #adopt(attempt, camera) {
    if (attempt !== this.#attempt) {
      camera.close();
      return false;
    }
    attempt.camera = camera;
    camera.onended = () => this.#fail(attempt, new Trouble('camera_ended'));
    this.#view.show(camera.stream, this.#wishes.mirrored(camera.mirrored));
    this.#ondevices();
    return true;
  }

  /** @param {Attempt} attempt @param {import('./protocol.js').ServerMessage} message */
  #hear(attempt, message) {
    if (attempt !== this.#attempt) return;
    attempt.mended();
    switch (message.type) {
      case 'welcome':
        this.#step({ recorded: message.recorded });
        if (message.recorded && this.#declined) this.decline();
        this.#step({ move: 'framing' });
        break;
      case 'recording': this.#step({ recorded: message.recorded }); break;
      case 'phase':
        // The three ends wait for the verdict, which alone carries reasons and token.
        // Evidence that is thrown away needs no answer any more.
        if (message.phase === 'framing') this.#paint(attempt, null);
        if (message.phase === 'framing' || message.phase === 'gathering') this.#step({ move: message.phase });
        break;
      case 'progress': this.#step({ progress: message.fraction }); break;
      case 'hint': this.#step({ hint: message.hint }); break;
      case 'challenge': this.#paint(attempt, message); break;
      case 'verdict': this.#end(attempt, message); break;
      case 'error':
        // A refused message of ours is our bug and ends nothing; any other problem ends the attempt.
        if (!message.error.code.startsWith('message_')) this.#fail(attempt, new ServerProblem(message.error));
        break;
    }
  }

  /** @param {Attempt} attempt @param {import('./line.js').Wait | null} wait */
  #wait(attempt, wait) {
    if (attempt !== this.#attempt) return;
    if (wait) attempt.waits(performance.now());
    this.#step(wait ? { move: 'wait', wait } : { move: 'enter' });
  }

  /** @param {Attempt} attempt @param {import('./protocol.js').ChallengeMessage | null} message */
  #paint(attempt, message) {
    if (!message) {
      this.#challenge.stop();
      return this.#step({ lit: false });
    }
    this.#step({ lit: true });
    this.#challenge.start(message.steps, ({ step, ms }) => attempt.connection?.send({ type: 'painted', n: message.n, step, ms: Math.round(10 * ms) / 10 }));
  }

  /** @param {Attempt} attempt @param {Verdict} verdict */
  #end(attempt, verdict) {
    if (attempt !== this.#attempt) return;
    const { camera } = this;
    this.#release();
    if (verdict.outcome === 'accepted') {
      this.#field.fill(verdict.token);
      this.#step({ move: 'accept' });
      this.#emit('success', { token: verdict.token, expiresIn: verdict.expires_in_s, camera });
    } else {
      const { outcome, reasons, retry } = verdict;
      const hint = this.#guide.longest(performance.now());
      this.#finish({ move: outcome === 'rejected' ? 'reject' : 'expire', reasons, retry, hint, again_s: verdict.wait_s ?? null },
        'failure', () => ({ outcome, reasons: [...reasons], do: this.#do, retry, ...(outcome === 'expired' && hint && { hint }) }));
    }
  }

  /** @param {Attempt} attempt @param {unknown} error */
  #fail(attempt, error) {
    if (attempt !== this.#attempt) return; // of an attempt that is over
    const trouble = error instanceof Trouble ? error : new Trouble('internal', { cause: error });
    const { code, text, retry, again_s } = trouble;
    const plan = this.#wishes.canAskAgain ? attempt.after(trouble, this.#model.state, performance.now()) : null;
    if (plan) {
      attempt.disconnect();
      this.#challenge.stop();
      if (plan.lost) this.#step({ move: 'lose', problem: code });
      // The camera stays on: asking for it again could bring a prompt, and somebody is looking into it.
      setTimeout(() => attempt === this.#attempt && this.#connect(attempt).catch((failed) => this.#fail(attempt, failed)), plan.pause);
      return;
    }
    this.#release();
    this.#finish({ move: 'fail', problem: code, text, retry, again_s }, 'error', () => {
      tellDevelopers(code);
      return { code, text: sentence(this.#model, this.#wishes.language, this.#texts), do: this.#do, retry };
    });
  }

  /** An end that needs words: the camera is off, and they are here or come. @param {import('./state.js').MoveInput} move @param {string} name @param {() => object} detail */
  async #finish(move, name, detail) {
    const ending = this.#ending = {};
    await loadEnds();
    if (ending !== this.#ending) return; // cancelled or removed meanwhile
    this.#step(move);
    this.#emit(name, detail(), true);
  }

  get #do() { return whatToDo(this.#model, this.#wishes.language, this.#texts); }
  /** Let go of camera and connection; whatever they still say is of an attempt that is over. */
  #release() {
    const attempt = this.#attempt;
    this.#attempt = null;
    this.#ending = {};
    attempt?.close();
    this.#challenge.stop();
    this.#view.show(null);
  }

  /** @param {string} id */
  async #changeCamera(id) {
    this.setAttribute('camera', id);
    const attempt = this.#attempt;
    if (!attempt?.camera) return; // the next attempt takes it
    this.#guide.changed();
    // Closed first: many systems cannot open two cameras at once.
    attempt.camera.close();
    try {
      const camera = await openCamera({ deviceId: id, signal: attempt.abort.signal });
      if (this.#adopt(attempt, camera)) await attempt.connection?.replaceTrack(camera.track);
    } catch (error) {
      this.#fail(attempt, error);
    }
  }

  #autoStart() {
    const wanted = this.#retryAsked || (this.#wishes.startsByItself && !this.#began);
    // After the caller's other attributes: a template sets them one by one.
    if (wanted) queueMicrotask(() => {
      if (this.isConnected && this.#wishes.canStart && (this.#retryAsked || !this.#began)) this.start();
    });
  }

  /** @param {Input} input */
  #step(input) {
    const before = this.#model;
    this.#model = step(before, input);
    if (this.#model === before) return;
    this.#guide.saw(before, this.#model, performance.now());
    this.#render();
    const { state, hint, wait, lost } = this.#model;
    if (state !== before.state || wait !== before.wait || lost !== before.lost && lost) {
      this.#emit('phase', { phase: state, camera: this.camera, ...(wait && { ahead: wait.ahead, wait_s: wait.wait_s }), ...(lost && { lost }) });
    }
    if (hint !== before.hint) this.#emit('hint', { hint });
  }

  /** @param {string} name @param {object} detail @param {boolean} [cancelable]  the page may say this end itself */
  #emit(name, detail, cancelable = false) {
    if (!announce(this, name, detail, cancelable)) this.#step({ mute: true });
  }

  #render() {
    const language = this.#wishes.language;
    if (!textsOf(language)) load(language).then(() => this.#render());
    this.#view.render(this.#model, { language, own: this.#texts, cameras: this.#cameras, cameraId: this.camera });
    this.#field.check(say('problem_face_wanted', language, this.#texts), this.#view.anchor);
  }

  #ondevices = async () => {
    if (!this.#attempt?.camera && this.#cameras.length === 0) return; // before the first grant there are no labels to choose by
    this.#cameras = await listCameras();
    this.#render();
  };

  #leave() { // who reads may look something up
    if (this.#attempt && isLive(this.#model.state) && this.#model.state !== 'consenting') this.#fail(this.#attempt, new Trouble('page_hidden'));
  }
}
