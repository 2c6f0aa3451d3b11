"""A signalling server for the widget's tests: real WebRTC by aiortc, but the session is a script.

It answers offers, speaks docs/protocol.md as the test tells it, and remembers what the page said.
No faces, no store, no tokens that mean anything.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aioice.ice
from aiohttp import web
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError

WEB = Path(__file__).parents[2] / "web" / "widget"
BUILT = WEB / "built"
TICKET = "t0p-secret-ticket"
WELCOME = {
    "type": "welcome",
    "session": "s1",
    "purpose": "login",
    "time_limit_s": 60,
    "recorded": False,
}


class Line:
    """One page's data channel, as a script sees it."""

    def __init__(self, channel: Any, peer: RTCPeerConnection) -> None:
        self._channel = channel
        self.peer = peer
        self.heard: list[dict[str, Any]] = []
        self.changed = asyncio.Condition()
        self.frames = 0

    def say(self, kind: str, **fields: Any) -> None:
        self._channel.send(json.dumps({"type": kind, **fields}))

    async def wait_for(self, kind: str, within_s: float = 8) -> dict[str, Any]:
        """The first message of this type, past or to come."""
        async with asyncio.timeout(within_s), self.changed:
            while True:
                for message in self.heard:
                    if message["type"] == kind:
                        return message
                await self.changed.wait()


Script = Callable[[Line], Awaitable[None]]


@dataclass
class Turn:
    """What one offer is told while people wait."""

    status: int = 503
    """0: there is a place."""
    body: dict[str, Any] = field(default_factory=dict)
    retry_after_s: int = 1
    until: asyncio.Event | None = None
    """It is held until then."""


def no_place(
    ahead: int | None = None, wait_s: float = 0, *, code: str = "busy", **more: Any
) -> Turn:
    """No place; in line behind so many people, if that is given."""
    body: dict[str, Any] = {"error": {"code": code, "text": "...", "retry": True}}
    if ahead is not None:
        body["line"] = {"ahead": ahead, "wait_s": wait_s}
    return Turn(429 if code.startswith("too_many_s") else 503, body, **more)


class FakeLookgate:
    """Set `script` before the page starts."""

    def __init__(self) -> None:
        self.script: Script | None = None
        self.refuse: web.Response | None = None
        self.consent: Any = None
        """What the next session's person is asked; a web.Response is the answer itself."""
        self.asked: list[Any] = []
        """Headers of the questions for it."""
        self.line: list[Turn] = []
        """What the next offers are told, one after the other; then there is a place."""
        self.pongs = True
        self.lines: list[Line] = []
        self.offers: list[dict[str, Any]] = []
        self.peers: list[RTCPeerConnection] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def app(self) -> web.Application:
        app = web.Application()
        self.add_to(app)
        return app

    def add_to(self, app: web.Application) -> None:
        for path in ("", "/below/a/path"):  # as behind a proxy that serves it below one
            app.router.add_get(path + "/web/{name:.+}", self._module)
            for name in ("offer", "consent"):
                app.router.add_route("OPTIONS", path + "/v1/sessions/{id}/" + name, self._preflight)
            app.router.add_get(path + "/v1/sessions/{id}/consent", self._consent)
            app.router.add_post(path + "/v1/sessions/{id}/offer", self._offer)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*(peer.close() for peer in self.peers))
        self.peers.clear()

    async def _module(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        made = BUILT / name  # what a server sends under that name
        path = made if made.exists() else WEB / name
        return web.Response(
            text=path.read_text(),
            content_type="text/javascript",
            headers={"Access-Control-Allow-Origin": "*"},
        )

    async def _preflight(self, request: web.Request) -> web.Response:
        return web.Response(
            status=204,
            headers={
                "Access-Control-Allow-Origin": request.headers["Origin"],
                "Access-Control-Allow-Credentials": "true",
                "Access-Control-Allow-Headers": "Authorization, Content-Type, Prefer",
                "Access-Control-Allow-Methods": "GET, POST",
            },
        )

    async def _consent(self, request: web.Request) -> web.Response:
        self.asked.append(request.headers)
        cors = {
            "Access-Control-Allow-Origin": request.headers["Origin"],
            "Access-Control-Allow-Credentials": "true",
        }
        if isinstance(self.consent, web.Response):
            status, body = self.consent.status, self.consent.body
            return web.Response(
                status=status, body=body, content_type="application/json", headers=cors
            )
        return web.json_response({"consent": self.consent}, headers=cors)

    async def _offer(self, request: web.Request) -> web.Response:
        cors = {
            "Access-Control-Allow-Origin": request.headers["Origin"],
            "Access-Control-Allow-Credentials": "true",
        }
        body = await request.json()
        self.offers.append(
            {
                "path": request.path,
                "authorization": request.headers.get("Authorization"),
                "query": request.query_string,
                "prefer": request.headers.get("Prefer"),
                **body,
            }
        )
        if self.refuse is not None:
            refuse = self.refuse
            return web.Response(
                status=refuse.status,
                body=refuse.body,
                content_type="application/json",
                headers={
                    **cors,
                    **{k: v for k, v in refuse.headers.items() if k == "Retry-After"},
                    "Access-Control-Expose-Headers": "Retry-After",
                },
            )
        if self.line:
            turn = self.line.pop(0)
            if turn.until is not None:
                await turn.until.wait()
            if turn.status:
                return web.json_response(
                    turn.body,
                    status=turn.status,
                    headers=cors
                    | {
                        "Retry-After": str(turn.retry_after_s),
                        "Access-Control-Expose-Headers": "Retry-After",
                    },
                )
        peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.peers.append(peer)

        @peer.on("datachannel")
        def _(channel: Any) -> None:
            line = Line(channel, peer)
            line.label, line.protocol = channel.label, channel.protocol  # type: ignore[attr-defined]
            self.lines.append(line)

            @channel.on("message")
            def _(text: str) -> None:
                self._keep(self._hear(line, text))

            if self.script:
                self._keep(self.script(line))

        @peer.on("track")
        def _(track: Any) -> None:
            self._keep(self._drain(track))

        sdp = "\r\n".join(
            row for row in body["sdp"].splitlines() if not row.startswith("a=candidate")
        )
        await peer.setRemoteDescription(RTCSessionDescription(sdp + "\r\n", "offer"))
        await peer.setLocalDescription(await peer.createAnswer())
        return web.json_response({"type": "answer", "sdp": peer.localDescription.sdp}, headers=cors)

    def _keep(self, work: Awaitable[None]) -> None:
        task: asyncio.Task[None] = asyncio.ensure_future(work)  # type: ignore[arg-type]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _hear(self, line: Line, text: str) -> None:
        message = json.loads(text)
        async with line.changed:
            line.heard.append(message)
            line.changed.notify_all()
        if message["type"] == "ping" and self.pongs:
            line.say("pong", n=message["n"])

    async def _drain(self, track: Any) -> None:
        with contextlib.suppress(MediaStreamError):
            while True:
                await track.recv()


def only_loopback() -> None:
    """aioice leaves 127.0.0.1 out; these tests want nothing else."""
    aioice.ice.get_host_addresses = lambda use_ipv4, use_ipv6: ["127.0.0.1"]
