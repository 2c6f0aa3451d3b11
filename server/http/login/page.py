"""The login page itself, the files beside it, and the page that says why a login cannot go on.

The page is one text with one value in it, which its script reads. Nothing is inline. Not here: what
its script asks (who.py, keys.py, faces.py, codes.py, ending.py), its words (web/login/texts.js).
Source: docs/oidc.md, "The login page"; CSP Level 3; WebAuthn Level 3 section 5.9.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aiohttp import web

from server.factors.steps import State
from server.http.fields import is_subject
from server.http.login.ending import remembered
from server.http.login.visit import Visit, opened
from server.http.published import answer, published_in
from server.http.requests import opened_parts, stored_client
from server.oidc.authorize import LOCALES, Request, request_of
from server.parts import Parts
from server.problems import Problem
from server.store.port import NotFound, Unavailable

FOLDER = Path(__file__).parents[3] / "web" / "login"

REFUSALS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "en": {
        "": ("This does not work", "The login cannot go on."),
        "login_over": ("This login is over", "It was used, or it took longer than ten minutes."),
        "login_foreign": (
            "This login is not yours",
            "It was begun in another browser. Do not go on with an address that somebody sent you.",
        ),
        "oidc_client_unknown": ("Unknown app", "No app of this name is registered here."),
        "oidc_redirect_uri": (
            "Wrong way back",
            "The app wants its answer at an address that is not registered here.",
        ),
        "oidc_parameter_twice": ("Ambiguous request", "The app sent a parameter twice."),
        "oidc_request_uri": ("Start again", "This login was begun before, or too long ago."),
        "oidc_logout": (
            "Wrong way back",
            "You are logged out here. The app wants you at an address that is not registered.",
        ),
        "invitation_over": (
            "This invitation is over",
            "It was used, or it is too old. Ask for a new one.",
        ),
        "store_unavailable": ("Not now", "The database cannot be reached. Try again in a moment."),
        "too_many_requests": ("Too fast", "Wait a moment, and try again."),
        "again": ("Start again at {}.", ""),
    },
    "de": {
        "": ("Das geht nicht", "Die Anmeldung kann nicht weitergehen."),
        "login_over": (
            "Diese Anmeldung ist vorbei",
            "Sie wurde benutzt, oder sie hat länger als zehn Minuten gedauert.",
        ),
        "login_foreign": (
            "Diese Anmeldung gehört nicht Ihnen",
            "Sie wurde in einem anderen Browser begonnen. Benutzen Sie keine Adresse, die Ihnen"
            " jemand geschickt hat.",
        ),
        "oidc_client_unknown": ("Unbekannte App", "Hier ist keine App dieses Namens registriert."),
        "oidc_redirect_uri": (
            "Falscher Rückweg",
            "Die App will die Antwort an einer Adresse, die hier nicht registriert ist.",
        ),
        "oidc_parameter_twice": (
            "Mehrdeutige Anfrage",
            "Die App hat eine Angabe zweimal geschickt.",
        ),
        "oidc_request_uri": (
            "Beginnen Sie neu",
            "Diese Anmeldung wurde schon begonnen, oder vor zu langer Zeit.",
        ),
        "oidc_logout": (
            "Falscher Rückweg",
            "Sie sind hier abgemeldet. Die App schickt Sie an eine Adresse, die nicht registriert"
            " ist.",
        ),
        "invitation_over": (
            "Diese Einladung ist vorbei",
            "Sie wurde benutzt, oder sie ist zu alt. Bitten Sie um eine neue.",
        ),
        "store_unavailable": (
            "Gerade nicht",
            "Die Datenbank ist nicht erreichbar. Versuchen Sie es gleich noch einmal.",
        ),
        "too_many_requests": ("Zu schnell", "Warten Sie einen Moment, und versuchen Sie es neu."),
        "again": ("Beginnen Sie neu bei {}.", ""),
    },
}
"""Heading and sentence of each code; "" is for all others."""


async def show_page(request: web.Request) -> web.Response:
    """GET /login/{login}. Refused by a page of its own, and never by a redirect."""
    parts = opened_parts(request)
    try:
        visit = await opened(request, parts)
    except Problem as problem:
        return refusal(request, problem, again_at=await _app_of(parts, request, problem))
    except Unavailable as fault:
        return refusal(request, Problem(fault.code))
    posts = visit.asked.response_mode == "form_post"
    return page_of(FOLDER / "page.html", _told(request, visit), 200, posts=posts)


async def show_file(request: web.Request) -> web.Response:
    """GET /web/login/{file}: the page's script and style sheet."""
    file = published_in(FOLDER).get(request.match_info["file"])
    if file is None:
        raise Problem("not_found")
    return answer(request, file)


