// A relying app with passport-openidconnect, which knows neither PKCE nor client_secret_basic.
import express from 'express'
import session from 'express-session'
import passport from 'passport'
import { Strategy } from 'passport-openidconnect'

const { ISSUER, CLIENT_ID, CLIENT_SECRET, PORT } = process.env
const app = express()
app.use(session({ secret: 'a secret of cookies', resave: false, saveUninitialized: true }))
app.use(passport.initialize())
app.use(passport.session())
passport.serializeUser((user, done) => done(null, user))
passport.deserializeUser((user, done) => done(null, user))
passport.use(new Strategy({
  issuer: ISSUER, authorizationURL: `${ISSUER}/authorize`, tokenURL: `${ISSUER}/token`,
  userInfoURL: `${ISSUER}/userinfo`, clientID: CLIENT_ID, clientSecret: CLIENT_SECRET,
  callbackURL: `http://localhost:${PORT}/cb`, nonce: true, scope: 'profile',
}, (issuer, profile, done) => done(null, { sub: profile.id })))
app.get('/', (request, response, next) => {
  if (request.user) response.json(request.user)
  else passport.authenticate('openidconnect')(request, response, next)
})
app.get('/cb', passport.authenticate('openidconnect'), (request, response) => response.redirect('/'))
app.use((error, request, response, next) => response.status(500).json({ error: error.message }))
app.listen(PORT, '127.0.0.1')
