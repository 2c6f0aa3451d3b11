"""The demo app under what was tried on it: floods of registrations, of guesses, of half requests.

Bounded in count and time, on loopback. The rules themselves are in tests/web/test_demo_ways_in.py.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.web.relying_app import ADA, CHEAP, Person, serving, settings_for, standing_in
from web.demo.app import make_app
from web.demo.front import Caps, listening
from web.demo.people import tries
from web.demo.people.passwords import MAX_WAITING, Hashers

LOGIN_S = 5.0
"""A login beside the flood took 19.7 s. It takes some 0.3 s now, on two cores."""


async def _register(person: Person, n: int) -> int:
    form = {**ADA, "username": f"user{n}", "csrf": person.csrf}
    answer = await person.client.post("/register", data=form, allow_redirects=False)
    return answer.status


@pytest.mark.parametrize("known", [True, False])
async def test_a_login_beside_sixty_registrations_is_quick(tmp_path: Path, known: bool) -> None:
    async with AsyncExitStack() as stack:
        lookgate = await stack.enter_async_context(standing_in())
        app = make_app(settings_for(lookgate, tmp_path))  # argon2 as it is
        new_person = await stack.enter_async_context(serving(app, lookgate))
        owner = await new_person()
        await owner.register()
        if not known:
            owner.clear_cookies()
        crowd = [await new_person(f"198.51.100.{n}") for n in range(60)]
        for person in (owner, *crowd):
            await person.get("/login")
        flood = [asyncio.create_task(_register(person, n)) for n, person in enumerate(crowd)]
        began_s = time.monotonic()
        location, _ = await owner.password()
        took_s = time.monotonic() - began_s
        assert location == "/login/face"
        assert took_s < LOGIN_S
        answers = Counter(await asyncio.gather(*flood))
        assert set(answers) <= {303, 503}
        assert answers[303] >= MAX_WAITING["register"]


async def test_guesses_from_many_addresses_are_few(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        lookgate = await stack.enter_async_context(standing_in())
        app = make_app(settings_for(lookgate, tmp_path), hashers=Hashers(CHEAP))
        new_person = await stack.enter_async_context(serving(app, lookgate))
        owner = await new_person()
        await owner.register()
        looked_at = 0
        for n in range(200):
            thief = await new_person(f"198.51.100.{n}")
            await thief.get("/login")
            form = {"csrf": thief.csrf, "username": "ada", "password": f"guess {n}"}
            answer = await thief.client.post("/login", data=form)
            looked_at += answer.status == 401
        assert looked_at == tries.PASSWORDS_OF_NAME.most
        await owner.get("/login")
        assert (await owner.password())[0] == "/login/face"


async def test_eleven_hundred_half_requests_keep_nobody_out(tmp_path: Path) -> None:
    """From one address; they hold what an address may hold, and no longer than a head may take."""
    async with AsyncExitStack() as stack:
        lookgate = await stack.enter_async_context(standing_in())
        settings = settings_for(lookgate, tmp_path)
        app = make_app(settings, hashers=Hashers(CHEAP))
        caps = Caps()
        port = await stack.enter_async_context(listening(app, host="0.0.0.0", port=0, caps=caps))
        held: list[asyncio.StreamWriter] = []
        for _ in range(1100):
            _, writer = await asyncio.open_connection(
                "127.0.0.1", port, local_addr=("127.0.0.2", 0)
            )
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-a: ")
            held.append(writer)
        try:
            began_s = time.monotonic()
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            held.append(writer)
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
            async with asyncio.timeout(10):
                assert b"200 OK" in await reader.readline()
            assert time.monotonic() - began_s < 1.0
        finally:
            for writer in held:
                writer.close()