def refusal(request: web.Request, problem: Problem, *, again_at: str | None = None) -> web.Response:
    """A page that says what is wrong, with its code. `again_at`: the app's name, if it is known."""
    language = language_of(request)
    texts = REFUSALS[language]
    heading, sentence = texts.get(problem.code, texts[""])
    told = {
        "lang": language,
        # As deep as the address, because a proxy may have put all of it below a path.
        "base": "../" * (request.path.count("/") - 1),
        "heading": heading,
        "sentence": sentence,
        "code": problem.code,
        "again": "" if again_at is None else texts["again"][0].format(again_at),
    }
    response = page_of(FOLDER / "refusal.html", told, problem.status)
    if problem.retry_after_s is not None:
        response.headers["Retry-After"] = str(max(1, round(problem.retry_after_s)))
    return response


def language_of(request: web.Request, asked: Request | None = None) -> str:
    """What the app asks for (Core 3.1.2.1, ui_locales), else the browser, of LOCALES."""
    wanted = list(asked.ui_locales) if asked is not None else []
    wanted += re.findall(r"[A-Za-z]{2}(?=[,;-]|\s|$)", request.headers.get("Accept-Language", ""))
    for one in wanted:
        if (found := one[:2].lower()) in LOCALES:
            return found
    return LOCALES[0]


def _told(request: web.Request, visit: Visit) -> dict[str, str]:
    """What the page's script needs to know, and what is shown before it runs."""
    asked, relying, login, ways = visit.asked, visit.relying, visit.login, visit.ways
    people = [p.subject for p in remembered(request, visit.parts) if p.people == visit.people]
    language = language_of(request, asked)
    data: dict[str, Any] = {
        "state": login.state,
        "subject": login.subject,
        "of": visit.people,
        "app": relying.name,
        "host": urlsplit(asked.redirect_uri).netloc,
        "accent": relying.accent,
        "lang": language,
        # A claim of the app, no more; what cannot be a name here is none.
        "hint": asked.login_hint if is_subject(asked.login_hint) else None,
        "people": people if ways.named else [],
        "ways": {
            "passkey": ways.passkey,
            "device_key": ways.device_key,
            "named": ways.named,
            "no_key": ways.no_key,
            "anybody": ways.anybody,
            "key_alone": ways.key_alone,
            "code": ways.code,
        },
    }
    return {"lang": language, "app": relying.name, "data": json.dumps(data)}


def page_of(
    file: Path, told: Mapping[str, str], status: int, *, posts: bool = False, images: str = "'self'"
) -> web.Response:
    """A page of ours with these values in it, and the headers that hold it together. `images`: of
    where it may show pictures, in the words of CSP."""
    # In one go, so that nothing in a value is taken for a place of another.
    text = re.sub(r"\{\{(\w+)\}\}", lambda found: html.escape(told[found[1]]), _text(file))
    response = web.Response(text=text, status=status, content_type="text/html", charset="utf-8")
    response.headers.update(
        {
            # `form-action` holds over all redirects that follow a POST, so the page makes none: it
            # ends by location.replace. But where the app wants a form post (`posts`), that is one.
            "Content-Security-Policy": (
                "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
                f" img-src {images}; base-uri 'none'; frame-ancestors 'none';"
                " require-trusted-types-for 'script'" + ("" if posts else "; form-action 'none'")
            ),
            "X-Frame-Options": "DENY",
            # `no-referrer` would make the origin of our own POSTs `null`, and `same-origin` that of
            # the form that goes to the app (Fetch standard, "append a request Origin header").
            "Referrer-Policy": "strict-origin" if posts else "same-origin",
            "Cache-Control": "no-store",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Permissions-Policy": (
                "camera=(self), publickey-credentials-get=(self),"
                " publickey-credentials-create=(self), microphone=(), geolocation=()"
            ),
        }
    )
    return response


async def _app_of(parts: Parts, request: web.Request, problem: Problem) -> str | None:
    """Where to start again, of a login that is over or somebody else's."""
    if problem.code not in ("login_over", "login_foreign"):
        return None
    try:
        login = await parts.store.logins.get(request.match_info["login"], parts.now())
        client = await stored_client(parts, login.client_id)
    except (NotFound, Unavailable, Problem):
        return None
    if client.relying is None or login.state not in set(State):
        return None
    host = urlsplit(request_of(login.request).redirect_uri).netloc
    return f"{client.relying.name} ({host})"


@cache
def _text(file: Path) -> str:
    return file.read_text("utf-8")
