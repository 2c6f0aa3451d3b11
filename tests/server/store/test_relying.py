"""A relying app's settings of OpenID Connect as text, and back."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from server.store.relying import RelyingParty, people_of, relying_json, relying_of
from tests.server.conformance.records import a_client

PLAIN = RelyingParty("Shop", ("https://shop.example/cb",))


def test_what_was_written_is_read() -> None:
    assert relying_of(relying_json(PLAIN)) == PLAIN
    assert relying_json(None) is None
    assert relying_of(None) is None


def test_what_an_older_version_lacked_has_its_default() -> None:
    least = json.dumps({"name": "Shop", "redirect_uris": ["https://shop.example/cb"]})
    assert relying_of(least) == PLAIN


@pytest.mark.parametrize("text", ["[]", '{"name": "Shop", "redirect_uris": [], "newer": 1}', "{"])
def test_what_is_not_known_is_not_read_as_less(text: str) -> None:
    with pytest.raises(ValueError, match=r"know|Expecting"):
        relying_of(text)


def test_a_client_uses_its_own_people() -> None:
    assert people_of(a_client("zoo")) == "zoo"


def test_the_text_without_people_is_that_of_before_and_so_is_its_seal() -> None:
    assert '"people"' not in str(relying_json(PLAIN))
    shared = replace(PLAIN, people="desk")
    assert relying_of(relying_json(shared)) == shared
    assert people_of(a_client("shop", relying=PLAIN)) == "shop"
    assert people_of(a_client("shop", relying=shared)) == "desk"
