import { randomBytes } from 'node:crypto';
import express from 'express';
import { createRemoteJWKSet, jwtVerify } from 'jose';

const server = 'http://localhost:8470';
const client = 'my-app';
const credentials = `Basic ${btoa(`${client}:${process.env.FACE_SECRET}`)}`;
const keys = createRemoteJWKSet(new URL(`${server}/.well-known/jwks.json`));
const waiting = new Map(); // who: purpose and nonce of the attempt under way
const person = () => 'alice'; // whoever passed the first factor; take the name from your own session

async function verify(token, purpose, nonce, subject) {
  const { payload } = await jwtVerify(token, keys, {
    algorithms: ['ES256'],
    typ: 'face+jwt',
    audience: client,
    issuer: server,
    subject,
    clockTolerance: 5, // seconds that two clocks may differ
    requiredClaims: ['exp', 'iat', 'nonce', 'jti', 'purpose'],
  });
  if (payload.purpose !== purpose || payload.nonce !== nonce) throw new Error('not of this attempt');
  return payload; // if you asked for a challenge, look for it in payload.lookgate_liveness
}

const app = express();
app.use(express.json());

app.get('/', (request, response) => response.sendFile('page.html', { root: '.' }));

app.post('/face/session/:purpose', async (request, response) => {
  const { purpose } = request.params;
  if (!['enroll', 'login'].includes(purpose)) return response.sendStatus(404);
  const nonce = randomBytes(32).toString('base64url');
  const answer = await fetch(`${server}/v1/sessions`, {
    method: 'POST',
    headers: { 'Authorization': credentials, 'Content-Type': 'application/json' },
    body: JSON.stringify({ purpose, subject: person(), nonce }),
  });
  if (answer.ok) waiting.set(person(), { purpose, nonce });
  // With the ticket; or with the error, which the element shows.
  response.status(answer.status).json(await answer.json());
});

app.post('/face/done', async (request, response) => {
  const { purpose, nonce } = waiting.get(person()) ?? {};
  waiting.delete(person()); // taken once, so each token is
  try {
    const claims = await verify(request.body.token, purpose, nonce, person());
    response.json({ subject: claims.sub }); // let the person in: write it into your session
  } catch {
    response.sendStatus(401);
  }
});

app.listen(8000);
