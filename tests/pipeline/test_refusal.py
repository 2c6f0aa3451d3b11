"""A refusal is a code and a sentence, and there is one base of all that the command line tells."""

from __future__ import annotations

import ast

from pipeline.refusal import Refusal
from tests.walk import FILES, name, tree


def test_a_refusal_has_a_code_a_text_and_perhaps_a_cause() -> None:
    plain = Refusal("ticket_used", "The ticket has been used.")
    assert (plain.code, plain.text, plain.cause) == (
        "ticket_used",
        "The ticket has been used.",
        "",
    )
    assert str(plain) == "ticket_used: The ticket has been used."
    assert str(Refusal("a", "B.", "disk full")) == "a: B. (disk full)"


BASES = ("pipeline/refusal.py", "models/errors.py", "web/demo/refusals.py")
"""The server's, that of the nets' own program, that of a third party's program."""


def _has_a_text_of_its_own(node: ast.AST) -> bool:
    """Whether this is a class of exceptions, right below Python's, that sets `self.text`."""
    if not isinstance(node, ast.ClassDef) or "Exception" not in map(ast.unparse, node.bases):
        return False
    stored = (n for n in ast.walk(node) if isinstance(n, ast.Attribute | ast.Name))
    return any(
        isinstance(n.ctx, ast.Store) and ast.unparse(n) in ("self.text", "text") for n in stored
    )


def test_nothing_else_has_a_code_and_a_text_of_its_own() -> None:
    found = [name(path) for path in FILES if any(map(_has_a_text_of_its_own, ast.walk(tree(path))))]
    assert found == sorted(BASES)
