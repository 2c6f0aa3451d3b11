"""The pooled vectors of one client as rows of a matrix that grows, and the galleries made of it.

A gallery that was handed out is searched for as long as its session lasts, maybe in a thread, so a
row is never given to somebody else: who comes takes a spare row at the end, and who goes leaves a
row of zeros, at once and in every gallery that was handed out. It scores 0, which matches nobody.
Not here: opening what is sealed (templates.py), what is read when (galleries.py), comparing
(pipeline/template.py).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.template import Floats, Gallery

SMALL = 20_000
"""Rows up to which every change copies what is left: at 128-d 10 MB, some 3 ms. Then no gallery
has a row of nobody."""
WASTE = 8
"""Above that, rows of nobody are an eighth of all at most."""
GROWTH = 1.5
"""Of the matrix when it is full; what is not used yet costs no memory, only addresses."""


class Rows:
    """One row for each subject. For one thread at a time."""

    def __init__(self) -> None:
        self._subjects: list[str] = []
        """By row; of a row of nobody "", which is no subject."""
        self._ids: list[str] = []
        """Template ids by row."""
        self._row_of: dict[str, int] = {}
        """By subject."""
        self._row_of_id: dict[str, int] = {}
        """By template id."""
        self._matrix: Floats = np.zeros((0, 0), np.float32)
        """Float32 (capacity, d), of which len(_subjects) rows are used."""

    def __len__(self) -> int:
        """People."""
        return len(self._row_of)

    def __repr__(self) -> str:
        return f"Rows(n={len(self)})"

    def template_of(self, subject: str) -> str | None:
        """The id of the template whose vector the subject's row is."""
        row = self._row_of.get(subject)
        return None if row is None else self._ids[row]

    def drop_template(self, template_id: str) -> None:
        """Nobody has that template any more."""
        row = self._row_of_id.get(template_id)
        if row is not None:
            self._drop(row)

    def drop_subject(self, subject: str) -> None:
        """The subject has no template any more, or another."""
        row = self._row_of.get(subject)
        if row is not None:
            self._drop(row)

    def put(self, subject: str, template_id: str, vector: Floats) -> None:
        """The subject's row, instead of the one there was; float32 (d,), a unit vector.

        Raises ValueError for another `d` than the others have.
        """
        self.drop_subject(subject)
        row = len(self._subjects)
        if not row and self._matrix.shape[1] != len(vector):
            self._matrix = np.empty((0, len(vector)), np.float32)
        if self._matrix.shape[1] != len(vector):
            raise ValueError("vectors of one embedder have one length")
        if row == len(self._matrix):
            grown = np.empty((max(64, int(row * GROWTH)), len(vector)), np.float32)
            grown[:row] = self._matrix
            self._matrix = grown
        self._matrix[row] = vector
        self._subjects.append(subject)
        self._ids.append(template_id)
        self._row_of[subject] = self._row_of_id[template_id] = row

    def gallery(self) -> Gallery:
        """As things stand. What is put later is not in it; who is dropped later matches nothing."""
        rows = len(self._subjects)
        nobody = rows - len(self)
        if nobody and (rows <= SMALL or nobody * WASTE > rows):
            self._pack()
        rows = len(self._subjects)
        return Gallery(tuple(self._subjects), self._matrix[:rows])

    def _drop(self, row: int) -> None:
        self._matrix[row] = 0.0
        del self._row_of[self._subjects[row]]
        if self._row_of_id.get(self._ids[row]) == row:
            del self._row_of_id[self._ids[row]]
        self._subjects[row] = self._ids[row] = ""

    def _pack(self) -> None:
        """Copy what is left into a matrix of its own; the old one belongs to older galleries."""
        left: Sequence[int] = sorted(self._row_of.values())
        packed = np.empty((max(64, int(len(left) * GROWTH)), self._matrix.shape[1]), np.float32)
        np.take(self._matrix, left, axis=0, out=packed[: len(left)])
        self._matrix = packed
        self._subjects = [self._subjects[row] for row in left]
        self._ids = [self._ids[row] for row in left]
        self._row_of = {subject: row for row, subject in enumerate(self._subjects)}
        self._row_of_id = {template_id: row for row, template_id in enumerate(self._ids)}
