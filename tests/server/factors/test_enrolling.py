"""The way through an invitation: what can happen where, and that no state is one of a login."""

from __future__ import annotations

from server.factors.enrolling import STAGES, Deed, Stage, stage_after
from server.factors.steps import State


def test_the_way_of_an_invitation() -> None:
    stage: str = Stage.FACE
    for deed in (Deed.FACE_NEEDS_KEY, Deed.KEY_MADE, Deed.STAYED, Deed.ENDED):
        found = stage_after(stage, deed)
        assert found is not None
        stage = found
    assert stage == Stage.DONE


def test_what_is_not_in_the_table_is_refused() -> None:
    assert stage_after(Stage.FACE, Deed.KEY_MADE) is None
    assert stage_after(Stage.KEY, Deed.STAYED) is None
    assert stage_after(Stage.PROVE, Deed.FACE_ENOUGH) is None
    assert not any(stage_after(Stage.DONE, deed) for deed in Deed)
    assert STAGES.keys() == set(Stage)


def test_no_page_takes_the_others_row() -> None:
    assert not set(Stage) & set(State)
