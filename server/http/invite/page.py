"""The page of an invitation and the files beside it.

Looking at a link uses nothing up: mail readers do. Not here: what its script asks (steps.py), its
words (web/invite/texts.js), the headers of pages (server/http/login/page.py).
Source: docs/oidc.md, "Invitations".
"""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import urlsplit

from aiohttp import web

from server.factors.enrolling import Stage
from server.http.invite.visit import invitation_of, token_of, visiting
from server.http.login.page import language_of, page_of, refusal
from server.http.oidc.reading import take_turn
from server.http.published import answer, published_in
from server.http.requests import opened_parts
from server.oidc.ways import ways_of
from server.problems import Problem
from server.store.port import Client, Unavailable
from server.store.relying import people_of

FOLDER = Path(__file__).parents[3] / "web" / "invite"
BEGIN = "begin"
"""Where a browser stands that has no visit yet."""


async def show_page(request: web.Request) -> web.Response:
    """GET /invite/{token}: for whom the link is good, or who has its visit in this browser."""
    parts = opened_parts(request)
    try:
        await take_turn(request, parts)
        try:
            guest = await visiting(request, parts)
        except Problem as problem:
            if problem.code not in ("login_over", "login_foreign"):
                raise
            invitation, client, _ = await invitation_of(parts, token_of(request))
            state, subject, kind = BEGIN, invitation.subject, invitation.kind
            back = invitation.return_url
        else:
            client, state = guest.client, guest.login.state
            subject, kind, back = guest.subject, guest.invited.kind, guest.invited.return_url
            if state == Stage.FACE:
                state = BEGIN
    except Problem as problem:
        return refusal(request, problem)
    except Unavailable as fault:
        return refusal(request, Problem(fault.code))
    return shown(request, client, state=state, subject=subject, kind=kind, back=back)


def shown(
    request: web.Request,
    client: Client,
    *,
    state: str,
    subject: str | None,
    kind: str,
    back: str | None,
) -> web.Response:
    """The page, which says where its visit stands. `client` is a relying app."""
    relying, language = client.relying, language_of(request)
    assert relying is not None, "visit.py lets no other in"
    data = {
        "state": state,
        "subject": subject,
        "kind": kind,
        "of": people_of(client),
        "app": relying.name,
        "host": None if back is None else urlsplit(back).netloc,
        "accent": relying.accent,
        "lang": language,
        "codes": "otp" in relying.ways,
        "keys": "key" in relying.ways,
        "browser_key": ways_of(relying).device_key,
    }
    told = {"lang": language, "app": relying.name, "data": json.dumps(data)}
    # A QR code is a picture in an address of its own, in which no script runs.
    return page_of(FOLDER / "page.html", told, 200, images="'self' data:")


async def show_file(request: web.Request) -> web.Response:
    """GET /web/invite/{file}: the page's script and style sheet."""
    text = published_in(FOLDER).get(request.match_info["file"])
    if text is None:
        raise Problem("not_found")
    return answer(request, text)
