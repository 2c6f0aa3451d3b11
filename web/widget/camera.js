// The camera: asking for it, naming what went wrong, choosing among several, letting go.
// No network and no rendering; what the browser throws becomes a stable code.
// Source: W3C Media Capture and Streams, section 10.2 (getUserMedia and its error names).

import { environment } from './environment.js';

/** What went wrong, as a stable code; `cause` keeps the browser's own error for a debugger. */
export class Trouble extends Error {
  /**
   * @param {string} code
   * @param {{retry?: boolean, text?: string, passing?: boolean, again_s?: number | null, cause?: unknown}} [options]  retry: whether trying again may help;
   *   text: what to say when texts.js does not know the code; passing: whether it may be over within seconds;
   *   again_s: seconds until a new attempt makes sense
   */
  constructor(code, { retry = true, text = '', passing = false, again_s = null, cause } = {}) {
    super(code, { cause });
    this.name = 'Trouble';
    this.code = code;
    this.retry = retry;
    this.text = text;
    this.passing = passing;
    this.again_s = again_s;
  }
}

/** getUserMedia's error names; the names are the standard's, the messages differ between browsers and are never read. */
const ERROR_CODES = new Map([
  ['NotAllowedError', 'camera_denied'],
  ['PermissionDeniedError', 'camera_denied'], // old Chromium web views
  ['SecurityError', 'camera_denied'],
  ['NotFoundError', 'camera_missing'],
  ['DevicesNotFoundError', 'camera_missing'], // old Chromium web views
  ['NotReadableError', 'camera_busy'],
  ['TrackStartError', 'camera_busy'], // old Chromium web views
  ['AbortError', 'camera_busy'],
  ['OverconstrainedError', 'camera_unsuitable'],
]);

/** All codes that a camera can cause. */
export const CAMERA_CODES = Object.freeze([
  'camera_denied', 'camera_dismissed', 'camera_policy', 'camera_frame', 'camera_missing', 'camera_busy', 'camera_unsuitable', 'camera_insecure',
  'camera_ended', 'camera_failed', 'browser_unsupported',
]);

/**
 * @param {unknown} error  what getUserMedia rejected with
 * @returns {string} a code of CAMERA_CODES
 */
export function cameraCode(error) {
  const name = typeof error === 'object' && error !== null && 'name' in error ? String(error.name) : '';
  return ERROR_CODES.get(name) ?? 'camera_failed';
}

/**
 * What is known to be in the way before anybody is asked for anything.
 * @throws {Trouble}
 */
export function checkTheWay() {
  const policy = 'permissionsPolicy' in document ? document.permissionsPolicy : 'featurePolicy' in document ? document.featurePolicy : undefined;
  // @ts-ignore: in Chromium only; the others refuse the camera instead
  const allowed = policy?.allowsFeature?.('camera') ?? true;
  const code =
    !window.isSecureContext ? 'camera_insecure' // where browsers hide mediaDevices altogether
    : !environment.getUserMedia || !environment.RTCPeerConnection ? 'browser_unsupported'
    : window.parent !== window && globalThis.origin === 'null' ? 'camera_frame'
    : allowed ? null : 'camera_policy';
  if (code) throw new Trouble(code, { retry: false });
}

/**
 * What an error means, by what else the browser tells: the same name stands for a no and for a question that was closed, and WebKitGTK calls no
 * camera at all an unsuitable one.
 * @param {unknown} error
 * @returns {Promise<string>} a code of CAMERA_CODES
 */
async function causeOf(error) {
  const code = cameraCode(error);
  try {
    if (code === 'camera_denied' && (await navigator.permissions.query({ name: /** @type {PermissionName} */ ('camera') })).state === 'prompt') return 'camera_dismissed';
    if (code === 'camera_unsuitable' && !(await navigator.mediaDevices.enumerateDevices()).some(({ kind }) => kind === 'videoinput')) return 'camera_missing';
  } catch { /* then the name is all there is */ }
  return code;
}

/**
 * What the server wants to see: 640x480 at 15 frames a second is what its limits and its models are made for.
 * All are wishes (`ideal`), so that an odd camera works at all; only a camera that the person chose is exact.
 * @param {string} [deviceId]
 * @returns {MediaStreamConstraints}
 */
