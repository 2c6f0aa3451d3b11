import { createApp, ref, watchEffect } from 'vue/dist/vue.esm-bundler.js';
import 'lookgate-widget';

const server = 'http://localhost:8470';

const app = createApp({
  setup() {
    const purpose = location.search === '?enroll' ? 'enroll' : 'login';
    const who = ref('My app');
    watchEffect(() => { document.title = who.value; });

    async function finish({ detail }) {
      const answer = await fetch('/face/done', {
        method: 'POST',
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify({ token: detail.token }),
      });
      who.value = answer.ok ? `Welcome, ${(await answer.json()).subject}` : 'Not let in';
    }

    return { server, purpose, finish };
  },
  template: `
    <p><a href="?enroll">Enrol my face</a> or <a href="?login">log in</a></p>
    <face-login :server="server" :purpose="purpose" :session-url="'/face/session/' + purpose" @facelogin-success="finish">
      <a slot="after-refusal" href="/password">Use my password</a>
    </face-login>`,
});
// In a project that is built, the same line stands in the options of the Vue plugin.
app.config.compilerOptions.isCustomElement = (tag) => tag === 'face-login';
app.mount('#app');
