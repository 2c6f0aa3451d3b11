"""When a peer counts as gone: literal times, no event loop."""

from __future__ import annotations

import math

import pytest

from server.session.presence import Patience, Presence

PATIENCE = Patience(connect_s=10.0, first_frame_s=8.0, silence_s=3.5)


@pytest.fixture
def never_came() -> Presence:
    return Presence(100.0, PATIENCE)


@pytest.fixture
def blind(never_came: Presence) -> Presence:
    """Its channel opened at 102."""
    never_came.open(102.0)
    return never_came


@pytest.fixture
def shown(blind: Presence) -> Presence:
    """Its first picture arrived at 103, and was measured from 103.1 to 103.2."""
    blind.measure(103.0, 103.1)
    blind.measured(103.2)
    return blind


def test_a_peer_has_so_long_to_connect(never_came: Presence) -> None:
    assert never_came.gone_s() == 110.0
    assert (never_came.started_s, never_came.opened_s, never_came.first_s) == (100.0, None, None)


def test_nothing_but_the_open_channel_is_a_connection(never_came: Presence) -> None:
    never_came.hear(108.0)
    assert never_came.gone_s() == 110.0


def test_from_the_open_channel_on_silence_counts(blind: Presence) -> None:
    assert blind.gone_s() == 105.5
    assert blind.opened_s == 102.0


def test_words_break_the_silence(blind: Presence) -> None:
    blind.hear(104.0)
    assert blind.gone_s() == 107.5


def test_words_do_not_stand_for_pictures(blind: Presence) -> None:
    for second in (104.0, 106.0, 108.0):
        blind.hear(second)
    assert blind.gone_s() == 110.0
    assert blind.first_s is None


def test_after_the_first_picture_words_are_enough(shown: Presence) -> None:
    """The camera froze, but the page lives: the session's own limit ends that."""
    for second in (105.0, 108.0, 111.0):
        shown.hear(second)
    assert shown.gone_s() == 114.5


def test_silence_does_not_count_while_a_picture_is_being_measured(shown: Presence) -> None:
    shown.measure(104.0, 104.1)
    assert shown.gone_s() == math.inf
    shown.measured(112.0)
    assert shown.gone_s() == 115.5


def test_silence_goes_on_from_the_picture_that_was_measured(shown: Presence) -> None:
    assert shown.gone_s() == 106.7
    shown.measure(104.0, 104.1)
    shown.measured(104.2)
    assert shown.gone_s() == pytest.approx(107.7)


def test_the_first_picture_is_the_first_that_is_looked_at(shown: Presence) -> None:
    shown.measure(104.0, 104.1)
    assert shown.first_s == 103.1


def test_time_never_goes_back(shown: Presence) -> None:
    """A picture that waited arrived before the words that came meanwhile."""
    shown.hear(105.0)
    shown.measure(104.0, 105.1)
    shown.measured(104.5)
    assert shown.gone_s() == 108.5


def test_the_patience_of_a_server() -> None:
    assert Patience() == Patience(connect_s=10.0, first_frame_s=10.0, silence_s=3.5)
    assert Presence(1.0).gone_s() == 11.0
