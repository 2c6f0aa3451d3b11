// A page that speaks OpenID Connect by itself, with oidc-client-ts: a public client, and CORS.
import fs from 'node:fs'
import http from 'node:http'

const { ISSUER, CLIENT_ID, PORT } = process.env
const script = fs.readFileSync('node_modules/oidc-client-ts/dist/browser/oidc-client-ts.min.js')
const settings = {
  authority: ISSUER, client_id: CLIENT_ID, redirect_uri: `http://localhost:${PORT}/cb`,
  scope: 'openid profile', loadUserInfo: true,
}
const page = `<!doctype html><title>An app</title><pre></pre><script src="/client.js"></script>
<script>
const manager = new oidc.UserManager(${JSON.stringify(settings)})
const show = (told) => { document.querySelector('pre').textContent = JSON.stringify(told) }
const run = location.pathname === '/cb' ? manager.signinRedirectCallback().then((user) => show(user.profile))
  : manager.signinRedirect()
run.catch((error) => show({ error: error.message }))
</script>`

http.createServer((request, response) => {
  const wants = request.url === '/client.js'
  response.writeHead(200, { 'Content-Type': wants ? 'text/javascript' : 'text/html' })
  response.end(wants ? script : page)
}).listen(PORT, '127.0.0.1')
