"""The README's own code, as a reader would copy it: the Python that verifies, the HTML tag."""

from __future__ import annotations

import json
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
OUR_KEY = ec.generate_private_key(ec.SECP256R1())
OTHER_KEY = ec.generate_private_key(ec.SECP256R1())
NONCE = "a-nonce-of-this-attempt"


def _jwks() -> bytes:
    public = jwt.algorithms.ECAlgorithm.to_jwk(OUR_KEY.public_key(), as_dict=True)
    return json.dumps({"keys": [{**public, "kid": "k1", "use": "sig", "alg": "ES256"}]}).encode()


class _Published(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = _jwks()
        self.send_response(200 if self.path == "/.well-known/jwks.json" else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), _Published)
    thread = threading.Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{httpd.server_port}"
    httpd.shutdown()
    thread.join()
    httpd.server_close()


@pytest.fixture
def verify(server: str) -> Callable[..., dict[str, Any]]:
    """`verify` of the README, with this server's address."""
    (block,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    names: dict[str, Any] = {}
    exec(block.replace("https://login.example.org", server), names)
    found: Callable[..., dict[str, Any]] = names["verify"]
    return found


def _token(server: str, key: Any = OUR_KEY, typ: str = "face+jwt", **changed: Any) -> str:
    now = int(time.time())
    claims = {
        "iss": server,
        "aud": "my-app",
        "sub": "alice",
        "iat": now,
        "nbf": now,
        "exp": now + 120,
        "nonce": NONCE,
        "jti": str(uuid.uuid4()),
        "purpose": "login",
        **changed,
    }
    return jwt.encode(claims, key, algorithm="ES256", headers={"kid": "k1", "typ": typ})


def test_the_verification_takes_a_good_token(server: str, verify: Callable[..., Any]) -> None:
    assert verify(_token(server), NONCE, "alice")["sub"] == "alice"


@pytest.mark.parametrize(
    "changed",
    [
        {"key": OTHER_KEY},
        {"typ": "JWT"},
        {"iss": "https://elsewhere.example"},
        {"aud": "another-app"},
        {"sub": "bob"},
        {"nonce": "of-another-attempt"},
        {"purpose": "enroll"},
        {"exp": 1_000_000_000},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_the_verification_refuses_any_other(
    server: str, verify: Callable[..., Any], changed: dict[str, Any]
) -> None:
    with pytest.raises((jwt.PyJWTError, ValueError)):
        verify(_token(server, **changed), NONCE, "alice")


def test_the_tag_and_its_events_are_the_elements() -> None:
    element = (ROOT / "web" / "widget" / "face-login.js").read_text()
    (page,) = re.findall(r"```html\n(.*?)```", README, re.DOTALL)
    for attribute in re.findall(r"<face-login ([^>]*)>", page)[0].split():
        assert f"'{attribute.partition('=')[0]}'" in element
    for event in re.findall(r"'face-login:(\w+)'", page):
        assert f"#emit('{event}'" in element
