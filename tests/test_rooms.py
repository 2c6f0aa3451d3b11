"""The house: no circle between files or folders, rooms that know only what is below them, sizes."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import Counter

import pytest

from tests.walk import (
    FILES,
    ROOT,
    SCRIPTS,
    calls,
    circles,
    folders,
    graph,
    imports,
    name,
    python,
    uses,
)

LINES = 400
"""A file with more holds more than one noun."""
FILES_IN_A_FOLDER = 20


def test_no_circle_of_files() -> None:
    assert circles(graph()) == []


def test_no_circle_of_folders() -> None:
    found = {folder: circles(inside) for folder, inside in folders(graph()).items()}
    assert {folder: groups for folder, groups in found.items() if groups} == {}


def test_the_graph_is_that_of_the_tree() -> None:
    edges = graph()
    assert len(edges) == len(FILES) + len(SCRIPTS)
    assert "server/session/protocol.py" in edges["server/session/peer.py"]
    assert "web/widget/camera.js" in edges["web/widget/element.js"]
    assert {"http", "session", "people"} <= folders(edges)["server"].keys()
    for file, targets in edges.items():
        assert targets <= edges.keys(), file


CIRCLE = {
    "server/gate.py": {"server.peer", "server.peer.Peer"},  # under TYPE_CHECKING, then
    "server/peer.py": {"server.gate", "server.recorder", "server.verdict"},
    "server/recorder.py": {"server.gate"},
    "server/verdict.py": {"server.gate"},
    "server/app.py": {"server.gate", "server.peer"},
}
"""The circle that this house once had."""


def test_a_circle_of_files_is_found() -> None:
    found = circles(python(CIRCLE))
    assert found == [
        ["server/gate.py", "server/peer.py", "server/recorder.py", "server/verdict.py"]
    ]
    opened = {**CIRCLE, "server/gate.py": {"server.limits"}}
    assert circles(python(opened)) == []


def test_a_circle_of_folders_is_found() -> None:
    files = {
        "server/store/port.py": {"server.keys.vault"},
        "server/store/mongo.py": set[str](),
        "server/keys/vault.py": set[str](),
        "server/keys/keyring.py": {"server.store.mongo"},
    }
    edges = python(files)
    assert circles(edges) == []
    assert circles(folders(edges)["server"]) == [["keys", "store"]]


SERVER = (
    "settings",
    "store",
    "keys",
    "factors",
    "audit",
    "people",
    "frames",
    "rtc",
    "session",
    "processes",
    "oidc",
    "http",
    "life.py",
    "app.py",
    "tools",
    "commands",
)
"""The rooms of server/ from the ground up: what is lower imports nothing that is higher."""


def test_rooms_import_downwards() -> None:
    rank = {room: n for n, room in enumerate(SERVER)}
    edges = folders(graph())["server"]
    upward = [
        f"{child} imports {target}"
        for child, targets in sorted(edges.items())
        for target in sorted(targets)
        if child in rank and rank[child] < rank.get(target, -1)
    ]
    assert upward == []
    assert "http" in edges["app.py"]


def test_only_the_root_and_http_see_the_parts() -> None:
    seeing = {name(path) for path in FILES if uses(path, "server.parts")}
    roots = ("server/app.py", "server/life.py")
    allowed = (*roots, "server/http/", "server/commands/", "server/tools/")
    assert [file for file in sorted(seeing) if not file.startswith(allowed)] == []
    assert "server/app.py" in seeing


def test_the_store_the_keys_and_the_settings_know_nothing_above_them() -> None:
    above = (
        "audit",
        "people",
        "frames",
        "rtc",
        "session",
        "http",
        "tools",
        "commands",
        "app",
        "parts",
    )
    rooms = ("server/store/", "server/keys/", "server/settings/")
    found = [
        f"{name(path)} imports {room}"
        for path in FILES
        if name(path).startswith(rooms)
        for room in above
        if uses(path, f"server.{room}")
    ]
    assert found == []


def test_a_session_knows_nothing_of_http() -> None:
    session = [path for path in FILES if name(path).startswith("server/session/")]
    assert len(session) > 5
    for path in session:
        assert not uses(path, "aiohttp"), name(path)
        assert not uses(path, "server.http"), name(path)


def test_what_serves_imports_nothing_of_the_operators() -> None:
    rooms = ("server/commands/", "server/tools/")
    found = [
        f"{name(path)} imports {module}"
        for path in FILES
        if not name(path).startswith(rooms)
        for module in ("server.commands", "server.tools")
        if uses(path, module)
    ]
    assert found == []


def test_a_server_loads_nothing_that_it_does_not_use() -> None:
    code = "import server.app, sys; print(*sorted(sys.modules), sep='\\n')"
    run = [sys.executable, "-c", code]
    loaded = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=True, timeout=300)
    modules = loaded.stdout.split()
    assert "server.app" in modules
    assert "aiohttp" in modules
    unwanted = ("server.commands", "server.tools", "scipy", "matplotlib", "pymongo", "playwright")
    found = [m for m in modules if any(m == one or m.startswith(one + ".") for one in unwanted)]
    assert found == []


def _runs_text(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id in ("exec", "eval", "compile", "__import__")
    )


def _changes_class(node: ast.AST) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else []
    if isinstance(node, ast.AnnAssign | ast.AugAssign):
        targets = [node.target]
    return any(isinstance(t, ast.Attribute) and t.attr == "__class__" for t in targets)


def _sets_class(node: ast.AST) -> bool:
    """`setattr(x, "__class__", y)` and `object.__setattr__(x, "__class__", y)`."""
    return isinstance(node, ast.Call) and any(
        isinstance(a, ast.Constant) and a.value == "__class__" for a in node.args
    )


def test_no_code_is_made_of_text_and_nothing_changes_its_class() -> None:
    rooms = ("pipeline/", "server/")
    for wanted in (_runs_text, _changes_class, _sets_class):
        found = [
            line for path in FILES if name(path).startswith(rooms) for line in calls(path, wanted)
        ]
        assert found == [], wanted.__name__


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        (_runs_text, "exec('x = 1')"),
        (_runs_text, "eval('1')"),
        (_changes_class, "x.__class__ = y"),
        (_sets_class, "setattr(x, '__class__', y)"),
        (_sets_class, "object.__setattr__(x, '__class__', y)"),
    ],
)
def test_such_code_is_found(wanted: object, text: str) -> None:
    assert callable(wanted)
    assert any(wanted(node) for node in ast.walk(ast.parse(text)))
    assert not any(wanted(node) for node in ast.walk(ast.parse("x = y.__class__; re.match('x')")))


def test_no_code_changes_where_modules_are_looked_for() -> None:
    places = [
        *FILES,
        *(ROOT / "benchmarks").rglob("*.py"),
        *(ROOT / "tests").rglob("*.py"),
        *(ROOT / "docker").rglob("*.py"),
    ]
    found = [
        line
        for path in places
        for line in calls(
            path,
            lambda node: (
                isinstance(node, ast.Attribute)
                and node.attr == "path"
                and isinstance(node.value, ast.Name)
                and node.value.id == "sys"
            ),
        )
    ]
    assert found == []
    assert not [path for path in places if "sys.path" in imports(path)]


def test_files_hold_one_noun() -> None:
    long = {
        name(p): n for p in (*FILES, *SCRIPTS) if (n := len(p.read_text().splitlines())) > LINES
    }
    assert long == {}


def test_folders_are_rooms_and_no_halls() -> None:
    crowd = Counter(path.parent for path in (*FILES, *SCRIPTS))
    assert {name(folder): n for folder, n in crowd.items() if n > FILES_IN_A_FOLDER} == {}
