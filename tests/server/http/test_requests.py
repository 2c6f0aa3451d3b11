"""What is read from requests, against anything that JSON can hold."""

from __future__ import annotations

import re
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.reasons import Purpose
from server.http.requests import _basic, is_session, is_subject, offered, wanted
from server.problems import Problem

JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)
SESSIONS = st.fixed_dictionaries(
    {},
    optional={
        "purpose": st.sampled_from([*Purpose]).map(str) | JSON,
        "subject": st.from_regex(r"[a-z0-9@.]{1,20}", fullmatch=True) | JSON,
        "nonce": st.from_regex(r"[A-Za-z0-9._~-]{14,20}", fullmatch=True) | JSON,
        "replace": st.booleans() | JSON,
        "challenge": st.sampled_from(["none", "light"]) | JSON,
        "extra": JSON,
    },
)


def _read(read: Any, fields: dict[str, Any]) -> Any:
    try:
        return read(fields)
    except Problem as problem:
        return problem


@given(SESSIONS)
@example({"purpose": "enroll", "subject": "a", "nonce": "n" * 16, "replace": True})
@example({"purpose": "login", "subject": "a", "nonce": "n" * 16, "challenge": "light"})
@example({"purpose": "identify", "nonce": "n" * 16})
def test_a_wish_is_exact_or_refused(fields: dict[str, Any]) -> None:
    found = _read(wanted, fields)
    if isinstance(found, Problem):
        assert found.code == "request_invalid"
        return
    purpose, subject, nonce, replace, challenge = found
    assert fields.keys() <= {"purpose", "subject", "nonce", "replace", "challenge"}
    assert challenge == fields.get("challenge", "none")
    assert challenge in ("none", "light")
    assert (subject is None) == (purpose is Purpose.IDENTIFY)
    assert subject is None or is_subject(subject)
    assert re.fullmatch(r"[A-Za-z0-9._~-]{16,128}", nonce)
    assert not replace or purpose is Purpose.ENROLL


@given(st.dictionaries(st.sampled_from(["type", "sdp", "x"]), st.just("offer") | JSON))
def test_an_offer_is_exact_or_refused(fields: dict[str, Any]) -> None:
    found = _read(offered, fields)
    if isinstance(found, Problem):
        assert found.code == "request_invalid"
    else:
        assert fields == {"type": "offer", "sdp": found}


@given(st.text(max_size=100) | st.text(max_size=60).map(lambda rest: "Basic " + rest))
def test_credentials_are_read_or_empty(header: str) -> None:
    user, _ = _basic(header)
    assert user == "" or re.fullmatch(r"[!-9;-~]{1,64}", user)


@given(st.text(max_size=60))
def test_a_session_id_is_one_of_ours_in_form(text: str) -> None:
    assert not is_session(text) or re.fullmatch(r"[A-Za-z0-9_-]{43}", text)
