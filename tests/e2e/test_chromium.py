"""The main job in a real browser with a fake camera that plays real faces.

Screenshots of the endings go to $LOOKGATE_SCREENSHOTS when that is set: they show real people, so
they are never kept with the project.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, Page, Request, expect

from models.clips import ClipMissing
from server.session.replays import CUE
from tests.e2e import cameras
from tests.e2e.site import (
    CHROMIUM,
    Site,
    agree,
    browser,
    enter_password,
    first_page,
    hear_any,
    hear_hint,
    heard,
    log_records,
    register,
    running,
    start,
    until,
)

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(not CHROMIUM, reason="no Chromium on this machine"),
]
SHOTS = os.environ.get("LOOKGATE_SCREENSHOTS")
VERDICT_MS = 40_000


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Fake-camera files by name."""
    folder = tmp_path_factory.mktemp("films")
    try:
        makers = {
            "owner": cameras.person("cap12"),
            "owner_again": cameras.person("cap13"),
            "other": cameras.person("franck"),
            "photo": cameras.photo("cap13"),
            "room": cameras.room(),
            "two": cameras.beside(cameras.person("cap13"), cameras.person("franck")),
        }
        return {name: cameras.mjpeg(i, folder / f"{name}.mjpeg") for name, i in makers.items()}
    except ClipMissing as missing:
        pytest.skip(f"recordings cannot be had: {missing}")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    async with running(tmp_path_factory.mktemp("site")) as site:
        yield site


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def owner(site: Site, films: dict[str, Path]) -> str:
    """Somebody who registered and enrolled from the first recording."""
    async with browser(films["owner"]) as context:
        page = await first_page(context)
        await register(page, site, "owner")
        await start(page)
        await shot(page, "consent")
        await agree(page)
        await page.wait_for_url("**/codes", timeout=VERDICT_MS)
        await shot(page, "enrolled")
    return "owner"


async def shot(page: Page, name: str) -> None:
    if SHOTS:
        await page.screenshot(path=f"{SHOTS}/{name}.png")


def database(site: Site) -> tuple[Path, sqlite3.Connection]:
    """The server's, to read."""
    (file,) = [p for p in site.data.rglob("*.sqlite3") if "demo-app" not in p.name]
    return file, sqlite3.connect(f"file:{file}?mode=ro", uri=True)


async def refused_members(page: Page, site: Site) -> None:
    """The members' page is not for this visitor."""
    answer = await page.goto(f"{site.app}/members")
    assert answer is not None
    assert "/members" not in page.url or answer.status in (401, 403)
    await expect(page.locator("main")).not_to_contain_text("Hello")


async def attempt(page: Page, site: Site, username: str) -> dict[str, object]:
    """Password, then face, until it ends without success; the failure's details."""
    await enter_password(page, site, username)
    await start(page)
    await hear_any(page, "success", "failure", "error")
    assert await heard(page, "success") == []
    assert await heard(page, "error") == []
    (failure,) = await heard(page, "failure")
    assert failure is not None
    return failure


@asynccontextmanager
async def waiting(site: Site, film: Path, username: str) -> AsyncIterator[Page]:
    """A page whose session sees nobody and said so."""
    async with browser(film) as context:
        page = await first_page(context)
        await enter_password(page, site, username)
        await start(page)
        await hear_hint(page, "no_face")
        assert await site.active() == 1
        yield page


async def test_enrol_from_one_recording_and_log_in_from_another(
    site: Site, films: dict[str, Path], owner: str
) -> None:
    async with browser(films["owner_again"]) as context:
        page = await first_page(context)
        await refused_members(page, site)
        await enter_password(page, site, owner)
        await refused_members(page, site)  # the password alone is not enough
        await enter_password(page, site, owner)
        await shot(page, "before")
        await start(page)
        await page.wait_for_url("**/members", timeout=VERDICT_MS)
        await shot(page, "members")
        await expect(page.locator("main")).to_contain_text("Hello, Test Person")
        await expect(page.locator("main")).to_contain_text("passive")
        await page.click("text=Log out")
        await refused_members(page, site)


async def test_a_browser_whose_person_was_accepted_is_a_known_device(
    site: Site, films: dict[str, Path], owner: str
) -> None:
    """It keeps a cookie that no script sees, shows it with the next offer, and gets a new one."""
    async with browser(films["owner_again"]) as context:
        page = await first_page(context)
        offers = list[Request]()
        page.on("request", lambda asked: offers.append(asked) if "/offer" in asked.url else None)
        values = list[str]()
        for _ in range(2):
            await enter_password(page, site, owner)
            await start(page)
            await page.wait_for_url("**/members", timeout=VERDICT_MS)
            async with asyncio.timeout(5):
                while not (new := await _devices(context, values)):  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            values += new
            await page.click("text=Log out")
        sent = [(await offer.all_headers()).get("cookie", "") for offer in offers]
        assert [values[0] in cookie for cookie in sent] == [False, True]


