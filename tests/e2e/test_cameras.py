"""Cameras and people that misbehave, through real WebRTC and the real nets, without a browser."""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
from collections.abc import AsyncIterator, Iterator

import numpy as np
import pytest
import pytest_asyncio

from models.clips import ClipMissing
from server.tools.caller.attempt import Attempt, attempt
from server.tools.caller.http_caller import HeadlessError
from tests.e2e import cameras
from tests.e2e.cameras import Image, altered, person, then, timed
from tests.e2e.site import Site, running, until

pytestmark = [pytest.mark.e2e, pytest.mark.asyncio(loop_scope="module")]
OWNER = "cap13"
"""Somebody's recording; the same person enrolled from cap12."""


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    try:
        first = list(itertools.islice(person("cap12"), 180))
    except ClipMissing as missing:
        pytest.skip(f"recordings cannot be had: {missing}")
    async with running(tmp_path_factory.mktemp("cameras")) as site:
        enrolled = await play(site, iter(first), purpose="enroll")
        assert enrolled.verdict["outcome"] == "accepted"
        yield site


async def play(
    site: Site,
    images: Iterator[Image],
    *,
    purpose: str = "login",
    subject: str = "owner",
    fps: float = cameras.FPS,
) -> Attempt:
    """One attempt as the owner, or as another subject, with these pictures as the camera."""
    forget_failures(site)
    return await attempt(
        server_url=site.server,
        client_id="demo",
        secret=site.secret(),
        purpose=purpose,
        subject=None if purpose == "identify" else subject,
        video=timed(images, fps),
    )


def forget_failures(site: Site) -> None:
    """The lockout is for attack after attack on one account; here it would end the tests."""
    (database,) = [p for p in site.data.rglob("*.sqlite3") if "demo-app" not in p.name]
    with sqlite3.connect(database) as db:
        db.execute("delete from tries")


def ended(tried: Attempt) -> tuple[str, list[str]]:
    return tried.verdict["outcome"], tried.verdict["reasons"]


REFUSED = {"rejected", "expired"}


async def test_the_owner_gets_in_and_is_found_among_all(site: Site) -> None:
    for purpose in ("login", "identify"):
        tried = await play(site, person(OWNER), purpose=purpose)
        assert ended(tried) == ("accepted", [])
        assert tried.claims is not None
        assert tried.claims["sub"] == "owner"


async def test_a_stranger_is_not_found(site: Site) -> None:
    assert ended(await play(site, person("franck"), purpose="identify")) == (
        "rejected",
        ["no_match"],
    )


async def test_a_camera_that_freezes(site: Site) -> None:
    tried = await play(site, cameras.frozen(person(OWNER), 0.8))
    assert ended(tried) == ("rejected", ["liveness"])
    assert "camera_frozen" in tried.hints


async def test_a_short_loop(site: Site) -> None:
    loop = list(itertools.islice(person(OWNER), 9))
    assert ended(await play(site, itertools.islice(itertools.cycle(loop), 150))) == (
        "rejected",
        ["liveness"],
    )


async def test_a_photo_with_noise_added(site: Site) -> None:
    rng = np.random.default_rng(1)

    def noisy(image: Image) -> Image:
        return np.clip(image + rng.normal(0, 6, image.shape), 0, 255).astype(np.uint8)

    tried = await play(site, altered(cameras.photo(OWNER, seconds=30), noisy))
    assert tried.verdict["outcome"] in REFUSED


async def test_a_camera_that_goes_black_starts_afresh(site: Site) -> None:
    dark = then((person(OWNER), 0.6), (cameras.black(), 1.5), (person(OWNER, start_s=4), 8.0))
    tried = await play(site, dark)
    assert ended(tried) == ("accepted", [])
    assert "camera_dark" in tried.hints
    assert tried.timeline_ms["verdict"] > 3000


async def test_the_resolution_may_change(site: Site) -> None:
    def sizes() -> Iterator[Image]:
        for k, image in enumerate(person(OWNER)):
            yield image if k < 12 else cameras.fitted(image, (480, 360))

    assert (await play(site, sizes())).verdict["outcome"] in {"accepted", "expired"}


async def test_one_frame_a_second_is_told_and_never_enough(site: Site) -> None:
    slow = itertools.islice(person(OWNER), 0, None, 15)
    tried = await play(site, itertools.islice(itertools.cycle(slow), 40), fps=1.0)
    assert ended(tried) == ("expired", ["timeout"])
    assert "camera_slow" in tried.hints


async def test_a_face_swapped_for_another(site: Site) -> None:
    """A stranger warms up, then holds up a photo of the owner: nothing of before counts."""
    swap = then((person("franck"), 0.6), (cameras.photo(OWNER), 10.0))
    tried = await play(site, swap)
    assert ended(tried) == ("rejected", ["liveness"])


async def test_the_owner_after_a_stranger_is_judged_alone(site: Site) -> None:
    swap = then((person("franck"), 0.6), (person(OWNER), 10.0))
    tried = await play(site, swap)
    assert ended(tried) == ("accepted", [])
    assert tried.timeline_ms["verdict"] > 1500


async def test_two_people(site: Site) -> None:
    two = cameras.beside(person(OWNER, seconds=30), person("franck", seconds=30))
    tried = await play(site, two)
    assert tried.verdict["outcome"] in REFUSED
    assert "one_face_only" in tried.hints


async def test_a_face_too_far_away(site: Site) -> None:
    def far(image: Image) -> Image:
        small = cameras.fitted(image, (160, 120))
        return np.pad(small, ((180, 180), (240, 240), (0, 0)), mode="edge")

    tried = await play(site, altered(person(OWNER, seconds=30), far))
    assert tried.verdict["outcome"] in REFUSED
    assert {"come_closer", "no_face"} & set(tried.hints)


async def test_a_face_in_the_dark(site: Site) -> None:
    tried = await play(
        site, altered(person(OWNER, seconds=30), lambda i: (i * 0.12).astype(np.uint8))
    )
    assert tried.verdict["outcome"] in REFUSED
    assert {"more_light", "camera_dark", "no_face"} & set(tried.hints)


async def test_a_lockout_after_five_refusals(site: Site) -> None:
    forget_failures(site)
    secret = site.secret()
    codes = []
    for _ in range(6):
        try:
            tried = await attempt(
                server_url=site.server,
                client_id="demo",
                secret=secret,
                purpose="login",
                subject="nobody-else",
                video=timed(person(OWNER)),
            )
            codes.append(tried.verdict["reasons"][0])
        except HeadlessError as error:
            codes.append(error.code)
    assert codes == ["no_match"] * 5 + ["too_many_failures"]


async def test_four_at_once(site: Site) -> None:
    # A subject has one session at an address, so four people look like the one of the recording.
    alike = [f"alike-{k}" for k in range(4)]
    for subject in alike:
        made = await play(site, person("cap12"), purpose="enroll", subject=subject)
        assert ended(made) == ("accepted", [])
    tried = await asyncio.gather(
        *(play(site, person(OWNER, start_s=k), subject=alike[k]) for k in range(4))
    )
    assert [ended(one) for one in tried] == [("accepted", [])] * 4
    await until(site.active_none, 5)
