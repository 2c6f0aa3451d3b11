"""What a folder's manifest says of its files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from server.tools.evaluation.folder import EvaluationError, Item
from server.tools.evaluation.liveness.origins import Origin, backing, origin, origins

TEXT = """path,kind,identity,source,note
live/a.mp4,live,ann,github:x/y@1234,webcam
live/b.mp4,live,bob,github:x/y@99:sub/b.mp4,"a, note"
"""


def test_who_and_where_from(tmp_path: Path) -> None:
    assert origins(tmp_path) == {}
    (tmp_path / "manifest.csv").write_text(TEXT)
    found = origins(tmp_path)
    assert found == {
        "live/a.mp4": Origin("ann", "github:x/y"),
        "live/b.mp4": Origin("bob", "github:x/y"),
    }, "another commit is the same source"
    item = Item(tmp_path, "live/a.mp4", "live", False)
    assert origin(found, item) == Origin("ann", "github:x/y")
    cut = replace(item, name="live/a.mp4@3s@z", begin_s=3.0, framing="z")
    assert origin(found, cut) == origin(found, item), "however it is shown"
    assert origin(found, replace(item, name="live/c.mp4")) == Origin()


def test_a_manifest_of_something_else_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "manifest.csv").write_text("path,size\nlive/a.mp4,3\n")
    assert origins(tmp_path) == {}
    (tmp_path / "manifest.csv").write_text("")
    assert origins(tmp_path) == {}


@pytest.mark.parametrize("text", [b"path,identity,source\na\n", b"path\xff\n", b'path\n"a'])
def test_a_broken_manifest_is_said(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "manifest.csv").write_bytes(text)
    with pytest.raises(EvaluationError, match="manifest_broken"):
        origins(tmp_path)


def test_what_stands_behind_a_rate() -> None:
    one, other = Origin("ann", "x"), Origin("bob", "x")
    found = backing([(one, False), (other, False), (one, False)])
    assert (found.people, found.sources) == (2, 1)
    assert found.over_sources.n == 3
    assert found.over_sources.high == pytest.approx(0.975), "three films of one source are one"
    spread = backing([(Origin("p", str(k)), k < 2) for k in range(40)])
    assert (spread.people, spread.sources) == (40, 40)
    assert 0.0 <= spread.over_sources.low < 0.05 < spread.over_sources.high < 0.2
