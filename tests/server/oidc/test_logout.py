"""The way back from /logout: to what the app registered, and nowhere else."""

from __future__ import annotations

from dataclasses import replace

import pytest

from server.oidc.hint import Hint
from server.oidc.logout import client_of, way_back
from server.problems import Problem
from server.store.port import Client
from tests.server.oidc.asking import APP, an_app

BYE, MORE = "https://shop.example/bye", "https://shop.example/bye?a=1"
CLIENT = an_app(post_logout_uris=(BYE, MORE))


def test_the_app_is_that_of_the_hint_or_the_one_named() -> None:
    hint = Hint(APP, "ann")
    assert client_of({}, None) is None
    assert client_of({"client_id": APP}, None) == APP
    assert client_of({}, hint) == APP
    assert client_of({"client_id": APP}, hint) == APP
    with pytest.raises(Problem) as caught:
        client_of({"client_id": "zoo"}, hint)
    assert caught.value.code == "oidc_logout"


def test_the_browser_goes_back_with_the_state() -> None:
    asked = {"post_logout_redirect_uri": BYE, "state": "a\r\nb"}
    assert way_back(asked, CLIENT) == BYE + "?state=a%0D%0Ab"
    assert way_back({**asked, "post_logout_redirect_uri": MORE}, CLIENT) == MORE + "&state=a%0D%0Ab"
    assert way_back({"post_logout_redirect_uri": BYE}, CLIENT) == BYE
    assert way_back({"state": "a"}, CLIENT) is None


@pytest.mark.parametrize(
    ("uri", "client"),
    [
        ("https://evil.example/", CLIENT),
        (BYE + "/", CLIENT),
        (BYE + "?a=2", CLIENT),
        ("//evil.example/bye", CLIENT),
        ("javascript:alert(1)", CLIENT),
        (CLIENT.relying.redirect_uris[0] if CLIENT.relying else "", CLIENT),
        (BYE, None),
        (BYE, replace(CLIENT, relying=None)),
    ],
)
def test_nowhere_else(uri: str, client: Client | None) -> None:
    with pytest.raises(Problem) as caught:
        way_back({"post_logout_redirect_uri": uri}, client)
    assert caught.value.code == "oidc_logout"
