// The demo page's own script: takes the token from the element to this app's backend.
// The element does everything else. Source: docs/widget.md.

const box = /** @type {HTMLElement | null} */ (document.querySelector('.face'));
const element = box?.querySelector('face-login');
const says = box?.querySelector('.says');

/** @param {string} text */
function say(text) {
  if (says) says.textContent = text;
}

/** @param {string} token */
async function finish(token) {
  say('Checking the proof…');
  try {
    const response = await fetch(box?.dataset.finish ?? '', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'X-CSRF-Token': element?.getAttribute('csrf-token') ?? '' },
      body: JSON.stringify({ token }),
      cache: 'no-store',
    });
    const body = await response.json();
    if (response.ok) location.assign(body.next);
    else say(`${body.error.text} Reload this page to try again.`);
  } catch {
    say('This app cannot be reached. Check your connection, then reload this page.');
  }
}

element?.addEventListener('face-login:success', (event) => {
  finish(/** @type {CustomEvent<{token: string}>} */ (event).detail.token);
});
element?.addEventListener('face-login:phase', () => say(''));
