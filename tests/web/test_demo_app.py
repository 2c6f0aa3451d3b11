"""The demo relying app against a stand-in for Lookgate that mints tokens with a key of its own."""

from __future__ import annotations

import ast
import base64
import hashlib
import hmac
import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import aiohttp
import pytest
from aiohttp.test_utils import TestClient, TestServer
from cryptography.hazmat.primitives import serialization

from tests.web.relying_app import ADA, KEY, OTHER_KEY, SECRET, NewPerson, Person, StandIn
from web.demo.app import make_app
from web.demo.config import BadSettings, Settings, read_settings
from web.demo.guard import SETTINGS

# ------------------------------------------------------------------------------------ the main job


async def test_register_enrol_log_out_log_in(person: Person, lookgate: StandIn) -> None:
    await person.get("/members", 401)
    await person.register()
    page = await person.get("/enroll")
    assert f'src="{lookgate.url}/web/face-login.js"' in page
    assert 'session-url="/api/face/enroll"' in page
    given = await person.api("/api/face/enroll")
    assert given == {
        "server": lookgate.url,
        "session": "s0",
        "ticket": "tick",
        "ice_servers": [],
        "consent": True,
    }
    asked = lookgate.sessions[0]
    assert (asked["purpose"], asked["replace"]) == ("enroll", False)
    assert asked["subject"].lower() not in ("ada", "ada@example.org")
    assert re.fullmatch(r"[A-Za-z0-9._~-]{16,128}", asked["nonce"])
    await person.get("/members", 403)
    token = lookgate.accept()
    assert await person.api("/api/face/finish", {"token": token}) == {"next": "/codes"}
    members = await person.get("/members")
    assert lookgate.sessions[0]["nonce"] in members
    await person.log_out()
    await person.get("/members", 401)
    location, _ = await person.password()
    assert location == "/login/face"
    await person.get("/members", 403)
    await person.face("login")
    assert lookgate.sessions[-1]["purpose"] == "login"
    assert "replace" not in lookgate.sessions[-1]
    assert lookgate.sessions[-1]["subject"] == asked["subject"]
    await person.get("/members")


async def test_an_email_address_opens_nothing(new_person: NewPerson) -> None:
    """Nobody has shown that it is theirs, and registering must not tell whose it is."""
    first, second = await new_person(), await new_person()
    await first.register()
    await second.register(username="eve")  # with Ada's address
    await second.get("/login")
    await second.password(401, username=ADA["email"])
    assert (await second.password(username=" ADA "))[0] == "/login/face"


async def test_show_the_face_again_replaces_it(person: Person, lookgate: StandIn) -> None:
    await person.member()
    await person.face("enroll")
    assert lookgate.sessions[-1]["replace"] is True


async def test_a_password_alone_never_replaces_a_face(person: Person, lookgate: StandIn) -> None:
    await person.member()
    await person.log_out()
    await person.password()
    before = len(lookgate.sessions)
    await person.get("/enroll", 303)
    await person.get("/login/face")
    answer = await person.api("/api/face/enroll", status=403)
    assert answer["error"]["code"] == "face_needed"
    assert len(lookgate.sessions) == before


async def test_a_lost_enrolment_counts(person: Person, lookgate: StandIn) -> None:
    await person.register()
    await person.get("/enroll")
    await person.api("/api/face/enroll")
    lookgate.accept()  # its token never reaches the app
    await person.get("/enroll", 303)
    await person.face("login")
    await person.get("/members")


async def test_delete_face_then_account(person: Person, lookgate: StandIn) -> None:
    await person.member()
    subject = lookgate.sessions[0]["subject"]
    await person.get("/members")
    await person.post("/face/delete")
    assert lookgate.removed == [subject]
    page = await person.get("/members")
    assert "Not set up" in page
    await person.post("/account/delete", 401, password="wrong password")
    await person.get("/members")
    await person.post("/account/delete", password=ADA["password"])
    assert lookgate.removed == [subject, subject]
    await person.get("/members", 401)
    await person.password(401)
    await person.register()  # name and address are free again


# ------------------------------------------------------------------------------------ tokens


def _tampered(stand_in: StandIn) -> str:
    head, _, signature = stand_in.token(stand_in.claims()).split(".")
    other = stand_in.token(stand_in.claims(sub="someone")).split(".")[1]
    return f"{head}.{other}.{signature}"


