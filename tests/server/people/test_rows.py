"""Rows of a matrix that grows: who is in it, and what galleries that were handed out find."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.template import Floats, Gallery
from server.people import rows as rows_module
from server.people.rows import Rows


def unit(seed: int, size: int = 8) -> Floats:
    drawn = np.random.default_rng(seed).standard_normal(size, dtype=np.float32)
    return drawn / np.linalg.norm(drawn)


def filled(*seeds: int) -> Rows:
    rows = Rows()
    for seed in seeds:
        rows.put(f"s{seed}", f"t{seed}", unit(seed))
    return rows


def named(gallery: Gallery, seed: int) -> str:
    """Whom the face of `seed` is recognised as."""
    match = gallery.best(unit(seed))
    return match.subject if match is not None and match.score > 0.99 else "nobody"


def test_everybody_has_a_row_and_is_found() -> None:
    gallery = filled(1, 2, 3).gallery()
    assert gallery.subjects == ("s1", "s2", "s3")
    assert gallery.matrix.dtype == np.float32
    assert gallery.matrix.flags.c_contiguous
    assert [named(gallery, seed) for seed in (1, 2, 3, 4)] == ["s1", "s2", "s3", "nobody"]
    assert len(Rows().gallery()) == 0
    assert Rows().gallery().best(unit(1)) is None


@pytest.mark.parametrize("small", [0, 20_000])
def test_who_goes_is_found_by_no_gallery_any_more(
    small: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither by one of before, which a session may search in."""
    monkeypatch.setattr(rows_module, "SMALL", small)
    rows = filled(*range(20))
    before = rows.gallery()
    rows.drop_subject("s3")
    rows.drop_template("t5")
    rows.put("s7", "new", unit(77))
    after = rows.gallery()
    for seed in (3, 5, 7):
        assert named(before, seed) == named(after, seed) == "nobody"
    assert named(before, 77) == "nobody"
    assert named(after, 77) == "s7"
    assert all(named(g, seed) == f"s{seed}" for g in (before, after) for seed in (0, 4, 6, 19))
    assert len(rows) == 18
    assert not {"s3", "s5"} & set(after.subjects)


def test_a_place_is_never_given_to_somebody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows_module, "SMALL", 0)
    rows = filled(*range(20))
    before = rows.gallery()
    rows.drop_subject("s3")
    rows.put("mallory", "m", unit(66))
    assert named(rows.gallery(), 66) == "mallory"
    assert named(before, 66) == "nobody"


def test_no_row_of_nobody_is_left_in_a_small_gallery_and_few_in_a_large_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for small, most in ((100, 0), (10, 12)):
        monkeypatch.setattr(rows_module, "SMALL", small)
        rows = filled(*range(100))
        for seed in range(60):
            rows.drop_subject(f"s{seed}")
            gallery = rows.gallery()
            assert gallery.subjects.count("") <= most
            assert not gallery.matrix[[not name for name in gallery.subjects]].any()
        assert len(rows) == 40


def test_vectors_of_another_length_are_refused() -> None:
    rows = filled(1)
    with pytest.raises(ValueError, match="one length"):
        rows.put("s2", "t2", unit(2, size=9))
    assert named(rows.gallery(), 1) == "s1"
    rows.drop_subject("s1")
    assert len(rows.gallery()) == 0
    rows.put("s2", "t2", unit(2, size=9))
    assert rows.gallery().matrix.shape == (1, 9)


def test_a_face_does_not_leak_through_repr() -> None:
    assert repr(filled(1, 2)) == "Rows(n=2)"


STEPS = st.lists(
    st.tuples(st.sampled_from(["put", "drop", "drop id", "look"]), st.integers(0, 5)), max_size=60
)


@given(STEPS, st.sampled_from([0, 3, 20_000]))
def test_rows_are_what_a_dictionary_would_be(steps: list[tuple[str, int]], small: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows_module, "SMALL", small)
        rows, model = Rows(), dict[str, int]()
        for n, (what, who) in enumerate(steps):
            subject = f"s{who}"
            if what == "put":
                rows.put(subject, f"t{n}", unit(n))
                model[subject] = n
            elif what == "drop":
                rows.drop_subject(subject)
                model.pop(subject, None)
            elif what == "drop id":
                rows.drop_template(f"t{model.get(subject, -1)}")
                model.pop(subject, None)
            gallery = rows.gallery()
            assert len(rows) == len(model)
            assert sorted(s for s in gallery.subjects if s) == sorted(model)
            assert all(named(gallery, seed) == owner for owner, seed in model.items())
            assert rows.template_of(subject) == (f"t{model[subject]}" if subject in model else None)
