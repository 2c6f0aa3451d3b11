"""How far strangers get who try to log in as somebody, and what their owner notices of it.

    python -m benchmarks.lockout [--strategies 10000] [--seed 1]

Each strategy is a stranger of its own against an owner of their own, for two days: many tries at
once, breaks and cancels, many addresses, `identify` in between, a clock that jumps by up to 31
days, at a pace of their own. The owner logs in twice a day from a known device, fails now and then,
and asks once from a new device at the end. Every try goes through `Lockout` and the verbs of the
SQLite store that a server runs, with a made clock: no rule is copied here. Nobody is unlocked.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from server.problems import Problem
from server.session.lockout import Caller, Lockout, device_counter
from server.store.port import Client, SessionRecord, TemplateRecord
from server.store.sqlite.store import SqliteStore
from server.store.tries import IN_ALL

WAYS = ("parallel", "cancel", "addresses", "identify", "clock")
DAYS = 2
OWNER_FAILS = 0.05
"""Of the owner's own tries: more than the goal for refused live people."""
START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class Found:
    """What came of all strategies."""

    strategies: int = 0
    asked: int = 0
    """Tries that strangers wanted."""
    judged: list[int] = field(default_factory=list)
    """Tries of each stranger, of those on the strangers' counter, that looked at a face."""
    identified: list[int] = field(default_factory=list)
    """Of `identify`, which counts at the address and with the app."""
    owner_logins: int = 0
    owner_refused: int = 0
    """On the known device."""
    new_device: Counter[str] = field(default_factory=Counter)
    """What the owner heard on a new device at the end."""
    used_up: int = 0
    """Strategies that used up all tries of strangers."""
    used_up_and_let_in: int = 0


