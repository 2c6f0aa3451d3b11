"""No dependency speaks to anybody or writes outside our folders (README.md, "It tells nobody").

Each command runs alone on an empty network with a name server of its own (tests/alone.py) and an
empty home folder: not one name is looked up, and no file is left outside our folders.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from models.clips import clip
from models.errors import ModelError
from models.manifest import default_dir
from models.verify import verify
from server.tools import clips
from server.tools.film import write

ROOT = Path(__file__).parents[1]
OURS = (".cache/lookgate", ".local/share/lookgate")
"""Cache and data, under the home folder."""
LOOKGATE = [sys.executable, "-m", "server.commands.main"]
LIMIT_S = 120.0


def _alone() -> list[str]:
    """The beginning of a command that is alone on an empty network; empty if that is forbidden."""
    for flags in (["--net", "--mount"], ["--net", "--mount", "--map-root-user"]):
        command = [shutil.which("unshare") or "false", *flags]
        # A bind mount is what else it takes.
        tried = [*command, "mount", "--bind", "/etc/hosts", "/etc/resolv.conf"]
        if subprocess.run(tried, capture_output=True, check=False).returncode == 0:
            return command
    return []


ALONE = _alone()
pytestmark = pytest.mark.skipif(
    not ALONE, reason="no network namespace may be made here (unshare --net --mount)"
)


@dataclass
class Place:
    """Where a command runs: folders of its own, nothing in them."""

    folder: Path

    def run(self, command: list[str], *, until: str = "") -> dict[str, Any]:
        """Run it alone; its status, its last words, the names that it looked up."""
        report = self.folder / "report.json"
        environ = {name: value for name, value in os.environ.items() if name in ("PATH", "LANG")}
        environ |= {
            "HOME": str(self.folder / "home"),
            "TMPDIR": str(self.folder / "temporary"),
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
        }
        subprocess.run(
            [*ALONE, sys.executable, "-m", "tests.alone", str(report), until, *command],
            cwd=self.folder / "here",
            env=environ,
            check=True,
            timeout=LIMIT_S,
        )
        found: dict[str, Any] = json.loads(report.read_text())
        return found

    def strangers(self) -> list[str]:
        """Files and folders outside ours."""
        found = []
        for top in ("home", "here"):
            for path in sorted((self.folder / top).rglob("*")):
                name = path.relative_to(self.folder / top).as_posix()
                if not any(
                    f"{name}/".startswith(f"{our}/") or our.startswith(f"{name}/") for our in OURS
                ):
                    found.append(f"{top}/{name}")
        return found


@pytest.fixture
def place(tmp_path: Path) -> Place:
    for name in ("home", "temporary", "here"):
        (tmp_path / name).mkdir()
    return Place(tmp_path)


@pytest.fixture
def furnished(place: Place) -> Place:
    """With the nets and the recordings, which were fetched before."""
    try:
        verify(default_dir())
        clip("cap12")
    except ModelError as error:
        pytest.skip(f"the converted nets and the recordings are needed: {error.code}")
    cache = place.folder / "home" / ".cache" / "lookgate"
    cache.mkdir(parents=True)
    (cache / "models").symlink_to(default_dir())
    (cache / "clips").symlink_to(clip("cap12").parent)
    return place


def test_whoever_speaks_or_writes_is_found(place: Place) -> None:
    speaks = "import socket\ntry: socket.getaddrinfo('tell.example.org', 443)\nexcept OSError: pass"
    writes = "open(__import__('os').path.expanduser('~/.device'), 'w')\nopen('log', 'w')"
    found = place.run([sys.executable, "-c", f"{speaks}\n{writes}"])
    assert set(found["asked"]) == {"tell.example.org"}
    assert place.strangers() == ["home/.device", "here/log"]


@pytest.mark.models
@pytest.mark.parametrize(
    ("arguments", "until"),
    [
        ("serve", "INFO    ready"),
        ("demo", "Open http://localhost:8471"),
        ("demo --headless", ""),
        ("client add shop --origin https://shop.example", ""),
        ("keys rotate", ""),
        ("models verify", ""),
    ],
    ids=lambda given: given.partition(" --origin")[0],
)
def test_the_commands_tell_nobody(furnished: Place, arguments: str, until: str) -> None:
    found = furnished.run([*LOOKGATE, *arguments.split()], until=until)
    assert found["status"] == 0, found["said"]
    assert not until or until in "\n".join(found["said"])
    assert found["asked"] == []
    assert furnished.strangers() == []


@pytest.mark.models
def test_an_evaluation_tells_nobody(furnished: Place) -> None:
    pictures = furnished.folder / "pictures"
    for person in ("cap12", "franck"):
        (pictures / person).mkdir(parents=True)
        for n, (_, picture) in zip(range(3), clips.read_clip(clip(person)), strict=False):
            write(
                pictures / person / f"{n}.mjpeg", [(0.0, picture.to_ndarray(format="bgr24"))], 5.0
            )
            (pictures / person / f"{n}.mjpeg").rename(pictures / person / f"{n}.jpg")
    out = furnished.folder / "out"
    sizes = ["--enroll", "1", "--probe", "1"]
    found = furnished.run(
        [*LOOKGATE, "evaluate", "match", str(pictures), "--out", str(out), *sizes]
    )
    assert found["status"] == 0, found["said"]
    assert (out / "report.html").is_file()
    assert found["asked"] == []
    assert furnished.strangers() == []
