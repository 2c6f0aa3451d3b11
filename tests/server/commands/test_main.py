"""The command line: what it prints, where, and how it exits."""

from __future__ import annotations

import base64
import hashlib
import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from models.errors import ModelError
from server.commands import main
from server.keys.master_key import keys_from_text
from server.keys.vault import VaultError, key_id_of
from server.people.marks import keep_marks, read_marks
from server.settings.load import load
from server.store.opening import open_store
from server.store.port import Unavailable, WrongSchema
from server.tools.caller import attempt
from server.tools.caller.attempt import Attempt
from server.tools.caller.http_caller import HeadlessError


@pytest.fixture(autouse=True)
def _own_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("LOOKGATE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.delenv("LOOKGATE_CLIENT_SECRET", raising=False)
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before[0], before[1]


def _run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = main.main(arguments)
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_a_client_lives_and_its_secret_is_shown_once(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    added = (
        "client",
        "add",
        "shop",
        "--origin",
        "https://shop.example:443",
        "--origin",
        "http://x:80",
    )
    status, out, _ = _run(capsys, *added)
    assert status == 0
    secret = out.split("secret  ")[1].split()[0]
    assert len(secret) == 43
    raw = b"".join(p.read_bytes() for p in (tmp_path / "data").glob("lookgate.sqlite3*"))
    assert secret.encode() not in raw
    assert hashlib.sha256(secret.encode()).digest() in raw

    status, out, _ = _run(capsys, "client", "list")
    assert status == 0
    assert "shop  standard" in out
    assert out.rstrip().endswith("https://shop.example http://x")
    assert secret not in out

    status, _, err = _run(capsys, *added)
    assert (status, err) == (2, "lookgate: client_exists: There is a client shop already.\n")

    moved = ("client", "set", "shop", "--origin", "https://new.example:443")
    assert _run(capsys, *moved)[:2] == (0, "shop  https://new.example\n")
    assert _run(capsys, "client", "set", "shop", "--origin", "new")[0] == 2
    assert _run(capsys, "client", "list")[1].rstrip().endswith("  https://new.example")
    assert _run(capsys, "client", "set", "shop", "--no-origin")[1] == "shop  (no web origin)\n"

    status, out, _ = _run(capsys, "client", "rotate", "shop")
    assert status == 0
    assert secret not in out

    assert _run(capsys, "client", "remove", "shop")[0] == 0
    for verb in (("rotate", "shop"), ("remove", "shop"), ("set", "shop", "--no-origin")):
        status, _, err = _run(capsys, "client", *verb)
        assert (status, err) == (2, "lookgate: client_unknown: There is no client shop.\n")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("client", "add", "a b"), "client_invalid"),
        (("client", "add", "a:b"), "client_invalid"),
        (("client", "add", "a", "--policy", "lax"), "policy_unknown"),
        (("client", "add", "a", "--origin", "shop.example"), "origin_invalid"),
        (("client", "add", "a", "--origin", "https://x/path"), "origin_invalid"),
        (("client", "add", "a", "--origin", "*"), "origin_invalid"),
        (("client", "add", "a", "--origin", "https://x:99999"), "origin_invalid"),
        (("client", "add", "a", "--origin", "https://u@x"), "origin_invalid"),
        (("subject", "remove", "a", "b"), "client_unknown"),
        (("subject", "unlock", "a", "b"), "client_unknown"),
        (("subject", "reset-key", "a", "b"), "client_unknown"),
        (("subject", "reset-otp", "a", "b"), "client_unknown"),
        (("subject", "export", "a", "b"), "client_unknown"),
        (("client", "retention", "a"), "client_unknown"),
        (("client", "retention", "a", "--tapes", "3"), "client_unknown"),
        (("keys", "rotate", "--overlap-s", "-1"), "overlap_invalid"),
        (("keys", "rotate", "--overlap-s", "609"), "overlap_invalid"),
        (("keys", "rotate", "--overlap-s", "nan"), "overlap_invalid"),
        (("login", "--client", "a", "--subject", "b", "--video", "c"), "secret_missing"),
        (
            ("identify", "--client", "a", "--video", "c", "--secret-file", "/nowhere"),
            "secret_unreadable",
        ),
    ],
)
def test_a_refusal_is_one_line_with_a_code(
    capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], code: str
) -> None:
    status, out, err = _run(capsys, *arguments)
    assert (status, out) == (2, "")
    assert err.startswith(f"lookgate: {code}: ")
    assert err.count("\n") == 1


