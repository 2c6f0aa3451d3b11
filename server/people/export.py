"""Everything that is held of a person, as JSON: what somebody may ask for who is enrolled.

A template is told as what it is, sealed vectors of so many numbers: the numbers themselves open a
face login elsewhere, and nobody reads anything in them. Tapes are named, because their pictures are
files that the operator hands over. Each noun that names a subject is here and in `forget_subject`.
Not here: who may ask (server/http/subjects.py, server/commands/admin.py).
Source: GDPR art. 15; docs/privacy.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from datetime import UTC, datetime
from typing import Any

from server.keys.vault import Vault, VaultError
from server.people import consent
from server.people.sealed_people import open_invited, open_profile
from server.people.shelf import Shelf
from server.people.templates import open_template
from server.store.oidc.authenticators import Authenticator
from server.store.oidc.invitations import Invitation
from server.store.oidc.logins import Login
from server.store.port import NotFound, SessionRecord, Store, TemplateRecord
from server.store.relying import people_of
from server.store.tries import Held


async def export_subject(
    store: Store, shelf: Shelf | None, vault: Vault, *, client_id: str, subject: str, now: datetime
) -> dict[str, Any]:
    """All of it, for JSON. Tickets and nonces are left out: they are secrets of a login that is
    over, and say nothing of the person. Raises Unavailable, and OSError for the tapes."""
    try:
        template: TemplateRecord | None = await store.templates.get(client_id, subject)
    except NotFound:
        template = None
    sessions = await store.sessions.of_subject(client_id, subject)
    tries = await store.tries.of_subject(client_id, subject)
    shown = await store.fingerprints.of_subject(client_id, subject)
    used = await store.retention.last_success(client_id, subject)
    tapes = []
    if shelf is not None:
        tapes = await asyncio.to_thread(shelf.of_subject, client_id, subject)
    return {
        "client": client_id,
        "subject": subject,
        "exported_at": _moment(now),
        "template": None if template is None else _template(vault, template),
        "sessions": [_session(record) for record in sessions],
        "tries": [_counter(held) for held in tries],
        "last_success_at": _moment(used),
        "fingerprints": [
            {"session": one.session_id, "created_at": _moment(one.created_at)} for one in shown
        ],
        "recordings": [{"name": name, "recorded_at": _moment(at)} for name, at in tapes],
        **await _beside(store, vault, client_id, subject),
    }


async def _beside(store: Store, vault: Vault, people: str, subject: str) -> dict[str, Any]:
    """What there is beside the face: logins at the hosted page, keys, codes, the profile. Cookies,
    codes and access tokens of a login, and the secret of one-time passwords, open something, so
    they are not told."""
    left = await store.recovery.left(people, subject)
    used = await store.recovery.used_at(people, subject)
    return {
        "logins": [
            _login(login)
            for client in await store.clients.all()
            if people_of(client) == people
            for login in await store.logins.of_subject(client.client_id, subject)
        ],
        "keys": [_key(key) for key in await store.authenticators.of_subject(people, subject)],
        "one_time_password": await _one_time_password(store, people, subject),
        "recovery_codes": {"left": left, "used_at": _moment(used)},
        "invitations": [
            _invitation(vault, one) for one in await store.invitations.of_subject(people, subject)
        ],
        "profile": await _profile(store, vault, people, subject),
    }


def _login(login: Login) -> dict[str, Any]:
    return {
        "login": login.login_id,
        "state": login.state,
        "shown": list(login.shown),
        "session": login.session_id,
        "attempts": login.attempts,
        "created_at": _moment(login.created_at),
        "expires_at": _moment(login.expires_at),
    }


def _key(key: Authenticator) -> dict[str, Any]:
    return {
        "id": key.key_id,
        "kind": key.kind,
        "name": key.name,
        "count": key.sign_count,
        "created_at": _moment(key.created_at),
        "used_at": _moment(key.used_at),
    }


async def _one_time_password(store: Store, people: str, subject: str) -> dict[str, Any] | None:
    try:
        totp = await store.otps.get(people, subject)
    except NotFound:
        return None
    return {
        "form": "a secret, sealed with AES-256-GCM",
        "key": totp.key_id,
        "created_at": _moment(totp.created_at),
        "used_at": _moment(totp.used_at),
    }


def _invitation(vault: Vault, invitation: Invitation) -> dict[str, Any]:
    profile = None
    with contextlib.suppress(VaultError):
        profile = open_invited(vault, invitation)
    return {
        "kind": invitation.kind,
        "by": invitation.client_id,
        "return_url": invitation.return_url,
        "created_at": _moment(invitation.created_at),
        "expires_at": _moment(invitation.expires_at),
        "profile": _object(profile),
    }


async def _profile(store: Store, vault: Vault, people: str, subject: str) -> dict[str, Any] | None:
    try:
        profile = await store.profiles.get(people, subject)
    except NotFound:
        return None
    content = None
    with contextlib.suppress(VaultError):  # it is held all the same, and nobody can read it
        content = open_profile(vault, profile)
    return {"key": profile.key_id, "content": _object(content)}


def _object(text: bytes | None) -> dict[str, Any] | None:
    """A profile is a JSON object."""
    return None if text is None else dict(json.loads(text))


def _template(vault: Vault, record: TemplateRecord) -> dict[str, Any]:
    vectors = numbers = agreed = None
    with contextlib.suppress(VaultError):
        agreed = consent.shown(consent.open_consent(vault, record))
    with contextlib.suppress(VaultError):  # it is held all the same, and nobody can read it
        vectors, numbers = open_template(vault, record).embeddings.shape
    return {
        "id": record.template_id,
        "model": record.model_id,
        "created_at": _moment(record.created_at),
        "quality": record.quality,
        "form": "vectors, sealed with AES-256-GCM",
        "key": record.key_id,
        "vectors": vectors,
        "numbers": numbers,
        "bytes": len(record.sealed) + len(record.vector or b""),
        "consent": agreed,
    }


def _counter(held: Held) -> dict[str, Any]:
    """A device has a random id, and is its browser's secret: it is not told."""
    return {
        "of": held.counter.kind.value,
        "in_a_row": held.tally.n,
        "in_all": held.tally.total,
        "last_at": _moment(held.tally.last),
        "known_until": _moment(held.until),
    }


def _session(record: SessionRecord) -> dict[str, Any]:
    return {
        "session": record.session_id,
        "purpose": record.purpose,
        "state": record.state,
        "created_at": _moment(record.created_at),
        "expires_at": _moment(record.expires_at),
        "claimed_at": _moment(record.claimed_at),
        "finished_at": _moment(record.finished_at),
        "reasons": list(record.reasons),
        "replace": record.replace,
        "challenge": record.challenge,
        "evidence": json.loads(record.evidence),
        "consent": None if record.consent is None else json.loads(record.consent),
    }


def _moment(when: datetime | None) -> str | None:
    """RFC 3339, UTC, to the millisecond."""
    if when is None:
        return None
    return when.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