def _hs256_with_the_public_key(stand_in: StandIn) -> str:
    # PyJWT refuses to sign with a PEM, so by hand: RFC 8725 section 2.1.
    pem = KEY.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )

    def b64(data: bytes) -> str:
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    head = b64(json.dumps({"alg": "HS256", "typ": "face+jwt", "kid": "k1"}).encode())
    body = b64(json.dumps(stand_in.claims()).encode())
    return f"{head}.{body}.{b64(hmac.digest(pem, f'{head}.{body}'.encode(), hashlib.sha256))}"


def _without(stand_in: StandIn, name: str) -> str:
    claims = stand_in.claims()
    del claims[name]
    return stand_in.token(claims)


NOW = int(time.time())
FORGERIES: dict[str, Callable[[StandIn], str]] = {
    "wrong audience": lambda s: s.token(s.claims(aud="other")),
    "wrong issuer": lambda s: s.token(s.claims(iss="http://evil.example")),
    "wrong nonce": lambda s: s.token(s.claims(nonce="n" * 20)),
    "wrong subject": lambda s: s.token(s.claims(sub="someone-else")),
    "wrong session": lambda s: s.token(s.claims(sid="s999")),
    "wrong purpose": lambda s: s.token(s.claims(purpose="identify")),
    "not by face": lambda s: s.token(s.claims(amr=["pwd"])),
    "no life": lambda s: s.token(s.claims(lookgate_liveness=[])),
    "life in words": lambda s: s.token(s.claims(lookgate_liveness="passive")),
    "no word of life": lambda s: _without(s, "lookgate_liveness"),
    "expired": lambda s: s.token(s.claims(iat=NOW - 300, nbf=NOW - 300, exp=NOW - 180)),
    "not yet": lambda s: s.token(s.claims(nbf=int(time.time()) + 60)),
    "lives too long": lambda s: s.token(s.claims(exp=int(time.time()) + 3600)),
    "other type": lambda s: s.token(s.claims(), typ="JWT"),
    "other key": lambda s: s.token(s.claims(), key=OTHER_KEY),
    "unknown kid": lambda s: s.token(s.claims(), kid="k2"),
    "alg none": lambda s: s.token(s.claims(), key=None, alg="none"),
    "alg HS256": _hs256_with_the_public_key,
    "tampered": _tampered,
    "no nonce": lambda s: _without(s, "nonce"),
    "no jti": lambda s: _without(s, "jti"),
    "no exp": lambda s: _without(s, "exp"),
    "garbage": lambda s: "a.b.c",
    "empty": lambda s: "",
    "huge": lambda s: "a" * 9000,
}


@pytest.mark.parametrize("name", FORGERIES)
async def test_forged_tokens_open_nothing(name: str, person: Person, lookgate: StandIn) -> None:
    await person.register()
    await person.get("/enroll")
    await person.api("/api/face/enroll")
    answer = await person.api("/api/face/finish", {"token": FORGERIES[name](lookgate)}, 403)
    assert answer["error"]["code"] == "token_refused"
    await person.get("/members", 403)
    # The attempt is not used up by a forgery: the honest token still counts.
    await person.api("/api/face/finish", {"token": lookgate.token(lookgate.claims())})


async def test_a_jti_counts_once(person: Person, lookgate: StandIn) -> None:
    await person.register()
    await person.get("/enroll")
    await person.api("/api/face/enroll")
    claims = lookgate.claims(jti="the-same")
    await person.api("/api/face/finish", {"token": lookgate.token(claims)})
    await person.get("/enroll")
    # The very token again: its nonce belongs to an attempt that is over.
    answer = await person.api("/api/face/finish", {"token": lookgate.token(claims)}, 403)
    assert answer["error"]["code"] == "token_refused"
    await person.api("/api/face/enroll")
    again = lookgate.token(lookgate.claims(jti="the-same"))
    answer = await person.api("/api/face/finish", {"token": again}, 403)
    assert answer["error"]["code"] == "token_replayed"


async def test_another_persons_token_is_refused(new_person: NewPerson, lookgate: StandIn) -> None:
    ada, bob = await new_person(), await new_person()
    await ada.register()
    await bob.register(username="bob", email="bob@example.org")
    await bob.get("/enroll")
    await bob.api("/api/face/enroll")
    bobs = lookgate.token(lookgate.claims())
    await ada.get("/enroll")
    await ada.api("/api/face/enroll")
    await ada.api("/api/face/finish", {"token": bobs}, 403)


async def test_a_token_without_login_is_refused(person: Person) -> None:
    await person.get("/login")
    answer = await person.api("/api/face/finish", {"token": "x"}, 401)
    assert answer["error"]["code"] == "login_needed"


# ------------------------------------------------------------------------------------ passwords


