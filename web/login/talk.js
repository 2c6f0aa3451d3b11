// What the login page and that of an invitation share: they ask their server, one thing at a time, and say what came of it.
// Not here: what is next (login.js, ../invite/invite.js). Source: docs/oidc.md, "The login page".

/** @typedef {{state: string, subject: string | null, location?: string, fields?: Record<string, string> | null, [more: string]: any}} Said */

/** @param {string} css @returns {any} */
export const one = (css) => document.querySelector(css);

export class Refusal extends Error {
  /** @param {string} code */
  constructor(code) {
    super(code);
    this.code = code;
  }
}

/** @param {string} what @param {object} [body] @returns {Promise<Said>} */
export async function post(what, body = {}) {
  let response;
  try {
    // Below this page's own address, wherever a proxy put it.
    response = await fetch(`${location.pathname}/${what}`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body), cache: 'no-store', redirect: 'error' });
  } catch {
    throw new Refusal('offline');
  }
  const said = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refusal(said.error?.code ?? 'internal');
  return said;
}

/**
 * A page's words and its one line of news.
 * @param {Record<string, string>} words
 * @param {string} app  what `{}` stands for
 * @param {(code: string) => void} refused  after what went wrong was said
 */
export function talk(words, app, refused) {
  /** @param {string} key @param {string} [of] */
  const say = (key, of = app) => (words[key] ?? words.internal ?? '').replace('{}', () => of);

  /** @param {string} key @param {boolean} [bad] */
  function tell(key, bad = true) {
    one('#says').textContent = say(key);
    one('#says').classList.toggle('bad', bad);
  }

  /** @param {boolean} is */
  function busy(is) {
    for (const button of document.querySelectorAll('button')) button.disabled = is;
    if (is) tell('busy', false);
    else if (one('#says').textContent === say('busy')) one('#says').textContent = '';
  }

  /** What a person did, once at a time; what goes wrong is said. @param {() => Promise<void>} work */
  async function run(work) {
    busy(true);
    try {
      await work();
    } catch (error) {
      const code = error instanceof Refusal ? error.code : error instanceof DOMException ? 'no_passkey' : 'internal';
      tell(code);
      refused(code);
    } finally {
      busy(false);
    }
  }

  return { say, tell, run };
}

/** The app's colour, with black or white on it (WCAG 2.2, relative luminance). @param {string} color */
export function paint(color) {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
    const part = parseInt(color.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  const style = document.documentElement.style;
  style.setProperty('--accent', color);
  style.setProperty('--on-accent', 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? '#000' : '#fff');
}
