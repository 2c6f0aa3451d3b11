"""A whole server: start, refused starts, logins over real WebRTC, logs without secrets, stop."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import aiohttp
import av
import numpy as np
import pytest
from aiohttp import encode_basic_auth, web
from aiohttp.test_utils import TestServer

from models import manifest
from models.errors import ModelError
from models.verify import verify
from pipeline.events import Decided
from pipeline.frame import Frame
from pipeline.nets.embed import EMBEDDER_ID, SFACE, Embedder
from pipeline.observation import Ask, Observation
from pipeline.policy import POLICIES
from pipeline.reasons import Phase, Reason
from pipeline.template import Gallery
from server import app, life, log
from server.commands.admin import Admin
from server.http.requests import PARTS
from server.keys.master_key import KEY_FILE
from server.parts import Parts
from server.people.consent import open_consent
from server.session.occupancy import Holder
from server.settings.load import ConfigError, load
from server.store.port import Broken, SessionRecord, Store, Unavailable
from server.store.sqlite.store import SqliteStore
from server.tools.caller import headless
from server.tools.caller.attempt import Attempt, attempt
from server.tools.caller.http_caller import HeadlessError, NoPlace
from tests.pipeline.observations import Camera
from tests.server.frames.test_look import pack
from tests.server.stage import (
    claimed,
    failures,
    settings,
)

ROOT = Path(__file__).parents[2]


class Scene:
    """What the fake `see` sees: a synthetic person, in step with the real frames."""

    def __init__(self) -> None:
        self.camera = Camera()
        self.vectors: list[bytes] = []

    def look(self, frame: Frame, ask: Ask) -> Observation:
        seen = replace(self.camera.shot(ask), seq=frame.seq, arrival_s=frame.arrival_s)
        if seen.face is not None and seen.face.embedding is not None:
            self.vectors.append(seen.face.embedding.tobytes())
        return seen


def pictures() -> Any:
    """Grey noise at 15 a second, for as long as somebody looks."""
    rng = np.random.default_rng(1)
    for n in range(600):
        image = rng.integers(90, 160, (120, 160, 3), np.uint8)
        picture = av.VideoFrame.from_ndarray(image, "bgr24")
        picture.pts, picture.time_base = n, Fraction(1, 15)
        yield n / 15, picture


class Running:
    """A server in this process, as `serve` puts it together."""

    def __init__(
        self, folder: Path, scene: Scene, store: Store | None = None, **changed: str
    ) -> None:
        self.settings = settings(folder, rtc_addresses="127.0.0.1", max_sessions="2", **changed)
        self.scene = scene
        self.parts: Parts = app.build(self.settings, scene.look, store=store)
        self.server = TestServer(app.application(self.parts))
        self.secret = ""

    async def __aenter__(self) -> Running:
        async with Admin.of(self.settings) as admin:
            self.secret = await admin.add_client("shop")
        await self.server.start_server()
        async with asyncio.timeout(5):
            await self.parts.opened.wait()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.server.close()

    async def post(self, path: str, **fields: str) -> dict[str, Any]:
        auth = {"Authorization": encode_basic_auth("shop", self.secret)}
        async with (
            aiohttp.ClientSession() as http,
            http.post(self.server.make_url(path), json=fields, headers=auth) as response,
        ):
            found: dict[str, Any] = await response.json()
            return found

    async def attempt(self, purpose: str, subject: str | None, **more: Any) -> Attempt:
        return await attempt(
            server_url=str(self.server.make_url("")).rstrip("/"),
            client_id="shop",
            secret=self.secret,
            purpose=purpose,
            subject=subject,
            video=pictures(),
            **more,
        )


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    async with Running(tmp_path, Scene()) as found:
        yield found


async def test_enrol_and_log_in_over_webrtc_and_no_secret_in_the_logs(
    running: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    log.set_up(style="json", level="debug")
    heard: list[dict[str, Any]] = []
    enrolled = await running.attempt("enroll", "ann", on_message=heard.append)
    assert enrolled.verdict["outcome"] == "accepted"
    login = await running.attempt("login", "ann", on_message=heard.append)
    assert login.claims is not None
    assert (login.claims["sub"], login.claims["aud"]) == ("ann", "shop")
    running.scene.camera.person = 2
    nonce = "n0nce-n0nce-n0nce"
    made = await running.post("/v1/sessions", purpose="login", subject="ann", nonce=nonce)
    other = await headless.run(
        server_url=str(running.server.make_url("")).rstrip("/"),
        session=made["session"],
        ticket=made["ticket"],
        video=pictures(),
    )
    assert other.verdict["reasons"] == ["no_match"]
    with pytest.raises(HeadlessError, match="subject_enrolled"):
        await running.attempt("enroll", "ann")

    text = capsys.readouterr().err
    lines = [json.loads(line) for line in text.splitlines()]
    assert sum(line["message"] == "session over" for line in lines) == 3
    tokens = [m["token"] for m in heard if "token" in m]
    assert len(tokens) == 2
    secrets = [running.secret, *tokens, *(part for token in tokens for part in token.split("."))]
    secrets += [m["session"] for m in heard if m["type"] == "welcome"]
    secrets += [made["ticket"], made["session"], nonce]
    for vector in running.scene.vectors:
        secrets += [vector.hex()[:32], repr(np.frombuffer(vector, "f4")[0])]
    for secret in secrets:
        assert secret not in text
    for word in ("candidate", "fingerprint", "Bearer", "Basic"):
        assert word not in text


async def test_a_template_never_reaches_the_store_in_clear(running: Running) -> None:
    await running.attempt("enroll", "ann")
    record = await running.parts.store.templates.get("shop", "ann")
    assert record.model_id == EMBEDDER_ID
    raw = (running.settings.data_dir / "lookgate.sqlite3").read_bytes()
    raw += b"".join(p.read_bytes() for p in running.settings.data_dir.glob("*-wal"))
    assert b"LGT1" not in raw
    assert not any(vector[:16] in raw for vector in running.scene.vectors)
    agreed = open_consent(running.parts.vault, record)
    assert agreed is not None
    assert (agreed.text_id, agreed.language, agreed.client) == ("lookgate", "en", "shop")


PAGE = """
import asyncio, sys
from server.tools.caller import headless
from tests.server.test_app import pictures
url, session, ticket = sys.argv[1:]
asyncio.run(headless.run(server_url=url, session=session, ticket=ticket, video=pictures()))
"""


async def test_a_killed_browser_is_noticed_and_its_place_is_free(running: Running) -> None:
    """The page's process is killed: no close, no more packets."""
    parts, url = running.parts, str(running.server.make_url("")).rstrip("/")
    running.scene.camera.person = None  # nobody to judge: only silence can end it
    made = await running.post("/v1/sessions", purpose="login", subject="ann", nonce="n" * 16)
    page = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PAGE, url, made["session"], made["ticket"], cwd=ROOT
    )
    async with asyncio.timeout(20):
        while parts.metrics.frames.value() < 10:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        page.kill()
        gone_s = time.monotonic()
        while len(parts.opening.admission.occupancy):  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        assert time.monotonic() - gone_s < 5.0
        while (  # noqa: ASYNC110
            record := await parts.store.sessions.get(made["session"])
        ).state == "live":
            await asyncio.sleep(0.02)
        assert (record.state, record.reasons) == ("expired", ("disconnected",))
        await page.wait()


