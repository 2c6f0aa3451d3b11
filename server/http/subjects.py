"""The relying app's questions about a person: can a login use their template; what is held; forget;
unlock.

All need the client's secret. Not here: attempts (sessions.py), opening a template
(server/people/protection.py), what is removed of a person (server/people/forgetting.py).
Source: docs/protocol.md, "HTTP".
"""

from __future__ import annotations

import contextlib
from typing import Any

from aiohttp import web

from server.http.answers import rfc3339
from server.http.fields import UNLOCK, is_subject, read
from server.http.requests import (
    MAX_REQUEST_BYTES,
    body_of,
    count,
    known_client,
    opened_parts,
)
from server.keys.vault import VaultError
from server.parts import Parts
from server.people import consent
from server.people.export import export_subject
from server.people.forgetting import withdraw_subject
from server.people.protection import space_of
from server.people.unlocking import unlock_subject
from server.problems import Problem
from server.session.withdrawn import end_withdrawn
from server.store.port import Client, NotFound, TemplateRecord, Unavailable
from server.store.relying import people_of


async def show_subject(request: web.Request) -> web.Response:
    """A relying app's backend asks whether a person is enrolled, and whether a login can work."""
    parts = opened_parts(request)
    client, subject = await _asked(request, parts)
    try:
        record: TemplateRecord | None = await parts.store.templates.get(people_of(client), subject)
    except NotFound:
        record = None
    return web.json_response(
        {
            "subject": subject,
            "enrolled": record is not None,
            "usable": record is not None and await _usable(parts, record),
            "since": None if record is None else rfc3339(record.created_at),
            "model": None if record is None else record.model_id,
            "consent": None if record is None else _consent(parts, record),
        },
        headers={"Cache-Control": "no-store"},
    )


async def show_export(request: web.Request) -> web.Response:
    """A relying app's backend hands a person all that is held of them."""
    parts = opened_parts(request)
    client, subject = await _asked(request, parts)
    held = await export_subject(
        parts.store,
        parts.shelf,
        parts.vault,
        client_id=people_of(client),
        subject=subject,
        now=parts.now(),
    )
    return web.json_response(held, headers={"Cache-Control": "no-store"})


async def _usable(parts: Parts, record: TemplateRecord) -> bool:
    """Whether a login would compare with it: of the embedder that runs now, it opens and counts."""
    if record.model_id != parts.model_id:
        return False
    standing = await parts.protection.standing(record.client_id, [record.subject])
    try:
        parts.protection.opened(record, standing, space_of(standing.head))
    except VaultError:
        return False
    return True


def _consent(parts: Parts, record: TemplateRecord) -> dict[str, Any] | None:
    """What the person agreed to; None where nobody was asked, or it does not open any more."""
    try:
        return consent.shown(consent.open_consent(parts.vault, record))
    except VaultError:
        return None


async def remove_subject(request: web.Request) -> web.Response:
    """A relying app's backend has a person forgotten."""
    parts = opened_parts(request)
    client, subject = await _asked(request, parts)
    erased, receipt = await withdraw_subject(
        parts.audit,
        parts.keyring,
        parts.vault,
        parts.store,
        parts.shelf,
        client_id=people_of(client),
        subject=subject,
        by=_by(client),
        now=parts.now,
        ledger=parts.protection.ledger,
    )
    with contextlib.suppress(Unavailable):  # else a second later (server/life.py)
        await end_withdrawn(parts.peers, parts.store.sessions)
    return web.json_response(
        {"removed": erased["templates"], "erased": dict(erased), "receipt": receipt},
        headers={"Cache-Control": "no-store"},
    )


async def allow_subject(request: web.Request) -> web.Response:
    """A relying app's backend saw another factor of a person: the face may be tried again."""
    parts = opened_parts(request)
    client, subject = await _asked(request, parts)
    fields = await body_of(request, MAX_REQUEST_BYTES) if request.can_read_body else {}
    (forget_devices,) = read(fields, UNLOCK)
    unlocked = await unlock_subject(
        parts.audit,
        parts.store,
        client_id=people_of(client),
        subject=subject,
        by=_by(client),
        forget_devices=forget_devices,
    )
    return web.json_response({"unlocked": unlocked}, headers={"Cache-Control": "no-store"})


def _by(client: Client) -> str:
    """Who has it done, for the audit; another app than that of the people is named."""
    return "client" if people_of(client) == client.client_id else f"client {client.client_id}"


async def _asked(request: web.Request, parts: Parts) -> tuple[Client, str]:
    """Who asks about which subject; counted. Raises Problem, request_invalid too."""
    client = await known_client(request, parts)
    subject = request.match_info["subject"]
    known = is_subject(subject)
    await count(parts, client, subject if known else None)
    if not known:
        raise Problem("request_invalid", "The subject is not one that can exist.")
    return client, subject
