"""`lookgate client consent` and `lookgate enroll --consent`: what they print and refuse."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.commands import main
from server.people.consent import MAX_FILE_BYTES
from tests.server.commands.test_main import _own_environment, _run

__all__ = ["_own_environment"]

TEXT = 'text_id = "club"\nversion = "1"\n[en]\npurpose = "Entry"\nbody = "Yes."\n'


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "club.toml"
    path.write_text(TEXT, "utf-8")
    return path


def test_a_client_has_its_own_text(capsys: pytest.CaptureFixture[str], text: Path) -> None:
    _run(capsys, "client", "add", "shop")
    status, out, _ = _run(capsys, "client", "consent", "shop")
    assert status == 0
    assert [line.split()[:2] for line in out.splitlines()] == [
        ["asked", "lookgate/1/en"],
        ["asked", "lookgate/1/de"],
    ]
    status, out, _ = _run(capsys, "client", "consent", "shop", str(text))
    assert status == 0
    assert out.startswith("set   club/1/en  ")
    assert _run(capsys, "client", "consent", "shop", str(text))[:2] == (0, out)  # again

    text.write_text(TEXT.replace("Yes.", "No."), "utf-8")
    status, _, err = _run(capsys, "client", "consent", "shop", str(text))
    assert status == 2
    assert err.startswith("lookgate: consent_exists: ")
    text.write_text(TEXT.replace("Yes.", "No.").replace('"1"', '"2"'), "utf-8")
    assert _run(capsys, "client", "consent", "shop", str(text))[0] == 0
    status, out, _ = _run(capsys, "client", "consent", "shop", "--text")
    names = [line.split()[:2] for line in out.splitlines() if line.startswith(("asked", "kept"))]
    assert names[:2] == [["asked", "club/2/en"], ["kept", "club/1/en"]]
    assert out.index("No.") < out.index("Yes.")


def test_a_bad_text_is_one_line(capsys: pytest.CaptureFixture[str], text: Path) -> None:
    _run(capsys, "client", "add", "shop")
    for raw in (b"\xff", b"text_id", b"#" * (MAX_FILE_BYTES + 1), b'text_id = "lookgate"'):
        text.write_bytes(raw)
        status, out, err = _run(capsys, "client", "consent", "shop", str(text))
        assert (status, out, err.count("\n")) == (2, "", 1)
        assert err.startswith("lookgate: consent_invalid: ")
    text.write_text(TEXT, "utf-8")
    for file in ([], [str(text)]):
        status, _, err = _run(capsys, "client", "consent", "zoo", *file)
        assert (status, err) == (2, "lookgate: client_unknown: There is no client zoo.\n")


def test_nobody_is_enrolled_without_a_consent(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("--client", "a", "--subject", "b", "--video", "c")
    with pytest.raises(SystemExit):
        main.main(("enroll", *arguments))
    assert "--consent" in capsys.readouterr().err
    status, _, err = _run(capsys, "enroll", *arguments, "--consent", "lookgate/1/en")
    assert (status, err.split(":")[1].strip()) == (2, "secret_missing")
