from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import ClassVar

import pytest

from models import manifest
from models.added import add, download, fetch_added
from models.convert import convert
from models.errors import ModelError
from models.fetch import Progress
from models.manifest import Added, Converted, Input, Output, Part
from models.verify import added_in, verify
from tests.models import tiny, tiny_ncnn

TEXT, WEIGHTS = tiny_ncnn.TEXT.encode(), tiny_ncnn.WEIGHTS
BARE = Added(
    name="more",
    task="test",
    licence="CC0-1.0",
    origin="made in a test",
    warning="",
    address="http://127.0.0.1/",
    parts=(
        Part("net.param", tiny.sha256(TEXT), len(TEXT)),
        Part("net.bin", tiny.sha256(WEIGHTS), len(WEIGHTS)),
    ),
    conversion="ncnn",
    conversion_version=2,
    file="more.onnx",
    sha256="",
    bytes=0,
    input=Input("image", (1, 3, 4, 4), "NCHW", "BGR", 1.0),
    outputs=(Output("out", (1, 3), "logits", "three numbers"),),
    tolerance=1e-3,
    one_thread_ms=0.01,
)
CONVERTED = convert(BARE, TEXT, WEIGHTS)
NET = replace(BARE, sha256=tiny.sha256(CONVERTED), bytes=len(CONVERTED))


def _convert(net: Converted, *files: bytes) -> bytes:
    assert files == (TEXT, WEIGHTS)
    return CONVERTED


def _add(tmp_path: Path, *files: Path) -> Path:
    return add(tmp_path / "nets", "more", files, listed={"more": NET}, convert=_convert)


@pytest.fixture
def parts(tmp_path: Path) -> tuple[Path, Path]:
    return tiny.write(tmp_path / "a", TEXT), tiny.write(tmp_path / "b", WEIGHTS)


def test_parts_in_any_order_and_under_any_name_make_a_net(
    tmp_path: Path, parts: tuple[Path, Path]
) -> None:
    file = _add(tmp_path, *reversed(parts))
    assert file == tmp_path / "nets" / "more.onnx"
    assert file.read_bytes() == CONVERTED
    assert sorted(p.name for p in file.parent.iterdir()) == [".lock", "more.onnx"]
    verify(file.parent, listed={"more": NET})


def test_a_missing_part_is_named(tmp_path: Path, parts: tuple[Path, Path]) -> None:
    with pytest.raises(ModelError, match=r"more lacks net\.bin\.") as caught:
        _add(tmp_path, parts[0], parts[0])
    assert caught.value.code == "model_source_mismatch"
    assert tiny.sha256(WEIGHTS) in caught.value.text
    assert not (tmp_path / "nets").exists()


@pytest.mark.parametrize("data", [WEIGHTS[:-1] + b"?", WEIGHTS[:-1], b""])
def test_a_wrong_file_is_refused_with_its_hash(
    tmp_path: Path, parts: tuple[Path, Path], data: bytes
) -> None:
    with pytest.raises(ModelError, match="is no part of more") as caught:
        _add(tmp_path, parts[0], tiny.write(tmp_path / "wrong", data))
    assert caught.value.code == "model_source_mismatch"
    assert tiny.sha256(data) in caught.value.text
    assert not (tmp_path / "nets").exists()


def test_no_more_of_a_file_is_read_than_the_longest_part_has(
    tmp_path: Path, parts: tuple[Path, Path]
) -> None:
    data = WEIGHTS + bytes(1 << 20)
    with pytest.raises(ModelError) as caught:
        _add(tmp_path, parts[0], tiny.write(tmp_path / "long", data))
    longest = max(part.bytes for part in NET.parts)
    assert f"its first bytes have sha256 {tiny.sha256(data[: longest + 1])}" in caught.value.text


def test_a_file_that_is_not_there_and_an_unknown_net_are_said(
    tmp_path: Path, parts: tuple[Path, Path]
) -> None:
    with pytest.raises(ModelError, match=r"nowhere cannot be read"):
        _add(tmp_path, parts[0], tmp_path / "nowhere")
    with pytest.raises(ModelError) as caught:
        add(tmp_path, "nose", [parts[0]], listed={"more": NET})
    assert caught.value.code == "model_unknown"


