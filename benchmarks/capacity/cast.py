"""Who calls: people enrolled from films, their many namesakes, and strangers in their place.

A person has one session at a time and is locked after some refusals, so every attempt is of another
subject: one enrolment is sealed for as many names as are needed, by the server's own means. Not
here: what an attempt does (callers.py).
"""

from __future__ import annotations

import asyncio
import itertools
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import gcd
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.capacity.films import LONGEST_S, Reel, encode
from benchmarks.serving import CLIENT, Server, ServerFailed
from server.keys.master_key import open_vault
from server.parts import utc_now
from server.people.anchors import Ledger
from server.people.templates import open_template, seal_template
from server.store.opening import DEFAULT_URL, open_store
from server.tools.caller.attempt import attempt
from server.tools.caller.rtc_caller import Encoded
from server.tools.clips import read_clip
from tests.e2e.cameras import FPS, fitted, person

ENROLMENT_S = 30.0
NAMES = 400
"""Subjects a person: each is refused less often than locks it, in minutes of strangers."""
SPREAD = 5
"""Starts in a film are taken at least so many apart, so that callers at the same time see other
parts."""
LEANS_IN_S = (24,)
"""Where the man leans in too near: alone, too, he is accepted in the third window only, after
8.7 s. How that ends says nothing about load."""


@dataclass(frozen=True, slots=True)
class Person:
    """One face."""

    name: str
    enrolment: Reel
    login: Reel


@dataclass(frozen=True, slots=True)
class Part:
    """What one attempt plays."""

    subject: str
    stranger: bool
    """Another face than the subject's."""
    film: str
    """Whose film, and the second that it begins with."""
    video: Encoded


@dataclass(frozen=True, slots=True)
class Cast:
    """Who plays, and how many of them are strangers."""

    people: Sequence[Person]
    strangers: float
    """Share of all attempts."""

    def parts(self) -> Iterator[Part]:
        """One attempt after the other, for ever; the same at each call."""
        films = [one for one in self.people if len(one.login.frames)]
        owed = 0.0
        for n in itertools.count():
            owed += self.strangers
            stranger, shown = owed >= 1.0, films[n % len(films)]
            owed -= stranger
            round_no = n // len(films)
            starts = shown.login.starts
            step = next(step for step in itertools.count(SPREAD) if gcd(step, len(starts)) == 1)
            start = starts[round_no * step % len(starts)]
            film, video = f"{shown.name}@{start / FPS:g}", shown.login.take(start)
            claimed = shown
            if stranger:
                others = [one for one in self.people if one is not shown]
                claimed = others[n % len(others)]
            yield Part(named(claimed.name, n % NAMES), stranger, film, video)


def named(person_name: str, n: int) -> str:
    """A subject with that person's face."""
    return f"{person_name}-{n}"


def recorded() -> list[Person]:
    """From models/clips.py: a man who logs in, and another whose account strangers try."""
    nobody = Reel(())
    return [
        Person(
            "franck",
            encode(person("franck", start_s=0.0, seconds=ENROLMENT_S)),
            encode(person("franck", start_s=40.0, seconds=102.0), unclear_s=LEANS_IN_S),
        ),
        Person("auduno", encode(person("cap12", start_s=0.0, seconds=ENROLMENT_S)), nobody),
    ]


def of_folder(folder: Path) -> list[Person]:
    """A person a file: everybody enrols and logs in with the whole of it. Raises MediaError."""
    people = []
    for path in sorted(folder.iterdir()):
        if path.is_file():
            reel = encode(_pictures(path))
            people.append(Person(path.stem, reel, reel))
    return people


def _pictures(path: Path) -> Iterator[NDArray[np.uint8]]:
    for _, picture in read_clip(path, fps=FPS, max_s=LONGEST_S):
        yield fitted(picture.to_ndarray(format="bgr24"))


async def enrolled(server: Server, people: Sequence[Person], at_once: int = 2) -> list[Person]:
    """Enrol each once and under all their names; who could not be enrolled is left out.

    Raises ServerFailed if fewer than two are left, of whom one logs in.
    """
    places = asyncio.Semaphore(at_once)

    async def one(who: Person) -> bool:
        async with places:
            tried = await attempt(
                server_url=server.url, client_id=CLIENT, secret=server.secret, purpose="enroll",
                subject=who.name, video=who.enrolment.take(0),
            )  # fmt: skip
            return tried.claims is not None

    worked = await asyncio.gather(*map(one, people))
    found = [who for who, ok in zip(people, worked, strict=True) if ok]
    if len(found) < 2 or not any(len(who.login.frames) for who in found):
        raise ServerFailed("fewer than two people could be enrolled")
    await _named(server, [who.name for who in found])
    return found


async def _named(server: Server, names: Sequence[str]) -> None:
    """Seal each template again for every one of a person's subjects."""
    store, vault = open_store(DEFAULT_URL, server.data_dir), open_vault(server.data_dir)
    ledger = Ledger(store.anchors, vault)
    await store.open()
    try:
        for name in names:
            template = open_template(vault, await store.templates.get(CLIENT, name))
            # Rotated by the client's secret already, as those of its other names are to be.
            names_of = [named(name, n) for n in range(NAMES)]
            head, counters = await ledger.announce(CLIENT, names_of)
            for subject in names_of:
                sealed = seal_template(
                    vault, template, client_id=CLIENT, subject=subject,
                    template_id=secrets.token_hex(16), created_at=utc_now(),
                    counter=counters[subject], epoch=head.epoch,
                )  # fmt: skip
                await store.templates.put(sealed, replace=True)
            await ledger.settle(CLIENT, counters)
    finally:
        await store.close()
