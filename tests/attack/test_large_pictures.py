"""Pictures that claim to be huge: wherever they come from, they cost no memory."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pipeline.tape.video import packet
from server.rtc.intake import MAX_TOO_LARGE
from server.tools.caller import headless
from server.tools.caller.http_caller import agreed
from server.tools.caller.rtc_caller import Encoded
from tests.attack.large_pictures import BOMBS
from tests.pipeline.streams import BOMB
from tests.server.test_app import Running, Scene
from tests.walk import ROOT

MB = 20
"""May be used for a moment. The same frames took 850 (VP8) and 1,200 (H.264) when decoded."""


def attacked(case: str, codec: str, folder: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "tests.attack.large_pictures", case, codec, str(folder)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert run.returncode == 0, run.stderr[-2000:]
    said: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    assert said.pop("grown_mb") <= MB
    return said


both = pytest.mark.parametrize("codec", ["VP8", "H264"])


@both
def test_live_they_are_counted_and_what_follows_is_decoded(codec: str, tmp_path: Path) -> None:
    assert attacked("live", codec, tmp_path) == {"too_large": BOMBS, "recorded": False}


@both
def test_live_they_end_the_video_after_a_few(codec: str, tmp_path: Path) -> None:
    assert attacked("given_up", codec, tmp_path) == {"too_large": MAX_TOO_LARGE}


@both
def test_on_a_tape_they_are_left_out(codec: str, tmp_path: Path) -> None:
    assert attacked("tape", codec, tmp_path) == {"seen": [0, 6000]}


@both
def test_in_a_film_they_are_refused_by_name(codec: str, tmp_path: Path) -> None:
    assert attacked("clip", codec, tmp_path) == {"seen": 1, "code": "media_too_large"}


async def test_the_page_hears_why_and_the_operator_counts(tmp_path: Path) -> None:
    frames = [(n / 15, packet(BOMB, 6000 * n)) for n in range(150)]
    heard: list[dict[str, Any]] = []
    async with Running(tmp_path, Scene()) as running:
        made = await running.post("/v1/sessions", purpose="enroll", subject="ann", nonce="n" * 20)
        url = str(running.server.make_url("")).rstrip("/")
        result = await headless.run(
            server_url=url,
            session=made["session"],
            ticket=made["ticket"],
            video=Encoded("VP8", frames),
            on_message=heard.append,
            consent=await agreed(
                url, made["session"], ticket=made["ticket"], origin=None, named=None
            ),
        )
        undecoded = running.parts.metrics.undecoded.value("too_large")
    assert (result.verdict["outcome"], result.verdict["reasons"]) == ("expired", ["disconnected"])
    assert [m["error"]["code"] for m in heard if m["type"] == "error"] == ["video_too_large"]
    assert undecoded == MAX_TOO_LARGE
