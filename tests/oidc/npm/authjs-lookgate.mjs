export const lookgate = {
  id: 'lookgate',
  name: 'Lookgate',
  type: 'oidc',
  issuer: process.env.AUTH_LOOKGATE_ISSUER,
  clientId: process.env.AUTH_LOOKGATE_ID,
  clientSecret: process.env.AUTH_LOOKGATE_SECRET,
  profile: ({ sub, name, email }) => ({ id: sub, name: name ?? sub, email }),
}
