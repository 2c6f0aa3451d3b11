"""What a person is told that is held of them: all of it, and nothing of anybody else."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.tape import LINES
from server.people.anchors import Ledger
from server.people.consent import seal_consent
from server.people.export import export_subject
from server.people.forgetting import forget_subject
from server.people.sealed_people import seal_profile
from server.people.shelf import Shelf
from server.people.templates import seal_template
from server.store.sqlite.store import SqliteStore
from tests.pipeline.observations import template
from tests.server.conformance.oidc.records import (
    a_login,
    a_profile,
    a_totp,
    an_authenticator,
    an_invitation,
    hashed,
)
from tests.server.conformance.records import DAY, NOW, a_client, a_session
from tests.server.conformance.test_fingerprints import a_fingerprint
from tests.server.failing import failed
from tests.server.stage import VAULT, agreed_to

AT = "2090-05-17T08:30:00.123Z"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(tmp_path / "store.sqlite3")
    await store.open()
    await store.clients.add(a_client())
    for subject, person in (("ada", 1), ("bob", 2)):
        whose = {"client_id": "shop", "subject": subject, "template_id": f"t-{subject}"}
        record = seal_template(VAULT, template(person), **whose, created_at=NOW)
        await store.templates.put(record, replace=False)
        await store.sessions.add(a_session("live", state="live", subject=subject))
        await store.endings.accept("live", at=NOW, subject=subject)
        await store.retention.remove_sessions("shop", NOW + DAY)
    for subject in ("ada", "bob"):
        await failed(store, "shop", subject, NOW)
        table = f'[{{"cue": "{subject}"}}]'
        await store.sessions.add(a_session(f"s-{subject}", subject=subject, evidence=table))
        shown = a_fingerprint(f"s-{subject}", subject=subject)
        await store.fingerprints.keep(shown, most=1)
        await beside(store, subject)
    yield store
    await store.close()


async def beside(store: SqliteStore, subject: str) -> None:
    """What a person has beside the face."""
    profile = seal_profile(VAULT, "shop", subject, b'{"name": "%s"}' % subject.encode())
    sealed = {"sealed": profile, "key_id": VAULT.key_id}
    login = a_login(f"l-{subject}", subject=subject, shown=("key",), session_id=f"s-{subject}")
    await store.logins.add(login)
    key = an_authenticator(f"k-{subject}", subject=subject, name=f"phone of {subject}")
    await store.authenticators.add(key)
    await store.otps.put(a_totp(subject=subject))
    await store.recovery.put("shop", subject, [hashed("1"), hashed("2")])
    await store.recovery.use("shop", subject, hashed("1"), NOW)
    invitation = an_invitation(subject, subject=subject, profile=profile, key_id=VAULT.key_id)
    await store.invitations.add(invitation)
    await store.profiles.put(a_profile(subject=subject, **sealed))


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    shelf = Shelf(tmp_path / "tapes", 30.0)
    shelf.open()
    for subject, others in (("ada", []), ("bob", []), (None, ["ada", "bob"])):
        tape = shelf.place("shop", str(subject).ljust(12, "0"), NOW)
        tape.mkdir()
        header = {"subject": subject, "session": {"gallery": {"subjects": others}}}
        (tape / LINES).write_text(json.dumps(header) + "\n")
    return shelf


async def held(store: SqliteStore, shelf: Shelf | None, subject: str = "ada") -> dict[str, Any]:
    told = await export_subject(store, shelf, VAULT, client_id="shop", subject=subject, now=NOW)
    assert json.loads(json.dumps(told)) == told
    return told


async def test_everything_of_one_person_is_told(store: SqliteStore, shelf: Shelf) -> None:
    kept = await store.templates.get("shop", "ada")
    vectors, numbers = template(1).embeddings.shape
    told = await held(store, shelf)
    assert told == {
        "client": "shop",
        "subject": "ada",
        "exported_at": AT,
        "template": {
            "id": "t-ada",
            "model": "test",
            "created_at": AT,
            "quality": kept.quality,
            "form": "vectors, sealed with AES-256-GCM",
            "key": VAULT.key_id,
            "vectors": vectors,
            "numbers": numbers,
            "bytes": len(kept.sealed) + len(kept.vector or b""),
            "consent": None,
        },
        "sessions": [
            {
                "session": "s-ada",
                "purpose": "login",
                "state": "new",
                "created_at": AT,
                "expires_at": "2090-05-17T08:31:00.123Z",
                "claimed_at": None,
                "finished_at": None,
                "reasons": [],
                "replace": False,
                "challenge": "none",
                "evidence": [{"cue": "ada"}],
                "consent": None,
            }
        ],
        "tries": [
            {
                "of": "strangers",
                "in_a_row": 1,
                "in_all": 1,
                "last_at": AT,
                "known_until": None,
            }
        ],
        "last_success_at": AT,
        "fingerprints": [{"session": "s-ada", "created_at": AT}],
        "recordings": [
            {"name": "20900517T083000Z-None00000000", "recorded_at": "2090-05-17T08:30:00.000Z"},
            {"name": "20900517T083000Z-ada000000000", "recorded_at": "2090-05-17T08:30:00.000Z"},
        ],
        "logins": [
            {
                "login": "l-ada",
                "state": "who",
                "shown": ["key"],
                "session": "s-ada",
                "attempts": 0,
                "created_at": AT,
                "expires_at": "2090-05-17T08:40:00.123Z",
            }
        ],
        "keys": [
            {
                "id": "k-ada",
                "kind": "passkey",
                "name": "phone of ada",
                "count": 0,
                "created_at": AT,
                "used_at": None,
            }
        ],
        "one_time_password": {
            "form": "a secret, sealed with AES-256-GCM",
            "key": "0123456789abcdef",
            "created_at": AT,
            "used_at": None,
        },
        "recovery_codes": {"left": 1, "used_at": AT},
        "invitations": [
            {
                "kind": "enrol",
                "by": "shop",
                "return_url": "https://shop.example/",
                "created_at": AT,
                "expires_at": "2090-05-18T08:30:00.123Z",
                "profile": {"name": "ada"},
            }
        ],
        "profile": {"key": VAULT.key_id, "content": {"name": "ada"}},
    }
    assert "bob" not in json.dumps(told)


async def test_what_a_person_agreed_to_is_told(store: SqliteStore) -> None:
    given = agreed_to("s-new", "shop")
    kept = await store.templates.get("shop", "ada")
    sealed = seal_consent(
        VAULT, given, client_id="shop", subject="ada", template_id=kept.template_id
    )
    await store.templates.put(replace(kept, consent=sealed), replace=True)
    await store.sessions.add(a_session("s-new", purpose="enroll", consent=given))
    told, whole = await held(store, None), json.loads(given)
    names = ("text_id", "version", "language", "sha256", "purpose", "at")
    assert told["template"]["consent"] == {name: whole[name] for name in names}
    assert [one["consent"] for one in told["sessions"]] == [None, whole]


async def test_what_nobody_can_open_is_held_all_the_same(store: SqliteStore) -> None:
    kept = await store.templates.get("shop", "ada")
    await store.templates.put(replace(kept, sealed=kept.sealed[:-1] + b"?"), replace=True)
    await store.profiles.put(a_profile())
    whole = await held(store, None)
    told = whole["template"]
    assert (told["id"], told["vectors"], told["numbers"]) == ("t-ada", None, None)
    assert whole["profile"] == {"key": "0123456789abcdef", "content": None}


async def test_of_nobody_and_of_who_was_removed_nothing_is_held(
    store: SqliteStore, shelf: Shelf
) -> None:
    ledger = Ledger(store.anchors, VAULT, now=lambda: NOW)
    await forget_subject(store, ledger, shelf, "shop", "ada")
    nothing = {
        "template": None,
        "sessions": [],
        "tries": [],
        "last_success_at": None,
        "recordings": [],
        "logins": [],
        "keys": [],
        "one_time_password": None,
        "recovery_codes": {"left": 0, "used_at": None},
        "invitations": [],
        "profile": None,
    }
    for subject in ("ada", "eve"):
        told = await held(store, shelf, subject)
        assert {name: told[name] for name in nothing} == nothing
