"""The way through an invitation: a table. The face comes first, because nobody is there before it;
but who wants another device shows the key of this one before.

The states are named so that none of them is one of a login (steps.py), and no page of the one takes
a row of the other. Pure. Not here: how something is shown or registered, who keeps where a visit
stands (server/store/oidc/logins.py). Source: docs/oidc.md, "Invitations".
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Stage(StrEnum):
    """What is asked now."""

    PROVE = "invited_prove"
    """Of who has a device already and wants another: the key of this one."""
    FACE = "invited_face"
    KEY = "invited_key"
    MORE = "invited_more"
    """A code app, recovery codes, another device: whatever the person wants, or nothing."""
    DONE = "invited_done"


class Deed(StrEnum):
    """What happened."""

    KEY_SHOWN = "key_shown"
    FACE_NEEDS_KEY = "face_needs_key"
    """Accepted; the relying app takes keys, so one is made."""
    FACE_ENOUGH = "face_enough"
    """Accepted, and no key is to be made: the app takes none, or one was shown."""
    KEY_MADE = "key_made"
    STAYED = "stayed"
    """Something of MORE was done."""
    ENDED = "ended"


STAGES: Mapping[Stage, Mapping[Deed, Stage]] = {
    Stage.PROVE: {Deed.KEY_SHOWN: Stage.FACE},
    Stage.FACE: {Deed.FACE_NEEDS_KEY: Stage.KEY, Deed.FACE_ENOUGH: Stage.MORE},
    Stage.KEY: {Deed.KEY_MADE: Stage.MORE},
    Stage.MORE: {Deed.STAYED: Stage.MORE, Deed.ENDED: Stage.DONE},
    Stage.DONE: {},
}
"""All that can happen. What is not in it is refused."""


def stage_after(stage: str, deed: Deed) -> Stage | None:
    """Where the visit stands then; None: this cannot happen now."""
    return STAGES[Stage(stage)].get(deed)
