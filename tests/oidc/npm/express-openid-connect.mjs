// A relying app with express-openid-connect as it is by default, but for the code flow.
import express from 'express'
import pkg from 'express-openid-connect'

const { ISSUER, CLIENT_ID, CLIENT_SECRET, PORT } = process.env
const app = express()
app.use(pkg.auth({
  issuerBaseURL: ISSUER, baseURL: `http://localhost:${PORT}`, clientID: CLIENT_ID,
  clientSecret: CLIENT_SECRET, secret: 'a secret of cookies, long enough',
  authorizationParams: { response_type: 'code' },
}))
app.get('/', (request, response) => response.json(request.oidc.user))
app.use((error, request, response, next) => response.status(500).json({ error: error.message }))
app.listen(PORT, '127.0.0.1')