async def test_more_people_than_places_wait_in_line_and_all_get_in(running: Running) -> None:
    told: list[NoPlace] = []

    def wait_on(full: NoPlace) -> bool:
        told.append(full)
        return True

    people = ("ann", "bob", "eve", "joe", "kim")
    async with asyncio.timeout(60):
        attempts = await asyncio.gather(
            *(running.attempt("enroll", one, wait_on=wait_on) for one in people)
        )
    assert [one.verdict["outcome"] for one in attempts] == ["accepted"] * len(people)
    # Three found no place at first, and knew for how long.
    assert len(told) >= 3
    assert all(one.wait_s is not None and one.wait_s > 0.0 for one in told)
    metrics = dict(running.parts.metrics.waits.samples())
    assert metrics['lookgate_line_wait_seconds_count{outcome="entered"}'] == 3
    assert len(running.parts.opening.admission.line) == 0


async def test_stopping_tells_running_sessions(tmp_path: Path) -> None:
    scene = Scene()
    scene.camera.person = None
    async with Running(tmp_path, scene) as running:
        messages: list[dict[str, Any]] = []
        going = asyncio.create_task(running.attempt("login", "ann", on_message=messages.append))
        async with asyncio.timeout(10):
            while not messages:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            began_s = time.monotonic()
            await running.parts.peers.stop(0.1)
            result = await going
        assert time.monotonic() - began_s < 4.0
        assert result.verdict["outcome"] != "accepted"
        codes = [m["error"]["code"] for m in messages if m["type"] == "error"]
        assert codes == ["server_stopping"]
        assert not running.parts.peers


class Asleep(SqliteStore):
    """A store that is down until somebody wakes it."""

    awake = False

    async def open(self) -> None:
        if not self.awake:
            raise Unavailable
        await super().open()


