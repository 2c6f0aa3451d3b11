"""The browser's way back to the relying app: a redirect, or a form that sends itself.

Not here: where it goes and with what (server/oidc/login.py). Source: RFC 9110 section 15.4.4;
OAuth 2.0 Form Post Response Mode; Content Security Policy Level 3 section 2.3.1 (hashes).
"""

from __future__ import annotations

import base64
import hashlib
import html

from aiohttp import web

from server.http.answers import PAGE_HEADERS
from server.oidc.login import Location

_SCRIPT = "document.forms[0].submit()"
_HASH = base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()
# No form-action: Chromium holds it against the whole chain of redirects behind the app's address,
# so that naming the app's origin would stop those who stand before another provider.
FORM_CSP = (
    f"default-src 'none'; script-src 'sha256-{_HASH}'; base-uri 'none'; frame-ancestors 'none'"
)


def send(location: Location) -> web.Response:
    """Send the browser to the relying app. Nothing keeps the answer, and no address leaks."""
    if location.response_mode == "form_post":
        return form(location)
    return see_other(location.href)


def see_other(url: str) -> web.Response:
    """303, so that a POST becomes a GET (RFC 9700 section 4.12)."""
    headers = {"Location": url, "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
    return web.Response(status=303, headers=headers)


def form(location: Location) -> web.Response:
    """A page whose one script, known by its hash, sends the form; else its button does."""
    rows = "".join(
        f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
        for name, value in location.params.items()
    )
    body = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Going back</title>'
        f'<form method="post" action="{html.escape(location.url)}">{rows}'
        f"<button>Continue</button></form><script>{_SCRIPT}</script>"
    )
    headers = {
        **PAGE_HEADERS,
        "Content-Security-Policy": FORM_CSP,
        # With `same-origin` the app's own check would read `Origin: null`.
        "Referrer-Policy": "strict-origin",
    }
    return web.Response(text=body, content_type="text/html", headers=headers)
