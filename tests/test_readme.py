"""What README and docs show is what is run: their code is that of web/examples, and that is tried.

Here: the blocks and their files, and what `verify` takes. Not here: the apps as a whole, in a
browser (tests/e2e/test_relying_apps.py), `verify` in JavaScript (tests/web/examples.test.mjs).
"""

from __future__ import annotations

import json
import re
import runpy
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
EXAMPLES = ROOT / "web" / "examples"
RUN = (
    *EXAMPLES.iterdir(),
    *(ROOT / "tests" / "oidc" / "npm").glob("*.mjs"),
    *(ROOT / "tests" / "peers" / "oidc" / "settings").iterdir(),
)
BLOCK = re.compile(r"```(python|jsx?|html)\n(.*?)```", re.DOTALL)
PAGES = ("README.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md"))))
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
def verify(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., dict[str, Any]]:
    """`verify` of the FastAPI app, with this server's address."""
    app = tmp_path / "app.py"
    app.write_text(
        (EXAMPLES / "fastapi_app.py").read_text().replace("http://localhost:8470", server)
    )
    monkeypatch.setenv("FACE_SECRET", "s" * 43)
    found: Callable[..., dict[str, Any]] = runpy.run_path(str(app))["verify"]
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
    assert verify(_token(server), "login", NONCE, "alice")["sub"] == "alice"


@pytest.mark.parametrize("behind_s", [1, 4])
def test_the_verification_takes_a_token_from_a_clock_that_is_ahead(
    server: str, verify: Callable[..., Any], behind_s: int
) -> None:
    at = int(time.time()) + behind_s
    assert verify(_token(server, iat=at, nbf=at), "login", NONCE, "alice")


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
        {"iat": 4_000_000_000},
        {"nbf": 4_000_000_000},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_the_verification_refuses_any_other(
    server: str, verify: Callable[..., Any], changed: dict[str, Any]
) -> None:
    with pytest.raises((jwt.PyJWTError, ValueError)):
        verify(_token(server, **changed), "login", NONCE, "alice")


def test_the_pages_show_whole_files_and_all_of_them() -> None:
    pages = README + (ROOT / "docs" / "integrate.md").read_text()
    shown = [text for _, text in BLOCK.findall(pages)]
    files = {path.name: path.read_text() for path in EXAMPLES.iterdir() if path.is_file()}
    assert sorted(shown) == sorted(files.values())
    for name, text in files.items():
        assert name in pages
        assert len(text.splitlines()) <= 60, name


@pytest.mark.parametrize("page", PAGES)
def test_every_block_of_code_is_part_of_a_file_that_is_run(page: str) -> None:
    run = [_lines(path.read_text()) for path in RUN if path.is_file()]
    for _, text in BLOCK.findall((ROOT / page).read_text()):
        assert any(_lines(text) in whole for whole in run), text


def _lines(text: str) -> str:
    """Lines without indentation: a part of a file may stand further to the left."""
    return "\n".join(line.strip() for line in text.strip().splitlines())


def test_the_tag_and_its_events_are_the_elements() -> None:
    widget = ROOT / "web" / "widget"
    element = "".join((widget / name).read_text() for name in ("element.js", "wishes.js"))
    page = (EXAMPLES / "page.html").read_text()
    for attribute in re.findall(r"face\.setAttribute\('([\w-]+)'", page):
        assert f"'{attribute}'" in element
    for event in re.findall(r"'face-login:(\w+)'", page):
        assert f"#emit('{event}'" in element