async def test_a_store_that_is_down_at_start_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(life, "RETRY_S", 0.05)
    store = Asleep(tmp_path / "x.sqlite3")
    parts = app.build(settings(tmp_path), Scene().look, store=store)
    server = TestServer(app.application(parts))
    await server.start_server()
    try:
        async with aiohttp.ClientSession() as http:
            async with http.get(server.make_url("/readyz")) as response:
                assert response.status == 503
                assert (await response.json())["error"]["code"] == "not_ready"
            async with http.get(server.make_url("/healthz")) as response:
                assert response.status == 200
            store.awake = True
            async with asyncio.timeout(5):
                await parts.opened.wait()
            async with http.get(server.make_url("/readyz")) as response:
                assert response.status == 200
    finally:
        await server.close()


async def test_a_store_that_can_never_be_used_ends_the_start(tmp_path: Path) -> None:
    first = app.build(settings(tmp_path, master_key=_key(1)), Scene().look)
    await life.open_parts(first)
    await first.store.close()
    second = app.build(settings(tmp_path, master_key=_key(2)), Scene().look)
    await life.open_parts(second)
    assert not second.opened.is_set()
    assert getattr(second.failed.result(), "code", "") == "vault_key_unknown"
    await second.store.close()
    for parts in (first, second):
        await parts.inference.close()


def _damage(file: Path) -> None:
    with file.open("r+b") as stream:
        stream.write(b"?" * 100)


async def test_a_damaged_database_ends_the_start_with_its_name(tmp_path: Path) -> None:
    first = app.build(settings(tmp_path), Scene().look)
    await life.open_parts(first)
    await first.store.close()
    file = tmp_path / "lookgate.sqlite3"
    _damage(file)
    second = app.build(settings(tmp_path), Scene().look)
    await life.open_parts(second)
    assert not second.opened.is_set()
    fault = second.failed.result()
    assert isinstance(fault, Broken)
    assert (fault.code, str(file) in fault.text) == ("store_broken", True)
    for parts in (first, second):
        await parts.store.close()
        await parts.inference.close()


async def test_a_lost_master_key_ends_the_start_and_no_new_one_is_made(tmp_path: Path) -> None:
    first = app.build(settings(tmp_path), Scene().look)
    await life.open_parts(first)
    await first.store.close()
    os.unlink(tmp_path / KEY_FILE)
    second = app.build(settings(tmp_path), Scene().look)
    await life.open_parts(second)
    assert getattr(second.failed.result(), "code", "") == "vault_key_missing"
    assert KEY_FILE not in os.listdir(tmp_path)
    for parts in (first, second):
        await parts.store.close()
        await parts.inference.close()


