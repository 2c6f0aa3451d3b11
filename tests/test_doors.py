"""Imports point one way, and every dependency has one door (docs/architecture.md, "The rooms")."""

from __future__ import annotations

import ast

import pytest

from tests.walk import FILES, ROOMS, ROOT, calls, imports, name, tree, uses

DOORS: dict[str, tuple[str, ...]] = {
    "onnxruntime": ("pipeline/nets/ort.py", "models/"),
    # make_reference.py makes the nets' reference outputs, once, on a developer's machine.
    # Pixels stop in see.py and what it alone calls: the nets' crops, and sight/, what is measured
    # around the face without a net. synth/ draws the pictures that they look at in tests.
    "cv2": (
        "pipeline/see.py",
        "pipeline/nets/",
        "pipeline/sight/",
        "pipeline/synth/",
        "models/make_reference.py",
    ),
    "av": (
        "pipeline/tape/",
        "server/frames/",
        "server/tools/clips.py",
        "server/tools/film.py",
        "server/rtc/",
        "server/tools/caller/",
        "server/tools/evaluation/vp8.py",
    ),
    "matplotlib": ("server/tools/evaluation/plots.py",),
    "scipy": ("server/tools/evaluation/",),
    "insightface": ("pipeline/nets/insight.py",),
    "tritonclient": ("server/frames/elsewhere.py",),
    "aiortc": ("server/rtc/", "server/tools/caller/"),
    "aioice": ("server/rtc/",),
    "pymongo": ("server/store/mongo/",),
    "aiosqlite": ("server/store/sqlite/",),
    "webauthn": ("server/factors/passkey.py",),
    "pyotp": ("server/factors/otp.py",),
    "segno": ("server/factors/otp.py",),
    "uvloop": ("server/event_loop.py",),
    "argon2": ("web/demo/people/passwords.py",),
    "zxcvbn": ("web/demo/people/blocklist.py",),
    "onnx": ("models/",),
    "asyncio": ("server/", "web/demo/"),
    "time": ("server/", "web/demo/", "models/registry.py"),
    "aiohttp": (
        "server/app.py",
        "server/http/",
        "server/tools/caller/http_caller.py",
        "web/demo/",
        "web/examples/",
    ),
    "brotli": ("server/http/published.py",),
    "socket": ("server/",),
}
"""Module -> files (or folders, or beginnings of names) that may import it."""

PURE = ("asyncio", "time", "datetime", "random", "secrets", "os", "socket", "threading", "logging")
"""What the pipeline does not know, but for what `PRIVATE` says."""
PRIVATE = {
    "onnxruntime": "ORT_DISABLE_TELEMETRY",
    "matplotlib": "MPLCONFIGDIR",
}
"""Module -> the variable without which it speaks to its maker or writes outside our folders."""

ENVIRONMENT = (
    "server/__init__.py",
    "server/settings/load.py",
    "models/manifest.py",
    "models/clips.py",
    "models/registry.py",
    "web/demo/config.py",
    "pipeline/nets/ort.py",
    "models/check.py",
    "server/tools/evaluation/plots.py",
    "web/examples/aiohttp_app.py",
    "web/examples/django_app.py",
    "web/examples/fastapi_app.py",
)
"""One BLAS thread, before NumPy is loaded; the server's settings; the nets' and the recordings'
cache folders, for `python -m models` before the server is installed; what a registry's client is
started with; the demo app's own settings; what `PRIVATE` asks of the doors of two libraries; the
examples' secret."""


READS = ("environ", "environb", "getenv", "getenvb")


def test_there_is_something_to_walk() -> None:
    assert {name(path).split("/")[0] for path in FILES} == set(ROOMS)
    assert len(FILES) > 40
    assert uses(ROOT / "server/rtc/connection.py", "aiortc")
    assert uses(ROOT / "pipeline/nets/ort.py", "onnxruntime")


@pytest.mark.parametrize("module", DOORS)
def test_one_door_per_dependency(module: str) -> None:
    doors = DOORS[module]
    through = [name(path) for path in FILES if uses(path, module)]
    assert [file for file in through if not file.startswith(doors)] == []


