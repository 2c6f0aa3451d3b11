"""Challenges in a real browser: a recording that reflects the page's colours, and cheats.

Many seeds and strengths: tests/pipeline/cues/test_light.py, benchmarks/light.py.
"""

from __future__ import annotations

import base64
import itertools
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from models.clips import ClipMissing
from pipeline.challenge import Draws, draw_light
from pipeline.tape import LINES
from pipeline.tape.reader import open_tape
from pipeline.tape.replay import replay
from server.tools.caller.attempt import attempt
from tests.e2e import cameras
from tests.e2e.cameras import person, timed
from tests.e2e.reflecting import Answer, Plan, answer, row, stage
from tests.e2e.site import CHROMIUM, ROOT, Site, running

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine"),
]
STRENGTH = 0.1


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    try:
        first = list(itertools.islice(person("cap12"), 180))
    except ClipMissing as missing:
        pytest.skip(f"recordings cannot be had: {missing}")
    folder = tmp_path_factory.mktemp("challenge")
    async with running(folder, LOOKGATE_RECORD=str(folder / "tapes")) as site:
        enrolled = await attempt(
            server_url=site.server,
            client_id="demo",
            secret=site.secret(),
            purpose="enroll",
            subject="owner",
            video=timed(iter(first)),
        )
        assert enrolled.verdict["outcome"] == "accepted"
        yield site


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The owner again, another day."""
    try:
        return cameras.mjpeg(person("cap13"), tmp_path_factory.mktemp("film") / "owner.mjpeg")
    except ClipMissing as missing:
        pytest.skip(f"recordings cannot be had: {missing}")


async def login(
    site: Site, film: Path, plan: Plan, *, patient: bool = False, **context: Any
) -> Answer:
    async with stage(film, plan, **context) as page:
        return await answer(
            page, site, patient=patient, purpose="login", subject="owner", challenge="light"
        )


def explained(site: Site, cue: str) -> str:
    """The cue's line in what `lookgate explain` prints of the newest tape, which replays."""
    tape = max(path.parent for path in (site.data.parent / "tapes").rglob(LINES))
    result = replay(open_tape(tape))
    assert result.same, result.differences
    assert result.asks_differ == 0
    command = (
        "import sys; from server.commands.main import main; raise SystemExit(main(sys.argv[1:]))"
    )
    text = subprocess.run(
        [sys.executable, "-c", command, "explain", str(tape)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout
    (line,) = [line for line in text.splitlines() if line.split()[:1] == [cue]]
    return line


def claims(token: str) -> dict[str, Any]:
    part = token.split(".")[1]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return found


async def test_a_face_that_reflects_the_screen_gets_a_token_that_says_so(
    site: Site, film: Path
) -> None:
    found = await login(site, film, Plan(strength=STRENGTH), patient=True)
    assert found.kind == "success", row(site, "light")
    said = claims(found.detail["token"])
    assert (said["acr"], said["lookgate_liveness"]) == ("light", ["passive", "light"])
    light = row(site, "light")
    assert (light["stand"], light["numbers"]["steps"]) == ("for", 11.0)
    assert len(found.colors) >= 11
    assert row(site, "camera")["reason"] in ("agrees", "virtual")
    assert "answered" in explained(site, "light")


@pytest.mark.parametrize(
    "plan",
    [
        pytest.param(Plan(strength=0.0), id="no reflection"),
        pytest.param(Plan(strength=STRENGTH, whole=True), id="whole picture"),
        pytest.param(Plan(strength=STRENGTH, delay_ms=350), id="late by a third of a second"),
        pytest.param(Plan(strength=STRENGTH, delay_ms=1500), id="late"),
        pytest.param(Plan(strength=STRENGTH, freeze=True), id="frozen"),
    ],
)
async def test_what_does_not_answer_is_not_accepted(site: Site, film: Path, plan: Plan) -> None:
    found = await login(site, film, plan)
    assert found.kind in ("failure", "undecided")
    assert row(site, "light").get("stand") != "for"


async def test_an_earlier_answer_is_no_answer(site: Site, film: Path) -> None:
    light = draw_light(Draws(b"an earlier session"), 1)
    earlier = [
        [ms, f"rgb{step.color}"] for ms, step in zip(light.starts_ms, light.steps, strict=True)
    ]
    found = await login(site, film, Plan(strength=STRENGTH, replay=earlier))
    assert found.kind in ("failure", "undecided")
    assert row(site, "light").get("stand") != "for"


async def test_who_asked_for_less_motion_is_asked_to_turn_the_head(site: Site, film: Path) -> None:
    found = await login(site, film, Plan(), reduced_motion="reduce")
    assert found.colors == []
    assert found.kind != "success"  # the film does not know which way
    assert row(site, "turn")["stand"] != "for"
    assert {"turn_left", "turn_right", "look_up", "look_down"} & set(found.hints)
    said = row(site, "turn")["reason"]
    assert said in explained(site, "turn")
