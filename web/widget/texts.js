// What the element says to people, by code and by language.
// No logic but the look-up: own words of the page first, then the language, then English, then a generic sentence.
// Keys: state_*, hint_*, reason_*, problem_*, button_*, label_*; a test holds every code of the wire against them.

/** @typedef {Record<string, string>} Texts */

/** @type {Texts} */
const en = {
  state_idle: 'Ready when you are. The camera is on only until this is done.',
  state_preparing: 'One moment…',
  state_consenting: 'Please read this before the camera opens.',
  state_asking_camera: 'Please allow the camera in your browser.',
  state_connecting: 'Connecting…',
  state_waiting: 'Many people are here right now. Please wait. It starts by itself.',
  state_lost: 'That was interrupted. It starts again by itself…',
  state_framing: 'Place your face inside the oval.',
  state_gathering: 'Good. Keep looking at the camera.',
  state_lit: 'Hold still. Your screen changes its colour for a few seconds.',
  state_accepted: 'Done.',
  state_rejected: 'That did not work.',
  state_expired: 'Time is up.',
  state_failed: 'Something went wrong.',
  state_cancelled: 'Cancelled. The camera is off.',
  hint_no_face: 'No face in view. Look into the camera.',
  hint_one_face_only: 'Only one person, please.',
  hint_come_closer: 'Come closer.',
  hint_move_back: 'Move back a little.',
  hint_center_face: 'Move your face to the middle.',
  hint_look_at_camera: 'Look straight into the camera.',
  hint_hold_still: 'Hold still for a moment.',
  hint_more_light: 'Too dark. Find more light.',
  hint_less_light: 'Too bright. Turn away from the light.',
  hint_uncover_face: 'Uncover your face: no mask, hand or dark glasses.',
  hint_camera_frozen: 'The picture is frozen. Check your camera.',
  hint_camera_dark: 'The picture is black. Is the camera covered?',
  hint_camera_slow: 'The camera is slow. Close other programs that use it.',
  hint_camera_gray: 'The camera shows no colour. Choose another camera, or switch its colours on.',
  hint_connection_slow: 'Your connection is slow. Move closer to the Wi-Fi, or pause downloads.',
  hint_open_eyes: 'Open your eyes and look into the camera. Take off dark glasses.',
  hint_face_lost: 'We keep losing sight of your face. Stay in view, in even light.',
  hint_face_changes: 'The picture keeps showing another face. Only one person, please.',
  hint_picture_jumps: 'The picture keeps jumping. Switch off effects and virtual cameras.',
  hint_turn_slowly: 'Turn your head slowly.',
  hint_turn_left: 'Turn your head to your left.',
  hint_turn_right: 'Turn your head to your right.',
  hint_look_up: 'Look up, to the ceiling.',
  hint_look_down: 'Look down, to the floor.',
  hint_unknown: 'Look into the camera and follow the oval.',
  reason_no_match: 'Your face was not recognised.',
  reason_liveness: 'We could not make sure that a real person is in front of the camera.',
  reason_quality: 'The picture was not good enough. Try with more even light.',
  reason_timeout: 'It took too long.',
  reason_cancelled: 'It was cancelled.',
  reason_disconnected: 'The connection was interrupted.',
  reason_internal: 'The server had a problem.',
  reason_unknown: 'It was refused.',
  problem_camera_denied: 'The camera is blocked. Allow it in the address bar or in your system settings, then try again.',
  problem_camera_missing: 'No camera was found. Connect one, then try again.',
  problem_camera_busy: 'The camera is used by another program. Close it, then try again.',
  problem_camera_unsuitable: 'This camera cannot be used. Choose another one.',
  problem_camera_insecure: 'The camera works only on a secure page (https).',
  problem_camera_ended: 'The camera was switched off or unplugged.',
  problem_camera_failed: 'The camera could not be started.',
  problem_browser_unsupported: 'This browser cannot do this. Use a current Firefox, Chrome, Edge or Safari.',
  problem_ticket_missing: 'This page did not start a session. Reload it and try again.',
  problem_ticket_failed: 'A session could not be started. Try again in a moment.',
  problem_server_unreachable: 'The server cannot be reached. Check your connection.',
  problem_server_answer: 'The server gave an answer that makes no sense.',
  problem_server_silent: 'The server stopped answering.',
  problem_connect_timeout: 'The connection took too long. Your network may block video.',
  problem_connection_failed: 'The connection could not be made. Your network may block video.',
  problem_connection_lost: 'The connection was lost.',
  problem_page_hidden: 'Stopped, because this page was left.',
  problem_internal: 'Something went wrong in this page.',
  problem_unknown: 'The server could not do this now.',
  problem_busy: 'Too many people at once. Try again in a moment.',
  problem_too_many_requests: 'Too many attempts. Wait a moment, then try again.',
  problem_too_many_sessions: 'Another attempt is still running. Wait a moment, then try again.',
  problem_too_many_connections: 'Too many people at once. Try again in a moment.',
  problem_session_replaced: 'A newer attempt took over from this one.',
  problem_too_many_failures: 'Too many failed attempts. Wait a while, then try again.',
  problem_face_disabled: 'Too many failed attempts in all. Log in another way; that unlocks your face.',
  problem_ticket_invalid: 'This session has run out. Try again.',
  problem_consent_needed: 'This needs your consent. Try again to read what is asked.',
  problem_ticket_used: 'This session was already used. Try again.',
  problem_origin_not_allowed: 'This page may not use this server.',
  problem_store_unavailable: 'The server has a problem with its database. Try again in a moment.',
  problem_video_too_large: 'The picture of this camera is too large. Choose a smaller one or another camera.',
  problem_server_stopping: 'The server is being restarted. Try again in a moment.',
  button_start: 'Start',
  button_agree: 'I agree',
  button_cancel: 'Cancel',
  button_retry: 'Try again',
  button_decline: 'Do not record',
  label_element: 'Face check',
  label_video: 'Your camera picture, mirrored',
  label_progress: 'Progress',
  label_camera: 'Camera',
  label_camera_number: 'Camera {n}',
  label_recorded: 'This session is recorded.',
  label_ahead: '{n} people are before you.',
  label_ahead_1: 'One person is before you.',
  label_ahead_0: 'You are next.',
  label_wait_second: 'It takes about a second.',
  label_wait_soon: 'It takes a few seconds.',
  label_wait_seconds: 'It takes about {n} seconds.',
  label_wait_minute: 'It takes about a minute.',
  label_wait_minutes: 'It takes about {n} minutes.',
};