export function constraints(deviceId) {
  /** @type {MediaTrackConstraints} */
  const video = { width: { ideal: 640 }, height: { ideal: 480 }, frameRate: { ideal: 15 } };
  if (deviceId) video.deviceId = { exact: deviceId };
  else video.facingMode = 'user';
  return { video, audio: false };
}

/**
 * Open the camera.
 * @param {{deviceId?: string, signal: AbortSignal}} options  an abort while the person is being asked frees the camera as soon as it comes
 * @returns {Promise<Camera>}
 * @throws {Trouble}
 */
export async function openCamera({ deviceId = '', signal }) {
  /** @type {MediaStream} */
  let stream;
  try {
    stream = await ask(deviceId);
  } catch (error) {
    throw new Trouble(await causeOf(error), { cause: error });
  }
  const track = stream.getVideoTracks()[0];
  if (signal.aborted || !track) {
    for (const each of stream.getTracks()) each.stop();
    throw new Trouble(track ? 'cancelled' : 'camera_missing');
  }
  return new Camera(stream, track);
}

/** @param {string} deviceId @returns {Promise<MediaStream>} */
async function ask(deviceId) {
  try {
    return await environment.getUserMedia(constraints(deviceId));
  } catch (error) {
    // The remembered camera is unplugged: any other is better than none.
    if (!deviceId || !['camera_unsuitable', 'camera_missing'].includes(cameraCode(error))) throw error;
    return environment.getUserMedia(constraints());
  }
}

/** Names by which virtual cameras are known; whoever wants to hide can choose another. */
const VIRTUAL = /virtual|obs\b|manycam|snap camera|xsplit|v4l2loopback|dummy video|mmhmm|camtwist|deepfacelive|e2esoft|vcam|unity|sparkocam|splitcam|fake/i;

/**
 * What sort of camera a name tells of; only this is sent, never the name, which may hold a person's own.
 * @param {string} label  of MediaStreamTrack
 * @returns {'virtual' | 'phone' | 'integrated' | 'usb' | 'unknown'}
 */
export function cameraKind(label) {
  if (VIRTUAL.test(label)) return 'virtual';
  if (/\b(droidcam|iriun|epoccam|camo|iphone|ipad|android|camera ?2?.*facing (front|back)|front camera|back camera|continuity)/i.test(label)) return 'phone';
  if (/integrated|built-?in|facetime|internal|laptop|easycamera|truevision/i.test(label)) return 'integrated';
  if (/usb|webcam|logi|\([0-9a-f]{4}:[0-9a-f]{4}\)/i.test(label)) return 'usb'; // Chromium names vendor and product, as (046d:0825)
  return 'unknown';
}

/** An open camera: one stream with one video track. */
export class Camera {
  /** Called once when the device went away by itself (unplugged, permission taken back), not after `close`. */
  onended = () => {};

  /** @param {MediaStream} stream @param {MediaStreamTrack} track */
  constructor(stream, track) {
    this.stream = stream;
    this.track = track;
    track.onended = () => this.onended();
  }

  /** @returns {MediaTrackSettings} */
  get settings() {
    return this.track.getSettings?.() ?? {};
  }

  get kind() {
    return cameraKind(this.track.label);
  }

  /** Whether the picture is shown as in a mirror: always, but for a camera that looks away from the person. */
  get mirrored() {
    return this.settings.facingMode !== 'environment';
  }

  close() {
    this.onended = () => {};
    this.track.onended = null;
    for (const track of this.stream.getTracks()) track.stop();
  }
}

/**
 * The cameras there are. Labels are empty before the person has granted the camera once.
 * @returns {Promise<{id: string, label: string}[]>}
 */
export async function listCameras() {
  try {
    const devices = await navigator.mediaDevices.enumerateDevices();
    return devices.filter((d) => d.kind === 'videoinput' && d.deviceId !== '').map((d) => ({ id: d.deviceId, label: d.label }));
  } catch {
    return []; // a choice is a comfort: without it the default camera is used
  }
}
