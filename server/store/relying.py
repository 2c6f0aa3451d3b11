"""How a relying app speaks OpenID Connect: the settings that the operator registered.

Here: the record, and how it is one JSON text in a client's row. Not here: which values may be
registered (server/oidc/registration.py), the seal of the row (server/people/sealed_clients.py).
Source: OpenID Connect Dynamic Client Registration 1.0 section 2, whose words these are.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from typing import Protocol


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """One relying app. Whoever is None here is not registered for OpenID Connect."""

    name: str
    """What the login page calls it."""
    redirect_uris: tuple[str, ...]
    """Compared as exact strings (RFC 9700 section 2.1)."""
    post_logout_uris: tuple[str, ...] = ()
    auth: str = "client_secret_basic"
    """client_secret_basic, client_secret_post, private_key_jwt or none: exactly one."""
    jwks: str | None = None
    """JSON: the client's public keys, for private_key_jwt."""
    id_token_alg: str = "RS256"
    """RS256, which every client knows (OpenID Connect Core 15.1), or ES256."""
    pkce: str = "required"
    """required, or nonce for a client that sends no code_challenge (RFC 9700 section 2.1.1)."""
    min_acr: str | None = None
    """The least that a login must show; None: a live face."""
    ways: tuple[str, ...] = ("key",)
    """Of key, otp and identify: what the login page may offer beside a face."""
    key_alone: bool = False
    """Whether a passkey without a face logs in."""
    subject_type: str = "public"
    """public or pairwise (OpenID Connect Core 8)."""
    pairwise_salt: str | None = None
    """Random, in hex, and never another: from it come the `sub` of subject_type pairwise. It is
    kept in clear beside the subjects, from whose reader it hides nothing."""
    accent: str | None = None
    """#rrggbb: the colour of the login page's button."""
    people: str | None = None
    """The client whose people log in here; None: its own."""


def relying_json(relying: RelyingParty | None) -> str | None:
    """As rows keep it and the seal authenticates it: the same text for the same value, and that of
    versions that did not know `people` where there are none."""
    if relying is None:
        return None
    said = asdict(relying)
    if relying.people is None:
        del said["people"]
    return json.dumps(said, sort_keys=True)


def relying_of(text: str | None) -> RelyingParty | None:
    """What `relying_json` wrote. A member that an older version lacked has its default; one that is
    unknown, of a newer version, raises ValueError."""
    if text is None:
        return None
    said = json.loads(text)
    if not isinstance(said, dict) or said.keys() - {one.name for one in fields(RelyingParty)}:
        raise ValueError("settings of OpenID Connect that this version does not know")
    lists = {name: tuple(value) for name, value in said.items() if isinstance(value, list)}
    return RelyingParty(**{**said, **lists})


class _Named(Protocol):
    @property
    def client_id(self) -> str: ...

    @property
    def relying(self) -> RelyingParty | None: ...


def people_of(client: _Named) -> str:
    """Whose templates, authenticators and one-time passwords a client uses: its own, or those of
    the client that the operator named."""
    named = None if client.relying is None else client.relying.people
    return client.client_id if named is None else named
