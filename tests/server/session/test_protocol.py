"""The data channel's language, against the shared vectors and against anything else."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.challenge import Light, Step
from pipeline.cues.camera import KINDS
from pipeline.events import Challenged, Hinted, PhaseChanged, Progressed
from pipeline.reasons import Hint, Phase, Reason
from server.limits import Bucket
from server.session import protocol
from server.session.protocol import BadMessage, Camera, Cancel, Decline, Fault, Hello, Painted, Ping

VECTORS = Path(__file__).parents[2] / "vectors" / "protocol"


def _vectors(folder: Path, prefix: str) -> list[Any]:
    rows = [json.loads(path.read_text("utf-8")) for path in sorted(folder.glob(f"{prefix}*.json"))]
    return [pytest.param(row, id=row["name"]) for row in rows]


def _data(row: dict[str, Any]) -> str | bytes:
    if "bytes_hex" in row:
        return bytes.fromhex(row["bytes_hex"])
    text = row["text"]
    if isinstance(text, dict):
        return text["before"] + text["repeat"] * text["times"] + text["after"]
    return str(text)


def _fields(message: protocol.Message) -> dict[str, Any]:
    fields = _known(asdict(message))
    return {"type": type(message).__name__.lower(), **fields}


def _known(fields: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _known(value) if isinstance(value, dict) else value
        for name, value in fields.items()
        if value is not None
    }


@pytest.mark.parametrize("row", _vectors(VECTORS, "client-"))
def test_reads_as_the_vector_says(row: dict[str, Any]) -> None:
    found = protocol.parse(_data(row))
    if "ok" in row["expect"]:
        assert not isinstance(found, BadMessage)
        assert _fields(found) == row["expect"]["ok"]
    else:
        assert found == BadMessage(Fault(row["expect"]["error"]))


@pytest.mark.parametrize("row", _vectors(VECTORS / "rate", "client-"))
def test_rate_as_the_vector_says(row: dict[str, Any]) -> None:
    bucket = Bucket(protocol.RATE_PER_S, protocol.BURST, 100.0)
    allowed = [bucket.take(100.0) == 0.0 for _ in range(row["times"])]
    assert all(allowed[:-1])
    assert allowed[-1] == ("ok" in row["expect"])


@pytest.mark.parametrize(
    "row", [r for r in _vectors(VECTORS, "server-") if "tolerant" not in r.values[0]["name"]]
)
def test_writes_as_the_vector_says(row: dict[str, Any]) -> None:
    want = json.loads(_data(row))
    fields = {k: v for k, v in want.items() if k != "type"}
    match want["type"]:
        case "welcome":
            text = protocol.welcome(**fields)
        case "phase":
            text = protocol.encode(PhaseChanged(Phase(fields["phase"])))
        case "progress":
            text = protocol.encode(Progressed(fields["fraction"]))
        case "hint":
            hint = fields["hint"]
            text = protocol.encode(Hinted(None if hint is None else Hint(hint)))
        case "challenge":
            steps = tuple(
                Step(tuple(bytes.fromhex(step["color"][1:])), step["ms"])  # type: ignore[arg-type]
                for step in fields["steps"]
            )
            text = protocol.encode(Challenged(Light(fields["n"], steps)))
        case "recording":
            text = protocol.recording(**fields)
        case "verdict":
            fields["reasons"] = tuple(fields["reasons"])
            text = protocol.verdict(**fields)
        case "pong":
            text = protocol.pong(**fields)
        case "error":
            code = fields["error"]["code"]
            text = protocol.error(code, retry=fields["error"]["retry"])
        case other:
            raise AssertionError(other)
    assert json.loads(text) == want


def _within_the_grammar(message: protocol.Message) -> bool:
    match message:
        case Hello(version, widget, camera, still):
            sizes = [] if camera is None else [camera.width, camera.height, camera.fps]
            kind = None if camera is None else camera.kind
            return (
                version == 1
                and len(widget) <= 32
                and all(abs(x) < 1e309 for x in sizes)
                and (kind is None or kind in KINDS)
                and still in (None, True, False)
            )
        case Painted(n, step, ms):
            return 1 <= n < 2**31 and 0 <= step <= 63 and 0 <= ms <= 60_000
        case Ping(n):
            return type(n) is int and 0 <= n < 2**31
        case Cancel() | Decline():
            return True


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=40),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)
FIELDS = st.fixed_dictionaries(
    {"type": st.sampled_from(["hello", "ping", "cancel", "decline", "painted"]) | JSON},
    optional={
        name: JSON | st.just(1)
        for name in (
            "version",
            "widget",
            "camera",
            "reduced_motion",
            "n",
            "step",
            "ms",
            "x",
        )
    },
)


@given(st.text(max_size=200) | st.binary(max_size=200) | FIELDS.map(json.dumps))
@example("[" * 4096)
@example('{"a":' * 700)
@example('{"type":"ping","n":' + "9" * 4000 + "}")
@example("\ud800")
def test_parse_never_raises_nor_accepts_more_than_the_grammar(data: str | bytes) -> None:
    found = protocol.parse(data)
    if isinstance(found, BadMessage):
        assert found.code in set(Fault) - {Fault.RATE}
    else:
        assert isinstance(data, str)
        assert _within_the_grammar(found)
        # Nothing was dropped on the way: what was read is all that was said.
        assert _fields(found) == json.loads(data)


@given(
    st.integers(0, 2**31 - 1).map(Ping)
    | st.just(Cancel())
    | st.builds(
        Hello,
        st.just(1),
        st.text(max_size=32),
        st.none()
        | st.builds(
            Camera,
            *[st.floats(allow_nan=False, allow_infinity=False)] * 3,
            st.none() | st.sampled_from(KINDS),
        ),
        st.none() | st.booleans(),
    )
    | st.builds(Painted, st.integers(1, 2**31 - 1), st.integers(0, 63), st.floats(0, 60_000))
)
def test_every_good_message_is_read_back(message: protocol.Message) -> None:
    assert protocol.parse(json.dumps(_fields(message))) == message


@given(
    st.sampled_from(Phase).map(PhaseChanged)
    | st.floats(0, 1).map(Progressed)
    | (st.none() | st.sampled_from(Hint)).map(Hinted)
)
def test_every_event_is_written_so_that_it_can_be_read_back(
    event: PhaseChanged | Progressed | Hinted,
) -> None:
    fields = json.loads(protocol.encode(event))
    match fields.pop("type"):
        case "phase":
            back: object = PhaseChanged(Phase(fields["phase"]))
        case "progress":
            back = Progressed(fields["fraction"])
        case "hint":
            back = Hinted(None if fields["hint"] is None else Hint(fields["hint"]))
    assert back == event


def test_a_token_goes_with_acceptance_and_only_with_it() -> None:
    with pytest.raises(AssertionError):
        protocol.verdict(outcome="accepted", reasons=(), retry=False)
    with pytest.raises(AssertionError):
        protocol.verdict(
            outcome="rejected", reasons=("no_match",), retry=True, token="t", expires_in_s=1
        )


def test_the_document_names_every_code() -> None:
    page = (Path(__file__).parents[3] / "docs" / "protocol.md").read_text("utf-8")
    for code in [*protocol.TEXTS, *Reason, *Hint, *Phase]:
        assert f"`{code}`" in page, code
