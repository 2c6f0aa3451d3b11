"""A pushed request: checked as the browser's own, taken once, by its own app."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from server.oidc.authorize import checked
from server.oidc.par import pulled, push
from server.problems import Problem
from server.store.port import Store
from tests.server.oidc.asking import APP, NOW, RELYING, an_app, asked


async def code_of(store: Store, **changes: str | None) -> str:
    with pytest.raises(Problem) as caught:
        await push(store.pushed, an_app(), asked(**changes), now=NOW)
    return caught.value.code


async def test_what_was_pushed_is_what_counts(store: Store) -> None:
    secret = {"client_secret": "s" * 43}
    said = await push(store.pushed, an_app(), asked(state="pushed") | secret, now=NOW)
    assert said["expires_in"] == 60
    browser = {"client_id": APP, "request_uri": said["request_uri"], "state": "changed"}
    found = await pulled(store.pushed, an_app(), browser, NOW)
    assert found == asked(state="pushed")
    assert checked(found, APP, RELYING).state == "pushed"
    with pytest.raises(Problem) as caught:
        await pulled(store.pushed, an_app(), browser, NOW)
    assert caught.value.code == "oidc_request_uri"


async def test_it_is_its_apps_and_lasts_a_minute(store: Store) -> None:
    other = replace(an_app(), client_id="zoo")
    await store.clients.add(other)
    uri = (await push(store.pushed, an_app(), asked(), now=NOW))["request_uri"]
    for client, now in ((other, NOW), (an_app(), NOW + timedelta(seconds=60))):
        with pytest.raises(Problem) as caught:
            await pulled(store.pushed, client, {"request_uri": uri}, now)
        assert caught.value.code == "oidc_request_uri"
    assert await pulled(store.pushed, an_app(), {"request_uri": uri}, NOW) == asked()


async def test_a_request_without_one_is_the_browsers_own(store: Store) -> None:
    for own in (asked(), asked(request_uri="https://shop.example/r")):
        assert await pulled(store.pushed, an_app(), own, NOW) == own


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"redirect_uri": "https://evil.example/"}, "invalid_request"),
        ({"redirect_uri": None}, "invalid_request"),
        ({"request_uri": "urn:ietf:params:oauth:request_uri:x"}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"scope": "email"}, "invalid_scope"),
        ({"prompt": "none"}, "login_required"),
        ({"request": "e30.e30."}, "request_not_supported"),
        ({"registration": "{}"}, "registration_not_supported"),
    ],
)
async def test_what_is_refused(store: Store, changes: dict[str, str | None], code: str) -> None:
    await push(store.pushed, an_app(), asked(), now=NOW)
    assert await code_of(store, **changes) == code
