"""What strangers can send, good examples of it, and what must be true whatever is made of them.

A check raises for what must not be: a traceback that is no refusal, or something taken that had to
be refused. Not here: changing the examples (mutation.py), the clock (run.py).
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import tflite
from aiohttp.test_utils import make_mocked_request
from av.video.frame import VideoFrame
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from models import graph, ncnn
from models.errors import ModelError
from models.lower import lower
from pipeline import encoded
from pipeline.tape import TapeError
from pipeline.tape.lines import END, MARK, TAIL, Chain
from pipeline.tape.reader import LINES, open_tape
from pipeline.tape.replay import replay
from pipeline.tape.video import packet
from pipeline.template import Template
from server import strict_json
from server.audit import verify as whole
from server.audit.chain import heads_of, roots_of
from server.audit.export import ExportError, in_order, is_since, line_of, record_of
from server.audit.record import (
    NOTHING,
    SIGNED,
    PublicSeals,
    Seals,
    canonical,
    hash_of,
    key_of,
    new_chain,
    written_at,
)
from server.frames.convert import to_bgr
from server.http.fields import offered
from server.keys.token import TokenError, mint, verify
from server.keys.vault import Vault, VaultError
from server.people.devices import LONGEST, cookie_name, open_device, seal_device
from server.problems import Problem
from server.rtc.lines import CODES, BadOffer
from server.rtc.offer import check_offer
from server.session import protocol
from server.store.audit import AuditRecord
from tests.fuzz import login_ways, relying
from tests.models import tiny_ncnn, tiny_tflite
from tests.pipeline import streams

TESTS = Path(__file__).parents[1]
NOW = datetime(2030, 1, 1, tzinfo=UTC)
OWNER = ("template", "shop", "ann")


class Accepted(Exception):
    """What had to be refused was taken."""


@dataclass(frozen=True, slots=True)
class Target:
    """One way in."""

    name: str
    examples: Sequence[bytes]
    check: Callable[[bytes], None]
    """Of changed bytes; never of an example itself."""
    guided: bool = True
    """Whether Python reads it, so that branches that were reached say something (guided.py)."""


def _message(data: bytes) -> None:
    protocol.parse(data)
    protocol.parse(data.decode("utf-8", "replace"))


def _json(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    try:
        value = strict_json.parse(text, max_depth=8)
    except ValueError:
        return
    try:
        offered(value)
    except Problem:
        return


def _offer(data: bytes) -> None:
    try:
        check_offer(data.decode("utf-8", "surrogateescape"))
    except BadOffer as bad:
        if bad.code not in CODES:
            raise


def _frame(codec: str, decoder: str) -> Callable[[bytes], None]:
    def check(data: bytes) -> None:
        encoded.is_key(codec, data)
        encoded.size(codec, data)
        if encoded.unfit(codec, data) is not None or not encoded.is_key(codec, data):
            return
        context = av.CodecContext.create(decoder, "r")
        try:
            pictures = context.decode(packet(data, 0))
        except av.FFmpegError:
            return
        for picture in pictures:
            assert isinstance(picture, VideoFrame)
            if picture.width * picture.height > encoded.MAX_PIXELS:
                raise Accepted(f"{picture.width}x{picture.height} was decoded")
            to_bgr(picture)

    return check


def _tape(data: bytes) -> None:
    """As it is, the chain of checksums must notice; with the chain mended, nothing may break."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / LINES).write_bytes(data)
        try:
            replay(open_tape(folder))
        except TapeError:
            pass
        else:
            raise Accepted("a tape whose bytes were changed is played")
        (folder / LINES).write_bytes(_mended(data))
        try:
            replay(open_tape(folder))
        except TapeError:
            return


def _mended(data: bytes) -> bytes:
    chain = Chain()
    bodies = [line[: 1 - TAIL] for line in data.split(b"\n") if len(line) >= TAIL]
    return b"".join(body + MARK + chain.next(body) + END for body in bodies)


KEY = ec.generate_private_key(ec.SECP256R1())
JWKS = {
    "keys": [
        {
            **ECAlgorithm.to_jwk(KEY.public_key(), as_dict=True),
            "kid": "k1", "use": "sig", "alg": "ES256",
        }
    ]
}  # fmt: skip
TOKEN = mint(
    KEY, kid="k1", issuer="https://id.example", audience="shop", subject="ann", nonce="n" * 24,
    session_id="s", token_id="j", purpose="login", acr="face", liveness=["passive"],
    auth_time=NOW, lifetime_s=60, now=NOW,
)  # fmt: skip


