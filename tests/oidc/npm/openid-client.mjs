// A relying app with npm openid-client: /login begins, /cb ends and says what it was told.
import http from 'node:http'
import * as client from 'openid-client'

const { ISSUER, CLIENT_ID, CLIENT_SECRET, PORT } = process.env
const redirectUri = `http://localhost:${PORT}/cb`
const config = await client.discovery(new URL(ISSUER), CLIENT_ID, CLIENT_SECRET,
  client.ClientSecretBasic(CLIENT_SECRET), { execute: [client.allowInsecureRequests] })
const begun = new Map()

http.createServer(async (request, response) => {
  const url = new URL(request.url, redirectUri)
  try {
    if (url.pathname === '/login') {
      const verifier = client.randomPKCECodeVerifier()
      const state = client.randomState()
      const nonce = client.randomNonce()
      begun.set(state, { verifier, nonce })
      const to = client.buildAuthorizationUrl(config, {
        redirect_uri: redirectUri, scope: 'openid profile', state, nonce,
        code_challenge: await client.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
      })
      response.writeHead(302, { Location: to.href }).end()
      return
    }
    const state = url.searchParams.get('state')
    const { verifier, nonce } = begun.get(state)
    const tokens = await client.authorizationCodeGrant(config, url, {
      pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true,
    })
    const info = await client.fetchUserInfo(config, tokens.access_token, tokens.claims().sub)
    response.end(JSON.stringify({ claims: tokens.claims(), info }))
  } catch (error) {
    response.writeHead(500).end(JSON.stringify({ error: error.message, code: error.code }))
  }
}).listen(PORT, '127.0.0.1')
