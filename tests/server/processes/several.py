"""A server of several processes, each with a look that needs no nets, and people who log in.

`python -m tests.server.processes.several COUNT` prints its URL once logins work; with `--link` it
is one of the processes. Settings come from the environment, as for `lookgate serve --processes`.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import sys
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import aiohttp
import av
import numpy as np

from pipeline.frame import Frame
from pipeline.nets.embed import SFACE
from pipeline.observation import Ask, Observation
from server import app, log
from server.commands.admin import Admin
from server.keys.master_key import open_vault
from server.parts import utc_now
from server.people.protection import protection_of
from server.processes.member import Member
from server.processes.signals import supervise
from server.settings.load import child_environ, environ_of_one, load
from server.store.opening import open_store
from server.tools.caller.attempt import Attempt, attempt
from server.tools.caller.http_caller import HeadlessError
from tests.pipeline.observations import Camera, template
from tests.server.stage import settings

ROOT = Path(__file__).parents[3]
KEY = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
NOBODY = 22
"""The shade in which the look sees no face."""
SHADE = 10
"""Grey levels between the pictures of two people, by which the look tells their cameras apart."""


class Busy(Exception):
    """There was no place, or the store was too slow to say so."""


@dataclass(frozen=True, slots=True)
class Several:
    """A running one."""

    url: str
    pid: int
    secret: str
    log: Path

    def children(self) -> list[int]:
        """Its processes, the oldest first (proc(5))."""
        return [
            int(one)
            for one in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        ]

    async def login(self, n: int, **more: Any) -> Attempt:
        """Person `n`, who is enrolled, logs in, and asks again where there is no place yet."""
        async with asyncio.timeout(40):
            while True:
                with contextlib.suppress(Busy):
                    return await self.attempt(n, **more)
                await asyncio.sleep(0.2)

    async def attempt(self, n: int, shade: int | None = None, **more: Any) -> Attempt:
        """The same, once; with pictures of another shade if told so. Raises Busy."""
        try:
            return await attempt(
                server_url=self.url,
                client_id="shop",
                secret=self.secret,
                purpose="login",
                subject=f"person{n}",
                video=grey(n if shade is None else shade),
                **more,
            )
        except HeadlessError as refused:
            if refused.code in ("busy", "store_unavailable"):  # a loaded machine has slow stores
                raise Busy from None
            raise

    async def get(self, path: str) -> tuple[int, str]:
        """Status and text, over a connection of its own."""
        async with aiohttp.ClientSession() as http, http.get(self.url + path) as response:
            return response.status, await response.text()

    async def metrics(self) -> dict[str, float]:
        """Every sample."""
        _, text = await self.get("/metrics")
        lines = (line.rpartition(" ") for line in text.splitlines() if not line.startswith("#"))
        return {name: float(value) for name, _, value in lines}

    async def until(self, wanted: Any, within_s: float = 60.0) -> None:
        """Wait until `wanted()`, which may be a coroutine function."""
        async with asyncio.timeout(within_s):
            while True:
                found = wanted()
                if await found if asyncio.iscoroutine(found) else found:
                    return
                await asyncio.sleep(0.05)

    async def ready(self, count: int) -> bool:
        """Whether so many processes would serve a login."""
        status, text = await self.get("/readyz")
        return status == 200 and f'"ready": {count},' in text


def grey(n: int) -> Iterator[tuple[float, av.VideoFrame]]:
    """The pictures of person `n`: 15 a second, of one shade."""
    for k in range(900):
        image = np.full((48, 64, 3), 25 + SHADE * n, np.uint8)
        picture = av.VideoFrame.from_ndarray(image, "bgr24")
        picture.pts, picture.time_base = k, Fraction(1, 15)
        yield k / 15, picture


@asynccontextmanager
async def several(
    folder: Path, *, processes: int = 2, people: int = 0, **changed: str
) -> AsyncIterator[Several]:
    """A server of its own in `folder` with so many people enrolled, stopped at the end."""
    given = {"rtc_addresses": "127.0.0.1", "master_key": KEY, **changed}
    told = settings(folder, **given)
    async with Admin.of(told) as admin:
        secret = await admin.add_client("shop")
    await _enrol(folder, people, **given)
    environ = child_environ(data_dir=str(folder), port="0", log_format="json", **given)
    logged = folder / "log"
    with logged.open("wb") as err:
        run = [sys.executable, "-m", "tests.server.processes.several", str(processes)]
        process = await asyncio.create_subprocess_exec(
            *run, cwd=ROOT, env=environ, stdout=asyncio.subprocess.PIPE, stderr=err
        )
        try:
            assert process.stdout is not None
            async with asyncio.timeout(90):
                url = (await process.stdout.readline()).decode().strip()
            assert url, logged.read_text()
            yield Several(url, process.pid, secret, logged)
        finally:
            if process.returncode is None:
                process.terminate()
            async with asyncio.timeout(60):
                await process.wait()


async def _enrol(folder: Path, people: int, **changed: str) -> None:
    told = settings(folder, **changed)
    store, vault = open_store(told.store, told.data_dir), open_vault(folder, key=told.master_key)
    await store.open()
    protection = protection_of(store, vault, utc_now)
    for n in range(people):
        record = await protection.seal(
            replace(template(1), model_id=SFACE.model_id),
            client_id="shop",
            subject=f"person{n}",
            template_id=secrets.token_hex(8),
            created_at=utc_now(),
        )
        await store.templates.put(record, replace=True)
        await protection.settle(record)
    await store.close()


def _look() -> Any:
    cameras: dict[int, Camera] = defaultdict(Camera)

    def look(frame: Frame, ask: Ask) -> Observation:
        shade = round((float(frame.image.mean()) - 25) / SHADE)
        camera = cameras[shade]
        if shade == NOBODY:
            camera.person = None
        return replace(camera.shot(ask), seq=frame.seq, arrival_s=frame.arrival_s)

    return look


async def _serve(link: int) -> None:
    await app.serve(load(), member=await Member.join(link))


def main() -> int:
    """Supervise, or serve."""
    told = load()
    log.set_up(style=told.log_format, level=told.log_level)
    if sys.argv[1] == "--link":
        look = _look()
        app.load_see = lambda *_: (look, SFACE)
        asyncio.run(_serve(int(sys.argv[2])))
        return 0
    count = int(sys.argv[1])
    return asyncio.run(
        supervise(
            count,
            [sys.executable, "-m", "tests.server.processes.several", "--link"],
            settings=told,
            environ=environ_of_one(count, told),
            on_started=lambda url: print(url, flush=True),
        )
    )


if __name__ == "__main__":
    raise SystemExit(main())