async def test_wrong_password_and_unknown_user_look_the_same(person: Person) -> None:
    await person.member()
    await person.log_out()
    _, wrong = await person.password(401, password="not the password")
    _, unknown = await person.password(401, username="nobody", password="not the password")
    clean = [
        re.sub(r'(name="csrf" value|name="username"[^>]*value)="[^"]*"', "", t)
        for t in (wrong, unknown)
    ]
    assert clean[0] == clean[1]
    assert "User name or password is wrong." in wrong


async def test_passwords_are_stored_as_argon2id(person: Person) -> None:
    await person.register()
    app = person.client.server.app  # type: ignore[attr-defined]
    raw = b"".join(p.read_bytes() for p in app[SETTINGS].database.parent.iterdir())
    assert b"$argon2id$" in raw
    assert ADA["password"].encode() not in raw
    cookie = person.cookie()
    assert cookie
    assert cookie.encode() not in raw


# ------------------------------------------------------------------------------------ forms


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("name", "  ", "Please enter your name."),
        ("name", "x" * 81, "at most 80"),
        ("username", "a b", "3 to 32"),
        ("username", "x", "3 to 32"),
        ("email", "ada", "e-mail address such as"),
        ("email", "a@b", "e-mail address such as"),
        ("phone", "call me", "phone number such as"),
        ("password", "short", "at least 8"),
        ("password", "x" * 129, "at most 128"),
        ("password", "password", "first that somebody would guess"),
        ("password", "Ada@example.org", "first that somebody would guess"),
        ("password", "Lantern-2026", "first that somebody would guess"),
    ],
)
async def test_registration_says_what_is_wrong(
    name: str, value: str, text: str, person: Person
) -> None:
    await person.get("/register")
    _, page = await person.post("/register", 422, **{**ADA, name: value})
    assert text in page
    assert f'id="{name}-wrong"' in page
    assert page.count('class="wrong"') == 1
    assert ADA["password"] not in page  # never sent back


async def test_a_user_name_is_unique(new_person: NewPerson) -> None:
    first, second = await new_person(), await new_person()
    await first.register()
    await second.get("/register")
    _, page = await second.post("/register", 422, **{**ADA, "username": "ADA"})
    assert "This user name is taken." in page
    assert page.count('class="wrong"') == 1  # nothing of the e-mail address


async def test_what_people_type_is_escaped(person: Person) -> None:
    await person.get("/register")
    _, page = await person.post("/register", 422, **{**ADA, "phone": '"><img src=x>{name}'})
    assert "<img" not in page
    assert "&quot;&gt;&lt;img src=x&gt;{name}" in page
    await person.member()
    page = await person.get("/members")
    assert "<script>alert" not in page
    assert "Ada &lt;script&gt;alert(1)&lt;/script&gt;" in page


@pytest.mark.parametrize(
    "path", ["/register", "/login", "/logout", "/face/delete", "/account/delete"]
)
async def test_forms_need_their_csrf_token(path: str, person: Person) -> None:
    await person.member()
    for token in ("", "wrong", "\N{SNOWMAN}"):
        person.csrf = token
        _, page = await person.post(path, 403, **ADA)
        assert "Code: csrf" in page
    await person.get("/members")  # nothing happened


@pytest.mark.parametrize("path", ["/api/face/enroll", "/api/face/login", "/api/face/finish"])
async def test_scripts_need_the_csrf_header(path: str, person: Person) -> None:
    await person.member()
    person.csrf = "wrong"
    answer = await person.api(path, status=403)
    assert answer == {
        "error": {
            "code": "csrf",
            "text": "This page was open too long. Reload it and try again.",
            "retry": True,
        }
    }


async def test_every_step_up_gets_a_new_cookie(person: Person) -> None:
    await person.get("/register")
    guest = person.cookie()
    await person.register()
    password = person.cookie()
    await person.face("enroll")
    member = person.cookie()
    assert len({guest, password, member}) == 3
    for old in (guest, password):
        async with aiohttp.ClientSession(cookies={"lantern": str(old)}) as bare:
            answer = await bare.get(person.client.make_url("/members"))
            assert answer.status == 401


async def test_cookie_and_headers(person: Person, lookgate: StandIn) -> None:
    answer = await person.client.get("/register")
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    for path in ("/", "/nothing-here", "/static/demo.css", "/api/nothing"):
        answer = await person.client.get(path)
        csp = answer.headers["Content-Security-Policy"]
        assert f"script-src 'self' {lookgate.url};" in csp
        assert "unsafe" not in csp
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert (await answer.json())["error"]["code"] == "not_found"
    page = await person.get("/register")
    assert not re.search(r"<script(?![^>]*src=)|\son\w+=|style=", page)


