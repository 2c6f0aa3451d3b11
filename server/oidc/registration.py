"""What an operator may register of a relying app that speaks OpenID Connect.

Pure. Here: the rules, each of which names itself. Not here: the record (server/store/relying.py),
the command line (server/commands/), what a request may say.
Source: RFC 9700 (Security Best Current Practice) sections 2.1 and 4.1; RFC 8252 section 7.3;
OpenID Connect Dynamic Client Registration 1.0 section 2.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from pipeline.refusal import Refusal
from server.oidc.claims import ACRS, FACE_ALONE, FACE_OTP
from server.store.relying import RelyingParty

AUTHS = ("client_secret_basic", "client_secret_post", "private_key_jwt", "none")
ALGS = ("RS256", "ES256")
PKCES = ("required", "nonce")
WAYS = ("key", "otp", "identify")
SUBJECT_TYPES = ("public", "pairwise")
LOOPBACK = ("127.0.0.1", "[::1]", "localhost")
"""Hosts to which http is no way over a network (RFC 8252 section 7.3)."""
MOST_URIS, MOST_CHARACTERS = 32, 2000
LEAST_RSA_BITS = 2048

_OURS = frozenset(
    {"code", "state", "iss", "error", "error_description", "error_uri", "response", "id_token"}
)
"""Names of an answer's parameters, which a registered query must not have as well."""
_URI = re.compile(r"(https?)://([A-Za-z0-9.-]+|\[[0-9a-f:.]+\])(:[0-9]{1,5})?([/?].*)?")


class RegistrationError(Refusal):
    """A setting that may not be registered: `redirect_uri_invalid`, `relying_invalid` or
    `jwks_invalid`."""


def check_relying(relying: RelyingParty) -> None:
    """Raises RegistrationError for the first setting that breaks a rule."""
    for uris, least in ((relying.redirect_uris, 1), (relying.post_logout_uris, 0)):
        if not least <= len(uris) <= MOST_URIS or len(set(uris)) != len(uris):
            raise RegistrationError(
                "redirect_uri_invalid", f"Give {least} to {MOST_URIS} addresses, each once."
            )
        for uri in uris:
            check_uri(uri)
    for word, value, words in (
        ("auth", relying.auth, AUTHS),
        ("id-token-alg", relying.id_token_alg, ALGS),
        ("pkce", relying.pkce, PKCES),
        ("min-acr", relying.min_acr, (None, *ACRS)),
        ("subject-type", relying.subject_type, SUBJECT_TYPES),
    ):
        if value not in words:
            named = ", ".join(str(one) for one in words if one)
            raise RegistrationError("relying_invalid", f"{word} is one of {named}.")
    if set(relying.ways) - set(WAYS) or len(set(relying.ways)) != len(relying.ways):
        raise RegistrationError("relying_invalid", f"Ways are {', '.join(WAYS)}, each once.")
    # What a page shows, so no character that changes how others are shown.
    if not 1 <= len(relying.name) <= 64 or not relying.name.isprintable():
        raise RegistrationError("relying_invalid", "A name has 1 to 64 characters on one line.")
    if relying.accent is not None and not re.fullmatch(r"#[0-9a-fA-F]{6}", relying.accent):
        raise RegistrationError("relying_invalid", "A colour is #rrggbb.")
    if relying.auth == "none" and relying.pkce != "required":
        # RFC 9700 section 2.1.1: nothing else binds a code to a client without a secret.
        raise RegistrationError("relying_invalid", "A client without a secret needs PKCE.")
    if relying.subject_type == "pairwise" and not re.fullmatch(
        "[0-9a-f]{64}", relying.pairwise_salt or ""
    ):
        raise RegistrationError("relying_invalid", "Pairwise subjects need 32 random bytes.")
    if not _reachable(relying):
        raise RegistrationError("relying_invalid", "None of its ways leads to its least acr.")
    if (relying.jwks is not None) != (relying.auth == "private_key_jwt"):
        raise RegistrationError("jwks_invalid", "Keys are for private_key_jwt, which needs them.")
    if relying.jwks is not None:
        keys_of(relying.jwks)


def _reachable(relying: RelyingParty) -> bool:
    """Whether anybody can show what the client wants at least."""
    if "key" in relying.ways:
        return True
    asked = relying.min_acr in (None, FACE_ALONE) or (
        relying.min_acr == FACE_OTP and "otp" in relying.ways
    )
    return asked and not relying.key_alone