def _forbidden(rooms: tuple[str, ...], modules: tuple[str, ...]) -> list[str]:
    return [
        f"{name(path)} imports {module}"
        for path in FILES
        if name(path).startswith(rooms)
        for module in modules
        if uses(path, module)
    ]


def test_imports_point_one_way() -> None:
    assert _forbidden(("pipeline/",), ("server", "models", "web", "tests")) == []
    assert _forbidden(("models/",), ("server", "pipeline", "web", "tests")) == []
    assert _forbidden(("web/",), ("server", "pipeline", "models", "tests")) == []
    assert _forbidden(("server/",), ("tests", "web")) == []


def test_the_core_knows_no_pixels_and_see_knows_no_session() -> None:
    core = ("pipeline/session/", "pipeline/cues/", "pipeline/decision.py", "pipeline/template.py")
    assert _forbidden(core, ("pipeline.see", "pipeline.nets", "pipeline.sight", "cv2")) == []
    sees = ("pipeline/see.py", "pipeline/nets/", "pipeline/sight/")
    assert _forbidden(sees, ("pipeline.session", "pipeline.cues", "pipeline.decision")) == []


def test_what_draws_pictures_and_what_judges_them_know_nothing_of_each_other() -> None:
    # Otherwise the one would be made to please the other. The mesh and the detector, which find
    # the face in the photo, are neither.
    judges = ("pipeline.see", "pipeline.sight", "pipeline.session", "pipeline.cues")
    judges += ("pipeline.decision", "pipeline.policy", "pipeline.nets.spoof", "pipeline.nets.embed")
    assert _forbidden(("pipeline/synth/",), judges) == []
    users = [name(path) for path in FILES if uses(path, "pipeline.synth")]
    users = [file for file in users if not file.startswith("pipeline/synth/")]
    assert sorted(users) == ["server/commands/synth_verb.py", "server/tools/synth.py"]


def test_cues_do_not_import_each_other() -> None:
    cues = [path for path in FILES if name(path).startswith("pipeline/cues/")]
    assert len(cues) > 3
    for path in cues:
        others = {name for name in imports(path) if name.startswith("pipeline.cues")}
        assert others <= {"pipeline.cues"}, f"{name(path)}: {others}"


def test_the_pipeline_is_pure() -> None:
    assert _forbidden(("pipeline/",), PURE) == ["pipeline/nets/ort.py imports os"]


@pytest.mark.parametrize("module", PRIVATE)
def test_a_library_is_silenced_before_it_is_loaded(module: str) -> None:
    # What it does then is tried in test_silence.py.
    for path in [path for path in FILES if uses(path, module)]:
        lines = {
            "set": calls(path, lambda node: getattr(node, "value", None) == PRIVATE[module]),
            "loaded": calls(path, lambda node: module in _named(node)),
        }
        first = {
            step: min(int(at.rpartition(":")[2]) for at in found) for step, found in lines.items()
        }
        assert first["set"] < first["loaded"], name(path)


def _named(node: ast.AST) -> set[str]:
    """The packages that an import statement names."""
    if isinstance(node, ast.Import):
        return {alias.name.partition(".")[0] for alias in node.names}
    return {(node.module or "").partition(".")[0]} if isinstance(node, ast.ImportFrom) else set()


def test_the_environment_has_its_door() -> None:
    readers = []
    for path in FILES:
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Attribute) and node.attr in READS:
                readers.append(name(path))
            elif isinstance(node, ast.ImportFrom) and node.module == "os":
                readers += [name(path) for alias in node.names if alias.name in READS]
    assert sorted(set(readers) - set(ENVIRONMENT)) == []
    assert "server/settings/load.py" in readers


def test_no_module_names_that_say_nothing() -> None:
    banned = {"utils", "helpers", "common", "misc", "manager", "handler", "processor", "impl"}
    assert [name(path) for path in FILES if path.stem in banned] == []


def test_one_file_counts_cpus() -> None:
    counts = ("cpu_count", "process_cpu_count", "sched_getaffinity")
    found = {
        line.rpartition(":")[0]
        for path in (*FILES, *(ROOT / "benchmarks").rglob("*.py"))
        for line in calls(path, lambda node: getattr(node, "attr", None) in counts)
    }
    assert found == {"server/cpus.py"}, "the machine's CPUs are seldom ours: ask server.cpus"
