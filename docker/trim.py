"""Takes out of an environment what no server runs: `python docker/trim.py SITE_PACKAGES`.

Here: the packages' own test suites, typing stubs, C headers and sources, and the parts of ONNX
Runtime and NumPy that convert models and build extensions. Not here: anything that is imported (the
image build starts the command line once after this). Source: docker/size.py, which counts it.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

FOLDERS = (
    "onnxruntime/datasets",
    "onnxruntime/quantization",
    "onnxruntime/tools",
    "onnxruntime/transformers",
    "numpy/distutils",
    "numpy/f2py",
)
"""Whole folders: model converters and example models; NumPy's way to compile Fortran."""

FILES = "onnxruntime/capi/libonnxruntime.so.*"
"""ONNX Runtime once more, for C and C++ programs: the Python binding has its own copy inside and
does not link to this one (`readelf -d`, 1.32.0)."""

TESTED = ("numpy", "google_crc32c", "ifaddr", "flatbuffers", "aiohttp")
"""Packages whose folders called `tests` go."""

SUFFIXES = {".c", ".h", ".pxd", ".pyi", ".pyx"}
"""Read by compilers and type checkers only."""


def trim(site: Path) -> int:
    """Remove it; bytes saved."""
    before = _size(site)
    folders = [site / name for name in FOLDERS]
    folders += [f for name in TESTED for f in (site / name).rglob("tests") if f.is_dir()]
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
    for file in list(site.rglob("*")):
        if file.is_file() and (file.suffix in SUFFIXES or file.match(FILES)):
            file.unlink()
    return before - _size(site)


def _size(folder: Path) -> int:
    return sum(f.lstat().st_size for f in folder.rglob("*") if f.is_file())


if __name__ == "__main__":
    print(f"trimmed {trim(Path(sys.argv[1])) / 1e6:.1f} MB")
