"""The way through an invitation: a table. The face comes first, because nobody is there before it.

The states are named so that none of them is one of a login (steps.py), and no page of the one takes
a row of the other. Pure. Not here: how something is shown or registered, who keeps where a visit
stands (server/store/oidc/logins.py). Source: docs/oidc.md, "Invitations".
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Stage(StrEnum):
    """What is asked now."""

    FACE = "invited_face"
    KEY = "invited_key"
    MORE = "invited_more"
    """A code app, recovery codes, another device: whatever the person wants, or nothing."""
    DONE = "invited_done"


class Deed(StrEnum):
    """What happened."""

    FACE_NEEDS_KEY = "face_needs_key"
    """Accepted; the relying app takes keys, so one is made."""
    FACE_ENOUGH = "face_enough"
    """Accepted, and the relying app takes no keys."""
    KEY_MADE = "key_made"
    STAYED = "stayed"
    """Something of MORE was done."""
    ENDED = "ended"


STAGES: Mapping[Stage, Mapping[Deed, Stage]] = {
    Stage.FACE: {Deed.FACE_NEEDS_KEY: Stage.KEY, Deed.FACE_ENOUGH: Stage.MORE},
    Stage.KEY: {Deed.KEY_MADE: Stage.MORE},
    Stage.MORE: {Deed.STAYED: Stage.MORE, Deed.ENDED: Stage.DONE},
    Stage.DONE: {},
}
"""All that can happen. What is not in it is refused."""


def stage_after(stage: str, deed: Deed) -> Stage | None:
    """Where the visit stands then; None: this cannot happen now."""
    return STAGES[Stage(stage)].get(deed)
