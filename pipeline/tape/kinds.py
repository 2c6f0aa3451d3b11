"""The kinds of lines that carry an input of the session: their names, and the class of each.

A tape has a name of its own for each input, so that a class can be renamed and old tapes be read.
Not here: the kinds of all other lines (writer.py, reader.py). Source: docs/tape.md, "Lines".
"""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.inputs import (
    Began,
    Cancelled,
    Disconnected,
    Failed,
    Input,
    Introduced,
    PaintedStep,
    Seen,
    TimePassed,
)

INPUTS: Mapping[str, type[Input]] = {
    "begin": Began,
    "introduce": Introduced,
    "painted": PaintedStep,
    "step": Seen,
    "tick": TimePassed,
    "cancel": Cancelled,
    "disconnect": Disconnected,
    "fail": Failed,
}
"""Kind of line -> what it carries: the fields of this class, by name and in their order."""
KINDS: Mapping[type[Input], str] = {told: kind for kind, told in INPUTS.items()}
"""The same table, the other way round."""
