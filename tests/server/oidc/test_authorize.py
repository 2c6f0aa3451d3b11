"""Requests of /authorize: a good one passes, and each bad one is refused by its own name."""

from __future__ import annotations

from dataclasses import replace

import pytest

from server.oidc.authorize import Declined, checked, request_of, single
from server.problems import Problem
from server.store.relying import RelyingParty
from tests.server.oidc.asking import APP, CHALLENGE, REDIRECT, RELYING, a_request, asked

NO_PKCE: dict[str, str | None] = {"code_challenge": None, "code_challenge_method": None}


def error_of(relying: RelyingParty = RELYING, **changes: str | None) -> str:
    with pytest.raises(Declined) as caught:
        checked(asked(**changes), APP, relying)
    said = caught.value
    assert (said.redirect_uri, said.state) == (REDIRECT, "a state")
    # RFC 6749 section 4.1.2.1: %x20-21 / %x23-5B / %x5D-7E
    assert said.description.isascii()
    assert not set(said.description) & set('"\\\r\n')
    return said.error


def test_a_good_request_is_kept_as_it_is() -> None:
    found = a_request(
        scope="email openid offline_access unknown",
        acr_values="phr silver",
        ui_locales="de en",
        login_hint="ann",
        display="popup",
    )
    assert found.scopes == ("openid", "email")
    assert found.code_challenge == CHALLENGE
    assert found.acr_values == ("phr", "silver")
    assert found.ui_locales == ("de", "en")
    assert request_of(found.to_json()) == found


@pytest.mark.parametrize(
    "changes",
    [
        {"response_mode": "query"},
        {"response_mode": "form_post"},
        {"prompt": "login"},
        {"prompt": "select_account consent login"},
        {"max_age": "0"},
        {"max_age": "86400"},
        {"state": None},
        {"nonce": None},
        {"claims": "{}", "whatever": "x"},
    ],
)
def test_what_is_taken(changes: dict[str, str | None]) -> None:
    assert a_request(**changes).redirect_uri == REDIRECT


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"response_type": "code "}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"response_mode": "web_message"}, "invalid_request"),
        ({"scope": None}, "invalid_scope"),
        ({"scope": "profile"}, "invalid_scope"),
        ({"scope": "OpenID"}, "invalid_scope"),
        ({"prompt": "none"}, "login_required"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"prompt": "create"}, "invalid_request"),
        ({"max_age": "-1"}, "invalid_request"),
        ({"max_age": "1.5"}, "invalid_request"),
        ({"max_age": "soon"}, "invalid_request"),
        ({"request": "e30.e30."}, "request_not_supported"),
        ({"request_uri": "https://shop.example/r"}, "request_uri_not_supported"),
        ({"registration": "{}"}, "registration_not_supported"),
    ],
)
def test_what_is_refused_by_the_redirect(changes: dict[str, str | None], error: str) -> None:
    a_request()
    assert error_of(**changes) == error


def test_a_refusal_goes_the_way_that_was_asked_for() -> None:
    with pytest.raises(Declined) as caught:
        a_request(response_mode="form_post", prompt="none")
    assert caught.value.response_mode == "form_post"
    with pytest.raises(Declined) as caught:
        a_request(response_mode="fragment")
    assert caught.value.response_mode == "query"


@pytest.mark.parametrize(
    "changes",
    [
        NO_PKCE,
        {"code_challenge_method": None},
        {"code_challenge_method": "plain"},
        {"code_challenge_method": "s256"},
        {"code_challenge": None},
        {"code_challenge": "a" * 42},
        {"code_challenge": "a" * 44},
        {"code_challenge": "a" * 42 + "="},
        {"code_challenge": "a" * 43 + "\n"},
    ],
)
def test_pkce_is_s256_or_nothing_passes(changes: dict[str, str | None]) -> None:
    a_request()
    assert error_of(**changes) == "invalid_request"


def test_a_client_without_pkce_has_a_nonce() -> None:
    nonce = replace(RELYING, pkce="nonce")
    assert a_request(nonce, **NO_PKCE).code_challenge is None
    assert a_request(nonce).code_challenge == CHALLENGE
    assert error_of(nonce, **NO_PKCE, nonce=None) == "invalid_request"
    assert error_of(nonce, nonce=None) == "invalid_request"
    assert error_of(nonce, code_challenge_method="plain") == "invalid_request"
    assert error_of(nonce, code_challenge_method=None) == "invalid_request"
    assert error_of(nonce, code_challenge=None) == "invalid_request"


@pytest.mark.parametrize(
    "uri", [None, "https://evil.example/cb", REDIRECT + "&b=2", REDIRECT.replace("cb", "CB")]
)
def test_no_other_address_is_redirected_to(uri: str | None) -> None:
    a_request()
    # Not even where something else is wrong as well.
    for changes in ({}, {"response_type": "token"}):
        with pytest.raises(Problem) as caught:
            checked(asked(**changes, redirect_uri=uri), APP, RELYING)
        assert caught.value.code == "oidc_redirect_uri"


def test_a_parameter_comes_once() -> None:
    assert single([("a", "1"), ("b", ""), ("c", "3")]) == {"a": "1", "c": "3"}
    for twice in ([("a", "1"), ("a", "1")], [("a", ""), ("b", "2"), ("a", "")]):
        with pytest.raises(Problem) as caught:
            single(twice)
        assert caught.value.code == "oidc_parameter_twice"
