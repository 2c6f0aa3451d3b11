"""Good requests of a relying app, each open to changes, and the app that makes them."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from typing import Any

from server.oidc.authorize import Request, checked
from server.store.port import Client
from server.store.relying import RelyingParty
from tests.server.conformance.records import NOW, a_client

ISSUER = "https://login.example"
APP = "shop"
REDIRECT = "https://shop.example/cb?a=1"
VERIFIER = "v" * 43
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode()[:43]
RELYING = RelyingParty("Shop", (REDIRECT,))
__all__ = ["APP", "CHALLENGE", "ISSUER", "NOW", "REDIRECT", "RELYING", "VERIFIER"]


def asked(**changes: str | None) -> dict[str, str]:
    """Parameters of /authorize; None leaves one out."""
    good = {
        "client_id": APP,
        "redirect_uri": REDIRECT,
        "response_type": "code",
        "scope": "openid",
        "state": "a state",
        "nonce": "n" * 16,
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }
    return {name: value for name, value in (good | changes).items() if value is not None}


def a_request(relying: RelyingParty = RELYING, **changes: str | None) -> Request:
    return checked(asked(**changes), APP, relying)


def an_app(**changes: Any) -> Client:
    return a_client(APP, relying=replace(RELYING, **changes))
