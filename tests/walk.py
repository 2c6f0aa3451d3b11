"""Which file imports which, read from the source: for the tests of doors and rooms.

Here: walking Python's and JavaScript's imports, wherever in a file they stand, and finding circles.
Not here: what is allowed (test_doors.py, test_rooms.py).
"""

from __future__ import annotations

import ast
import posixpath
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROOMS = ("pipeline", "server", "models", "web")
FILES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
MADE = ROOT / "web" / "widget" / "built"
"""By web/build.mjs, from the modules that are walked."""
SCRIPTS = sorted(
    path for room in ROOMS for path in (ROOT / room).rglob("*.js") if not path.is_relative_to(MADE)
)

Graph = Mapping[str, set[str]]
"""What imports what: by file, or by a child of a folder."""

_FROM = re.compile(r"""^\s*(?:import|export)\b[^'"]*?['"](\.[^'"]+)['"]""", re.MULTILINE)
"""A module of our own in an import or export declaration (ECMA-262 sections 16.2.2, 16.2.3)."""
_CALL = re.compile(r"""\bimport\(\s*['"](\.[^'"]+)['"]""")


def name(path: Path) -> str:
    """A file as the tests name it: its path from the root."""
    return path.relative_to(ROOT).as_posix()


@cache
def tree(path: Path) -> ast.Module:
    """The file, parsed."""
    return ast.parse(path.read_text("utf-8"), str(path))


@cache
def imports(path: Path) -> frozenset[str]:
    """Every module that a Python file imports, wherever in it, as written."""
    found: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                package = path.relative_to(ROOT).parts[: -node.level]
                module = ".".join([*package, *([module] if module else [])])
            found.add(module)
            found |= {f"{module}.{alias.name}" for alias in node.names}
    return frozenset(found)


def uses(path: Path, module: str) -> bool:
    """Whether a file imports a module or something of it."""
    return any(found == module or found.startswith(module + ".") for found in imports(path))


def graph() -> dict[str, set[str]]:
    """Every file of ours, and the files of ours that it imports."""
    return {**python({name(path): imports(path) for path in FILES}), **javascript(SCRIPTS)}


def python(imported: Mapping[str, Iterable[str]]) -> dict[str, set[str]]:
    """Files by path and the modules that each imports, as files."""
    modules: dict[str, str] = {}
    for file in imported:
        modules[file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")] = file
    found: dict[str, set[str]] = {}
    for file, names in imported.items():
        # `from a.b import c` names a.b and a.b.c: where c is a module, a.b is its package alone.
        targets = {word for word in names if word in modules}
        packages = {word for word in targets if any(t.startswith(word + ".") for t in targets)}
        found[file] = {modules[word] for word in targets - packages} - {file}
    return found


def javascript(files: Iterable[Path]) -> dict[str, set[str]]:
    """The same of JavaScript modules."""
    found = {}
    for path in files:
        text = path.read_text("utf-8")
        here = posixpath.dirname(name(path))
        written = [*_FROM.findall(text), *_CALL.findall(text)]
        found[name(path)] = {posixpath.normpath(posixpath.join(here, word)) for word in written}
    return found


def folders(files: Graph) -> dict[str, dict[str, set[str]]]:
    """For each folder the graph of its children, files and folders alike."""
    found: dict[str, dict[str, set[str]]] = {}
    for file, targets in files.items():
        for target in targets:
            mine, other = file.split("/"), target.split("/")
            same = 0
            while same < min(len(mine), len(other)) and mine[same] == other[same]:
                same += 1
            if same < min(len(mine), len(other)):
                inside = found.setdefault("/".join(mine[:same]) or ".", {})
                inside.setdefault(mine[same], set()).add(other[same])
    return found


def circles(edges: Graph) -> list[list[str]]:
    """Groups of nodes that import each other, each sorted (Tarjan, SIAM J. Comput. 1972)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for target in sorted(edges.get(node, ())):
            if target not in index:
                visit(target)
                low[node] = min(low[node], low[target])
            elif target in stack:
                low[node] = min(low[node], index[target])
        if low[node] == index[node]:
            at = stack.index(node)
            group, stack[at:] = stack[at:], []
            if len(group) > 1 or node in edges.get(node, ()):
                found.append(sorted(group))

    for node in sorted(edges):
        if node not in index:
            visit(node)
    return sorted(found)


def calls(path: Path, wanted: Callable[[ast.AST], bool]) -> list[str]:
    """Where a file holds a node that is `wanted`, as path:line."""
    return [
        f"{name(path)}:{getattr(node, 'lineno', 0)}"
        for node in ast.walk(tree(path))
        if wanted(node)
    ]