async def test_a_film_that_is_shown_again_is_replayed_in_the_record_alone(
    site: Site, films: dict[str, Path], owner: str
) -> None:
    """The camera of a browser that starts plays its file from the beginning."""
    for _ in range(2):
        async with browser(films["owner_again"]) as context:
            page = await first_page(context)
            await enter_password(page, site, owner)
            await start(page)
            await page.wait_for_url("**/members", timeout=VERDICT_MS)
    _, db = database(site)
    with db:
        tables = db.execute(
            "select evidence from sessions where state = 'accepted' order by finished_at"
        ).fetchall()
        shown = [row for (table,) in tables for row in json.loads(table) if row["cue"] == CUE]
    # The first one enrolled from another recording of the same person.
    assert [row["reason"] for row in shown[:2]] == ["none_before", "as_none_before"]
    assert shown[-1]["reason"] == "as_before", shown


async def _devices(context: BrowserContext, known: list[str]) -> list[str]:
    """Cookies of known devices that were not there before."""
    cookies = [c for c in await context.cookies() if "lookgate-" in c.get("name", "")]
    assert all(c.get("httpOnly") for c in cookies)
    return [c.get("value", "") for c in cookies if c.get("value", "") not in known]


async def test_another_person_is_no_match(site: Site, films: dict[str, Path], owner: str) -> None:
    async with browser(films["other"]) as context:
        page = await first_page(context)
        failure = await attempt(page, site, owner)
        await shot(page, "no_match")
        assert (failure["outcome"], failure["reasons"]) == ("rejected", ["no_match"])
        await refused_members(page, site)


async def test_a_photo_of_the_owner_is_not_live(
    site: Site, films: dict[str, Path], owner: str
) -> None:
    async with browser(films["photo"]) as context:
        page = await first_page(context)
        failure = await attempt(page, site, owner)
        await shot(page, "liveness")
        assert (failure["outcome"], failure["reasons"]) == ("rejected", ["liveness"])


async def test_an_empty_room_times_out_with_hints(
    site: Site, films: dict[str, Path], owner: str
) -> None:
    async with browser(films["room"]) as context:
        page = await first_page(context)
        failure = await attempt(page, site, owner)
        await shot(page, "timeout")
        assert (failure["outcome"], failure["reasons"]) == ("expired", ["timeout"])
        assert {"hint": "no_face"} in await heard(page, "hint")


async def test_two_faces_are_told_so(site: Site, films: dict[str, Path], owner: str) -> None:
    async with browser(films["two"]) as context:
        page = await first_page(context)
        await enter_password(page, site, owner)
        await start(page)
        await hear_hint(page, "one_face_only")
        await shot(page, "two")
        await page.locator("face-login button[part~=cancel]").click()
        await until(site.active_none, 5)


async def test_cancel_and_start_again(site: Site, films: dict[str, Path], owner: str) -> None:
    async with waiting(site, films["room"], owner) as page:
        await page.locator("face-login button[part~=cancel]").click()
        await hear_any(page, "cancel")
        await until(site.active_none, 5)
        await start(page)  # the retry button; a new ticket comes with it
        await hear_hint(page, "no_face", times=2)
        assert await site.active() == 1
    await until(site.active_none, 6)


async def test_reload_in_the_middle_frees_the_place(
    site: Site, films: dict[str, Path], owner: str
) -> None:
    async with waiting(site, films["room"], owner) as page:
        await page.reload()
        await until(site.active_none, 5)
        await page.wait_for_selector("face-login")
        await start(page)
        await hear_hint(page, "no_face")
        assert await site.active() == 1
    await until(site.active_none, 6)


async def test_a_killed_browser_is_noticed_within_five_seconds(
    site: Site, films: dict[str, Path], owner: str
) -> None:
    async with waiting(site, films["room"], owner):
        kill_browsers()
        assert await until(site.active_none, 10) <= 5.0


def kill_browsers() -> None:
    """kill -9 to the Chromium that this test started, all of its processes at once."""
    listed = subprocess.run(
        ["ps", "-ww", "-eo", "pgid,args"], capture_output=True, text=True, check=True
    ).stdout
    groups = {
        int(line.split(None, 1)[0])
        for line in listed.splitlines()
        if "--user-data-dir=" in line and "lookgate-chromium-" in line
    }
    assert groups
    for group in groups - {os.getpgrp()}:
        os.killpg(group, signal.SIGKILL)


async def test_no_camera_is_an_error_with_a_code(site: Site, owner: str) -> None:
    async with browser(None) as context:
        page = await first_page(context)
        await enter_password(page, site, owner)
        await start(page)
        await hear_any(page, "error")
        await shot(page, "no_camera")
        (error,) = await heard(page, "error")
        assert error is not None
        assert error["code"] == "camera_missing"
        assert await site.active() == 0


async def test_nothing_secret_is_left_behind(site: Site, owner: str) -> None:
    """After all of the above: logs without tokens and tickets, a store without plain templates."""
    text = site.log.read_text("utf-8")
    assert "session over" in text
    assert site.secret() not in text
    for word in ("eyJ", "Bearer", "Basic ", "embedding", "v=0", "candidate:", "Traceback"):
        assert word not in text, f"{word!r} is in the log"
    outcomes = {r.get("outcome") for r in log_records(site) if r.get("message") == "session over"}
    assert {"accepted", "rejected", "expired"} <= outcomes
    file, db = database(site)
    with db:
        ((sealed,),) = db.execute("select sealed from templates").fetchall()
    assert b"LGT1" not in sealed
    assert file.stat().st_mode & 0o077 == 0
