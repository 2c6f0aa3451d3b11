"""`lookgate client add`, `set` and `show`: a relying app's settings of OpenID Connect.

Not here: which values may be registered (server/oidc/registration.py), the other settings of a
client (admin.py). Source: docs/oidc.md, "Register an app".
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from server.commands.admin import Admin, AdminError
from server.oidc.registration import ALGS, AUTHS, PKCES, SUBJECT_TYPES, check_relying
from server.store.port import Client
from server.store.relying import RelyingParty

MAX_JWKS_BYTES = 64 * 1024


def add_arguments(verb: argparse.ArgumentParser) -> None:
    """Those of `add` and `set`. Without a value a setting is as it was, or has its default."""
    group = verb.add_argument_group("OpenID Connect (docs/oidc.md)")
    for name in ("--redirect-uri", "--post-logout-uri"):
        group.add_argument(name, action="append", metavar="URI", help="exact; may be repeated")
    group.add_argument("--name", help="what the login page calls it; default: its id")
    group.add_argument("--auth", choices=AUTHS)
    group.add_argument("--jwks", type=Path, metavar="FILE", help="its keys, for private_key_jwt")
    group.add_argument("--id-token-alg", choices=ALGS)
    group.add_argument("--pkce", choices=PKCES, help="nonce: of an app that knows no PKCE")
    group.add_argument("--min-acr", metavar="ACR", help="the least that is shown; none: a face")
    group.add_argument("--way", metavar="WAY,WAY", help="of key, otp, identify; or none")
    group.add_argument("--key-alone", action=argparse.BooleanOptionalAction, default=None)
    group.add_argument("--subject-type", choices=SUBJECT_TYPES)
    group.add_argument("--people", metavar="ID", help="whose people log in here; none: its own")
    group.add_argument("--accent", metavar="#RRGGBB", help="the login page's colour; none: ours")


async def relying_of(given: argparse.Namespace, was: RelyingParty | None) -> RelyingParty | None:
    """The settings that the arguments ask for; None where there were none and none are given.

    Raises AdminError, RegistrationError.
    """
    changes = _changes(given)
    if given.jwks is not None:
        changes["jwks"] = await asyncio.to_thread(_read, given.jwks)
    elif changes.get("auth", "private_key_jwt") != "private_key_jwt":
        changes["jwks"] = None
    if not changes:
        return was
    if was is None:
        if "redirect_uris" not in changes:
            raise AdminError("redirect_uri_missing", "OpenID Connect needs --redirect-uri.")
        was = RelyingParty(name=given.client, redirect_uris=())
    if was.pairwise_salt is None:
        changes["pairwise_salt"] = secrets.token_hex(32)  # once in the life of a client
    relying = replace(was, **changes)
    check_relying(relying)
    return relying


def _changes(given: argparse.Namespace) -> dict[str, Any]:
    """Fields of RelyingParty, of what was given."""
    found: dict[str, Any] = {}
    for name in ("name", "auth", "id_token_alg", "pkce", "key_alone", "subject_type"):
        if getattr(given, name) is not None:
            found[name] = getattr(given, name)
    for name in ("min_acr", "accent", "people"):
        if getattr(given, name) is not None:
            found[name] = None if getattr(given, name) == "none" else getattr(given, name)
    for name, field in (("redirect_uri", "redirect_uris"), ("post_logout_uri", "post_logout_uris")):
        if getattr(given, name) is not None:
            found[field] = tuple(dict.fromkeys(getattr(given, name)))
    if given.way is not None:
        ways = given.way.split(",")
        found["ways"] = () if ways == ["none"] else tuple(ways)
    return found


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_JWKS_BYTES + 1)
        if len(raw) > MAX_JWKS_BYTES:
            raise ValueError("too large")
        return raw.decode("utf-8")
    except (OSError, ValueError):
        text = f"The keys cannot be read: a file of at most {MAX_JWKS_BYTES} bytes is needed."
        raise AdminError("jwks_unreadable", text) from None


def told(relying: RelyingParty | None) -> Mapping[str, Any]:
    """For the audit: all settings, of keys their hash, and nothing that is random."""
    if relying is None:
        return {}
    said = asdict(relying)
    del said["pairwise_salt"]
    if relying.jwks is not None:
        said["jwks"] = hashlib.sha256(relying.jwks.encode()).hexdigest()
    return {"relying": said}


async def show(admin: Admin, given: argparse.Namespace) -> None:
    """Print what the relying app has to be told."""
    client = await admin.client(given.client)
    for name, value in block(client, admin.settings.public_url):
        print(f"{name:<16}{value}".rstrip())


def block(client: Client, issuer: str) -> list[tuple[str, str]]:
    """Lines to paste into the settings of an app, by the names that these mostly have."""
    relying = client.relying
    origins = " ".join(client.origins) or "(no web origin)"
    lines = [("client_id", client.client_id), ("policy", client.policy), ("origins", origins)]
    if relying is None:
        return [*lines, ("openid connect", "no (lookgate client set ... --redirect-uri URI)")]
    secret = "(shown once by client add; client rotate makes a new one)"
    if relying.auth in ("private_key_jwt", "none"):
        secret = "(none)"
    pkce = "S256" if relying.pkce == "required" else "S256 or none; nonce is required"
    return [
        *lines,
        ("name", relying.name),
        ("issuer", issuer),
        ("discovery", f"{issuer}/.well-known/openid-configuration"),
        ("client_secret", secret),
        ("auth", relying.auth),
        ("response_type", "code"),
        ("pkce", pkce),
        ("scope", "openid profile email"),
        ("id_token_alg", relying.id_token_alg),
        *(("redirect_uri", uri) for uri in relying.redirect_uris),
        *(("post_logout_uri", uri) for uri in relying.post_logout_uris),
        ("min_acr", relying.min_acr or "urn:lookgate:face"),
        ("ways", " ".join(relying.ways) or "(a face alone)"),
        ("key_alone", "yes" if relying.key_alone else "no"),
        ("subject_type", relying.subject_type),
        *([("people", relying.people)] if relying.people is not None else []),
        *([("devices", f"{issuer}/devices/{client.client_id}")] if "key" in relying.ways else []),
    ]
