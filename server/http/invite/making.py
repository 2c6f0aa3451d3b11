"""POST /v1/invitations: a relying app's backend invites somebody.

Not here: who may be invited and for how long (server/oidc/inviting.py), the page of the link.
Source: docs/protocol.md, "HTTP".
"""

from __future__ import annotations

from datetime import timedelta

from aiohttp import web

from server.http.answers import rfc3339
from server.http.fields import INVITATION, read
from server.http.requests import MAX_REQUEST_BYTES, body_of, count, known_client, opened_parts
from server.oidc.inviting import InvitationError, invite
from server.oidc.profile import ProfileError
from server.problems import Problem
from server.store.port import NotFound


async def make_invitation(request: web.Request) -> web.Response:
    """The link, which is told to nobody else and not again."""
    parts = opened_parts(request)
    client = await known_client(request, parts)
    try:
        wish = read(await body_of(request, MAX_REQUEST_BYTES), INVITATION)
    except Problem:
        await count(parts, client)
        raise
    subject, profile, return_url, days = wish
    await count(parts, client, subject)
    told = {"client_id": client.client_id, "subject": subject, "by": "client", "of": "face"}
    async with parts.audit.act("invitation", **told):
        try:
            made = await invite(
                parts.store,
                parts.vault,
                client,
                subject,
                profile=profile,
                return_url=return_url,
                lasts=timedelta(days=int(days)),
                now=parts.now(),
            )
        except InvitationError as refused:
            if refused.code == "invite_enrolled":
                raise Problem("subject_enrolled") from None
            raise Problem("request_invalid", refused.text) from None
        except ProfileError as refused:
            raise Problem("request_invalid", refused.text) from None
        except NotFound:  # the client was removed a moment ago
            raise Problem("client_unauthorized") from None
    said = {
        "url": made.url(parts.settings.public_url),
        "expires_at": rfc3339(made.invitation.expires_at),
    }
    return web.json_response(said, status=201, headers={"Cache-Control": "no-store"})
