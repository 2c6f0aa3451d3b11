"""Words of the repository: lines that can be read beside code, and paths that are there.

The source is CONTRIBUTING.md, "How the prose reads".
"""

from __future__ import annotations

import ast
import io
import posixpath
import re
import subprocess
import tokenize
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
WIDEST = 120
"""Characters a line of prose, so that two pages fit beside each other."""

GENERATED_PAGE = "<!-- Generated from "
GENERATED_BLOCK = re.compile(r"<!-- (\w+):(begin|end) -->")
LIST_ITEM = re.compile(r"\s*(?:[-*+]|\d+\.)\s")
ONE_LINK = re.compile(r"\s*(?:[-*+] )?!?\[[^\]]*\]\([^)\s]*\)[.,;:]?")
"""A line that holds one link or picture, and so has no place where it could be broken."""


@cache
def tracked() -> tuple[str, ...]:
    """Paths of all files in git, new ones included, or nothing where there is no git."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    return tuple(name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file())


def pages() -> list[str]:
    return [name for name in tracked() if name.endswith(".md")]


def prose(text: str) -> Iterator[tuple[int, str]]:
    """Number (from 1) and text of each line that somebody wrote as prose.

    Tables, code, comments and what a program wrote (a page that says so in its first line, a
    block between `NAME:begin` and `NAME:end`) are none.
    """
    if text.startswith(GENERATED_PAGE):
        return
    fenced = generated = in_list = False
    after_blank = True
    for number, line in enumerate(text.splitlines(), 1):
        mark = GENERATED_BLOCK.fullmatch(line.strip())
        if mark and not fenced:
            generated = mark[2] == "begin"
        elif generated:
            pass
        elif line.lstrip().startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith("|"):
            pass
        elif not line.strip():
            after_blank = True
            continue
        elif after_blank and not in_list and line.startswith("    "):
            continue  # an indented block of code goes on until a line that is not indented
        else:
            in_list = bool(LIST_ITEM.match(line)) or (in_list and line.startswith(" "))
            yield number, line
        after_blank = False


def too_long(text: str) -> list[int]:
    """Numbers of the lines of prose that are too long and could be broken."""
    return [
        number
        for number, line in prose(text)
        if len(line) > WIDEST and not ONE_LINK.fullmatch(line)
    ]


MADE_FACE = r"(?:deep ?fakes?|face[ -]?swaps?|made faces?|puppets?)"
CLAIM = re.compile(
    rf"{MADE_FACE}[- ]?(?:resistan\w+|proof|safe\b|secure)"
    rf"|(?:resistan\w+|immune|proof|safe|secure|robust) (?:to|against|from) (?:\w+ )?{MADE_FACE}"
    rf"|(?<!not )(?:stops?|prevents?|defeats?|detects?|blocks?) (?:all |any |live )?{MADE_FACE}",
    re.IGNORECASE,
)
"""A word that a login here withstands a made face. It does not (docs/decisions/worn-swaps.md)."""


def claims(text: str) -> list[str]:
    return CLAIM.findall(" ".join(text.split()))


def test_nothing_calls_a_login_resistant_to_made_faces() -> None:
    texts = [name for name in tracked() if name.endswith((".md", ".js", ".mjs", ".html", ".toml"))]
    texts += [name for name in tracked() if name.startswith(("web/", "server/", "pipeline/"))]
    told = {}
    for name in {name for name in texts if not name.startswith("tests/")}:
        try:
            told[name] = claims((ROOT / name).read_text("utf-8"))
        except UnicodeDecodeError:
            continue  # a picture
    assert {name: found for name, found in told.items() if found} == {}


@pytest.mark.parametrize(
    "text",
    [
        "a deepfake-resistant login",
        "Lookgate is resistant to\ndeepfakes.",
        "proof against live face swaps",
        "The challenge stops deepfakes.",
        "deepfake proof",
    ],
)
def test_such_a_claim_is_found(text: str) -> None:
    assert claims(text)


@pytest.mark.parametrize(
    "text", ["It does not stop face swaps.", "Deepfakes are accepted.", "a key on the device"]
)
def test_what_is_none_is_none(text: str) -> None:
    assert not claims(text)


def test_no_line_of_prose_is_too_long() -> None:
    found = {page: too_long((ROOT / page).read_text("utf-8")) for page in pages()}
    assert {page: lines for page, lines in found.items() if lines} == {}


LONG = "word " * 24 + "word."
"""125 characters."""


@pytest.mark.parametrize(
    "text",
    [
        LONG,
        f"# {LONG}",
        f"- {LONG}",
        f"- an item\n\n    {LONG}",
        f"text\n    {LONG}",
        f"```\ncode\n```\n{LONG}",
        f"| table |\n{LONG}",
        f"<!-- x:begin -->\nmade\n<!-- x:end -->\n{LONG}",
        f"[a link]({'x' * 120}) and {LONG}",
    ],
)
def test_a_long_line_of_prose_is_found(text: str) -> None:
    assert too_long(text) == [text.count("\n") + 1]


@pytest.mark.parametrize(
    "text",
    [
        "x" * WIDEST,
        f"| {LONG} |",
        f"```\n{LONG}\n```",
        f"text\n\n    code\n    {LONG}\n\n    {LONG}",
        f"<!-- x:begin -->\n{LONG}\n<!-- x:end -->",
        f"<!-- Generated from x.py; do not edit. -->\n{LONG}",
        f"![a picture of {LONG}](x.png)",
        f"- [a link](https://example.org/{'x' * 120}),",
    ],
)
def test_what_is_no_prose_may_be_long(text: str) -> None:
    assert too_long(text) == []


# Paths that comments, docstrings and pages name

PATH = re.compile(r"(?<![\w./*<>{}$@-])(?:\.{1,2}/|/)?[\w][\w./-]*\.(?:py|mjs|js|md)(?![\w*-])")
"""A word that ends as a file of ours does. Not `*.py`, `<name>.js`: those stand for many."""
ADDRESS = re.compile(r"\w+://\S+")
PLACEHOLDER = re.compile(r"(?:.*/)?[A-Z]+\.\w+")
"""`NAME.js` in a sentence about any of them."""
SERVED = {"/web/": "web/widget/"}
"""Where the server takes what it serves from: address -> folder."""
NOT_OURS = frozenset(
    {
        "Auth.js",
        "Node.js",
        "arcface_onnx.py",
        "generate_patches.py",
        "utils/face_align.py",
        "settings.py",
        "vue/dist/vue.esm-bundler.js",
    }
)
"""Programs and files of others: InsightFace's, Silent-Face-Anti-Spoofing's, a Django project's,
Vue's."""
JS_TOKEN = re.compile(
    r"""(?P<text>'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`)"""
    r"""|(?P<comment>//[^\n]*|/\*.*?\*/)""",
    re.DOTALL,
)


