"""People who log in through a balancer, in a process of their own: it runs where their network is.

`python -m tests.peers.people` reads one JSON object (`Order`) and writes one JSON line for each
attempt that begins and ends, with the moment of the machine's monotonic clock. Who is let down
begins anew, as the page's element does. Films are encoded beforehand. Not here: who is cut off
(test_many_machines.py).
"""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
import time
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import aiohttp
import av

from models.clips import clip
from server.keys.token import verify
from server.parts import utc_now
from server.tools import clips
from server.tools.caller import headless
from server.tools.caller.attempt import attempt
from server.tools.caller.http_caller import HeadlessError, create_session, published_keys
from server.tools.caller.rtc_caller import CLOCK_HZ, Encoded

CLIENT = "shop"
PERSON, STRANGER = "cap12", "franck"
STRANGER_EVERY = 8
"""One login in so many shows somebody else's face."""
FPS = 15
FILM_S = 25.0
TRIES, PAUSE_S = 60, 1.0
"""Of a login that is let down, or finds no place."""
OVER_S = 60.0
"""Until then no session is live any more: they have 25 s."""


@dataclass(frozen=True, slots=True)
class Order:
    """Whom to ask, and how often."""

    url: str
    secret: str
    logins: int
    at_once: int


def encoded(name: str) -> Encoded:
    """The beginning of a recording in VP8, with a key frame a second: nobody can ask for one."""
    frames: list[tuple[float, Any]] = []
    encoder: Any = None
    for n, (time_s, picture) in enumerate(clips.read_clip(clip(name), fps=FPS, max_s=FILM_S)):
        if encoder is None:
            encoder = av.CodecContext.create("libvpx", "w")
            encoder.width, encoder.height, encoder.pix_fmt = (
                picture.width,
                picture.height,
                "yuv420p",
            )
            encoder.time_base, encoder.bit_rate = Fraction(1, CLOCK_HZ), 1_000_000
            encoder.options = {
                "quality": "realtime",
                "speed": "-8",
                "lag-in-frames": "0",
                "g": str(FPS),
            }
        shown = picture.reformat(format="yuv420p")
        shown.pts, shown.time_base = round(n / FPS * CLOCK_HZ), Fraction(1, CLOCK_HZ)
        shown.pict_type = 0
        frames += [(time_s, packet) for packet in encoder.encode(shown)]
    return Encoded("VP8", frames)


class People:
    """Several lines of people, each with an account of its own."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._films = {name: encoded(name) for name in (PERSON, STRANGER)}
        self._left = iter(range(order.logins))
        self.sessions: list[str] = []

    async def enrol(self, line: int) -> None:
        """The person of a line; raises HeadlessError."""
        done = await attempt(
            server_url=self._order.url,
            client_id=CLIENT,
            secret=self._order.secret,
            purpose="enroll",
            subject=f"person{line}",
            video=self._films[PERSON],
        )
        _say(event="enrolled", outcome=str(done.verdict["outcome"]))

    async def stand(self, line: int) -> None:
        """Log in, one after the other."""
        for n in self._left:
            film = STRANGER if n % STRANGER_EVERY == STRANGER_EVERY - 1 else PERSON
            for _ in range(TRIES):
                if await self._try(n, f"person{line}", film):
                    break
                await asyncio.sleep(PAUSE_S)

    async def _try(self, login: int, subject: str, film: str) -> bool:
        """One attempt; False if it came to no verdict that counts."""
        session, nonce = "", secrets.token_urlsafe(24)
        url = self._order.url
        told = {"login": login, "film": film}
        began_s = time.monotonic()
        try:
            made = await create_session(
                url,
                client_id=CLIENT,
                secret=self._order.secret,
                wish={"purpose": "login", "subject": subject, "nonce": nonce},
            )
            session = str(made["session"])
            self.sessions.append(session)

            def hear(message: dict[str, Any]) -> None:
                if message.get("type") == "welcome":
                    _say(event="open", session=session[:8], **told)

            result = await headless.run(
                server_url=url,
                session=session,
                ticket=str(made["ticket"]),
                video=self._films[film],
                on_message=hear,
            )
            outcome = str(result.verdict["outcome"])
            reasons = [str(reason) for reason in result.verdict.get("reasons", ())]
            if outcome == "accepted":
                claims = verify(
                    str(result.verdict["token"]),
                    expected_issuer=url,
                    expected_audience=CLIENT,
                    expected_nonce=nonce,
                    expected_purpose="login",
                    jwks=await published_keys(url),
                    now=utc_now(),
                )
                assert claims["sub"] == subject
        except HeadlessError as error:
            outcome, reasons = error.code, []
        _say(
            event="end",
            session=session[:8],
            outcome=outcome,
            reasons=reasons,
            took_s=time.monotonic() - began_s,
            **told,
        )
        return outcome == "accepted" or "no_match" in reasons

    async def states(self) -> None:
        """What the API says of every session, once none is live."""
        headers = {"Authorization": aiohttp.encode_basic_auth(CLIENT, self._order.secret)}
        until_s = time.monotonic() + OVER_S
        async with aiohttp.ClientSession(self._order.url, headers=headers) as http:

            async def state(session: str) -> str:
                async with http.get(f"/v1/sessions/{session}") as response:
                    return str((await response.json()).get("state", response.status))

            while True:
                states = [await state(session) for session in self.sessions]
                if "live" not in states or time.monotonic() > until_s:
                    break
                await asyncio.sleep(1)
        _say(event="states", states=states)


def _say(**told: Any) -> None:
    print(json.dumps({"at_s": time.monotonic(), **told}), flush=True)


async def main() -> None:
    order = Order(**json.loads(sys.stdin.readline()))
    people = People(order)
    for line in range(order.at_once):
        await people.enrol(line)
    _say(event="ready")
    await asyncio.gather(*(people.stand(line) for line in range(order.at_once)))
    await people.states()


if __name__ == "__main__":
    asyncio.run(main())
