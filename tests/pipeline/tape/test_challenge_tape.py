"""Sessions with a challenge on tape: the drawn sequence, the reports and the answer come back."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from pipeline.decision import Stand
from pipeline.events import Challenged, Decided, Hinted
from pipeline.inputs import Began, Introduced
from pipeline.policy import Policy
from pipeline.reasons import Phase, Purpose
from pipeline.tape.reader import open_tape
from pipeline.tape.replay import Replayed, replay
from pipeline.tape.writer import TapedSession, TapeWriter
from server.commands.tape_verbs import explain_verb
from tests.pipeline.observations import Camera, gallery
from tests.pipeline.session.test_challenge_run import SEED, Person


def recorded(folder: Path, *, still: bool, **changes: object) -> Path:
    """A login with a challenge, recorded as the server records."""
    camera = Camera(now_s=100.0)
    told = {
        "purpose": Purpose.LOGIN,
        "policy": Policy(),
        "gallery": gallery(1),
        "model_id": "test",
        "started_s": 100.0,
        "challenge": True,
        "seed": SEED,
    }
    tape = TapeWriter(folder / "tape", session=told, about={}, at_s=100.0)
    session = TapedSession(tape, lambda: camera.now_s, **told)  # type: ignore[arg-type]
    session.receive(Began())
    session.receive(Introduced(still=still))
    one = Person(session, camera, **changes)  # type: ignore[arg-type]
    one.look(25.0)
    tape.close(camera.now_s)
    assert one.session.over
    return folder / "tape"


def again(path: Path) -> Replayed:
    result = replay(open_tape(path), rows=True)
    assert result.same, result.differences
    assert (result.asks_differ, result.torn) == (0, False)
    return result


def explained(path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    given = argparse.Namespace(tape=path, policy=None, torn=False, html=None)
    assert explain_verb(given) == 0
    return capsys.readouterr().out


def rows_of(result: Replayed, cue: str) -> list[str]:
    return [row.reason for _, rows in result.rows for row in rows if row.cue == cue]


def test_an_answered_light_comes_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = recorded(tmp_path, still=False)
    result = again(path)
    assert result.decided == Decided(Phase.ACCEPTED, subject="person-1", acr="light")
    assert sum(isinstance(event, Challenged) for _, event in result.events) == 1
    reports = [line.value for line in open_tape(path).lines() if line.kind == "painted"]
    assert [report.step for report in reports] == list(range(11))
    reasons = rows_of(result, "light")
    assert set(reasons) == {"not_yet", "answered"}
    text = explained(path, capsys)
    (line,) = [line for line in text.splitlines() if line.split()[:1] == ["light"]]
    assert "for" in line
    assert "answered" in line
    assert "r=" in text or "r " in text


def test_a_light_that_was_not_answered_comes_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = recorded(tmp_path, still=False, strength=0.0)
    result = again(path)
    assert result.decided is not None
    assert result.decided.phase is Phase.REJECTED
    drawn = [event.light for _, event in result.events if isinstance(event, Challenged)]
    assert len(set(drawn)) == 3
    assert "no_answer" in explained(path, capsys)


@pytest.mark.parametrize("mirrored", [False, True])
def test_turns_come_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], mirrored: bool
) -> None:
    path = recorded(tmp_path, still=True, mirrored=mirrored)
    result = again(path)
    assert result.decided == Decided(Phase.ACCEPTED, subject="person-1", acr="turn")
    assert sum(isinstance(event, Hinted) for _, event in result.events) >= 4
    (turn,) = [row for row in result.rows[-1][1] if row.cue == "turn"]
    assert (turn.stand, turn.reason) == (Stand.FOR, "turned")
    assert turn.numbers["mirrored"] == float(mirrored)
    (line,) = [
        line for line in explained(path, capsys).splitlines() if line.split()[:1] == ["turn"]
    ]
    assert "turned" in line