def test_a_subjects_keys_and_codes_are_reset(capsys: pytest.CaptureFixture[str]) -> None:
    _run(capsys, "client", "add", "shop", "--origin", "https://shop.example")
    for verb, noun in (("reset-key", "key"), ("reset-otp", "code")):
        told = _run(capsys, "subject", verb, "shop", "ann")
        assert told[:2] == (0, f"took 0 {noun}(s) away\n")


def test_a_subject_is_unlocked(capsys: pytest.CaptureFixture[str]) -> None:
    _run(capsys, "client", "add", "shop")
    told = _run(capsys, "subject", "unlock", "shop", "ann", "--forget-devices")
    assert told[:2] == (0, "unlocked 0 counter(s)\n")


def test_periods_of_a_client_and_what_is_over_them(capsys: pytest.CaptureFixture[str]) -> None:
    _run(capsys, "client", "add", "shop")
    unset = "as the server has it"
    before = f"templates  {unset}\nsessions   {unset}\ntapes      {unset}\n"
    assert _run(capsys, "client", "retention", "shop") == (0, before, "")
    for given, told in (
        (("--templates", "365", "--tapes", "7"), ("365 days", unset, "7 days")),
        (("--tapes", "none"), ("365 days", unset, unset)),
        (("--sessions", "30"), ("365 days", "30 days", unset)),
        ((), ("365 days", "30 days", unset)),
    ):
        status, out, _ = _run(capsys, "client", "retention", "shop", *given)
        assert status == 0
        assert [line[11:] for line in out.splitlines()] == list(told)
    for wrong in ("0", "-1", "1.5", "x", "36501"):
        with pytest.raises(SystemExit):
            main.main(["client", "retention", "shop", "--tapes", wrong])
    capsys.readouterr()
    for more in (("--dry-run",), (), ("--clock-is-right",)):
        assert _run(capsys, "gc", *more) == (0, "nothing is over its time\n", "")


def _new_keys(said: str) -> list[str]:
    lines = [line.split() for line in said.splitlines() if line.startswith("new key")]
    assert [line[3] for line in lines] == ["ES256", "RS256"]
    return [line[2] for line in lines]


