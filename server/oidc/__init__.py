"""The OpenID provider: what it checks and says. Values in, values out; no HTTP."""