def check_uri(uri: str) -> None:
    """Raises RegistrationError for an address that a code may not be sent to."""

    def bad(why: str) -> RegistrationError:
        return RegistrationError("redirect_uri_invalid", f"A registered address {why}.")

    if len(uri) > MOST_CHARACTERS or not uri.isascii() or not uri.isprintable() or " " in uri:
        raise bad(f"has at most {MOST_CHARACTERS} printable ASCII characters and no space")
    if "#" in uri:  # RFC 6749 section 3.1.2
        raise bad("has no fragment")
    if "*" in uri:  # RFC 9700 section 4.1.3: exact strings, so a pattern would match nobody
        raise bad("has no wildcard")
    if any(one in uri for one in '\\"<>`{}|^'):
        raise bad("has no backslash, quote, bracket or other character that a URI encodes")
    found = _URI.fullmatch(uri)
    if found is None:
        raise bad("begins with https:// and a host, without user name or password")
    scheme, host, port, rest = found[1], found[2], found[3], found[4] or ""
    if scheme == "http" and host.lower() not in LOOPBACK:
        raise bad("with http is on this machine: " + ", ".join(LOOPBACK))
    if port is not None and not 1 <= int(port[1:]) <= 65535:
        raise bad("has a port from 1 to 65535")
    path, _, query = rest.partition("?")
    if {".", ".."} & set(re.split(r"/|%2[fF]", path.replace("%2e", ".").replace("%2E", "."))):
        raise bad("has no dot segments")
    if any(name in _OURS for name, _ in parse_qsl(query, keep_blank_values=True)):
        raise bad("has no parameter of an answer in its query")


def registered(uri: str, relying: RelyingParty) -> bool:
    """Whether a request may name this redirect address: an exact string of those registered.

    But a public client on the loopback interface gets its port from the system (RFC 8252 section
    7.3), so there any port will do; not for the name localhost, which may be another machine's.
    """
    if uri in relying.redirect_uris:
        return True
    if relying.auth != "none":
        return False
    bare = _without_port(uri)
    return bare is not None and bare in map(_without_port, relying.redirect_uris)


def _without_port(uri: str) -> tuple[str, str] | None:
    """Host and rest of http://127.0.0.1 or http://[::1]; None for any other address."""
    found = re.fullmatch(r"http://(127\.0\.0\.1|\[::1\])(?::([0-9]{1,5}))?((?:[/?].*)?)", uri)
    if found is None or (found[2] is not None and not 1 <= int(found[2]) <= 65535):
        return None
    return found[1], found[3]


def keys_of(jwks: str) -> Sequence[dict[str, Any]]:
    """The public keys of a registered set: P-256 or RSA of at least 2048 bits.

    Raises RegistrationError `jwks_invalid`.
    """
    try:
        keys = json.loads(jwks)["keys"]
        for key in keys:
            if key.keys() & {"d", "p", "q", "k"}:
                raise RegistrationError("jwks_invalid", "There is a private key among the keys.")
            public = jwt.PyJWK(key, algorithm=alg_of(key)).key
            good = isinstance(public, ec.EllipticCurvePublicKey) and public.curve.name in (
                "secp256r1",
            )
            good |= isinstance(public, rsa.RSAPublicKey) and public.key_size >= LEAST_RSA_BITS
            if not good:
                raise ValueError("key")
        if not keys:
            raise ValueError("none")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, jwt.PyJWTError):
        raise RegistrationError(
            "jwks_invalid",
            "The keys are a JSON Web Key Set of P-256 keys or RSA keys of at least 2048 bits.",
        ) from None
    return list(keys)


def alg_of(key: dict[str, Any]) -> str:
    """The one algorithm that a key may sign with, by its kind. Never what a signature says (RFC
    8725 section 3.1). Raises ValueError."""
    alg = {"EC": "ES256", "RSA": "RS256"}.get(key.get("kty", ""))
    if alg is None or key.get("alg", alg) != alg or key.get("use", "sig") != "sig":
        raise ValueError("not a key that signs so")
    return alg


def host_of(uri: str) -> str:
    """The host that a page shows of a registered address, with its port."""
    return urlsplit(uri).netloc
