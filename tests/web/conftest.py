"""The demo app with a stand-in for Lookgate and argon2 that takes little work."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.web.relying_app import (
    CHEAP,
    Clock,
    NewPerson,
    Person,
    StandIn,
    serving,
    settings_for,
    standing_in,
)
from web.demo.app import make_app
from web.demo.config import Settings
from web.demo.people.passwords import Hashers


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest_asyncio.fixture
async def lookgate() -> AsyncIterator[StandIn]:
    async with standing_in() as stand_in:
        yield stand_in


@pytest.fixture
def settings(lookgate: StandIn, tmp_path: Path) -> Settings:
    return settings_for(lookgate, tmp_path)


@pytest_asyncio.fixture
async def new_person(
    lookgate: StandIn, settings: Settings, clock: Clock
) -> AsyncIterator[NewPerson]:
    app = make_app(settings, clock=clock, hashers=Hashers(CHEAP))
    async with serving(app, lookgate) as make:
        yield make


@pytest_asyncio.fixture
async def person(new_person: NewPerson) -> Person:
    return await new_person()
