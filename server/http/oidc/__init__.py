"""The addresses of the OpenID provider. What is checked and said stands in server/oidc."""
