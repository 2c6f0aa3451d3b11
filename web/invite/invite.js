// The page of an invitation: asks the server what is next, and does it. The table of steps is the server's
// (server/factors/enrolling.py). Consent and camera are the element's. Source: docs/oidc.md, "Invitations".

import { deviceKey, signWithDeviceKey } from '../login/device-key.js';
import { signWithPasskey, supported } from '../login/passkey.js';
import { makeBrowserKey, makePasskey } from './make-key.js';
import { Refusal, one, paint, post, talk } from '../login/talk.js';
import { TEXTS } from './texts.js';

/** @typedef {import('../login/talk.js').Said} Said */

/** @type {Said} */
const data = JSON.parse(document.body.dataset.invitation ?? '{}');
const words = TEXTS[data.lang] ?? TEXTS.en ?? {};
const second = data.kind === 'device'; // a link for another device
const own = data.kind === 'own'; // of who wants such a link
let offer = ''; // the app's secret, sealed by the server

const { say, tell, run } = talk(words, data.app, (code) => { if (['invitation_over', 'login_over', 'login_foreign', 'login_step', 'subject_enrolled'].includes(code)) show(''); });
const element = one('face-login');

/** @param {string} id of the only section that is shown */
function show(id) {
  for (const section of document.querySelectorAll('section')) section.hidden = section.id !== id;
}

/** Go on from where the visit stands. @param {Said} said */
function go({ state }) {
  const section = { begin: 'begin', invited_face: 'face', invited_key: 'key', invited_more: 'more' }[state];
  show(section ?? '');
  if (section === 'face') element.start();
  if (section === 'key' && !supported) one('#passkey').hidden = true;
  if (section === 'more' && own) one('#device').open = true;
}

/** @param {any} image @param {string} svg @param {string} label */
function picture(image, svg, label) {
  image.src = `data:image/svg+xml,${encodeURIComponent(svg)}`;
  image.alt = say(label);
  image.hidden = false;
}

/** @param {(options: any) => Promise<object>} make */
const withKey = (make) => run(async () => {
  const { options } = await post('key-options');
  go(await post('key', await make(options)));
});

/** A device that somebody has. @param {(options: any) => Promise<object>} sign */
async function prove(sign) {
  await post('begin');
  const { options } = await post('key-options');
  go(await post('key', await sign(options)));
}

/** The first time that a part is opened, it is fetched. @param {string} id @param {() => Promise<void>} fetched */
function opened(id, fetched) {
  const part = one(id);
  let done = false;
  part.addEventListener('toggle', () => {
    if (!part.open || done) return;
    done = true;
    run(async () => {
      try {
        await fetched();
      } catch (error) {
        done = part.open = false;
        throw error;
      }
    });
  });
}

async function showApp() {
  const said = await post('otp-options');
  offer = said.offer;
  picture(one('#qr'), said.svg, 'scan');
  one('#by_hand code').textContent = said.secret;
  one('#by_hand').hidden = one('#coded').hidden = false;
}

async function showCodes() {
  const { codes } = await post('codes');
  for (const code of codes) {
    const row = document.createElement('li');
    row.textContent = code;
    one('#codes').append(row);
  }
  one('#keep').hidden = one('#codes').hidden = false;
}

async function showLink() {
  const said = await post('device');
  picture(one('#link_qr'), said.svg, 'scan_link');
  one('#link code').textContent = said.url;
  one('#ten').hidden = one('#link').hidden = false;
}

const kind = second ? '_device' : own ? '_own' : '';
document.title = one('#title').textContent = say(`title${kind}`);
one('#whose').textContent = data.subject ? say('whose', data.subject) : '';
const labels = { '#explain': `explain${kind}`, '#start': own ? 'start_own' : 'start', '#named summary': 'no_passkeys', '#named label': 'name', '#named button': 'go', '#why_key': second ? 'why_key_device' : 'why_key', '#passkey': 'passkey', '#browser_key': 'browser_key', '#done': `done${kind}`, '#app summary': 'app', '#by_hand span': 'by_hand', '#coded label': 'code', '#coded button': 'go', '#recovery summary': 'recovery', '#keep': 'keep', '#device summary': 'device', '#ten': 'ten' };
for (const [css, key] of Object.entries(labels)) one(css).textContent = say(key);
one('#end').textContent = data.host ? say('end_at', data.host) : say('end');
one('#app').hidden = one('#recovery').hidden = second || own || !data.codes;
one('#named').hidden = !own || !data.browser_key;
one('#browser_key').hidden = !data.browser_key;
one('#start').hidden = own && !supported;
one('#device').hidden = second || !data.keys;
if (data.accent) paint(data.accent);
element.lang = data.lang;
element.setAttribute('purpose', second || own ? 'login' : 'enroll');
opened('#app', showApp);
opened('#recovery', showCodes);
opened('#device', showLink);

one('#start').onclick = () => run(async () => own ? prove(signWithPasskey) : go(await post('begin')));
one('#named form').onsubmit = (/** @type {Event} */ event) => {
  event.preventDefault();
  run(async () => {
    const held = await deviceKey(`${data.of} ${one('#name').value.trim()}`);
    if (!held) throw new Refusal('need_key');
    await prove((options) => signWithDeviceKey(held, options.challenge));
  });
};
one('#passkey').onclick = () => withKey(makePasskey);
one('#browser_key').onclick = () => withKey((options) => makeBrowserKey(`${data.of} ${data.subject}`, options));
one('#coded').onsubmit = (/** @type {Event} */ event) => {
  event.preventDefault();
  run(async () => {
    const code = one('#code').value;
    one('#code').value = '';
    await post('otp', { offer, code });
    for (const gone of ['#qr', '#by_hand', '#coded']) one(gone).hidden = true;
    one('#by_hand code').textContent = offer = '';
    tell('app_done', false);
  });
};
one('#end').onclick = () => run(async () => {
  const { location: to } = await post('end');
  show('');
  if (to) return location.replace(to);
  tell('closed', false);
});
element.getTicket = () => post('face');
element.addEventListener('face-login:success', (/** @type {CustomEvent} */ event) => {
  run(async () => go(await post('finish', { token: event.detail.token })));
});

customElements.whenDefined('face-login').then(() => go(data));