/** @type {Texts} */
const de = {
  state_idle: 'Es kann losgehen. Die Kamera läuft nur, bis es fertig ist.',
  state_preparing: 'Einen Moment…',
  state_consenting: 'Bitte lesen Sie das, bevor die Kamera angeht.',
  state_asking_camera: 'Bitte erlauben Sie die Kamera im Browser.',
  state_connecting: 'Verbindung wird hergestellt …',
  state_waiting: 'Gerade sind viele Leute hier. Bitte warten Sie. Es geht von selbst los.',
  state_lost: 'Das wurde unterbrochen. Es geht von selbst weiter …',
  state_framing: 'Bringen Sie Ihr Gesicht in das Oval.',
  state_gathering: 'Gut. Schauen Sie weiter in die Kamera.',
  state_lit: 'Halten Sie still. Ihr Bildschirm wechselt einige Sekunden lang die Farbe.',
  state_accepted: 'Fertig.',
  state_rejected: 'Das hat nicht geklappt.',
  state_expired: 'Die Zeit ist abgelaufen.',
  state_failed: 'Etwas ist schiefgegangen.',
  state_cancelled: 'Abgebrochen. Die Kamera ist aus.',
  hint_no_face: 'Kein Gesicht zu sehen. Schauen Sie in die Kamera.',
  hint_one_face_only: 'Bitte nur eine Person.',
  hint_come_closer: 'Kommen Sie näher.',
  hint_move_back: 'Gehen Sie etwas zurück.',
  hint_center_face: 'Bringen Sie Ihr Gesicht in die Mitte.',
  hint_look_at_camera: 'Schauen Sie gerade in die Kamera.',
  hint_hold_still: 'Halten Sie kurz still.',
  hint_more_light: 'Zu dunkel. Sorgen Sie für mehr Licht.',
  hint_less_light: 'Zu hell. Drehen Sie sich vom Licht weg.',
  hint_uncover_face: 'Gesicht frei machen: keine Maske, Hand oder dunkle Brille.',
  hint_camera_frozen: 'Das Bild steht still. Prüfen Sie die Kamera.',
  hint_camera_dark: 'Das Bild ist schwarz. Ist die Kamera verdeckt?',
  hint_camera_slow: 'Die Kamera ist langsam. Schließen Sie andere Programme, die sie nutzen.',
  hint_camera_gray: 'Die Kamera zeigt keine Farben. Wählen Sie eine andere, oder schalten Sie ihre Farben ein.',
  hint_connection_slow: 'Ihre Verbindung ist langsam. Gehen Sie näher ans WLAN, oder halten Sie Downloads an.',
  hint_open_eyes: 'Öffnen Sie die Augen und schauen Sie in die Kamera. Nehmen Sie dunkle Brillen ab.',
  hint_face_lost: 'Ihr Gesicht geht immer wieder verloren. Bleiben Sie im Bild, bei gleichmäßigem Licht.',
  hint_face_changes: 'Das Bild zeigt immer wieder ein anderes Gesicht. Bitte nur eine Person.',
  hint_picture_jumps: 'Das Bild springt immer wieder. Schalten Sie Effekte und virtuelle Kameras aus.',
  hint_turn_slowly: 'Drehen Sie langsam den Kopf.',
  hint_turn_left: 'Drehen Sie den Kopf nach links.',
  hint_turn_right: 'Drehen Sie den Kopf nach rechts.',
  hint_look_up: 'Schauen Sie nach oben, zur Decke.',
  hint_look_down: 'Schauen Sie nach unten, zum Boden.',
  hint_unknown: 'Schauen Sie in die Kamera, das Gesicht im Oval.',
  reason_no_match: 'Ihr Gesicht wurde nicht erkannt.',
  reason_liveness: 'Es war nicht sicher, dass ein Mensch vor der Kamera ist.',
  reason_quality: 'Das Bild war nicht gut genug. Versuchen Sie es mit gleichmäßigerem Licht.',
  reason_timeout: 'Es hat zu lange gedauert.',
  reason_cancelled: 'Es wurde abgebrochen.',
  reason_disconnected: 'Die Verbindung wurde unterbrochen.',
  reason_internal: 'Der Server hatte ein Problem.',
  reason_unknown: 'Es wurde abgelehnt.',
  problem_camera_denied: 'Die Kamera ist gesperrt. Erlauben Sie sie in der Adressleiste oder in den Systemeinstellungen und versuchen Sie es noch einmal.',
  problem_camera_missing: 'Keine Kamera gefunden. Schließen Sie eine an und versuchen Sie es noch einmal.',
  problem_camera_busy: 'Ein anderes Programm benutzt die Kamera. Schließen Sie es und versuchen Sie es noch einmal.',
  problem_camera_unsuitable: 'Diese Kamera geht nicht. Wählen Sie eine andere.',
  problem_camera_insecure: 'Die Kamera geht nur auf einer sicheren Seite (https).',
  problem_camera_ended: 'Die Kamera wurde ausgeschaltet oder abgezogen.',
  problem_camera_failed: 'Die Kamera ließ sich nicht starten.',
  problem_browser_unsupported: 'Dieser Browser kann das nicht. Nehmen Sie einen aktuellen Firefox, Chrome, Edge oder Safari.',
  problem_ticket_missing: 'Diese Seite hat keine Sitzung begonnen. Laden Sie sie neu.',
  problem_ticket_failed: 'Es konnte keine Sitzung begonnen werden. Versuchen Sie es gleich noch einmal.',
  problem_server_unreachable: 'Der Server ist nicht erreichbar. Prüfen Sie Ihre Verbindung.',
  problem_server_answer: 'Der Server hat unverständlich geantwortet.',
  problem_server_silent: 'Der Server antwortet nicht mehr.',
  problem_connect_timeout: 'Die Verbindung hat zu lange gedauert. Vielleicht sperrt Ihr Netz Video.',
  problem_connection_failed: 'Keine Verbindung möglich. Vielleicht sperrt Ihr Netz Video.',
  problem_connection_lost: 'Die Verbindung ist abgerissen.',
  problem_page_hidden: 'Beendet, weil diese Seite verlassen wurde.',
  problem_internal: 'In dieser Seite ist etwas schiefgegangen.',
  problem_unknown: 'Der Server konnte das gerade nicht.',
  problem_busy: 'Zu viele Leute gleichzeitig. Versuchen Sie es gleich noch einmal.',
  problem_too_many_requests: 'Zu viele Versuche. Warten Sie kurz und versuchen Sie es noch einmal.',
  problem_too_many_sessions: 'Ein anderer Versuch läuft noch. Warten Sie kurz und versuchen Sie es noch einmal.',
  problem_too_many_connections: 'Zu viele Leute gleichzeitig. Versuchen Sie es gleich noch einmal.',
  problem_session_replaced: 'Ein neuerer Versuch hat diesen abgelöst.',
  problem_too_many_failures: 'Zu viele Fehlversuche. Warten Sie eine Weile und versuchen Sie es noch einmal.',
  problem_face_disabled: 'Zu viele Fehlversuche insgesamt. Melden Sie sich auf anderem Weg an; das schaltet Ihr Gesicht wieder frei.',
  problem_ticket_invalid: 'Diese Sitzung ist abgelaufen. Versuchen Sie es noch einmal.',
  problem_consent_needed: 'Dafür braucht es Ihre Einwilligung. Versuchen Sie es noch einmal, um zu lesen, worum es geht.',
  problem_ticket_used: 'Diese Sitzung wurde schon benutzt. Versuchen Sie es noch einmal.',
  problem_origin_not_allowed: 'Diese Seite darf diesen Server nicht benutzen.',
  problem_store_unavailable: 'Der Server hat ein Problem mit seiner Datenbank. Versuchen Sie es gleich noch einmal.',
  problem_video_too_large: 'Das Bild dieser Kamera ist zu groß. Wählen Sie ein kleineres oder eine andere Kamera.',
  problem_server_stopping: 'Der Server startet neu. Versuchen Sie es gleich noch einmal.',
  button_start: 'Starten',
  button_agree: 'Ich willige ein',
  button_cancel: 'Abbrechen',
  button_retry: 'Noch einmal',
  button_decline: 'Nicht aufzeichnen',
  label_element: 'Gesichtsprüfung',
  label_video: 'Ihr Kamerabild, gespiegelt',
  label_progress: 'Fortschritt',
  label_camera: 'Kamera',
  label_camera_number: 'Kamera {n}',
  label_recorded: 'Diese Sitzung wird aufgezeichnet.',
  label_ahead: '{n} Personen sind vor Ihnen.',
  label_ahead_1: 'Eine Person ist vor Ihnen.',
  label_ahead_0: 'Sie sind als Nächstes dran.',
  label_wait_second: 'Es dauert etwa eine Sekunde.',
  label_wait_soon: 'Es dauert einige Sekunden.',
  label_wait_seconds: 'Es dauert etwa {n} Sekunden.',
  label_wait_minute: 'Es dauert etwa eine Minute.',
  label_wait_minutes: 'Es dauert etwa {n} Minuten.',
};

