// A relying app with @auth/core, whose provider is the one that docs/relying-apps.md shows.
import http from 'node:http'
import { Auth } from '@auth/core'
import { lookgate } from './authjs-lookgate.mjs'

const { PORT } = process.env
const base = `http://localhost:${PORT}`
const config = {
  basePath: '/auth', providers: [lookgate], secret: 'a secret of cookies, long enough',
  trustHost: true,
  callbacks: {
    jwt: ({ token, profile }) => (profile ? { ...token, sub: profile.sub, acr: profile.acr } : token),
    session: ({ session, token }) => ({ ...session, sub: token.sub, acr: token.acr }),
  },
}

http.createServer(async (request, response) => {
  if (request.url === '/') {
    response.writeHead(302, { Location: '/auth/signin' }).end()
    return
  }
  const chunks = []
  for await (const chunk of request) chunks.push(chunk)
  const { method, headers } = request
  const body = method === 'GET' ? undefined : Buffer.concat(chunks)
  const said = await Auth(new Request(base + request.url, { method, headers, body }), config)
  const given = Object.fromEntries([...said.headers].filter(([name]) => name !== 'set-cookie'))
  response.writeHead(said.status, { ...given, 'set-cookie': said.headers.getSetCookie() })
  response.end(Buffer.from(await said.arrayBuffer()))
}).listen(PORT, '127.0.0.1')
