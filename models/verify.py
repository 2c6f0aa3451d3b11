"""Are the converted nets in a directory the pinned ones? Asked by the server before it starts.

Here: sha256 of each file against the manifest. Not here: getting them (fetch.py), what they compute
(check.py). Source: manifest.toml.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from models import manifest
from models.archive import sha256_of
from models.errors import ModelError
from models.manifest import Converted


def verify(
    directory: Path,
    names: Sequence[str] | None = None,
    *,
    listed: Mapping[str, Converted] | None = None,
) -> None:
    """Return if every named net is there with the right bytes: about 0.1 s for the default pack.
    By default those of the pack, and of those beside it the ones that are there: a net that would
    be run must be the pinned one.

    Raises ModelError: model_unknown; model_missing, naming every file that is not there;
    model_hash_mismatch, naming each wrong file with the expected and the found sha256;
    model_dir_unusable.
    """
    if listed is None:
        more = manifest.load_more()
        if names is None:
            names = [*manifest.load(), *added_in(directory, more)]
        listed = {**manifest.load(), **more}
    nets = manifest.select(listed, names)
    missing = [n.file for n in nets if not (directory / n.file).is_file()]
    if missing:
        raise ModelError(
            "model_missing",
            f"{directory} lacks {', '.join(missing)}. Run `lookgate models fetch`, or set "
            "LOOKGATE_MODELS_DIR to a folder that a machine with a network has prepared with it.",
        )
    wrong = [
        f"{directory / n.file}: expected sha256 {n.sha256}, found {found}"
        for n in nets
        if (found := _sha256(directory / n.file)) != n.sha256
    ]
    if wrong:
        raise ModelError(
            "model_hash_mismatch",
            f"A model file is not the pinned one: {'; '.join(wrong)}. "
            "Run `lookgate models fetch` to replace it, or delete it if you added it.",
        )


def added_in(directory: Path, known: Mapping[str, Converted] | None = None) -> list[str]:
    """Names of the nets that somebody added to a directory, in the manifest's order; `known` are
    those to look for, by default the ones that an operator may add."""
    known = manifest.load_added() if known is None else known
    return [name for name, net in known.items() if (directory / net.file).exists()]


def good(directory: Path, net: Converted) -> bool:
    """Is this net's file there, with the pinned bytes?"""
    file = directory / net.file
    return file.is_file() and file.stat().st_size == net.bytes and _sha256(file) == net.sha256


def _sha256(file: Path) -> str:
    try:
        return sha256_of(file)
    except OSError as error:
        raise ModelError(
            "model_dir_unusable", f"The model file {file} cannot be read.", str(error)
        ) from error