/** @type {Readonly<Record<string, Texts>>} */
export const LANGUAGES = Object.freeze({ en, de });

/**
 * The first language of a list that we speak.
 * @param {readonly (string | null | undefined)[]} wanted  BCP 47 tags, best first
 * @returns {string}
 */
export function pickLanguage(wanted) {
  for (const tag of wanted) {
    const primary = tag?.toLowerCase().split(/[-_]/)[0] ?? '';
    if (Object.hasOwn(LANGUAGES, primary)) return primary;
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
    for (const texts of [own, LANGUAGES[language] ?? en, en]) {
      if (Object.hasOwn(texts, k)) return String(texts[k]);
    }
  }
  return say('problem_unknown', language, own);
}

/** Reasons and problems that a slow line can be behind: pictures that were too few or too poor, words that were lost. */
const OF_THE_LINE = ['timeout', 'quality', 'liveness', 'disconnected', 'server_silent', 'connection_lost'];

/**
 * The sentence that a state shows.
 * @param {Readonly<import('./state.js').Model>} model
 * @param {string} language
 * @param {Readonly<Texts>} [own]
 * @returns {string}
 */
export function sentence(model, language, own) {
  if (model.problem !== null) {
    const key = `problem_${model.problem}`;
    const known = Object.hasOwn(own ?? {}, key) || Object.hasOwn(en, key);
    if (model.slow && OF_THE_LINE.includes(model.problem)) return `${say(key, language, own)} ${say('hint_connection_slow', language, own)}`;
    return known ? say(key, language, own) : model.text || say(key, language, own);
  }
  if ((model.state === 'framing' || model.state === 'gathering') && model.hint !== null) return say(`hint_${model.hint}`, language, own);
  const first = say(`state_${model.lit ? 'lit' : model.state === 'connecting' && model.lost ? 'lost' : model.state}`, language, own);
  const why = model.reasons.map((reason) => say(`reason_${reason}`, language, own));
  if (model.slow && model.reasons.some((reason) => OF_THE_LINE.includes(reason))) why.push(say('hint_connection_slow', language, own));
  return [first, ...why].join(' ');
}

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