def named(text: str) -> list[str]:
    """Every word of a text that looks like the path of a source file or a page."""
    return PATH.findall(ADDRESS.sub(" ", text))


def said_in(name: str, text: str) -> str:
    """What a file says to people: its comments and docstrings, or all of a page."""
    if name.endswith(".py"):
        return "\n".join((*_comments(text), *_docstrings(text)))
    if name.endswith((".js", ".mjs")):
        return "\n".join(found["comment"] or "" for found in JS_TOKEN.finditer(text))
    if name.endswith(".md") or name == "NOTICE":
        return text
    return "\n".join(line.partition("#")[2] for line in text.splitlines())


def _comments(text: str) -> Iterator[str]:
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            yield token.string


def _docstrings(text: str) -> Iterator[str]:
    """Strings that stand alone: of modules, classes and functions, and below a name."""
    for node in ast.walk(ast.parse(text)):
        if (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Constant)
            and isinstance(node.value.value, str)
        ):
            yield node.value.value


def leads_somewhere(path: str, at: str, files: Collection[str]) -> bool:
    """Whether a path that the file `at` names is one of `files`: from the root, from the file's
    folder, or as the end of exactly one of them."""
    for address, folder in SERVED.items():
        if path.startswith(address):
            path = folder + path.removeprefix(address)
    beside = posixpath.normpath(posixpath.join(posixpath.dirname(at), path))
    if path in files or beside in files:
        return True
    return sum(file.endswith(f"/{path}") for file in files) == 1


def lost(name: str, text: str, files: Collection[str]) -> list[str]:
    """The paths in a file's words that lead nowhere, or to more than one place."""
    return [
        path
        for path in named(said_in(name, text))
        if path not in NOT_OURS
        and not leads_somewhere(path, name, files)
        and not PLACEHOLDER.fullmatch(path)
    ]


WORDED = re.compile(
    r".*\.(?:py|js|mjs|md|toml|yml)|\.ci/run|\.dockerignore|\.gitignore|Makefile|NOTICE|docker/.*"
)


def test_every_path_that_comments_and_pages_name_exists() -> None:
    files = tracked()
    found = {
        name: lost(name, (ROOT / name).read_text("utf-8"), files)
        for name in files
        if WORDED.fullmatch(name) and not name.startswith("tests/vectors/sdp/")
    }
    assert {name: paths for name, paths in found.items() if paths} == {}


FILES = ("docs/a.md", "room/one.py", "room/two.py", "hall/two.py", "web/widget/x.js")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("room/new.py", "# as in docs/a.md, one.py and two.py\n"),
        ("room/new.py", '"""Not here: hall/two.py."""\n'),
        ("room/new.py", 'LIMIT = 3\n"""Why: (docs/a.md)."""\n'),
        ("room/new.py", 'path = "nowhere.py"  # not a comment: room/one.py\n'),
        ("docs/a.md", "See [this](../room/one.py) and `one.py`; any *.py, any NAME.js, Node.js."),
        ("docs/b.md", "https://example.org/lib/nowhere.js and /web/x.js"),
        ("web/widget/y.js", "const a = 'nowhere.js'; // see x.js"),
        ("Makefile", "python nowhere.py # room/one.py"),
    ],
)
def test_a_path_that_exists_is_none_of_the_lost(name: str, text: str) -> None:
    assert lost(name, text, FILES) == []


@pytest.mark.parametrize(
    ("name", "text", "path"),
    [
        ("room/new.py", "# as in three.py\n", "three.py"),
        ("room/new.py", '"""Not here: room/three.py."""\n', "room/three.py"),
        ("room/new.py", 'LIMIT = 3\n"""Why: (docs/z.md)."""\n', "docs/z.md"),
        ("room/new.py", 'def f():\n    """Of other.js."""\n', "other.js"),
        ("lobby/new.py", "# two of them: two.py\n", "two.py"),
        ("docs/a.md", "See [this](../room/three.py).", "../room/three.py"),
        ("docs/a.md", "    python room/gone.py", "room/gone.py"),
        ("docs/b.md", "served as /web/gone.js", "/web/gone.js"),
        ("web/widget/y.js", "/* see\n gone.mjs */ const a = 'x.js';", "gone.mjs"),
        ("Makefile", "\tpython x # gone.py", "gone.py"),
    ],
)
def test_a_path_that_leads_nowhere_is_found(name: str, text: str, path: str) -> None:
    assert lost(name, text, FILES) == [path]
