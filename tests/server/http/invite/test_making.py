"""POST /v1/invitations: what is kept of one, and what is refused."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from server.oidc.codes import hash_of
from server.parts import Parts
from server.people.sealed_people import open_invited
from tests.server.http.asking import Http
from tests.server.http.invite.inviting import HELLO, ask
from tests.server.http.login.visiting import OURS
from tests.server.stage import CLIENT, change_client


async def test_an_invitation_is_kept_by_its_hash_with_a_sealed_profile(
    http: Http, parts: Parts
) -> None:
    status, said = await ask(http, profile={"email": "bob@example.org"}, return_url=HELLO, days=2)
    assert status == 201
    assert said["url"].startswith(f"{OURS}/invite/")
    token = said["url"].rsplit("/", 1)[1]
    kept = await parts.store.invitations.get(hash_of(token), parts.now())
    assert (kept.client_id, kept.people, kept.subject) == (CLIENT, CLIENT, "bob")
    assert (kept.return_url, kept.kind) == (HELLO, "enrol")
    assert kept.expires_at - kept.created_at == timedelta(days=2)
    assert b"bob" not in (kept.profile or b"")
    said = json.loads(open_invited(parts.vault, kept) or b"")
    assert said == {"email": "bob@example.org", "email_verified": False}


@pytest.mark.parametrize(
    "fields",
    [
        {"days": 0},
        {"days": 8},
        {"days": True},
        {"days": 1.5},
        {"subject": ""},
        {"return_url": "https://evil.example/"},
        {"return_url": f"{HELLO}/"},
        {"return_url": HELLO.upper()},
        {"return_url": f"{HELLO}?next=x"},
        {"profile": {"nick": "bobby"}},
        {"profile": {"name": "two\nlines"}},
        {"profile": {"email": "no address"}},
        {"profile": {"email_verified": True}},
        {"profile": {"name": "B", "email": "b@example.org", "email_verified": "yes"}},
        {"kind": "device"},
    ],
)
async def test_a_bad_invitation_is_refused(http: Http, fields: dict[str, Any]) -> None:
    assert (await ask(http))[0] == 201
    status, said = await ask(http, **fields)
    assert (status, said["error"]["code"]) == (400, "request_invalid")


async def test_a_client_without_pages_invites_nobody(http: Http, parts: Parts) -> None:
    await change_client(parts, relying=None)
    status, said = await ask(http)
    assert (status, said["error"]["code"]) == (400, "request_invalid")


async def test_only_the_client_invites(http: Http) -> None:
    async with http.post("/v1/invitations", json={"subject": "bob"}) as response:
        assert response.status == 401
