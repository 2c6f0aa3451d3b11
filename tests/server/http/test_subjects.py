"""The relying app's questions about a person against docs/protocol.md."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import encode_basic_auth

from pipeline.policy import POLICIES
from pipeline.reasons import Purpose
from pipeline.tape.reader import open_tape
from pipeline.template import Gallery
from server.keys.receipt import verify_receipt
from server.keys.vault import Vault
from server.parts import Parts
from server.people.shelf import Shelf
from server.session.lockout import device_counter
from server.session.recorder import Recording
from server.store.port import Client
from tests.server.http.asking import AUTH, Http, code_of
from tests.server.stage import CLIENT, add_client, claimed, enrolled, failed, failures


async def test_a_backend_learns_whether_a_person_is_enrolled(http: Http, parts: Parts) -> None:
    await enrolled(parts, "ann@example.org", 1)
    async with http.get("/v1/subjects/ann%40example.org", headers=AUTH) as response:
        assert response.status == 200
        assert response.headers["Cache-Control"] == "no-store"
        assert await response.json() == {
            "subject": "ann@example.org",
            "enrolled": True,
            "usable": True,
            "since": "2026-01-01T12:00:00.000Z",
            "model": "test",
            "consent": None,
        }
    async with http.get("/v1/subjects/bob", headers=AUTH) as response:
        assert await response.json() == {
            "subject": "bob",
            "enrolled": False,
            "usable": False,
            "since": None,
            "model": None,
            "consent": None,
        }
    async with http.get("/v1/subjects/a%20b", headers=AUTH) as response:
        assert await code_of(response, 400) == "request_invalid"


@pytest.mark.parametrize("why", ["embedder", "changed", "master key"])
async def test_a_template_that_no_login_can_use_is_told(http: Http, parts: Parts, why: str) -> None:
    await enrolled(parts, "ann", 1)
    match why:
        case "embedder":
            parts.model_id = "another"
        case "changed":
            record = await parts.store.templates.get(CLIENT, "ann")
            changed = replace(record, sealed=record.sealed[:-1] + b"?")
            await parts.store.templates.put(changed, replace=True)
        case "master key":
            record = await parts.store.templates.get(CLIENT, "ann")
            foreign = Vault([b"o" * 32]).seal(b"", owner=())
            await parts.store.templates.put(replace(record, sealed=foreign), replace=True)
    async with http.get("/v1/subjects/ann", headers=AUTH) as response:
        shown = await response.json()
    assert (shown["enrolled"], shown["usable"], shown["model"]) == (True, False, "test")


async def test_a_person_of_another_client_is_not_shown(http: Http, parts: Parts) -> None:
    await enrolled(parts, "ann", 1)
    other = "o" * 43
    digest = hashlib.sha256(other.encode()).digest()
    await add_client(parts, Client("other", digest, (), "standard", parts.now()))
    foreign = {"Authorization": encode_basic_auth("other", other)}
    async with http.get("/v1/subjects/ann", headers=foreign) as response:
        assert (await response.json())["enrolled"] is False
    async with http.get("/v1/subjects/ann") as response:
        assert await code_of(response, 401) == "client_unauthorized"


async def test_a_subjects_recordings_are_forgotten_too(
    http: Http, parts: Parts, tmp_path: Path
) -> None:
    parts.shelf = Shelf(tmp_path / "tapes", 30.0)
    parts.shelf.open()
    recording = Recording(parts.shelf, {}, parts.clock, parts.now)
    for subject in ("ann", "bob"):
        record = await claimed(parts, "login", subject)
        session = {
            "purpose": Purpose.LOGIN,
            "policy": POLICIES["standard"],
            "gallery": Gallery.of([]),
            "model_id": "test",
            "started_s": parts.clock(),
        }
        found = recording.start(record, session)
        assert found is not None
        found.close()
    assert len(list(parts.shelf.folder.glob("*/*"))) == 2
    async with http.delete("/v1/subjects/ann", headers=AUTH) as response:
        assert response.status == 200
    (left,) = parts.shelf.folder.glob("*/*")
    assert open_tape(left).header["subject"] == "bob"


async def test_a_subject_is_forgotten(http: Http, parts: Parts) -> None:
    await enrolled(parts, "ann@example.org", 1)
    await claimed(parts, "login", "ann@example.org")
    for removed in (1, 0):
        async with http.delete("/v1/subjects/ann%40example.org", headers=AUTH) as response:
            told = await response.json()
        erased = told["erased"]
        assert told["removed"] == erased["templates"] == erased["sessions"] == removed
        assert sum(erased.values()) == 3 * removed
        claims = verify_receipt(
            told["receipt"],
            expected_issuer=parts.settings.public_url,
            expected_audience=CLIENT,
            jwks=await parts.keyring.jwks(parts.now()),
        )
        assert claims["erased"] == erased
        assert claims["subject_hash"] == parts.audit.seals.subject(CLIENT, "ann@example.org")
        assert "ann" not in str(claims)
        announced = [
            json.loads(record.body)
            for record in await parts.store.audit.records(after=("", 0), most=100)
            if record.ref == claims["jti"]
        ]
        assert [one["kind"] for one in announced] == ["erasure"]
    async with http.delete("/v1/subjects/a%20b", headers=AUTH) as response:
        assert await code_of(response, 400) == "request_invalid"


async def test_a_backend_gets_everything_that_is_held(http: Http, parts: Parts) -> None:
    await enrolled(parts, "ann@example.org", 1)
    record = await claimed(parts, "login", "ann@example.org")
    async with http.get("/v1/subjects/ann%40example.org/export", headers=AUTH) as response:
        assert (response.status, response.headers["Cache-Control"]) == (200, "no-store")
        told = await response.json()
    assert (told["client"], told["subject"]) == (CLIENT, "ann@example.org")
    assert told["template"]["model"] == "test"
    assert [one["session"] for one in told["sessions"]] == [record.session_id]
    assert record.nonce not in json.dumps(told)
    async with http.get("/v1/subjects/a%20b/export", headers=AUTH) as response:
        assert await code_of(response, 400) == "request_invalid"
    async with http.get("/v1/subjects/ann%40example.org/export") as response:
        assert await code_of(response, 401) == "client_unauthorized"


async def test_a_backend_unlocks_a_person_who_failed_too_often(http: Http, parts: Parts) -> None:
    await enrolled(parts, "ann", 1)
    await failed(parts, "ann", 5)
    for unlocked in (1, 0):
        async with http.post("/v1/subjects/ann/unlock", headers=AUTH) as response:
            assert (response.status, await response.json()) == (200, {"unlocked": unlocked})
        assert await failures(parts, "ann") == 0
    found = await parts.store.audit.records(after=("", 0), most=100)
    records = [json.loads(one.body) for one in found]
    assert [one["by"] for one in records if one["kind"] == "unlock"] == ["client"] * 2


async def test_devices_stay_known_unless_they_are_to_be_forgotten(http: Http, parts: Parts) -> None:
    await enrolled(parts, "ann", 1)
    device = device_counter(CLIENT, "ann", "d1")
    await parts.store.tries.keep_device(device, parts.now() + timedelta(days=1), most=3)
    for forget in (False, True):
        asked = {"forget_devices": forget}
        async with http.post("/v1/subjects/ann/unlock", json=asked, headers=AUTH) as response:
            assert response.status == 200
        assert await parts.store.tries.knows_device(device, parts.now()) is not forget


@pytest.mark.parametrize("asked", [{"forget_devices": 1}, {"forget": True}])
async def test_an_unlock_that_asks_for_something_else_is_refused(
    http: Http, parts: Parts, asked: dict[str, Any]
) -> None:
    await failed(parts, "ann")
    async with http.post("/v1/subjects/ann/unlock", json=asked, headers=AUTH) as response:
        assert await code_of(response, 400) == "request_invalid"
    assert await failures(parts, "ann") == 1
