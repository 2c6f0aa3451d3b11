"""What the image's layers add up to: `python docker/size.py [--limit 600]`, in MB of 10^6 bytes.

Here: measuring the parts that docker/Dockerfile copies into the last stage, on a machine without a
container engine. Not here: building. Source: docker/Dockerfile, requirements-server.lock and
models/manifest.toml; the base image's size is a constant, because only a registry could tell it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from trim import trim

ROOT = Path(__file__).resolve().parents[1]

BASE_MB = 135.0
"""python:3.12-slim-bookworm for amd64, unpacked. `docker images` has shown 120 to 130 MB for its
releases; not measured here, rounded up. May go when an engine can be asked."""

LIMIT_MB = 600.0
"""What the project promises; people complain about images of gigabytes."""


def bytes_under(folder: Path) -> int:
    """Sum of the sizes of the regular files below `folder`, links not followed."""
    return sum(f.lstat().st_size for f in folder.rglob("*") if f.is_file() and not f.is_symlink())


def packages(lock: Path) -> dict[str, int]:
    """Install and trim a lock file as the Dockerfile does; bytes by top-level folder."""
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile"]
        command += ["--require-hashes", "--only-binary", ":all:", "--disable-pip-version-check"]
        subprocess.run([*command, "--target", scratch, "-r", str(lock)], check=True)
        trim(Path(scratch))
        return {
            entry.name: bytes_under(entry) if entry.is_dir() else entry.lstat().st_size
            for entry in Path(scratch).iterdir()
        }


def nets() -> int:
    """Bytes of the converted nets, as the manifest pins them."""
    manifest = tomllib.loads((ROOT / "models" / "manifest.toml").read_text())
    return sum(int(net["bytes"]) for net in manifest["net"].values())


def project() -> int:
    """Bytes of the project's own files that the wheel holds."""
    skip = {"__pycache__", "node_modules"}
    return sum(
        f.stat().st_size
        for name in ("models", "pipeline", "server", "web")
        for f in (ROOT / name).rglob("*")
        if f.is_file() and not skip & set(f.parts)
    )


def main() -> int:
    """Print the table; 1 if it is over the limit."""
    parser = argparse.ArgumentParser(description="Add up the image's layers.")
    parser.add_argument("--limit", type=float, default=LIMIT_MB, help="MB of 10^6 bytes")
    limit = parser.parse_args().limit
    parts = packages(ROOT / "requirements-server.lock")
    rows = [("base image (published, not measured)", BASE_MB)]
    for name, size in sorted(parts.items(), key=lambda part: -part[1])[:6]:
        rows.append((f"packages: {name}", size / 1e6))
    rest = sum(sorted(parts.values())[:-6])
    rows += [
        ("packages: all others", rest / 1e6),
        ("nets", nets() / 1e6),
        ("Lookgate itself", project() / 1e6),
    ]
    total = sum(size for _, size in rows)
    print("| layer | MB |\n|---|---|")
    for name, size in rows:
        print(f"| {name} | {size:.1f} |")
    print(f"| **sum** (limit {limit:.0f}) | **{total:.1f}** |")
    return 0 if total <= limit else 1


if __name__ == "__main__":
    raise SystemExit(main())
