import { useState } from 'react';
import { createRoot } from 'react-dom/client';
import 'lookgate-widget';

const server = 'http://localhost:8470';
const wanted = location.search === '?enroll' ? 'enroll' : 'login';

function Face({ purpose }) {
  const [who, setWho] = useState('');

  async function finish({ detail }) {
    const answer = await fetch('/face/done', {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify({ token: detail.token }),
    });
    setWho(answer.ok ? `Welcome, ${(await answer.json()).subject}` : 'Not let in');
  }

  return (
    <>
      <title>{who || 'My app'}</title>
      <p><a href="?enroll">Enrol my face</a> or <a href="?login">log in</a></p>
      <face-login server={server} purpose={purpose} session-url={`/face/session/${purpose}`} onfacelogin-success={finish}>
        <a slot="after-refusal" href="/password">Use my password</a>
      </face-login>
    </>
  );
}

createRoot(document.getElementById('app')).render(<Face purpose={wanted} />);
