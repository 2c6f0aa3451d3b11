"""Texts to agree to, and a person's consent: exactly what was shown, sealed for one template."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from typing import Any

import pytest

from server.keys.vault import Vault, VaultError
from server.people.consent import (
    Consent,
    ConsentError,
    Wording,
    agreed,
    asked,
    in_language,
    of_record,
    open_consent,
    read_text,
    seal_consent,
    shipped,
    text_record,
)
from server.store.consents import ConsentText
from tests.server.conformance.records import a_template
from tests.server.stage import agreed_to

NOW = datetime(2090, 5, 17, tzinfo=UTC)
VAULT = Vault([bytes(range(32))])
TEXT = """
text_id = "club"
version = "2026-11"
[de]
purpose = "Einlass"
body = "Ja."
[en]
purpose = "Entry"
body = \"\"\"
First.

Second.
\"\"\"
[pt-BR]
purpose = "Entrada"
body = "Sim."
"""
DE, EN, BR = read_text(TEXT)


def test_a_text_is_read_in_all_its_languages() -> None:
    assert Wording("club", "2026-11", "en", "Entry", "First.\n\nSecond.") == EN
    assert [one.name for one in (DE, EN, BR)] == [
        "club/2026-11/de",
        "club/2026-11/en",
        "club/2026-11/pt-BR",
    ]
    assert of_record(text_record("shop", [DE, EN, BR], NOW)) == (DE, EN, BR)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        (("[de]", "[de"), "TOML"),
        (('"club"', '"Club"'), "text_id"),
        (('"club"', "7"), "text_id"),
        (('"2026-11"', '"a/b"'), "version"),
        (("[de]", "[Deutsch]"), "language"),
        (('purpose = "Einlass"', ""), "[de]"),
        (('purpose = "Einlass"', 'purpose = "Einlass"\nurl = "x"'), "[de]"),
        (('"Einlass"', '" "'), "de.purpose"),
        (('"Einlass"', '"a\\nb"'), "de.purpose"),
        (('"Einlass"', f'"{"x" * 201}"'), "de.purpose"),
        (('"Ja."', '"\\u202e"'), "de.body"),
        (('"Ja."', f'"{"x" * 8001}"'), "de.body"),
    ],
)
def test_a_bad_text_is_refused_by_its_field(changed: tuple[str, str], field: str) -> None:
    assert changed[0] in TEXT
    with pytest.raises(ConsentError, match="consent_invalid") as caught:
        read_text(TEXT.replace(*changed))
    assert field in caught.value.text
    with pytest.raises(ConsentError):
        read_text('text_id = "club"\nversion = "1"\n')


def test_a_client_cannot_pass_its_words_off_as_the_shipped_ones() -> None:
    mine = [dataclasses.replace(EN, text_id="lookgate")]
    with pytest.raises(ConsentError, match="consent_invalid"):
        text_record("shop", mine, NOW)


def test_every_word_counts_in_the_hash() -> None:
    fields = [field.name for field in dataclasses.fields(EN)]
    changed = [dataclasses.replace(EN, **{name: getattr(EN, name) + "x"}) for name in fields]
    moved = dataclasses.replace(EN, text_id="clu", version="b2026-11")
    assert len({one.sha256 for one in (EN, moved, *changed)}) == len(fields) + 2


SHIPPED = {
    "lookgate/1/en": "bd977db087a177e913047fd0c793c759cccca670a994aa4b161079b6db70754f",
    "lookgate/1/de": "3dd3ce42bd59b418e06a45c0828d98fd77ffdd089e1fc9d77e548435da074351",
}
"""People agreed to these: a change of a text is a new version, never another hash here."""


def test_the_shipped_texts_never_change() -> None:
    assert {one.name: one.sha256 for text in shipped() for one in text} == SHIPPED


class Kept:
    """A store's texts."""

    def __init__(self, *texts: ConsentText) -> None:
        self.texts = texts

    async def add(self, text: ConsentText) -> None:
        raise AssertionError

    async def of_client(self, client_id: str) -> list[ConsentText]:
        return [text for text in self.texts if text.client_id == client_id]


async def test_a_client_asks_for_its_newest_text_or_the_shipped_one() -> None:
    kept = Kept(text_record("shop", [EN], NOW), text_record("shop", [DE], NOW))
    assert await asked(kept, "shop") == (EN,)
    assert await asked(kept, "zoo") == shipped()[0]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (["de"], DE),
        (["DE-at", "en"], DE),
        (["fr", "pt"], BR),
        (["pt-br"], BR),
        (["fr"], EN),
        ([], EN),
        (["*"], EN),
    ],
)
def test_a_wording_is_chosen_by_language(wanted: list[str], found: Wording) -> None:
    assert in_language((DE, EN, BR), wanted) == found


def test_who_reads_none_of_the_languages_gets_the_first() -> None:
    assert in_language((DE, BR), ["fr"]) == DE


WORD = {"text_id": "club", "version": "2026-11", "language": "en", "sha256": EN.sha256}
WHERE: dict[str, Any] = {"client": "shop", "session": "s1", "at": "2090-05-17T00:00:00.000Z"}


def test_only_exactly_what_is_asked_is_agreed_to() -> None:
    found = agreed((DE, EN), WORD, **WHERE)
    assert found == Consent(**WORD, purpose="Entry", **WHERE)
    assert Consent.from_json(found.to_json()) == found
    for changed in (
        {"text_id": "lookgate"},
        {"version": "2026-10"},
        {"language": "de"},
        {"language": "fr"},
        {"sha256": DE.sha256},
        {"sha256": EN.sha256.upper()},
    ):
        assert agreed((DE, EN), {**WORD, **changed}, **WHERE) is None
    assert agreed((DE, EN), {}, **WHERE) is None


def test_a_consent_opens_beside_its_own_template_only() -> None:
    given = agreed_to("s1", "shop")
    whose = {"client_id": "shop", "subject": "ada", "template_id": "t-ada"}
    sealed = seal_consent(VAULT, given, **whose)
    assert b"lookgate" not in sealed
    record = a_template("ada", consent=sealed)
    assert open_consent(VAULT, record) == Consent.from_json(given)
    assert open_consent(VAULT, a_template("ada")) is None
    for other in ({"client_id": "zoo"}, {"subject": "bob"}, {"template_id": "t2"}):
        with pytest.raises(VaultError, match="vault_refused"):
            open_consent(VAULT, dataclasses.replace(record, **other))
    with pytest.raises(VaultError, match="vault_key_unknown"):
        open_consent(Vault([bytes(32)]), record)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"text_id": "club"}', "null"])
def test_nothing_else_is_sealed_as_a_consent(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        seal_consent(VAULT, text, client_id="shop", subject="ada", template_id="t")