async def test_a_refusal_that_the_store_did_not_hear_is_recorded_once_it_is_back(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(life, "RETRY_S", 0.05)
    parts = running.parts
    record = await claimed(parts, "login", "ann")
    refuse, heard = parts.store.endings.refuse, asyncio.Event()

    async def down(*args: Any, **kwargs: Any) -> int:
        heard.set()
        raise Unavailable

    monkeypatch.setattr(parts.store.endings, "refuse", down)
    decided = Decided(Phase.REJECTED, (Reason.NO_MATCH,))
    said = await parts.verdicts.record(record, POLICIES["standard"], decided, [])
    assert said.error == "store_unavailable"
    async with asyncio.timeout(5):
        heard.clear()
        await heard.wait()  # it tries by itself
        monkeypatch.setattr(parts.store.endings, "refuse", refuse)
        while (await parts.store.sessions.get(record.session_id)).state == "live":  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert (await failures(parts, "ann")) == 1
    assert not parts.verdicts.owing.is_set()


def _key(byte: int) -> str:
    return base64.b64encode(bytes([byte]) * 32).decode()


def _embedders(parts: Parts) -> tuple[str, str, int]:
    """Whose vectors a new peer asks for, its verdicts compare, and decoys imitate."""
    place = parts.opening.admission.occupancy.enter(Holder("c", "ann", "127.0.0.1"), parts.clock())
    now = parts.now()
    record = SessionRecord("s", "c", "login", "ann", "n", b"", "live", now, now)
    peer = parts.opening.new_peer(record, POLICIES["standard"], Gallery.of([]), place)
    place.give_back()
    return peer.model_id, peer.verdicts.model_id, parts.opening.decoys.dimensions


async def test_another_embedder_names_the_templates_and_moves_the_threshold(
    tmp_path: Path,
) -> None:
    told = settings(tmp_path, embedder="/packs/w600k_r50.onnx", match_score="0.4")
    other = Embedder("insightface:w600k_r50:0123456789ab", 512)
    parts = app.build(told, Scene().look, embedder=other)
    assert _embedders(parts) == (other.model_id, other.model_id, 512)
    assert parts.policies["standard"].match_score == 0.4
    plain = app.build(settings(tmp_path), Scene().look)
    assert _embedders(plain) == (EMBEDDER_ID, EMBEDDER_ID, 128)
    assert plain.policies == POLICIES
    for made in (parts, plain):
        await made.inference.close()


def test_wrong_media_settings_are_told_as_settings(tmp_path: Path) -> None:
    wrong = replace(settings(tmp_path), rtc_ports=(70000, 70001))

    async def start() -> None:
        app.build(wrong, Scene().look)

    with pytest.raises(ConfigError, match="LOOKGATE_RTC"):
        asyncio.run(start())


def _spawn(folder: Path, **changed: str) -> subprocess.Popen[str]:
    environ = {k: v for k, v in os.environ.items() if not k.startswith("LOOKGATE_")}
    environ.update({f"LOOKGATE_{name.upper()}": value for name, value in changed.items()})
    environ["LOOKGATE_DATA_DIR"] = str(folder)
    return subprocess.Popen(
        [sys.executable, "-m", "server.commands.main", "serve"],
        env=environ,
        cwd=ROOT,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def test_a_start_that_is_refused_says_why_in_one_line_each(tmp_path: Path) -> None:
    wrong = pack(tmp_path / "models")
    process = _spawn(tmp_path, models_dir=str(wrong))
    _, said = process.communicate(timeout=30)
    assert process.returncode == 2
    (line,) = said.splitlines()
    assert line.startswith("lookgate: model_hash_mismatch: ")
    assert str(wrong) in line

    process = _spawn(tmp_path, port="x", max_sessions="0")
    _, said = process.communicate(timeout=30)
    assert process.returncode == 2
    assert [line.split(" ")[2] for line in said.splitlines()] == [
        "LOOKGATE_PORT",
        "LOOKGATE_MAX_SESSIONS",
    ]


@pytest.mark.models
def test_sigterm_ends_with_zero(tmp_path: Path) -> None:
    try:
        verify(manifest.default_dir())
    except ModelError as error:
        pytest.skip(f"the converted nets are needed (make models): {error.code}")
    process = _spawn(tmp_path, port="0", log_format="json")
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if json.loads(line)["message"] == "ready":
                break
        began_s = time.monotonic()
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=15)
        assert process.returncode == 0
        assert time.monotonic() - began_s < 5.0
        assert "Traceback" not in said
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


async def test_a_server_that_stops_closes_its_listener_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = Scene()
    scene.camera.person = None  # nobody to judge: the session lasts while the server stops
    monkeypatch.setattr(app, "load_see", lambda *_: (scene.look, SFACE))
    told = settings(tmp_path, rtc_addresses="127.0.0.1", port="0")
    async with Admin.of(told) as admin:
        secret = await admin.add_client("shop")
    started: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    stopped = asyncio.Event()
    server = asyncio.create_task(app.serve(told, on_started=started.set_result, stopped=stopped))
    async with asyncio.timeout(30), aiohttp.ClientSession() as http:
        url = await started
        heard: list[dict[str, Any]] = []
        going = asyncio.create_task(
            attempt(
                server_url=url,
                client_id="shop",
                secret=secret,
                purpose="login",
                subject="ann",
                video=pictures(),
                on_message=heard.append,
            )
        )
        while not heard:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        async with http.get(f"{url}/healthz") as response:
            assert response.status == 200
        stopped.set()
        port = int(url.rpartition(":")[2])
        with contextlib.suppress(ConnectionRefusedError):
            while True:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
        assert not going.done()
        async with http.get(f"{url}/.well-known/jwks.json") as response:
            assert response.status == 200  # on the connection that was open
        await going
        await server
    assert [m["error"]["code"] for m in heard if m["type"] == "error"] == ["server_stopping"]


def test_an_application_has_its_parts(tmp_path: Path) -> None:
    async def make() -> web.Application:
        parts = app.build(settings(tmp_path), Scene().look)
        made = app.application(parts)
        assert made[PARTS] is parts
        await parts.inference.close()
        return made

    asyncio.run(make())


async def test_a_calibrated_policy_is_used_and_a_wrong_one_refused(tmp_path: Path) -> None:
    file = tmp_path / "policy.json"
    file.write_text('{"policy": {"match_score": 0.61}}', "utf-8")
    given = load({"LOOKGATE_DATA_DIR": str(tmp_path), "LOOKGATE_POLICY": str(file)})
    parts = app.build(given, lambda frame, ask: None)  # type: ignore[arg-type, return-value]
    assert parts.policies["standard"].match_score == 0.61
    file.write_text('{"match_scroe": 0.1}', "utf-8")
    with pytest.raises(ConfigError) as refused:
        app.build(given, lambda frame, ask: None)  # type: ignore[arg-type, return-value]
    assert refused.value.problems == ["LOOKGATE_POLICY: a policy has no field match_scroe"]