class Strategy:
    """One stranger against one owner."""

    def __init__(self, store: SqliteStore, number: int, rng: random.Random, found: Found) -> None:
        self.store = store
        self.number = number
        self.rng = rng
        self.found = found
        self.now = START
        self.client = f"app{number}"
        self.lockout = Lockout(
            store.tries, store.templates, lambda: b"a key".ljust(32), lambda: self.now
        )
        self.sessions = 0
        self.judged = self.identified = 0

    async def run(self) -> None:
        """Two days of it."""
        await self._enrol()
        ways = {way for way in WAYS if self.rng.random() < 0.5}
        pace_s = 10.0 ** self.rng.uniform(2.0, 3.3)
        addresses = self.rng.randint(2, 500) if "addresses" in ways else 1
        jumps = sorted(self.rng.sample(range(60), 2)) if "clock" in ways else []
        jump = timedelta(days=self.rng.uniform(-31, 31))
        logins, step, spent_s = 0, 0, 0.0
        while spent_s < DAYS * 86400 and step < 90:
            wait_s = self.rng.expovariate(1.0) * pace_s
            spent_s += wait_s
            self.now += timedelta(seconds=wait_s)
            if jumps and step == jumps[0]:  # there, and back again
                jumps.pop(0)
                self.now, jump = self.now + jump, -jump
            while logins < 2 * DAYS and spent_s > logins * 43200:
                logins += 1
                await self._owner()
            await self._stranger(ways, addresses)
            step += 1
        while logins < 2 * DAYS:
            logins += 1
            self.now += timedelta(hours=12)
            await self._owner()
        await self._new_device()

    async def _enrol(self) -> None:
        await self.store.clients.add(Client(self.client, bytes(32), (), "standard", START))
        template = TemplateRecord(self.client, "ann", "t", "m", START, 1.0, "k", b"sealed")
        await self.store.templates.put(template, replace=False)
        device = device_counter(self.client, "ann", "phone")
        await self.store.tries.keep_device(device, START + timedelta(days=90), most=20)

    def _session(self, purpose: str = "login") -> SessionRecord:
        self.sessions += 1
        return SessionRecord(
            session_id=f"{self.number}.{self.sessions}",
            client_id=self.client,
            purpose=purpose,
            subject=None if purpose == "identify" else "ann",
            nonce="",
            ticket_hash=bytes(32),
            state="live",
            created_at=self.now,
            expires_at=self.now,
        )

    async def _owner(self) -> None:
        """Logs in from the phone; after an honest failure once more."""
        for _ in range(3):
            session = self._session()
            await self.store.sessions.add(session)
            self.found.owner_logins += 1
            counters = await self.lockout.counters(session, Caller("10.1.1.1", "phone"))
            try:
                await self.lockout.take(session.session_id, counters)
            except Problem:
                self.found.owner_refused += 1
                return
            self.now += timedelta(seconds=3)
            name, at = session.session_id, self.now
            if self.rng.random() >= OWNER_FAILS:
                await self.store.endings.accept(name, at=at, subject="ann")
                return
            await self.store.endings.refuse(name, now_is="rejected", at=at, failure=True)

    async def _stranger(self, ways: set[str], addresses: int) -> None:
        """One burst: all are taken before one ends."""
        burst = self.rng.randint(2, 8) if "parallel" in ways else 1
        identify = "identify" in ways and self.rng.random() < 0.3
        running = await asyncio.gather(
            *(self._begin(identify, self.rng.randrange(addresses)) for _ in range(burst))
        )
        self.now += timedelta(seconds=self.rng.uniform(1, 25))
        for session, caller in running:
            if session is None:
                continue
            # Who cancels before a face was looked at learnt nothing; whoever saw how it stands
            # has failed, whatever he does then.
            looked = "cancel" not in ways or self.rng.random() < 0.7
            counters = await self.lockout.counters(session, caller)
            await self.store.tries.end(session.session_id, counters, failed=looked, at=self.now)
            if looked and identify:
                self.identified += 1
            elif looked:
                self.judged += 1

    async def _begin(self, identify: bool, host: int) -> tuple[SessionRecord | None, Caller]:
        self.found.asked += 1
        session = self._session("identify" if identify else "login")
        caller = Caller(f"192.0.2.{host}", "phone of his own" if host % 2 else None)
        try:
            await self.lockout.take(
                session.session_id, await self.lockout.counters(session, caller)
            )
        except Problem:
            return None, caller
        return session, caller

    async def _new_device(self) -> None:
        found, session = self.found, self._session()
        code = "let in"
        try:
            await self.lockout.check(await self.lockout.counters(session, Caller("10.1.1.2")))
        except Problem as problem:
            code = problem.code
        found.strategies += 1
        found.new_device[code] += 1
        found.judged.append(self.judged)
        found.identified.append(self.identified)
        if self.judged >= IN_ALL:
            found.used_up += 1
            found.used_up_and_let_in += code != "face_disabled"


async def simulated(strategies: int, seed: int, folder: Path) -> Found:
    """All strategies, one after the other, on one new store."""
    store, found = SqliteStore(folder / "store.sqlite3"), Found()
    await store.open()
    try:
        for number in range(strategies):
            await Strategy(store, number, random.Random(f"{seed} {number}"), found).run()
    finally:
        await store.close()
    return found


def main() -> int:
    """Print what was found; 1 if a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--strategies", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    began_s = time.process_time()
    shm = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=shm if shm.is_dir() else None) as folder:
        found = asyncio.run(simulated(given.strategies, given.seed, Path(folder)))
    print(f"strategies                        {found.strategies}, seed {given.seed}")
    print(f"tries that strangers wanted       {found.asked}")
    print(f"judged, of the strangers' counter {sum(found.judged)}, at most {max(found.judged)}")
    print(f"judged by identify                {sum(found.identified)}, at most", end=" ")
    print(max(found.identified))
    print(f"strategies that used up all {IN_ALL}    {found.used_up}")
    print(f"owner on the known device         {found.owner_logins} tries,", end=" ")
    print(f"{found.owner_refused} refused")
    print(f"owner on a new device at the end  {dict(found.new_device)}")
    print(f"let in although all were used up  {found.used_up_and_let_in}")
    print(f"CPU                               {time.process_time() - began_s:.0f} s")
    broken = max(found.judged) > IN_ALL or found.owner_refused or found.used_up_and_let_in
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
