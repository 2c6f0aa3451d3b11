// The login page: asks the server what is next, and does it. It decides nothing, and the table of steps is the server's
// (server/factors/steps.py). The camera's part is the element <face-login>. Source: docs/oidc.md, "The login page".

import { deviceKey, signWithDeviceKey } from './device-key.js';
import { signWithPasskey, supported } from './passkey.js';
import { Refusal, one, paint, post, talk } from './talk.js';
import { TEXTS } from './texts.js';

/** @typedef {import('./talk.js').Said} Said */

/** @type {Said} */
const data = JSON.parse(document.body.dataset.login ?? '{}');
const words = TEXTS[data.lang] ?? TEXTS.en ?? {};
const { ways, app } = data;
let recovery = false;
let token = ''; // of the face, until a code was checked

const { say, tell, run } = talk(words, app, (code) => { if (['login_over', 'login_foreign', 'login_step', 'oidc_redirect_uri'].includes(code)) hideAll(); });
const element = one('face-login');

function hideAll() {
  for (const section of document.querySelectorAll('section')) section.hidden = true;
}

/** Go on from where the login stands. @param {Said} said @returns {Promise<void>} */
async function go(said) {
  if (said.location) return leave(said);
  const { state, subject } = said;
  hideAll();
  one('#who').hidden = !(state === 'who' || (state === 'key' && !ways.no_key));
  one('#people').hidden = state !== 'who';
  one('#other').hidden = state !== 'who' || !(ways.named || ways.anybody);
  one('#face').hidden = state !== 'face';
  one('#otp').hidden = state !== 'otp';
  one('#as').hidden = !subject;
  one('#as b').textContent = subject ?? '';
  element.setAttribute('purpose', subject ? 'login' : 'identify');
  if (one('#passkey').hidden && !(ways.named || ways.anybody)) tell('need_key'); // and this browser can show none
  // What was pressed is gone: the keyboard goes on from the top of what came.
  if (document.activeElement === document.body) one('#title').focus();
  if (state === 'key') return byDeviceKey(said);
  if (state === 'face') element.start();
  if (state === 'otp') one('#code').focus();
}

async function byPasskey() {
  const { options } = await post('key-options');
  await go(await post('key', await signWithPasskey(options)));
}

/** A name was given: a key of this browser, else on without one. @param {Said} said @returns {Promise<void>} */
async function byDeviceKey({ subject }) {
  const held = ways.device_key ? await deviceKey(`${data.of} ${subject}`) : undefined;
  if (held) {
    try {
      const { options } = await post('key-options');
      return await go(await post('key', await signWithDeviceKey(held, options.challenge)));
    } catch (error) {
      if (!ways.no_key || !(error instanceof Refusal) || error.code !== 'key_refused') throw error;
    }
  }
  if (!ways.no_key) return tell('need_key');
  one('#face').hidden = false;
  element.start();
}

/** @param {object} who */
const as = (who) => run(async () => go(await post('who', who)));

/** Not by a redirect: `form-action` would hold over all redirects that follow. @param {Said} said */
function leave({ location: to, fields }) {
  hideAll();
  if (!fields) return location.replace(to ?? '/');
  const form = document.createElement('form');
  form.method = 'post';
  form.action = to ?? '/';
  for (const [name, value] of Object.entries(fields)) {
    const input = document.createElement('input');
    Object.assign(input, { type: 'hidden', name, value });
    form.append(input);
  }
  document.body.append(form);
  form.submit();
}

/** @param {string} name @param {boolean} kept  whether this browser remembers it, and can forget it */
function person(name, kept) {
  const row = document.createElement('li');
  const enter = document.createElement('button');
  enter.textContent = say('as', name);
  enter.onclick = () => as({ name });
  row.append(enter);
  if (kept) {
    const forget = document.createElement('button');
    forget.textContent = '✕';
    forget.title = say('forget', name);
    forget.setAttribute('aria-label', forget.title);
    forget.onclick = () => run(async () => {
      await post('forget', { name });
      row.remove();
    });
    row.append(forget);
  }
  one('#people').append(row);
}

function codeWords() {
  one('#coded label').textContent = say(recovery ? 'recovery' : 'otp');
  one('#recovery').textContent = say(recovery ? 'use_otp' : 'use_recovery');
  one('#code').inputMode = recovery ? 'text' : 'numeric';
  one('#code').value = '';
}

document.title = one('#title').textContent = say('title');
one('#host').textContent = data.host;
const labels = { '#passkey': 'passkey', summary: 'other', '#named label': 'name', '#named button': 'go', '#anybody': 'anybody', '#again': 'again', '#alone': 'alone', '#coded button': 'go', '#cancel': 'cancel' };
for (const [css, key] of Object.entries(labels)) one(css).textContent = say(key);
codeWords();
if (data.accent) paint(data.accent);
element.lang = data.lang;
one('#passkey').hidden = !(ways.passkey && supported);
one('#other').open = one('#passkey').hidden;
one('#named').hidden = !ways.named;
one('#anybody').hidden = !ways.anybody;
one('#alone').hidden = !ways.key_alone;
if (ways.named && data.hint) person(data.hint, false);
for (const name of data.people) if (name !== data.hint) person(name, true);

one('#passkey').onclick = () => run(byPasskey);
one('#anybody').onclick = () => as({ anybody: true });
one('#again').onclick = () => {
  element.cancel();
  as({ again: true });
};
one('#alone').onclick = () => run(async () => {
  element.cancel();
  await go(await post('finish'));
});
one('#cancel').onclick = () => run(async () => {
  element.cancel();
  await go(await post('cancel'));
});
one('#recovery').onclick = () => {
  recovery = !recovery;
  codeWords();
};
one('#named').onsubmit = (/** @type {Event} */ event) => {
  event.preventDefault();
  as({ name: one('#name').value.trim() });
};
one('#coded').onsubmit = (/** @type {Event} */ event) => {
  event.preventDefault();
  run(async () => {
    const code = one('#code').value;
    one('#code').value = '';
    await go(await post(recovery ? 'recovery' : 'otp', { token, code }));
  });
};
element.getTicket = () => post('face');
element.addEventListener('face-login:success', (/** @type {CustomEvent} */ event) => {
  token = event.detail.token;
  run(async () => go(await post('finish', { token })));
});

customElements.whenDefined('face-login').then(() => {
  if (data.state === 'otp') return as({ again: true }); // the face's token went with the page before
  return run(() => go(data));
});