# ---------------------------------------------------------------------- when Lookgate is not well


async def test_lookgate_is_down(person: Person, lookgate: StandIn) -> None:
    await person.register()
    await person.get("/enroll")
    lookgate.refuse = (503, "store_unavailable")
    answer = await person.api("/api/face/enroll", status=503)
    assert answer["error"]["code"] == "lookgate_busy"
    assert answer["error"]["retry"] is True
    page = await person.get("/enroll", 502)
    assert "cannot be reached" in page
    assert 'href="/enroll">Try again' in page
    lookgate.refuse = None
    await person.face("enroll")
    lookgate.refuse = (503, "store_unavailable")
    await person.get("/members")
    await person.post("/account/delete", 503, password=ADA["password"])
    await person.get("/members")  # nothing was deleted by half


async def test_lookgate_refuses_us(person: Person, lookgate: StandIn) -> None:
    await person.register()
    await person.get("/enroll")
    lookgate.refuse = (401, "client_unauthorized")
    answer = await person.api("/api/face/enroll", status=502)
    assert answer["error"]["code"] == "lookgate_refused"
    lookgate.refuse = (429, "too_many_requests")
    answer = await person.api("/api/face/enroll", status=503)
    assert answer["error"]["code"] == "lookgate_busy"


async def test_nothing_listens_there(tmp_path: Path) -> None:
    settings = Settings(
        server="http://127.0.0.1:9", public_server="http://127.0.0.1:9", client="demo",
        secret=SECRET, database=tmp_path / "d",
    )  # fmt: skip
    server = TestServer(make_app(settings), host="127.0.0.1")
    async with TestClient(server, cookie_jar=aiohttp.CookieJar(unsafe=True)) as client:
        person = Person(client, StandIn())
        await person.register()
        await person.get("/enroll", 502)
        person.csrf = re.search(r'value="([^"]+)"', await person.get("/login"))[1]  # type: ignore[index]
        answer = await person.api("/api/face/enroll", status=502)
        assert answer["error"]["code"] == "lookgate_unreachable"


# ------------------------------------------------------------------------------ settings, doors


def test_settings_report_every_problem_at_once(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.touch()
    with pytest.raises(BadSettings) as caught:
        read_settings(
            ["--server", "ftp://x", "--port", "99999", "--secret-file", str(empty)],
            {"LOOKGATE_DEMO_SECURE_COOKIES": "maybe"},
        )
    text = str(caught.value)
    for name in ("server", "port", "secret-file", "secure-cookies"):
        assert f"{name}:" in text


def test_settings_from_command_line_and_environment(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    settings = read_settings(
        ["--server", "http://lookgate:8470/", "--secret-file", str(file)],
        {"LOOKGATE_DEMO_PUBLIC_SERVER": "https://login.example", "LOOKGATE_DEMO_CLIENT": "shop"},
    )
    assert settings.server == "http://lookgate:8470"
    assert settings.public_server == "https://login.example"
    assert (settings.client, settings.secret, settings.port) == ("shop", SECRET, 8471)
    assert SECRET not in repr(settings)


def test_a_third_party_imports_nothing_of_the_server() -> None:
    folder = Path(__file__).parents[2] / "web"
    for file in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            for name in names:
                assert name.split(".")[0] not in ("server", "pipeline", "models"), file


def test_the_docs_name_every_setting() -> None:
    page = (Path(__file__).parents[2] / "docs" / "widget.md").read_text()
    source = (Path(__file__).parents[2] / "web" / "demo" / "config.py").read_text()
    for name in re.findall(r'value\("([a-z_]+)"|url\("([a-z_]+)"', source):
        assert f"`--{''.join(name).replace('_', '-')}`" in page, name


def test_a_start_that_cannot_work_says_why(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    root = Path(__file__).parents[2]
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        database = str(tmp_path / "d")
        for options, code, text in (
            ([], 2, "demo: secret-file: is needed"),
            (["--secret-file", str(secret), "--database", "/nowhere/d"], 2, "demo: database:"),
            (
                ["--secret-file", str(secret), "--database", database, "--port", port],
                1,
                f"demo: port: cannot listen on 127.0.0.1:{port}",
            ),
        ):
            ended = subprocess.run(
                [sys.executable, "-m", "web.demo", *options],
                cwd=root,
                env={"PATH": ""},
                capture_output=True,
                text=True,
                timeout=20,
            )
            assert (ended.returncode, ended.stdout) == (code, "")
            assert text in ended.stderr
            assert "Traceback" not in ended.stderr
            assert SECRET not in ended.stderr
