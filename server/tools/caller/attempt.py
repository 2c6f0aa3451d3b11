"""One attempt from end to end without a browser: the relying app's half and the page's.

Creates the session as a client, plays a video at the server (headless.py), and verifies the token
as a relying app must (server/keys/token.py). Not here: printing to a terminal, the demo's order of
things (server/commands/demo.py).
"""

from __future__ import annotations

import base64
import json
import math
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from server.keys.token import verify
from server.parts import utc_now
from server.settings.load import command_line
from server.tools import clips
from server.tools.caller import headless
from server.tools.caller.http_caller import (
    HeadlessError,
    NoPlace,
    agreed,
    create_session,
    published_keys,
)
from server.tools.caller.rtc_caller import Encoded

IN_LINE_S = 120.0
"""A person at a terminal waits no longer for a place."""
AS_ASKED = "*"
"""The `consent` of recordings whose people agreed to be enrolled, whatever a server asks."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of it."""

    purpose: str
    verdict: dict[str, Any]
    """As the page got it, without the token."""
    claims: dict[str, Any] | None
    """Verified claims; None if not accepted."""
    header: dict[str, Any] | None
    """The token's JOSE header."""
    timeline_ms: dict[str, float]
    """Stage and milliseconds since the offer."""
    hints: tuple[str, ...]
    """Guidance on the way, in order."""
    frames_sent: int = 0
    key_frames_asked: int = 0
    held: bool = False
    """As in HeadlessResult."""


async def attempt(
    *,
    server_url: str,
    client_id: str,
    secret: str,
    purpose: str,
    subject: str | None,
    video: Path | str | Iterator[clips.Timed] | Encoded,
    replace: bool = False,
    origin: str | None = None,
    loop: bool = False,
    on_message: Callable[[dict[str, Any]], None] | None = None,
    wait_on: Callable[[NoPlace], bool] | None = None,
    consent: str | None = AS_ASKED,
    address: str | None = None,
) -> Attempt:
    """Run one; `wait_on` and `address` as in headless.run.

    `consent`: the text that the person of an enrolment agreed to, such as lookgate/1/en.

    Raises HeadlessError with the server's code, TokenError, MediaError.
    """
    nonce = secrets.token_urlsafe(24)
    wish: dict[str, Any] = {"purpose": purpose, "nonce": nonce}
    if subject is not None:
        wish["subject"] = subject
    if replace:
        wish["replace"] = True
    session = await create_session(server_url, client_id=client_id, secret=secret, wish=wish)
    given = None
    if session.get("consent"):  # a server of before consents were asked for says nothing of it
        if consent is None:
            raise HeadlessError("consent_needed", "give --consent, the text that they agreed to")
        given = await agreed(
            server_url,
            session["session"],
            ticket=session["ticket"],
            origin=origin,
            named=None if consent == AS_ASKED else consent,
        )
    result = await headless.run(
        server_url=server_url,
        session=session["session"],
        ticket=session["ticket"],
        video=video,
        ice_servers=session["ice_servers"],
        origin=origin,
        loop=loop,
        on_message=on_message,
        wait_on=wait_on,
        consent=given,
        address=address,
    )
    said = dict(result.verdict)
    token = said.pop("token", None)
    claims = header = None
    if said.get("outcome") == "accepted":
        keys = await published_keys(server_url)
        claims = verify(
            str(token),
            # Its own: the command line knows the server by address only, and took the keys from
            # there. A relying app compares with the issuer that it was configured with.
            expected_issuer=str(_part(str(token), 1).get("iss")),
            expected_audience=client_id,
            expected_nonce=nonce,
            expected_purpose=purpose,
            jwks=keys,
            now=utc_now(),
        )
        header = _part(str(token), 0)
    hints = tuple(str(m.get("hint")) for _, m in result.messages if m.get("type") == "hint")
    return Attempt(
        purpose,
        said,
        claims,
        header,
        result.timeline_ms,
        hints,
        result.frames_sent,
        result.key_frames_asked,
        result.held,
    )


def in_line(
    say: Callable[[str], None], clock: Callable[[], float] = time.monotonic
) -> Callable[[NoPlace], bool]:
    """A `wait_on` that waits `IN_LINE_S` at most and says where we stand, each time it changes."""
    until_s = clock() + IN_LINE_S
    said: list[str] = []

    def wait_on(full: NoPlace) -> bool:
        text = "the server is busy; asking again"
        if full.ahead is not None and full.wait_s is not None:
            text = f"in line: {full.ahead} before us, about {math.ceil(full.wait_s)} s"
        if text not in said[-1:]:
            said.append(text)
            say(text)
        return clock() < until_s

    return wait_on


def secret_of(file: Path | None) -> str:
    """The relying app's secret: from a file, else from LOOKGATE_CLIENT_SECRET.

    Raises HeadlessError secret_unreadable, secret_missing; ConfigError.
    """
    secret = command_line()["client_secret"]
    if file is not None:
        try:
            secret = file.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError):
            text = f"the secret file {file} cannot be read"
            raise HeadlessError("secret_unreadable", text) from None
    if not secret:
        raise HeadlessError("secret_missing", "give --secret-file or LOOKGATE_CLIENT_SECRET")
    return secret


def _part(token: str, index: int) -> dict[str, Any]:
    try:
        part = token.split(".")[index]
        value = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, IndexError):
        return {}
    return value if isinstance(value, dict) else {}


def report(result: Attempt) -> list[str]:
    """Lines for a person: verdict, decoded token, timeline."""
    outcome = result.verdict.get("outcome")
    reasons = ", ".join(map(str, result.verdict.get("reasons", ())))
    lines = [f"verdict   {outcome}" + (f" ({reasons})" if reasons else "")]
    if result.claims is not None:
        lines.append("token     verified with the published key")
        lines += [f"          {line}" for line in _pretty(result.header or {})]
        lines += [f"          {line}" for line in _pretty(result.claims)]
    stages = "  ".join(f"{name} {ms:.0f}" for name, ms in result.timeline_ms.items())
    lines.append(f"timeline  {stages}  (ms since the offer)")
    hints = [hint for hint in result.hints if hint != "None"]
    if hints and result.claims is None:
        lines.append(f"hints     {', '.join(dict.fromkeys(hints))}")
    return lines


def _pretty(value: dict[str, Any]) -> list[str]:
    return json.dumps(value, indent=2).splitlines()