def _token(data: bytes) -> None:
    try:
        verify(
            data.decode("utf-8", "replace"), expected_issuer="https://id.example",
            expected_audience="shop", expected_nonce="n" * 24, expected_purpose="login",
            jwks=JWKS, now=NOW,
        )  # fmt: skip
    except TokenError:
        return
    raise Accepted("a changed token is good")


VAULT = Vault([b"k" * 32])
PLAIN = Template("sface", np.eye(4, 128, dtype=np.float32), 0.5).to_bytes()


def _template(data: bytes) -> None:
    try:
        Template.from_bytes(data)
    except ValueError:
        return


def _sealed(data: bytes) -> None:
    try:
        VAULT.open(data, owner=OWNER)
    except VaultError:
        return
    raise Accepted("changed bytes are opened")


CUT = b"\n#\n"
"""Between an ncnn net's two files, and in neither: no layer's name has such a sign."""


def _net(data: bytes) -> None:
    """An operator's file may be changed as much as one likes; what is read holds nothing that did
    not come in."""
    text, _, weights = data.partition(CUT)
    try:
        net = ncnn.read(text, weights, ("out",))
    except ModelError:
        return
    held = [np.frombuffer(one.raw_data, np.float32) for one in net.graph.initializer]
    if not all(np.isfinite(one).all() for one in held):
        raise Accepted("a weight is no number")
    # A layer may have no bias, and has zeros then: one for each of its outputs.
    if sum(one.nbytes for one in held) > 2 * len(weights):
        raise Accepted("there are more weights than came in")


def _lowered(data: bytes) -> None:
    """An operator's file as well (models/lower.py)."""
    with contextlib.suppress(ModelError):
        graph.serialise(lower(data), "fuzzed")


PERSON = {"client_id": "shop", "subject": "ann"}
COOKIE = cookie_name("shop", "ann", secure=True)
DEVICE = "d" * 32
SEALED_DEVICE = seal_device(VAULT, **PERSON, device_id=DEVICE, now=NOW)


