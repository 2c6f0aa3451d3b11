"""The demo: its client, its two processes, and the headless show from real recordings."""

from __future__ import annotations

import itertools
import os
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from models.errors import ModelError
from models.manifest import default_dir
from models.verify import verify
from server.commands import demo
from server.commands.admin import Admin
from server.tools import clips
from server.tools.caller.attempt import Attempt
from tests.server.conformance.records import a_template, everybody
from tests.server.stage import settings

ROOT = Path(__file__).parents[3]


@pytest.fixture
def _nets() -> None:
    try:
        verify(default_dir())
    except ModelError as error:
        pytest.skip(f"the converted nets are needed (make models): {error.code}")


async def test_the_client_is_made_once_and_its_secret_is_private(tmp_path: Path) -> None:
    told = settings(tmp_path)
    origins = ["http://localhost:1", "http://127.0.0.1:1"]
    path = await demo.prepare_client(told, demo.CLIENT, origins)
    first = path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path = await demo.prepare_client(told, demo.CLIENT, origins)
    assert path.read_text() != first  # the old one stopped


@pytest.mark.parametrize(
    ("client_id", "origins"),
    [
        (demo.CLIENT, ["http://localhost:2"]),  # another LOOKGATE_PORT
        (demo.HEADLESS, []),  # the headless show on the same folder
    ],
)
async def test_people_who_enrolled_stay_whatever_the_demo_is_started_with(
    tmp_path: Path, client_id: str, origins: list[str]
) -> None:
    told = settings(tmp_path)
    await demo.prepare_client(told, demo.CLIENT, ["http://localhost:1"])
    async with Admin.of(told) as admin:
        await admin.store.templates.put(a_template(client_id=demo.CLIENT), replace=False)
    await demo.prepare_client(told, client_id, origins)
    async with Admin.of(told) as admin:
        (kept,) = await everybody(admin.store, demo.CLIENT)
        client = await admin.store.clients.get(client_id)
    assert kept == a_template(client_id=demo.CLIENT)
    assert client.origins == tuple(origins)


@pytest.mark.parametrize(
    ("verdict", "claims", "expected", "fits"),
    [
        ({"outcome": "accepted"}, {"sub": "a"}, ("accepted",), True),
        ({"outcome": "accepted"}, None, ("accepted",), False),
        ({"outcome": "rejected", "reasons": ["no_match"]}, None, ("rejected", "no_match"), True),
        ({"outcome": "rejected", "reasons": ["quality"]}, None, ("rejected", "no_match"), False),
        ({"outcome": "rejected", "reasons": ["no_match"]}, {}, ("rejected", "no_match"), False),
        ({"outcome": "expired", "reasons": ["timeout"]}, None, ("rejected",), False),
    ],
)
def test_what_counts_as_expected(
    verdict: dict[str, Any], claims: dict[str, Any] | None, expected: tuple[str, ...], fits: bool
) -> None:
    result = Attempt("login", verdict, claims, None, {}, ())
    assert demo.as_expected(result, expected) is fits


def test_a_photo_is_one_picture_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    film = [(n / 10, object()) for n in range(50)]
    monkeypatch.setattr(clips, "read_clip", lambda path: iter(film))
    shown = list(itertools.islice(demo.photo(Path("x"), at_s=2.0), 40))
    assert {id(picture) for _, picture in shown} == {id(film[20][1])}
    assert [time_s for time_s, _ in shown[:3]] == [0.0, 1 / 15, 2 / 15]


async def test_a_server_that_cannot_start_says_why(tmp_path: Path) -> None:
    told = replace(settings(tmp_path), models_dir=tmp_path)
    with pytest.raises(ModelError, match="detect"):
        async with demo.serving(told):
            raise AssertionError("it must not start")


@pytest.mark.models
@pytest.mark.usefixtures("_nets")
async def test_the_headless_show_goes_as_it_should(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        demo.recordings()
    except demo.DemoError as error:
        pytest.skip(str(error))
    status = await demo.headless(tmp_path)
    shown = capsys.readouterr().out
    assert status == 0, shown
    assert "4 of 4 went as they should." in shown
    assert shown.count("verified with the published key") == 2
    assert "rejected (no_match)" in shown
    assert "rejected (liveness" in shown
    assert '"sub": "alice"' in shown
    assert shown.count("timeline  ") == 4


def _two_ports() -> int:
    """A port that is free, and so is the next."""
    for _ in range(20):
        port = demo.free_port()
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port + 1))
            except OSError:
                continue
            return port
    raise AssertionError("no two ports")


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


@pytest.mark.models
@pytest.mark.usefixtures("_nets")
def test_server_and_relying_app_start_and_stop_together(tmp_path: Path) -> None:
    pytest.importorskip("argon2")
    port = _two_ports()
    environ = {k: v for k, v in os.environ.items() if not k.startswith("LOOKGATE_")}
    environ.update(LOOKGATE_PORT=str(port), LOOKGATE_DATA_DIR=str(tmp_path))
    process = subprocess.Popen(
        [sys.executable, "-m", "server.commands.main", "demo"],
        env=environ,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert process.stdout is not None
        said = ""
        for line in process.stdout:
            said += line
            if "Ctrl-C stops both" in line:
                break
        assert f"http://localhost:{port + 1}" in said, said
        assert _answers(f"http://127.0.0.1:{port}/readyz")
        assert _answers(f"http://127.0.0.1:{port + 1}/")
        process.send_signal(signal.SIGINT)
        began_s = time.monotonic()
        rest, _ = process.communicate(timeout=20)
        assert process.returncode == 0, said + rest
        assert time.monotonic() - began_s < 10.0
        assert "Traceback" not in said + rest
        for gone in (port, port + 1):
            assert not _answers(f"http://127.0.0.1:{gone}/healthz")
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
