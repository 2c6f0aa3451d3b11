"""`lookgate audit`: what operators do is in it, and what was done to it is told."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.events import Decided
from pipeline.reasons import Phase, Reason
from server.commands import main
from server.private_folder import private_folder
from server.store.sqlite.store import SqliteStore
from tests.pipeline.observations import Camera
from tests.pipeline.test_again import recorded
from tests.server.stage import KEY, POLICY, claimed, close_parts, enrolled, make_parts


@pytest.fixture(autouse=True)
def _own_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("LOOKGATE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("LOOKGATE_MASTER_KEY", base64.b64encode(KEY).decode())
    root = logging.getLogger()
    before = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = before[0], before[1]


def _run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    status = main.main([str(one) for one in arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def _database(tmp_path: Path) -> sqlite3.Connection:
    return sqlite3.connect(tmp_path / "data" / "lookgate.sqlite3")


def bodies(out: str) -> list[dict[str, Any]]:
    return [json.loads(json.loads(line)["body"]) for line in out.splitlines()]


def test_what_an_operator_does_is_recorded_before_it_is_done(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for command in (
        ("client", "add", "shop", "--origin", "https://shop.example"),
        ("client", "add", "shop"),
        ("client", "set", "shop", "--no-origin"),
        ("client", "rotate", "shop"),
        ("subject", "remove", "shop", "ada"),
        ("keys", "rotate"),
        ("client", "remove", "shop"),
    ):
        _run(capsys, *command)
    status, out, _ = _run(capsys, "audit", "export")
    told = sorted(bodies(out), key=lambda body: str(body["at"]))
    done = [body for body in told if body["kind"] not in ("open", "close")]
    assert status == 0
    assert [(body["kind"], body.get("act")) for body in done] == [
        ("client", "add"),
        ("client", "add"),
        ("undone", None),
        ("client", "set"),
        ("client", "rotate"),
        ("erasure", None),
        ("keys", "rotate"),
        ("erasure", None),
    ]
    assert done[2]["cause"] == "client_exists"
    assert '"ada"' not in out
    assert len(done[5]["subject"]) == 32
    assert _run(capsys, "audit", "verify")[0] == 0


def test_verify_names_what_is_wrong_and_fails(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    _run(capsys, "client", "add", "shop")
    status, out, _ = _run(capsys, "audit", "verify")
    assert (status, out) == (
        0,
        "whole: 3 records in 1 chains, 0 of them behind the last checkpoint\n",
    )
    with _database(tmp_path) as db:
        ((chain,),) = db.execute("SELECT DISTINCT chain FROM audit")
        db.execute("UPDATE audit SET body = replace(body, 'shop', 'bank') WHERE seq = 1")
    db.close()
    status, out, _ = _run(capsys, "audit", "verify")
    assert status == 1
    assert out.startswith(f"altered  {chain}  1  ")
    assert "NOT whole" in out


def test_an_export_is_kept_elsewhere_and_compared(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    _run(capsys, "client", "add", "shop")
    lines, key = tmp_path / "audit.jsonl", tmp_path / "key.json"
    lines.write_text(_run(capsys, "audit", "export")[1])
    key.write_text(_run(capsys, "audit", "key")[1])
    assert _run(capsys, "audit", "verify", lines, "--key", key)[0] == 0
    assert _run(capsys, "audit", "verify", "--against", lines)[0] == 0
    assert _run(capsys, "audit", "export", "--since", "2999-01-01")[1] == ""
    assert _run(capsys, "audit", "export", "--since", "2000-01-01")[1] == lines.read_text()
    # Everything is gone, and what lies beside the database as well.
    with _database(tmp_path) as db:
        db.execute("DELETE FROM audit")
        db.execute("DELETE FROM audit_chains")
    db.close()
    for file in (tmp_path / "data" / "audit").iterdir():
        file.unlink()
    assert _run(capsys, "audit", "verify")[0] == 0
    status, out, _ = _run(capsys, "audit", "verify", "--against", lines)
    assert status == 1
    assert out.startswith("missing  ")


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("verify", "audit.jsonl"), "audit_key_missing"),
        (("verify", "audit.jsonl", "--key", "audit.jsonl"), "audit_key_malformed"),
        (("verify", "bad.jsonl", "--key", "audit.jsonl"), "audit_export_malformed"),
        (("prune", "--days", "0.5"), "days_invalid"),
        (("rejudge", "--policy", "audit.jsonl"), "policy_unknown_field"),
    ],
)
def test_what_cannot_be_done_is_refused_by_name(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    code: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    asyncio.run(_judged(tmp_path / "data"))
    (tmp_path / "audit.jsonl").write_text('{"x": 1}' if arguments[0] == "rejudge" else "")
    (tmp_path / "bad.jsonl").write_text('{"chain": 1}\n')
    status, _, err = _run(capsys, "audit", *arguments)
    assert (status, err.split(": ")[1]) == (2, code)


def test_old_records_go_and_the_rest_is_whole(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    asyncio.run(_judged(tmp_path / "data"))  # on the first of January 2026
    _run(capsys, "client", "add", "bank")
    status, out, _ = _run(capsys, "audit", "prune", "--days", "1")
    assert status == 0
    assert out.startswith("removed 5 record(s) from before ")
    assert _run(capsys, "audit", "verify")[0] == 0


async def _judged(folder: Path) -> None:
    """A server that accepts one login and refuses one."""
    private_folder(folder)
    store = SqliteStore(folder / "lookgate.sqlite3")
    parts, _ = await make_parts(folder, Camera(), store=store)
    await enrolled(parts, "ann", 1)
    refused = Decided(Phase.REJECTED, (Reason.LIVENESS,))
    for camera, decided in (
        (Camera(person=1), Decided(Phase.ACCEPTED, subject="ann")),
        (Camera(person=1, margin=-7.0), refused),
    ):
        session = await claimed(parts, "login", "ann")
        said = await parts.verdicts.record(session, POLICY, decided, *recorded(camera))
        assert said.phase is decided.phase
    await close_parts(parts)


def test_verdicts_are_decided_again(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    asyncio.run(_judged(tmp_path / "data"))
    policy = tmp_path / "policy.json"
    policy.write_text('{"match_score": 1.01, "mismatch_score": 1.01, "eyes_open": 0.3}')
    status, out, _ = _run(capsys, "audit", "rejudge", "--policy", policy)
    assert status == 0
    assert out.splitlines() == [
        "2 verdicts, 1 the same",
        "1  accepted -> rejected no_match",
        "no recorded table follows: eyes_open",
    ]
