// The provider npm oidc-provider, whose answers to bad requests are set beside ours.
import { generateKeyPairSync } from 'node:crypto'
import { Provider } from 'oidc-provider'

const { ISSUER, CLIENTS, PORT } = process.env
const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const key = { ...privateKey.export({ format: 'jwk' }), kid: 'k', use: 'sig', alg: 'ES256' }
const clients = JSON.parse(CLIENTS).map((one) => ({
  ...one, id_token_signed_response_alg: 'ES256', response_types: ['code'],
  grant_types: ['authorization_code'],
}))

new Provider(ISSUER, {
  clients,
  jwks: { keys: [key] },
  cookies: { keys: ['a key of cookies'] },
  pkce: { required: () => true },
  features: { devInteractions: { enabled: true } },
  ttl: { AccessToken: 300, AuthorizationCode: 60, Grant: 600, IdToken: 300, Interaction: 600, Session: 600 },
  findAccount: (context, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
}).listen(PORT, '127.0.0.1')
