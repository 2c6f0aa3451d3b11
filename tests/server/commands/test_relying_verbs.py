"""`lookgate client add|set|show` with OpenID Connect: what is stored, printed and refused."""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from server.commands import main
from tests.server.oidc.test_registration import jwk, jwks

REDIRECT = "https://shop.example/cb"


@pytest.fixture(autouse=True)
def _own_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("LOOKGATE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("LOOKGATE_PUBLIC_URL", "https://login.example")
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before[0], before[1]


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = main.main(("client", *arguments))
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def shown(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    status, out, _ = run(capsys, "show", "shop")
    assert status == 0
    found: dict[str, Any] = {}
    for line in out.splitlines():
        name, value = line[:16].strip(), line[16:]
        found[name] = f"{found[name]} {value}" if name in found else value
    return found


def test_an_app_is_registered_shown_and_changed(capsys: pytest.CaptureFixture[str]) -> None:
    added = ("add", "shop", "--origin", "https://shop.example", "--redirect-uri", REDIRECT)
    status, out, _ = run(capsys, *added, "--redirect-uri", "http://127.0.0.1/cb")
    assert status == 0
    secret = out.split("secret  ")[1].split()[0]
    found = shown(capsys)
    assert found == {
        "client_id": "shop",
        "policy": "standard",
        "origins": "https://shop.example",
        "name": "shop",
        "issuer": "https://login.example",
        "discovery": "https://login.example/.well-known/openid-configuration",
        "client_secret": "(shown once by client add; client rotate makes a new one)",
        "auth": "client_secret_basic",
        "response_type": "code",
        "pkce": "S256",
        "scope": "openid profile email",
        "id_token_alg": "RS256",
        "redirect_uri": f"{REDIRECT} http://127.0.0.1/cb",
        "min_acr": "urn:lookgate:face",
        "ways": "key",
        "key_alone": "no",
        "subject_type": "public",
        "devices": "https://login.example/devices/shop",
    }
    assert secret not in str(found)

    changes = ("--min-acr", "phr", "--pkce", "nonce", "--way", "key,otp", "--name", "The Shop")
    more = ("--post-logout-uri", "https://shop.example/bye", "--key-alone", "--accent", "#112233")
    assert run(capsys, "set", "shop", *changes, *more)[0] == 0
    found = shown(capsys)
    assert (found["min_acr"], found["ways"], found["key_alone"]) == ("phr", "key otp", "yes")
    assert found["pkce"] == "S256 or none; nonce is required"
    assert found["origins"] == "https://shop.example"
    assert found["post_logout_uri"] == "https://shop.example/bye"

    fewer = ("--min-acr", "none", "--way", "none", "--no-key-alone", "--redirect-uri", REDIRECT)
    assert run(capsys, "set", "shop", *fewer)[0] == 0
    found = shown(capsys)
    assert (found["min_acr"], found["ways"]) == ("urn:lookgate:face", "(a face alone)")
    assert found["redirect_uri"] == REDIRECT

    assert run(capsys, "set", "shop", "--no-redirect-uri")[0] == 0
    assert shown(capsys)["openid connect"].startswith("no ")


def test_keys_come_from_a_file_and_go_with_the_way(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "jwks.json"
    file.write_text(jwks(jwk(ec.generate_private_key(ec.SECP256R1()).public_key())))
    added = ("add", "shop", "--redirect-uri", REDIRECT, "--auth", "private_key_jwt")
    assert run(capsys, *added, "--jwks", str(file))[0] == 0
    assert shown(capsys)["client_secret"] == "(none)"
    assert run(capsys, "set", "shop", "--auth", "client_secret_post")[0] == 0
    assert run(capsys, "set", "shop", "--auth", "private_key_jwt")[2].startswith(
        "lookgate: jwks_invalid: "
    )


def test_a_name_of_the_person_stays_for_ever(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def salt() -> str:
        with sqlite3.connect(tmp_path / "data" / "lookgate.sqlite3") as db:
            ((text,),) = db.execute("SELECT relying FROM clients").fetchall()
        return str(json.loads(text)["pairwise_salt"])

    run(capsys, "add", "shop", "--redirect-uri", REDIRECT)
    first = salt()
    assert len(first) == 64
    for kind in ("pairwise", "public", "pairwise"):
        assert run(capsys, "set", "shop", "--subject-type", kind)[0] == 0
        assert salt() == first


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("add", "a", "--redirect-uri", "http://shop.example/cb"), "redirect_uri_invalid"),
        (("add", "a", "--redirect-uri", REDIRECT + "#x"), "redirect_uri_invalid"),
        (("add", "a", "--redirect-uri", "https://*.shop.example/"), "redirect_uri_invalid"),
        (("add", "a", "--redirect-uri", REDIRECT, "--min-acr", "aal3"), "relying_invalid"),
        (("add", "a", "--redirect-uri", REDIRECT, "--way", "sms"), "relying_invalid"),
        (
            ("add", "a", "--redirect-uri", REDIRECT, "--auth", "none", "--pkce", "nonce"),
            "relying_invalid",
        ),
        (("add", "a", "--redirect-uri", REDIRECT, "--jwks", "/nowhere"), "jwks_unreadable"),
        (("add", "a", "--auth", "none"), "redirect_uri_missing"),
        (("set", "a", "--auth", "none"), "client_unknown"),
        (("show", "a"), "client_unknown"),
    ],
)
def test_a_refusal_is_one_line_and_stores_nothing(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], code: str
) -> None:
    status, out, err = run(capsys, *arguments)
    assert (status, out) == (2, "")
    assert err.startswith(f"lookgate: {code}: ")
    assert err.count("\n") == 1
    assert run(capsys, "list")[1] == ""


def test_a_change_of_nothing_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "add", "shop", "--redirect-uri", REDIRECT)
    for arguments in (("set", "shop"), ("set", "shop", "--name", "shop")):
        assert run(capsys, *arguments)[2].startswith("lookgate: nothing_to_set: ")