def test_keys_rotate_with_overlap(capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(capsys, "keys", "list") == (0, "", "")
    first = _new_keys(_run(capsys, "keys", "rotate")[1])
    listed = _run(capsys, "keys", "list")[1].splitlines()
    assert [line.endswith("  signs") for line in listed] == [True, True]
    said = _run(capsys, "keys", "rotate", "--overlap-s", "610")[1]
    assert "They sign in 310 s" in said
    second = _new_keys(said)
    lines = _run(capsys, "keys", "list")[1].splitlines()
    # By algorithm, the newest first.
    assert [line.split()[0] for line in lines] == [second[0], first[0], second[1], first[1]]
    assert [line.split()[1] for line in lines] == ["ES256", "ES256", "RS256", "RS256"]
    assert ["signs from" in line for line in lines] == [True, False, True, False]
    assert ["published until" in line for line in lines] == [False, True, False, True]
    said = _run(capsys, "keys", "rotate", "--overlap-s", "0")[1]
    assert "They sign now." in said
    listed = _run(capsys, "keys", "list")[1].splitlines()
    assert [line.split()[0] for line in listed] == _new_keys(said)


def test_keys_are_not_rotated_with_a_foreign_master_key(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _run(capsys, "keys", "rotate")
    before = _run(capsys, "keys", "list")
    monkeypatch.setenv("LOOKGATE_MASTER_KEY", base64.b64encode(bytes(32)).decode())
    status, _, err = _run(capsys, "keys", "rotate")
    assert (status, err.split(": ")[1]) == (2, "vault_key_unknown")
    # The same database from a shell that was not told the data folder: no key file is made there.
    monkeypatch.delenv("LOOKGATE_MASTER_KEY")
    monkeypatch.setenv("LOOKGATE_STORE", f"sqlite:///{tmp_path}/data/lookgate.sqlite3")
    monkeypatch.setenv("LOOKGATE_DATA_DIR", str(tmp_path / "elsewhere"))
    status, _, err = _run(capsys, "keys", "rotate")
    assert (status, err.split(": ")[1]) == (2, "vault_key_missing")
    assert list((tmp_path / "elsewhere").iterdir()) == []
    assert _run(capsys, "keys", "list") == before


def test_a_backup_is_made_and_taken_back(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    copy = str(tmp_path / "copy.sqlite3")
    status, _, err = _run(capsys, "backup", copy)
    assert (status, err.split(": ")[1]) == (2, "backup_nothing")
    _run(capsys, "client", "add", "shop")
    assert _run(capsys, "backup", copy)[1] == f"{copy} holds 1 clients, 0 people, 0 signing keys\n"
    _run(capsys, "client", "remove", "shop")
    keep_marks(tmp_path / "data", {"a head": 7})
    status, out, _ = _run(capsys, "restore", copy)
    assert status == 0
    assert read_marks(tmp_path / "data") == {}  # what is older now is so by the operator's word
    assert "1 clients, 0 people" in out
    assert "what was there before is " in out
    assert "shop" in _run(capsys, "client", "list")[1]
    monkeypatch.setenv("LOOKGATE_STORE", "mongodb://localhost/lookgate")
    for verb in ("backup", "restore"):
        status, _, err = _run(capsys, verb, copy)
        assert (status, err.split(": ")[1]) == (2, "backup_not_sqlite")
        assert "mongodump" in err


def test_a_kubernetes_service_costs_one_log_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOOKGATE_PORT", "tcp://10.96.12.7:8470")
    monkeypatch.setenv("LOOKGATE_SERVICE_HOST", "10.96.12.7")
    status, _, err = _run(capsys, "client", "list")
    assert status == 0
    (line,) = err.splitlines()
    assert line.endswith("ignored=LOOKGATE_PORT LOOKGATE_SERVICE_HOST")


def test_settings_are_shown_or_all_their_problems(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    status, out, _ = _run(capsys, "config")
    assert status == 0
    assert "LOOKGATE_PORT" in out
    assert _run(capsys, "config", "--markdown")[1].startswith("<!-- Generated")
    monkeypatch.setenv("LOOKGATE_PORT", "x")
    monkeypatch.setenv("LOOKGATE_TYPO", "x")
    status, _, err = _run(capsys, "config")
    assert status == 2
    assert err.splitlines() == [
        "lookgate: config_invalid: LOOKGATE_TYPO is not a setting",
        "lookgate: config_invalid: LOOKGATE_PORT must be a whole number from 0 to 65535",
    ]


def test_what_the_system_says_comes_with_the_path(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    strange = os.fsdecode(b"/data/caf\xe9")
    for error, line in (
        (FileExistsError(17, "File exists", "/data/x"), "/data/x: File exists"),
        (OSError(18, "Invalid cross-device link", "/a", None, "/b"), "/a: /b: Invalid"),
        (FileNotFoundError(2, "No such file", strange), "/data/caf"),
        (OSError(98, "Address already in use"), "Address already in use"),
        (TimeoutError(), "TimeoutError"),
    ):

        def fails(*args: Any, error: OSError = error) -> Any:
            raise error

        with monkeypatch.context() as once:
            once.setattr(main, "load", fails)
            status, _, err = _run(capsys, "config")
        assert status == 2
        assert err.startswith(f"lookgate: system: {line}")
        assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("DATA_DIR", "file"),
        ("DATA_DIR", "file/below"),
        ("DATA_DIR", "open"),
        ("RECORD", "file"),
        ("RECORD", "open"),
        ("MODELS_DIR", "file"),
        ("POLICY", "none"),
        ("POLICY", "file"),
    ],
)
def test_places_that_cannot_be_used_are_told_with_their_path(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    name: str,
    place: str,
) -> None:
    (tmp_path / "file").write_text("?")
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o755)
    monkeypatch.setenv(f"LOOKGATE_{name}", str(tmp_path / place))
    status, out, err = _run(capsys, "config")
    assert (status, out) == (2, "")
    assert err.startswith(f"lookgate: config_invalid: LOOKGATE_{name}")
    assert str(tmp_path / place) in err
    assert err.count("\n") == 1
    assert not (tmp_path / "data").exists()  # to look makes nothing


def test_a_newer_database_or_an_unknown_store_is_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOOKGATE_STORE", "sqlite:///")
    status, _, err = _run(capsys, "client", "list")
    assert status == 2
    assert err.startswith("lookgate: config_invalid: LOOKGATE_STORE")


def test_missing_models_are_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LOOKGATE_MODELS_DIR", str(tmp_path))
    for command in (("models", "verify"), ("serve",)):
        status, _, err = _run(capsys, *command)
        assert status == 2
        assert err.startswith("lookgate: model_missing: ")
        assert err.count("\n") == 1


def test_a_bug_is_one_line_without_its_text(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: Any) -> Any:
        raise RuntimeError("s3cret")

    monkeypatch.setattr(main, "load", broken)
    status, out, err = _run(capsys, "config")
    assert (status, out) == (2, "")
    assert err == "lookgate: internal: a mistake of ours (RuntimeError)\n"


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (Unavailable("SQLite: s3cret"), "store_unavailable: The database cannot be reached."),
        (
            WrongSchema("version 9, s3cret"),
            "store_schema: A newer version of Lookgate wrote this database.",
        ),
        (VaultError("vault_key_short", "The key is short."), "vault_key_short: The key is short."),
    ],
)
def test_a_refusal_is_told_without_its_cause(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    line: str,
) -> None:
    def refusing(*args: Any) -> Any:
        raise error

    monkeypatch.setattr(main, "load", refusing)
    assert _run(capsys, "config") == (2, "", f"lookgate: {line}\n")


