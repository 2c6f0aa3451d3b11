"""Which address does what. Source: docs/protocol.md, "HTTP".

Not here: what is done then (sessions.py, subjects.py, offers.py, published.py, operator.py), and
what is done around every request, a browser's preflight included (middleware.py).
"""

from __future__ import annotations

from aiohttp import web

from server.http.consents import show_consent
from server.http.devices import keep_device
from server.http.offers import take_offer
from server.http.operator import healthz, metrics, readyz
from server.http.published import jwks, widget
from server.http.sessions import create_session, show_session
from server.http.subjects import allow_subject, remove_subject, show_export, show_subject


def add(app: web.Application) -> None:
    """Put all of them on an application that has its parts (requests.PARTS)."""
    router = app.router
    router.add_post("/v1/sessions", create_session, name="create_session")
    router.add_get("/v1/sessions/{session}", show_session, name="show_session", allow_head=False)
    router.add_get(
        "/v1/sessions/{session}/consent", show_consent, name="show_consent", allow_head=False
    )
    router.add_post("/v1/sessions/{session}/offer", take_offer, name="take_offer")
    router.add_post("/v1/sessions/{session}/device", keep_device, name="keep_device")
    router.add_get("/v1/subjects/{subject}", show_subject, name="show_subject", allow_head=False)
    router.add_delete("/v1/subjects/{subject}", remove_subject, name="remove_subject")
    router.add_get(
        "/v1/subjects/{subject}/export", show_export, name="export_subject", allow_head=False
    )
    router.add_post("/v1/subjects/{subject}/unlock", allow_subject, name="unlock_subject")
    router.add_get("/.well-known/jwks.json", jwks, name="jwks")
    router.add_get("/healthz", healthz, name="healthz")
    router.add_get("/readyz", readyz, name="readyz")
    router.add_get("/metrics", metrics, name="metrics", allow_head=False)
    router.add_get("/web/{file}", widget, name="widget")
