"""A person at the demo app, and a stand-in for Lookgate that mints tokens with a key of its own."""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import argon2
import jwt
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from web.demo.config import Settings

SECRET = "client-s3cret"
ADA = {
    "name": "Ada <script>alert(1)</script>",
    "username": "Ada",
    "email": "Ada@Example.org",
    "phone": "+44 20 7946 0000",
    "password": "correct horse",
}
KEY, OTHER_KEY = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())


class StandIn:
    """What the demo app may see of Lookgate."""

    def __init__(self) -> None:
        self.sessions: list[dict[str, Any]] = []
        self.removed: list[str] = []
        self.refuse: tuple[int, str] | None = None
        self.templates: dict[str, bool] = {}
        """By subject: whether a login can use it."""
        self.vague = False
        """Whether it leaves out what it should say of a subject."""
        self.url = ""

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/readyz", self._ready)
        app.router.add_get("/.well-known/jwks.json", self._jwks)
        app.router.add_post("/v1/sessions", self._open)
        app.router.add_get("/v1/subjects/{subject}", self._show)
        app.router.add_delete("/v1/subjects/{subject}", self._forget)
        return app

    def _check(self, request: web.Request) -> web.Response | None:
        expected = aiohttp.encode_basic_auth("demo", SECRET)
        assert request.headers["Authorization"] == expected
        if self.refuse is None:
            return None
        status, code = self.refuse
        return web.json_response(
            {"error": {"code": code, "text": "no", "retry": False}}, status=status
        )

    async def _ready(self, _: web.Request) -> web.Response:
        return web.Response(status=503 if self.refuse else 200)

    async def _jwks(self, _: web.Request) -> web.Response:
        key = json.loads(ECAlgorithm.to_jwk(KEY.public_key()))
        return web.json_response({"keys": [{**key, "kid": "k1", "use": "sig", "alg": "ES256"}]})

    async def _open(self, request: web.Request) -> web.Response:
        if refusal := self._check(request):
            return refusal
        body = await request.json()
        known = body["subject"] in self.templates
        if body["purpose"] == "enroll" and known and not body["replace"]:
            return web.json_response(
                {"error": {"code": "subject_enrolled", "text": "", "retry": False}}, status=409
            )
        session = {**body, "session": f"s{len(self.sessions)}"}
        self.sessions.append(session)
        return web.json_response(
            {
                "session": session["session"],
                "ticket": "tick",
                "expires_at": "2030-01-01T00:00:00Z",
                "ice_servers": [],
                "consent": body["purpose"] == "enroll",
            },
            status=201,
        )

    async def _show(self, request: web.Request) -> web.Response:
        if refusal := self._check(request):
            return refusal
        subject = request.match_info["subject"]
        if self.vague:
            return web.json_response({"subject": subject})
        return web.json_response(
            {
                "subject": subject,
                "enrolled": subject in self.templates,
                "usable": self.templates.get(subject, False),
                "since": "2026-01-01T00:00:00Z" if subject in self.templates else None,
                "model": "sface" if subject in self.templates else None,
            }
        )

    async def _forget(self, request: web.Request) -> web.Response:
        if refusal := self._check(request):
            return refusal
        self.removed.append(request.match_info["subject"])
        self.templates.pop(request.match_info["subject"], None)
        return web.json_response({"removed": 1})

    def accept(self) -> str:
        """The newest session ends well; its token."""
        session = self.sessions[-1]
        if session["purpose"] == "enroll":
            self.templates[session["subject"]] = True
        return self.token(self.claims())

    def claims(self, **other: Any) -> dict[str, Any]:
        """Those of an honest token for the newest session."""
        session, now = self.sessions[-1], int(time.time())
        return {
            "iss": self.url,
            "aud": "demo",
            "sub": session["subject"],
            "iat": now,
            "nbf": now,
            "exp": now + 60,
            "auth_time": now,
            "jti": secrets.token_hex(8),
            "nonce": session["nonce"],
            "sid": session["session"],
            "purpose": session["purpose"],
            "amr": ["face"],
            "acr": "passive",
            "lookgate_liveness": ["passive"],
            **other,
        }

    def token(
        self, claims: dict[str, Any], *, key: Any = KEY, alg: str = "ES256", **header: Any
    ) -> str:
        headers = {"typ": "face+jwt", "kid": "k1", **header}
        return jwt.encode(claims, key, algorithm=alg, headers=headers)


