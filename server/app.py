"""One server from its settings: start, run, stop.

The one place that puts a server together: everything below is handed what it uses. Not here: its
store opened and kept in order (life.py), what a request does (http/), what a session does
(session/peer.py), reading settings (settings/load.py).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import resource
import secrets
import signal
import time
from collections.abc import AsyncIterator, Callable
from datetime import datetime

from aiohttp import web

from pipeline.frame import Frame
from pipeline.nets.embed import SFACE, Embedder
from pipeline.observation import Ask, Observation
from pipeline.policy import POLICIES, Policy
from pipeline.template import Gallery
from server import descriptors, life, memory
from server.frames.elsewhere import of_settings
from server.frames.inference import Inference
from server.frames.look import load_see, votes
from server.http import listening, middleware, routes
from server.http.invite import routes as invite_routes
from server.http.login import routes as login_routes
from server.http.operator import fault_of
from server.http.requests import MAX_BODY_BYTES, PARTS, stored_client
from server.keys.keyring import Keyring
from server.keys.master_key import open_vault
from server.limits import OwnRates, Rates
from server.metrics import Metrics
from server.parts import Parts, utc_now
from server.peers import Peers
from server.people.galleries import Galleries
from server.people.marks import read_marks
from server.people.protection import protection_of
from server.people.sealed_clients import SealedClients
from server.people.shelf import Shelf
from server.private_folder import PrivateFolderError, private_folder
from server.problems import Problem
from server.processes.link import Body
from server.processes.member import Member, told
from server.readiness import Readiness
from server.recorded import recorded
from server.rtc.connection import rtc_of
from server.session.admission import Admission, Place, admission_of
from server.session.lockout import Caller, Lockout
from server.session.opening import Opening
from server.session.peer import Peer
from server.session.pressure import Pressure
from server.session.recorder import Recording, nets_here
from server.session.timer import CallLater
from server.session.whom import Decoys
from server.settings import policies
from server.settings.load import ConfigError, Settings
from server.store.opening import open_store
from server.store.port import NotFound, SessionRecord, Store
from server.store.tries import limits_of

PEACE_S = 55.0
"""No session lasts longer: 10 s to connect, 10 s to the first picture, 25 s to the verdict
(pipeline/policy.py), and what the store takes."""

logger = logging.getLogger(__name__)


def build(
    settings: Settings,
    look: Callable[[Frame, Ask], Observation],
    *,
    store: Store | None = None,
    embedder: Embedder = SFACE,
    clock: Callable[[], float] = time.monotonic,
    now: Callable[[], datetime] = utc_now,
    call_later: CallLater | None = None,
    member: Member | None = None,
    metrics: Metrics | None = None,
) -> Parts:
    """Everything that a server holds; nothing is opened yet.

    `embedder` says whose vectors `look` gives. Time comes from outside: `clock` is monotonic
    seconds, `now` UTC, `call_later` that of the running event loop if it is None. `member`: of a
    server that has several processes. `metrics`: what was counted before, if anything.
    Raises ConfigError (data folder, store, media settings) and VaultError.
    """
    try:
        private_folder(settings.data_dir)
    except PrivateFolderError as error:
        raise ConfigError([f"LOOKGATE_DATA_DIR {error}"]) from None
    limits = limits_of(address=settings.address_failures, client=settings.identify_failures)
    try:
        found = store or open_store(settings.store, settings.data_dir, limits)
    except ValueError as error:
        raise ConfigError([f"LOOKGATE_STORE: {error}"]) from None
    vault = open_vault(settings.data_dir, key=settings.master_key)
    protection = protection_of(found, vault, now, read_marks(settings.data_dir))
    keyring = Keyring(
        found.keys, vault, issuer=settings.public_url, lifetime_s=settings.token_ttl_s
    )
    metrics = metrics or Metrics()
    pressure = Pressure(settings.workers)
    inference = Inference(look, settings.workers, meter=pressure, clock=clock)
    later = call_later or asyncio.get_running_loop().call_later
    giving_back = memory.GivingBack(asyncio.get_running_loop().call_later)
    peers = Peers(giving_back.session_began, giving_back.session_ended)
    shelf = _shelf(settings)
    lockout = Lockout(
        found.tries, found.templates, lambda: vault.derived("lockout places"), now, limits
    )
    model_id = embedder.model_id
    galleries = Galleries(found.templates, protection, model_id=model_id, unused=metrics.unused)
    audit, verdicts = recorded(
        settings, found, protection, keyring, lockout, galleries, model_id=model_id, now=now
    )
    recording = None
    if shelf is not None:
        other = None if settings.embedder is None else embedder.model_id
        recording = Recording(shelf, nets_here(other, votes(settings.models_dir)), clock, now)

    def new_peer(record: SessionRecord, policy: Policy, gallery: Gallery, place: Place) -> Peer:
        return Peer(
            record=record,
            policy=policy,
            gallery=gallery,
            model_id=embedder.model_id,
            place=place,
            viewer=inference.viewer(),
            verdicts=verdicts,
            recording=recording,
            metrics=metrics,
            clock=clock,
            call_later=later,
        )

    decoys = secrets.token_bytes(32) if member is None else member.decoys
    admission: Admission
    if member is None:
        admission = own = admission_of(
            settings, pressure, metrics=metrics, clock=clock, call_later=later
        )
        metrics.line.read = lambda: len(own.line)
        rates: Rates = OwnRates(
            client_rate=settings.client_rate, offer_rate=settings.offer_rate, clock=clock
        )
    else:
        admission, rates = member.admission, member.rates
    opening = Opening(
        sessions=found.sessions,
        endings=found.endings,
        lockout=lockout,
        admission=admission,
        galleries=galleries,
        decoys=Decoys(decoys, embedder.dimensions),
        peers=peers,
        new_peer=new_peer,
        rtc=rtc_of(settings),
        clock=clock,
        now=now,
    )
    metrics.keys_unused.read = lambda: keyring.unusable
    metrics.active.read = lambda: len(peers)
    metrics.carried.read = pressure.sessions
    metrics.waiting.read = lambda: max(0, inference.in_flight - inference.workers)
    return Parts(
        settings=settings,
        store=found,
        vault=vault,
        protection=protection,
        clients=SealedClients(found, protection.ledger, vault),
        keyring=keyring,
        member=member,
        model_id=embedder.model_id,
        readiness=Readiness(found, keyring, vault, clock=clock, now=now),
        inference=inference,
        pressure=pressure,
        opening=opening,
        verdicts=verdicts,
        audit=audit,
        peers=peers,
        metrics=metrics,
        shelf=shelf,
        rates=rates,
        policies={name: policies.of_settings(settings, one) for name, one in POLICIES.items()},
        clock=clock,
        now=now,
    )


def _shelf(settings: Settings) -> Shelf | None:
    if settings.record is None:
        return None
    shelf = Shelf(settings.record, settings.record_days)
    try:
        shelf.open()
    except PrivateFolderError as error:
        raise ConfigError([f"LOOKGATE_RECORD {error}"]) from None
    return shelf


def application(parts: Parts) -> web.Application:
    """The HTTP side; opening the store and stopping the peers hang on its life."""
    app = web.Application(
        middlewares=[listening.begun, middleware.headers, middleware.errors],
        client_max_size=MAX_BODY_BYTES,
    )
    app[PARTS] = parts
    routes.add(app)
    login_routes.add(app)
    invite_routes.add(app)
    app.cleanup_ctx.append(lambda _: life.of(parts))
    return app


async def serve(
    settings: Settings,
    *,
    on_started: Callable[[str], None] | None = None,
    stopped: asyncio.Event | None = None,
    member: Member | None = None,
) -> None:
    """Run until SIGTERM, SIGINT or `stopped`; `on_started(url)` when logins work.

    `member`: as one of several processes, which its supervisor may end as well.
    Raises what `load_see` and `build` raise, OSError if the port is taken, and what makes the store
    unusable.
    """
    memory.share_arenas()
    caps = descriptors.connections(settings, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    metrics = Metrics()
    look, embedder = load_see(
        settings.models_dir, settings.embedder, of_settings(settings), metrics.elsewhere.add
    )
    parts = build(settings, look, embedder=embedder, member=member, metrics=metrics)
    ending = stopped or asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ending.set if member is None else member.leave)
    runner = web.AppRunner(
        application(parts), access_log=None, handle_signals=False, shutdown_timeout=1.0
    )
    await runner.setup()
    try:
        site = listening.Site(
            runner,
            settings.host,
            settings.port,
            connections=caps,
            proxied=settings.proxy_hops > 0,
            inherited=() if member is None else member.sockets,
        )
        async with contextlib.AsyncExitStack() as stack:
            if member is not None:
                await stack.enter_async_context(among(member, parts, ending))
            if member is None or member.first:
                await _listen(site, runner, parts)
            ended = asyncio.create_task(ending.wait())
            opened = asyncio.create_task(parts.opened.wait())
            await asyncio.wait((ended, opened, parts.failed), return_when=asyncio.FIRST_COMPLETED)
            memory.keep_started()
            if parts.opened.is_set():
                if not site.listening:
                    await _listen(site, runner, parts)
                if member is not None:
                    member.tell("opened")
                if on_started is not None:
                    on_started(runner_url(runner, settings))
            await asyncio.wait((ended, parts.failed), return_when=asyncio.FIRST_COMPLETED)
            for task in (ended, opened):
                task.cancel()
            if parts.failed.done():
                raise parts.failed.result()
            logger.info("stopping", extra={"sessions": len(parts.peers)})
            # The listener first, so that no connection comes to one who refuses it.
            await site.stop()
            if member is not None and not member.ending.is_set():
                site.leave()
                await _left(member, parts)
            # On connections that are open offers and sessions get 503, while keys and questions
            # about verdicts go on.
            parts.opening.admission.stop()
            await parts.peers.stop()
    finally:
        await runner.cleanup()


async def _listen(site: listening.Site, runner: web.AppRunner, parts: Parts) -> None:
    """Take connections. Where others do already, one waits until it has something to say."""
    await site.start()
    logger.info("listening", extra={"url": runner_url(runner, parts.settings)})
    if parts.member is not None:
        parts.member.tell("listening")


@contextlib.asynccontextmanager
async def among(member: Member, parts: Parts, ending: asyncio.Event) -> AsyncIterator[None]:
    """Speak with the supervisor; `ending` is set when this process is to end."""

    async def count(_: Body) -> Body:
        return told(parts.metrics.families())

    async def fault(_: Body) -> Body:
        code, broken = await fault_of(parts)
        return {"code": code, "broken": broken}

    async def wanted() -> None:
        await member.leaving_or_ending()
        ending.set()

    async def opened(body: Body) -> Body:
        place = member.admission.place(body["place"], body["patience"])
        try:
            record = await parts.store.sessions.get(body["session"])
            client = await stored_client(parts, record.client_id)
            policy = parts.policies[client.policy]
        except BaseException as error:
            place.give_back()
            if isinstance(error, NotFound):
                raise Problem("ticket_invalid") from None
            raise
        ticket = bytes.fromhex(body["ticket"])
        sdp = await parts.opening.here(
            place, record, ticket, body["sdp"], policy, Caller(**body["caller"])
        )
        return {"sdp": sdp}

    tasks = [
        asyncio.create_task(member.run({"count": count, "fault": fault, "open": opened})),
        asyncio.create_task(member.report(parts.metrics.families)),
        asyncio.create_task(member.report_carried(parts.pressure)),
        asyncio.create_task(wanted()),
    ]
    try:
        yield
    finally:
        member.tell_counts(parts.metrics.families())
        for task in tasks[1:]:
            task.cancel()


async def _left(member: Member, parts: Parts) -> None:
    """Others go on, so there is no hurry: every session comes to its own end, unless all end."""
    ended = asyncio.create_task(member.ending.wait())
    left = asyncio.create_task(_quiet(member, parts))
    await asyncio.wait((ended, left), timeout=PEACE_S, return_when=asyncio.FIRST_COMPLETED)
    for task in (ended, left):
        task.cancel()


async def _quiet(member: Member, parts: Parts) -> None:
    """Until no session is here, and none is about to be."""
    await member.admission.quiet()
    while len(parts.peers):
        await parts.peers.until_none(PEACE_S)
        await member.admission.quiet()


def runner_url(runner: web.AppRunner, settings: Settings) -> str:
    """Where the server listens, with the port that the system chose for port 0."""
    host, port = runner.addresses[0][:2]
    shown = f"[{host}]" if ":" in str(host) else host
    return f"http://{shown}:{port}"