def test_a_net_that_gives_other_numbers_is_not_taken(
    tmp_path: Path, parts: tuple[Path, Path]
) -> None:
    """Here the real converter works, and the stored reference is another net's."""
    other = replace(NET, name="spoof2", outputs=(replace(NET.outputs[0], name="logits"),))
    with pytest.raises(ModelError, match="an output is off by") as caught:
        add(tmp_path / "nets", "spoof2", parts, listed={"spoof2": other})
    assert caught.value.code == "model_check_failed"
    assert not (tmp_path / "nets" / "more.onnx").exists()


def test_a_net_that_was_added_is_verified_with_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manifest, "load", dict)  # a pack of nothing
    verify(tmp_path)
    (tmp_path / "spoof3.onnx").write_bytes(b"another")
    with pytest.raises(ModelError, match=r"spoof3\.onnx: expected sha256") as caught:
        verify(tmp_path)
    assert caught.value.code == "model_hash_mismatch"


def test_the_nets_that_were_added_are_known_by_their_files(tmp_path: Path) -> None:
    (tmp_path / "more.onnx").write_bytes(CONVERTED)
    assert added_in(tmp_path, {"more": NET}) == ["more"]
    assert added_in(tmp_path / "none", {"more": NET}) == []


class _Answers(BaseHTTPRequestHandler):
    files: ClassVar[dict[str, bytes]] = {}
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.path == "/moved/net.param":
            self.send_response(302)
            self.send_header("Location", "/net.param")
            self.end_headers()
            return
        data = self.files.get(self.path)
        self.send_response(404 if data is None else 200)
        self.end_headers()
        self.wfile.write(data or b"")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def address() -> Iterator[str]:
    _Answers.files = {"/net.param": TEXT, "/net.bin": WEIGHTS}
    _Answers.asked = []
    with HTTPServer(("127.0.0.1", 0), _Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def _fetch(tmp_path: Path, address: str, said: list[Progress] | None = None) -> list[Path]:
    listed = {"more": replace(NET, address=address)}
    tell = (said if said is not None else []).append
    return fetch_added(tmp_path / "nets", ["more"], tell, listed=listed, convert=_convert)


def test_parts_are_had_from_their_address(tmp_path: Path, address: str) -> None:
    said: list[Progress] = []
    (file,) = _fetch(tmp_path, address, said)
    assert file.read_bytes() == CONVERTED
    assert _Answers.asked == ["/net.param", "/net.bin"]
    assert [step.stage for step in said] == ["download", "ready"]
    assert address in said[0].text
    _fetch(tmp_path, address)
    assert len(_Answers.asked) == 2  # what is good is not had again


def test_other_bytes_at_the_address_are_not_taken(tmp_path: Path, address: str) -> None:
    for data in (WEIGHTS[:-1] + b"?", WEIGHTS + b"?", b""):
        _Answers.files["/net.bin"] = data
        with pytest.raises(ModelError, match="is not the pinned file") as caught:
            _fetch(tmp_path, address)
        assert caught.value.code == "model_source_mismatch"
        assert not (tmp_path / "nets").exists()


@pytest.mark.parametrize("place", ["none/", "moved/"])
def test_an_address_without_the_file_says_how_to_add_it(
    tmp_path: Path, address: str, place: str
) -> None:
    with pytest.raises(ModelError) as caught:
        _fetch(tmp_path, address + place)
    assert caught.value.code == "model_download_failed"
    assert "`lookgate models add more net.param net.bin`" in caught.value.text
    assert "/net.param" not in _Answers.asked  # nobody was followed elsewhere


@pytest.mark.parametrize("place", ["http://127.0.0.1:9/", "https://127.0.0.1:9/"])
def test_an_address_that_nobody_answers_says_the_same(tmp_path: Path, place: str) -> None:
    with pytest.raises(ModelError) as caught:
        _fetch(tmp_path, place)
    assert caught.value.code == "model_download_failed"
    assert "`lookgate models add more net.param net.bin`" in caught.value.text


def test_no_more_is_read_of_an_address_than_wanted(address: str) -> None:
    assert download(f"{address}net.bin", 10) == WEIGHTS[:10]


def test_the_nets_of_the_manifest_have_published_commits_and_references() -> None:
    nets = manifest.load_added()
    assert list(nets) == ["spoof2", "spoof3"]
    for net in nets.values():
        assert net.address.startswith("https://raw.githubusercontent.com/")
        assert len(net.address.split("/")[5]) == 40  # a commit, no branch
        assert all(len(part.sha256) == 64 for part in net.parts)
        assert len(net.sha256) == 64
        assert net.warning