class Person:
    """A browser with a cookie jar, and the forms a person fills in."""

    def __init__(self, client: TestClient, lookgate: StandIn, address: str = "192.0.2.1") -> None:
        self.client = client
        self.client.session.headers["X-Forwarded-For"] = address
        self.lookgate = lookgate
        self.csrf = ""

    def cookie(self, name: str = "lantern") -> str | None:
        jar = self.client.session.cookie_jar.filter_cookies(self.client.make_url("/"))
        return jar[name].value if name in jar else None

    def clear_cookies(self) -> None:
        """Another browser from now on."""
        self.client.session.cookie_jar.clear()

    async def get(self, path: str, status: int = 200) -> str:
        answer = await self.client.get(path, allow_redirects=False)
        text = await answer.text()
        assert answer.status == status, text
        if found := re.search(r'(?:name="csrf" value|csrf-token)="([^"]+)"', text):
            self.csrf = found[1]
        return text

    async def post(self, path: str, status: int = 303, **form: str) -> tuple[str, str]:
        answer = await self.client.post(
            path, data={"csrf": self.csrf, **form}, allow_redirects=False
        )
        text = await answer.text()
        assert answer.status == status, text
        return answer.headers.get("Location", ""), text

    async def api(self, path: str, body: object = None, status: int = 200) -> dict[str, Any]:
        answer = await self.client.post(path, json=body or {}, headers={"X-CSRF-Token": self.csrf})
        content: dict[str, Any] = await answer.json()
        assert answer.status == status, content
        return content

    async def register(self, **other: str) -> None:
        await self.get("/register")
        location, _ = await self.post("/register", **{**ADA, **other})
        assert location == "/enroll"

    async def face(self, purpose: str) -> dict[str, Any]:
        await self.get("/enroll" if purpose == "enroll" else "/login/face")
        await self.api(f"/api/face/{purpose}")
        return await self.api("/api/face/finish", {"token": self.lookgate.accept()})

    async def member(self) -> None:
        await self.register()
        assert await self.face("enroll") == {"next": "/codes"}

    async def log_out(self) -> None:
        await self.get("/members")
        await self.post("/logout")

    async def password(self, status: int = 303, **other: str) -> tuple[str, str]:
        await self.get("/login")
        form = {"username": "ada", "password": ADA["password"], **other}
        return await self.post("/login", status, **form)


NewPerson = Callable[..., Awaitable[Person]]

CHEAP = argon2.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1)
"""The same algorithm with little work: these tests hash some hundreds of times."""


class Clock:
    """Wall time that a test moves on."""

    def __init__(self) -> None:
        self.now_s = time.time()  # the tokens live by it, too

    def __call__(self) -> float:
        return self.now_s


@asynccontextmanager
async def standing_in() -> AsyncIterator[StandIn]:
    stand_in = StandIn()
    server = TestServer(stand_in.app(), host="127.0.0.1")
    await server.start_server()
    stand_in.url = str(server.make_url("")).rstrip("/")
    try:
        yield stand_in
    finally:
        await server.close()


def settings_for(lookgate: StandIn, folder: Path) -> Settings:
    """Behind a proxy, so that a test chooses the addresses that people come from."""
    return Settings(
        server=lookgate.url,
        public_server=lookgate.url,
        client="demo",
        secret=SECRET,
        database=folder / "demo.sqlite3",
        behind_proxy=True,
    )


@asynccontextmanager
async def serving(app: web.Application, lookgate: StandIn) -> AsyncIterator[NewPerson]:
    """The app on a port; call what it gives for each person, with the address they come from."""
    server = TestServer(app, host="127.0.0.1")
    await server.start_server()
    clients: list[TestClient] = []

    async def make(address: str = "192.0.2.1") -> Person:
        client: TestClient = TestClient(server, cookie_jar=aiohttp.CookieJar(unsafe=True))
        clients.append(client)
        return Person(client, lookgate, address)

    try:
        yield make
    finally:
        for client in clients:
            await client.session.close()
        await server.close()
