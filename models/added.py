"""Nets that no package holds: from an operator's files, or from the address where they are
published.

Here: whether the parts are the pinned ones, and getting them. Not here: what a conversion does
(convert.py), putting a file in its place (fetch.py). Source: `added` in manifest.toml;
docs/models.md, "Nets to add".
"""

from __future__ import annotations

import hashlib
import http.client
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from models import manifest
from models.errors import ModelError
from models.fetch import Convert, Progress, converter, lock, put
from models.manifest import Added, Part
from models.verify import good

ADDRESS_S = 30.0
"""A server that says nothing for so long is not there."""

Get = Callable[[str, int], bytes]
"""At most so many bytes of an address. Raises ModelError (model_download_failed)."""


def add(
    directory: Path,
    name: str,
    files: Sequence[Path],
    *,
    listed: Mapping[str, Added] | None = None,
    convert: Convert | None = None,
) -> Path:
    """Make the net `name` a good file in `directory` from its parts, and return the file.

    `files`: the parts in any order and under any names, because their sha256 says which is which.
    Raises ModelError: model_unknown; model_source_mismatch for a part that is missing and for a
    file that is none; model_unsupported, model_check_failed, model_tools_missing,
    model_dir_unusable.
    """
    (net,) = manifest.select(manifest.load_added() if listed is None else listed, [name])
    parts = _parts(net, files)
    return _make(directory, net, parts, convert, lambda _: None)


def fetch_added(
    directory: Path,
    names: Sequence[str],
    progress: Callable[[Progress], None] | None = None,
    *,
    listed: Mapping[str, Added] | None = None,
    get: Get | None = None,
    convert: Convert | None = None,
) -> list[Path]:
    """Make every named net a good file in `directory` from its public address; what is good already
    is left alone. Raises ModelError, as `add`, and model_download_failed."""
    nets = manifest.select(manifest.load_added() if listed is None else listed, names)
    tell = progress or (lambda _: None)
    for done, net in enumerate(nets):
        if good(directory, net):
            continue

        def say(text: str, net: Added = net, done: int = done) -> None:
            tell(Progress("download", net.name, text, done, len(nets)))

        say(f"downloading {net.name} from {net.address} ({_size(net)})")
        parts = [_published(net, part, get or download) for part in net.parts]
        _make(directory, net, parts, convert, say)
        tell(
            Progress("ready", net.name, f"{net.file} is ready ({net.licence})", done + 1, len(nets))
        )
    return [directory / net.file for net in nets]


def _make(
    directory: Path,
    net: Added,
    parts: Sequence[bytes],
    convert: Convert | None,
    say: Callable[[str], None],
) -> Path:
    file = directory / net.file
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with lock(directory, lambda _, __, text: say(text)):
            put(file, (convert or converter())(net, *parts))
    except OSError as error:
        raise ModelError(
            "model_dir_unusable", f"The models directory {directory} cannot be used.", str(error)
        ) from error
    return file


def _parts(net: Added, files: Sequence[Path]) -> list[bytes]:
    """The net's parts in its own order; no file is read further than the longest part goes."""
    most = max(part.bytes for part in net.parts)
    found: dict[str, bytes] = {}
    for file in files:
        try:
            with file.open("rb") as stream:
                data = stream.read(most + 1)
        except OSError as error:
            raise ModelError(
                "model_source_mismatch", f"The file {file} cannot be read.", str(error)
            ) from error
        digest = hashlib.sha256(data).hexdigest()
        if digest not in {part.sha256 for part in net.parts}:
            of = "its first bytes have" if len(data) > most else "it has"
            raise ModelError(
                "model_source_mismatch",
                f"{file} is no part of {net.name}: {of} sha256 {digest}. {_wanted(net)}",
            )
        found[digest] = data
    missing = [part for part in net.parts if part.sha256 not in found]
    if missing:
        raise ModelError(
            "model_source_mismatch",
            f"{net.name} lacks {', '.join(part.name for part in missing)}. {_wanted(net)}",
        )
    return [found[part.sha256] for part in net.parts]


def _published(net: Added, part: Part, get: Get) -> bytes:
    address = urllib.parse.urljoin(net.address, urllib.parse.quote(part.name))
    try:
        data = get(address, part.bytes + 1)
    except ModelError as error:
        raise ModelError(error.code, f"{error.text} {_by_hand(net)}", error.cause) from error
    found = hashlib.sha256(data).hexdigest()
    if found != part.sha256:
        raise ModelError(
            "model_source_mismatch",
            f"{address} is not the pinned file: expected sha256 {part.sha256}, found {found}. "
            "It was not taken.",
        )
    return data


class _NoOtherPlace(urllib.request.HTTPRedirectHandler):
    """A published commit stays where it is: who sends us elsewhere is not its address."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def download(address: str, most: int) -> bytes:
    """At most `most` bytes of an http or https address, which may send nobody elsewhere.

    Raises ModelError (model_download_failed).
    """
    opener = urllib.request.build_opener(_NoOtherPlace)
    try:
        with opener.open(address, timeout=ADDRESS_S) as answer:
            data: bytes = answer.read(most)
            return data
    except (OSError, urllib.error.URLError, http.client.HTTPException, ValueError) as error:
        raise ModelError(
            "model_download_failed", f"{address} could not be downloaded.", str(error)
        ) from error


def _size(net: Added) -> str:
    return f"{sum(part.bytes for part in net.parts) / 1e6:.1f} MB"


def _wanted(net: Added) -> str:
    pinned = ", ".join(f"{part.name} (sha256 {part.sha256})" for part in net.parts)
    return f"It is made of {pinned}, published at {net.address}"


def _by_hand(net: Added) -> str:
    names = " ".join(part.name for part in net.parts)
    return (
        f"Where this machine cannot reach it: get {names} from {net.address} elsewhere, copy them "
        f"here, and run `lookgate models add {net.name} {names}`."
    )
