"""Whom a face is compared with, decoys included, and who may not try again yet."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from server.parts import Parts
from server.people.galleries import Galleries
from server.session.whom import Decoys, gallery_for
from tests.pipeline.observations import Camera, gallery
from tests.server.stage import CLIENT, claimed, close_parts, enrolled, make_parts

DECOYS = Decoys(bytes(32), 128)


@pytest.fixture
async def parts(tmp_path: Path) -> AsyncIterator[Parts]:
    """A server where ann and bob are enrolled."""
    found, _ = await make_parts(tmp_path, Camera())
    await enrolled(found, "ann", 1)
    await enrolled(found, "bob", 3)
    yield found
    await close_parts(found)


@pytest.fixture
def galleries(parts: Parts) -> Galleries:
    return Galleries(parts.store.templates, parts.protection, model_id="test")


async def test_a_login_is_compared_with_its_subject_alone(
    parts: Parts, galleries: Galleries
) -> None:
    found = await gallery_for(galleries, DECOYS, await claimed(parts, "login", "ann"))
    assert found.subjects == ("ann",)
    assert np.allclose(found.copy().matrix, gallery(1).matrix, atol=1e-6)


async def test_an_identification_is_compared_with_all(parts: Parts, galleries: Galleries) -> None:
    found = await gallery_for(galleries, DECOYS, await claimed(parts, "identify", None))
    assert sorted(found.subjects) == ["ann", "bob"]


async def test_an_enrolment_is_compared_with_nobody(parts: Parts, galleries: Galleries) -> None:
    found = await gallery_for(galleries, DECOYS, await claimed(parts, "enroll", "ann"))
    assert len(found) == 0


async def test_who_has_no_usable_template_gets_a_decoy(parts: Parts, galleries: Galleries) -> None:
    unknown = await gallery_for(galleries, DECOYS, await claimed(parts, "login", "nobody"))
    assert np.array_equal(unknown.matrix, DECOYS.of(CLIENT, "nobody").matrix)
    kept = await parts.store.templates.get(CLIENT, "ann")
    await parts.store.templates.put(replace(kept, model_id="older"), replace=True)
    foreign = await gallery_for(galleries, DECOYS, await claimed(parts, "login", "ann"))
    assert np.array_equal(foreign.matrix, DECOYS.of(CLIENT, "ann").matrix)


def test_a_decoy_is_a_face_of_its_embedder_that_stays_the_same() -> None:
    decoys = Decoys(b"k" * 32, 512)
    found = decoys.of("shop", "ann")
    assert found.subjects == ("ann",)
    assert (found.matrix.shape, found.matrix.dtype) == ((1, 512), np.float32)
    assert np.linalg.norm(found.matrix) == pytest.approx(1)
    assert np.array_equal(found.matrix, decoys.of("shop", "ann").matrix)


@pytest.mark.parametrize(
    ("key", "client", "subject"),
    [(b"o" * 32, "shop", "ann"), (b"k" * 32, "bank", "ann"), (b"k" * 32, "shop", "bob")],
)
def test_decoys_of_different_people_clients_and_servers_differ(
    key: bytes, client: str, subject: str
) -> None:
    one = Decoys(b"k" * 32, 128).of("shop", "ann").matrix
    assert abs(float((one @ Decoys(key, 128).of(client, subject).matrix.T).item())) < 0.4
