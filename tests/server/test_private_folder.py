"""Folders that others may enter are refused."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from server import app
from server.commands import main
from server.private_folder import PrivateFolderError, private_folder
from server.settings.load import ConfigError
from tests.server.stage import settings

pytestmark = pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX")


def test_it_is_made_private_and_a_private_one_is_taken(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "data"
    private_folder(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    private_folder(folder)
    (folder / "file").write_text("")
    for place in (folder / "file", folder / "file" / "below"):
        with pytest.raises(PrivateFolderError, match=str(place)):
            private_folder(place)


@pytest.mark.parametrize("mode", [0o755, 0o750, 0o701, 0o777])
def test_a_data_folder_that_others_may_enter_is_refused(
    tmp_path: Path, mode: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    tmp_path.chmod(mode)
    try:
        with pytest.raises(ConfigError, match="LOOKGATE_DATA_DIR") as refused:
            app.build(settings(tmp_path), lambda frame, ask: None)  # type: ignore[arg-type, return-value]
        assert f"chmod 700 {tmp_path}" in str(refused.value)
        monkeypatch.setenv("LOOKGATE_DATA_DIR", str(tmp_path))
        assert main.main(["client", "list"]) == 2
        assert "LOOKGATE_DATA_DIR" in capsys.readouterr().err
        assert list(tmp_path.iterdir()) == []
    finally:
        tmp_path.chmod(0o700)