LOGIN = ("login", "--client", "shop", "--subject", "ann", "--video", "clip.mp4")


def _answer(monkeypatch: pytest.MonkeyPatch, result: Attempt | Exception) -> list[dict[str, Any]]:
    asked: list[dict[str, Any]] = []

    async def fake(**told: Any) -> Attempt:
        asked.append(told)
        if isinstance(result, Exception):
            raise result
        return result

    monkeypatch.setattr(attempt, "attempt", fake)
    return asked


def test_an_accepted_login_exits_with_zero_and_shows_no_token(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("s3cret\n")
    claims, header = {"sub": "ann", "aud": "shop"}, {"alg": "ES256", "kid": "k"}
    times = {"answer": 10.4, "verdict": 1500.2}
    result = Attempt("login", {"outcome": "accepted", "reasons": []}, claims, header, times, ())
    asked = _answer(monkeypatch, result)
    status, out, _ = _run(
        capsys, *LOGIN, "--secret-file", str(secret), "--server", "http://127.0.0.1:1/"
    )
    assert status == 0
    assert "verdict   accepted" in out
    assert '"sub": "ann"' in out
    assert '"kid": "k"' in out
    assert "answer 10  verdict 1500" in out
    assert "s3cret" not in out
    assert asked[0]["secret"] == "s3cret"
    assert asked[0]["server_url"] == "http://127.0.0.1:1"
    assert (asked[0]["purpose"], asked[0]["subject"]) == ("login", "ann")


def test_a_refused_login_exits_with_one(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOOKGATE_CLIENT_SECRET", "s")
    verdict = {"outcome": "rejected", "reasons": ["liveness"]}
    _answer(monkeypatch, Attempt("login", verdict, None, None, {}, ("camera_frozen", "None")))
    status, out, _ = _run(capsys, *LOGIN)
    assert status == 1
    assert "rejected (liveness)" in out
    assert "camera_frozen" in out


@pytest.mark.parametrize(
    "error",
    [HeadlessError("busy", "The server is full."), ModelError("model_missing", "No.", "why")],
)
def test_what_is_not_available_exits_with_two(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setenv("LOOKGATE_CLIENT_SECRET", "s")
    _answer(monkeypatch, error)
    status, out, err = _run(capsys, *LOGIN)
    assert (status, out) == (2, "")
    assert err.startswith(f"lookgate: {error.code}: ")  # type: ignore[attr-defined]
    assert err.count("\n") == 1


def test_a_server_that_is_not_there(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOOKGATE_CLIENT_SECRET", "s")
    status, _, err = _run(capsys, *LOGIN, "--server", "http://127.0.0.1:9")
    assert (status, err) == (
        2,
        "lookgate: server_unreachable: the server cannot be reached\n",
    )


def test_wrong_usage_exits_with_two(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ((), ("nonsense",), ("login",), ("client",)):
        with pytest.raises(SystemExit) as caught:
            main.main(arguments)
        assert caught.value.code == 2
    capsys.readouterr()


async def test_the_store_that_the_command_line_made_is_the_servers(tmp_path: Path) -> None:
    told = load()
    assert told.data_dir == tmp_path / "data"
    store = open_store(told.store, told.data_dir)
    await store.open()
    assert list(await store.clients.all()) == []
    await store.close()


def test_everything_is_sealed_with_a_new_master_key(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _run(capsys, "keys", "rotate")
    _run(capsys, "client", "add", "shop")
    file = tmp_path / "data" / "master.key"
    old, new = file.read_text(), base64.b64encode(bytes(32)).decode()
    file.write_text(f"{new}\n{old}")
    old_id, new_id = (key_id_of(keys_from_text(text)[0]) for text in (old, new))
    status, out, _ = _run(capsys, "keys", "rotate-data")
    assert status == 0
    assert f"2 signing key(s) are sealed with master key {new_id} now" in out
    assert f"still needed: master key {old_id} for" in out  # the audit of before is under it
    assert "signing keys" not in out.split("still needed")[1]
    file.write_text(new)
    assert _run(capsys, "keys", "list")[1].endswith("  signs\n")
    assert _run(capsys, "keys", "rotate")[0] == 0


def test_templates_are_renewed_and_a_state_is_accepted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for verb in (("renew-templates", "nobody", "--no-wait"), ("accept-state", "nobody")):
        status, _, err = _run(capsys, "client", *verb)
        assert (status, err.split(": ")[1]) == (2, "client_unknown")
    _run(capsys, "client", "add", "shop")
    assert "0 template(s) of shop count" in _run(capsys, "client", "accept-state", "shop")[1]
    status, out, _ = _run(capsys, "client", "renew-templates", "shop", "--no-wait")
    assert status == 0
    assert "0 template(s) of shop are rotated by a new secret." in out
    assert "The old secret is gone" in out
    assert "0 template(s) of shop count" in _run(capsys, "client", "accept-state", "shop")[1]


def test_a_client_that_was_changed_in_the_database_is_not_laundered(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    _run(capsys, "client", "add", "shop", "--origin", "https://shop.example")
    with closing(sqlite3.connect(tmp_path / "data" / "lookgate.sqlite3")) as db, db:
        db.execute("UPDATE clients SET origins = '[\"https://evil.example\"]'")
    for verb in (("rotate", "shop"), ("set", "shop", "--origin", "https://other.example")):
        status, _, err = _run(capsys, "client", *verb)
        assert (status, err.split(": ")[1]) == (2, "client_changed")
    status, out, _ = _run(capsys, "client", "accept-state", "shop")
    assert status == 0
    assert "https://evil.example" in out  # the operator sees what they believe
    assert _run(capsys, "client", "set", "shop", "--no-origin")[0] == 0