def _device(data: bytes) -> None:
    """A header as the web server hands it on, and what a cookie of ours would hold."""
    text = data.decode("utf-8", "replace").translate({0: None, 10: None, 13: None})
    request = make_mocked_request("POST", "/", headers={"Cookie": text})
    value = request.cookies.get(COOKIE)
    found = None if value is None else open_device(VAULT, value, **PERSON, now=NOW)
    if found not in (None, DEVICE):
        raise Accepted("another device than the one that was sealed")
    inside = VAULT.seal(data[: LONGEST // 2], owner=("device", "shop", "ann"))
    open_device(VAULT, base64.urlsafe_b64encode(inside).decode(), **PERSON, now=NOW)


SEALS = Seals(VAULT)
PUBLIC = PublicSeals([key_of(SEALS.public_jwk())])


def _audit_lines() -> bytes:
    """An export with a record of each way to be sealed."""
    lines, prev, chain = [], NOTHING, new_chain(VAULT, bytes(16))
    heads = {f"{VAULT.key_id}.other": [3, "ab" * 32]}
    bodies = (
        {"kind": "open", "at": written_at(NOW), "by": "serve", "heads": heads},
        {"kind": "unlock", "at": written_at(NOW), "client": "shop"},
        {"kind": "prune", "at": written_at(NOW), "heads": heads, "roots": heads},
    )
    for seq, told in enumerate(bodies):
        body = canonical(told)
        digest = hash_of(chain, seq, prev, f"r{seq}", body)
        seal = SEALS.seal(chain, digest, signed=told["kind"] in SIGNED)
        record = AuditRecord(chain, seq, prev, f"r{seq}", body, digest, seal)
        lines.append(line_of(record))
        prev = digest
    return "\n".join(lines).encode()


AUDIT = _audit_lines()
RECORDS = [record_of(line) for line in AUDIT.decode().splitlines()]


def _audit(data: bytes) -> None:
    """Whoever writes the database, or an export, makes no record that counts and is not ours."""
    try:
        text = data.decode("utf-8", "surrogatepass")
        records = [record_of(line) for line in text.split("\n") if line.strip()]
    except (ValueError, ExportError):
        return
    for seals, partial in ((SEALS, False), (PUBLIC, True)):
        found = asyncio.run(whole.verify(in_order(records), seals, partial=partial))
        ours = all(record in RECORDS for record in records)
        if not found.faults and not ours and not partial:
            raise Accepted("records that nobody sealed are whole")
    for record in records:
        heads_of(record)
        roots_of(record)
        is_since(record, "2030")
        line_of(record)


def _texts(folder: str, pattern: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted((TESTS / "vectors" / folder).glob(pattern))]


def _messages() -> list[bytes]:
    examples = (strict_json_text(path) for path in _texts("protocol", "client-*.json"))
    return [text for text in examples if text]


def strict_json_text(vector: bytes) -> bytes:
    """The message of a vector, if it is written as a text."""
    text = strict_json.parse(vector.decode(), max_depth=8).get("text")
    return text.encode() if isinstance(text, str) else b""


def _coded(codec: str) -> list[bytes]:
    """A picture with something in it, and the claims that were written by hand."""
    grey = np.tile(np.arange(96, dtype=np.uint8), (64, 1))
    cv2.circle(grey, (40, 30), 12, 255, -1)
    context = av.CodecContext.create(codec, "w")
    context.width, context.height, context.pix_fmt = 96, 64, "yuv420p"
    context.time_base = Fraction(1, 15)
    picture = av.VideoFrame.from_ndarray(grey, format="gray").reformat(format="yuv420p")
    picture.pts = 0
    return [bytes(made) for made in [*context.encode(picture), *context.encode(None)]]


def _tapes() -> list[bytes]:
    found = []
    for name in ("cancel", "spoof", "no_match"):
        with zipfile.ZipFile(TESTS / "tapes" / f"{name}.zip") as box:
            found.append(box.read(LINES))
    return found


def _insides() -> list[bytes]:
    told = {"device": DEVICE, "at": NOW.timestamp(), "until": NOW.timestamp() + 60}
    return [json.dumps(told).encode(), f"a=b; {COOKIE}=x".encode()]


def _tflite() -> list[bytes]:
    """Small nets with each operator that is known."""
    rng = np.random.default_rng(3)

    def floats(*shape: int) -> np.ndarray[Any, Any]:
        return rng.normal(size=shape).astype(np.float32)

    net = tiny_tflite.Net()
    x, w, bias = (
        net.activation(1, 6, 7, 2),
        net.constant(floats(2, 3, 3, 2)),
        net.constant(floats(2)),
    )
    slope, pads = net.constant(floats(2)), net.constant(np.zeros((4, 2), np.int32))
    half, whole = net.constant(floats(1, 3, 3, 2).astype(np.float16)), net.activation(1, 3, 3, 2)
    y, z, p, a, b = (net.activation(1, 6, 7, 2) for _ in range(5))
    pooled, d, flat = net.activation(1, 3, 4, 2), net.activation(1, 3, 4, 2), net.activation(1, 24)
    op = tflite.BuiltinOperator
    net.op(op.CONV_2D, [x, w, bias], y, tiny_tflite.conv())
    net.op(op.PRELU, [y, slope], z)
    net.op(op.PAD, [z, pads], p)
    net.op(op.ADD, [p, y], a, tiny_tflite.add())
    net.op(op.ADD, [a, y], b, tiny_tflite.add(activation=1))
    net.op(op.MAX_POOL_2D, [b], pooled, tiny_tflite.pool(2, 2))
    net.op(op.DEQUANTIZE, [half], whole)
    net.op(op.DEPTHWISE_CONV_2D, [pooled, whole], d, tiny_tflite.depthwise())
    net.op(op.RESHAPE, [d], flat)
    return [net.data()]


def _all() -> list[Target]:
    """Each with the good examples."""
    return [
        Target("message", _messages(), _message),
        Target("json", [b'{"type": "offer", "sdp": "v=0\\r\\n"}', *_messages()], _json),
        Target("offer", _texts("sdp", "*.sdp"), _offer),
        Target("vp8", [*_coded("libvpx"), streams.vp8(96, 64)], _frame("VP8", "vp8"), False),
        Target("h264", _coded("libx264"), _frame("H264", "h264"), False),
        Target("tape", _tapes(), _tape),
        Target("net", [tiny_ncnn.TEXT.encode() + CUT + tiny_ncnn.WEIGHTS], _net),
        Target("tflite", _tflite(), _lowered),
        Target("device", [f"{COOKIE}={SEALED_DEVICE}".encode(), *_insides()], _device),
        Target("key", login_ways.ANSWERS, login_ways.answer),
        Target("new_key", login_ways.NEW_KEYS, login_ways.new_key),
        Target("remembered", login_ways.COOKIES, login_ways.cookie),
        Target("audit", [AUDIT], _audit),
        Target("token", [TOKEN.encode()], _token, False),
        Target("template", [PLAIN], _template, False),
        Target("authorize", [relying.QUERY], relying.authorize),
        Target("assertion", [relying.ASSERTION], relying.assertion, False),
        Target("hint", [relying.HINT], relying.hint, False),
        Target("sealed", [VAULT.seal(PLAIN, owner=OWNER)], _sealed, False),
    ]


def targets() -> list[Target]:
    """All of them; what was found once shows the way to what is near."""
    return [
        replace(one, examples=[*one.examples, *_texts(f"found/{one.name}", "*.bin")])
        for one in _all()
    ]
