"""Chosen nets on another machine, asked by KServe's protocol v2; the door to Triton's client.

A `Run` over another one. What is asked elsewhere has a deadline and one retry. When both fail, the
nets there rest for a while, and the ones here answer, or nobody does. Before the nets there are
asked at all, and again after each rest, their answers to a reference picture must be those of the
nets here, bit for bit: a verdict is the same wherever a net ran. Not here: which nets there are
(pipeline/nets/ort.py), in which thread this waits (inference.py).
Source: KServe's Open Inference Protocol, version 2, gRPC; Triton's client, tritonclient 2.73.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from models import manifest
from models.reference_input import tensor
from pipeline.nets import Floats, Run
from pipeline.nets.ort import SPECS
from pipeline.refusal import Refusal
from server.settings.load import Settings

logger = logging.getLogger(__name__)

TRIES = 2
REST_S = 5.0
"""After a failure nobody asks so long: a call that waits for its deadline keeps a thread from all
who have a face to be looked at."""
CHECK_S = 5.0
"""For each answer of a check: a server's first run takes many times as long as the others."""
TOLD_S = 60.0
"""The log hears of failures so often."""
SEED = 1
"""Of the reference picture."""
INSTALL = "python -m pip install 'lookgate[inference]'"


class Elsewhere(Refusal):
    """The nets there cannot be used. Codes: inference_missing, inference_unreachable,
    inference_wrong."""


@dataclass(frozen=True, slots=True)
class Where:
    """What settings say of nets elsewhere."""

    address: str
    """host:port."""
    nets: tuple[str, ...]
    deadline_s: float
    """For one try."""
    fall_back: bool
    """Whether the nets here answer in their place; if not, the picture is not looked at, and its
    session is refused."""


def of_settings(settings: Settings) -> Where | None:
    """None: every net runs here."""
    if settings.inference is None:
        return None
    return Where(
        settings.inference,
        settings.inference_nets,
        settings.inference_deadline_s,
        fall_back=settings.inference_fallback == "local",
    )


class Client(Protocol):
    """A server of the protocol. Every call may raise Elsewhere, and returns within `limit_s`."""

    def describe(self, net: str, limit_s: float) -> Described:
        """What it says that the net takes and gives."""
        ...

    def ask(self, net: str, feed: Floats, limit_s: float) -> tuple[Floats, ...]:
        """Outputs in the order in which `describe` names them."""
        ...


@dataclass(frozen=True, slots=True)
class Described:
    """Model metadata of the protocol, as far as it is looked at."""

    name: str
    feed: tuple[int, ...]
    outputs: tuple[tuple[int, ...], ...]


class RemoteNets:
    """The nets of `where` there, all others here; a `Run`, for several threads at once."""

    def __init__(
        self,
        where: Where,
        here: Run,
        client: Client,
        *,
        tell: Callable[[str], None] = lambda outcome: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`here` has the nets of `where`, too. `tell` counts: answered, failed, local, refused."""
        self._where = where
        self._here = here
        self._client = client
        self._tell = tell
        self._clock = clock
        self._lock = threading.Lock()
        self._checking = threading.Lock()
        self._trusted = False
        self._rests_until_s = 0.0
        self._told_s = -TOLD_S
        self._failed = 0

    def check(self) -> None:
        """Whether the nets there are the ones here. Raises Elsewhere."""
        listed = manifest.load()
        for net in self._where.nets:
            spec = SPECS[net]
            said = self._client.describe(net, CHECK_S)
            shapes = [_fixed(said.feed, spec.feed)]
            shapes += [_fixed(s, w) for s, w in zip(said.outputs, spec.outputs, strict=False)]
            if said.name != net or len(said.outputs) != len(spec.outputs) or not all(shapes):
                raise Elsewhere(
                    "inference_wrong",
                    f"LOOKGATE_INFERENCE has another net as {net}: {said.feed} to {said.outputs}.",
                )
            feed = tensor(listed[net].input, SEED)
            there, here = self._client.ask(net, feed, CHECK_S), self._here(net, feed)
            if [_bits(one) for one in there] != [_bits(one) for one in here]:
                raise Elsewhere(
                    "inference_wrong",
                    f"The net {net} of LOOKGATE_INFERENCE does not give the bits of the one here."
                    " It needs the same file and the same runtime.",
                )
        with self._lock:
            self._trusted = True

    def __call__(self, net: str, feed: Floats) -> tuple[Floats, ...]:
        """As `Run`. Raises Elsewhere where nobody is to answer in place of the nets there."""
        if net not in self._where.nets:
            return self._here(net, feed)
        if self._usable():
            for _ in range(TRIES):
                try:
                    outputs = self._client.ask(net, feed, self._where.deadline_s)
                    if [one.shape for one in outputs] == list(SPECS[net].outputs):
                        self._count("answered")
                        return outputs
                    raise Elsewhere("inference_wrong", f"The net {net} gave another shape.")
                except Elsewhere as error:
                    self._failure(error)
            self._rest()
        if not self._where.fall_back:
            self._count("refused")
            raise Elsewhere("inference_unreachable", "The nets elsewhere do not answer.")
        self._count("local")
        return self._here(net, feed)

    def _usable(self) -> bool:
        """Whether to ask there; after a rest one thread finds out, and the others do without."""
        with self._lock:
            if self._trusted:
                return True
            if self._clock() < self._rests_until_s:
                return False
        if not self._checking.acquire(blocking=False):
            return False
        try:
            self.check()
            logger.info("nets elsewhere answer again")
            return True
        except Elsewhere as error:
            self._failure(error)
            self._rest()
            return False
        finally:
            self._checking.release()

    def _rest(self) -> None:
        with self._lock:
            self._trusted = False
            self._rests_until_s = self._clock() + REST_S

    def _failure(self, error: Elsewhere) -> None:
        self._count("failed")
        with self._lock:
            self._failed += 1
            now_s, failed = self._clock(), self._failed
            if now_s - self._told_s < TOLD_S:
                return
            self._told_s, self._failed = now_s, 0
        logger.warning(
            "nets elsewhere do not answer",
            extra={"code": error.code, "cause": error.cause or error.text, "failed": failed},
        )

    def _count(self, outcome: str) -> None:
        with self._lock:
            self._tell(outcome)


def _fixed(said: Sequence[int], wanted: Sequence[int]) -> bool:
    """Whether a shape is the wanted one; -1 is any."""
    return len(said) == len(wanted) and all(s in (-1, w) for s, w in zip(said, wanted, strict=True))


def _bits(values: Floats) -> tuple[tuple[int, ...], str, bytes]:
    return values.shape, values.dtype.str, values.tobytes()


class TritonClient:
    """A Client over gRPC, with a connection for each thread: Triton's client shares none."""

    def __init__(self, address: str) -> None:
        """Raises Elsewhere (inference_missing) without the package."""
        try:
            import tritonclient.grpc as package
        except ImportError as error:
            raise Elsewhere(
                "inference_missing", f"LOOKGATE_INFERENCE needs the package tritonclient: {INSTALL}"
            ) from error
        self._package: Any = package
        self._address = address
        self._mine = threading.local()
        self._names: dict[str, tuple[str, tuple[str, ...]]] = {}

    def describe(self, net: str, limit_s: float) -> Described:
        """As Client."""
        said = self._safely(
            lambda: self._connection().get_model_metadata(net, client_timeout=limit_s)
        )
        kinds = {one.datatype for one in (*said.inputs, *said.outputs)}
        if len(said.inputs) != 1 or kinds != {"FP32"}:
            raise Elsewhere(
                "inference_wrong", f"The net {net} of LOOKGATE_INFERENCE takes no one picture."
            )
        self._names[net] = said.inputs[0].name, tuple(one.name for one in said.outputs)
        return Described(
            said.name,
            tuple(int(n) for n in said.inputs[0].shape),
            tuple(tuple(int(n) for n in one.shape) for one in said.outputs),
        )

    def ask(self, net: str, feed: Floats, limit_s: float) -> tuple[Floats, ...]:
        """As Client. Raises KeyError for a net that was not described."""
        name, outputs = self._names[net]
        given = self._package.InferInput(name, list(feed.shape), "FP32")
        given.set_data_from_numpy(np.ascontiguousarray(feed, np.float32))
        wanted = [self._package.InferRequestedOutput(one) for one in outputs]
        said = self._safely(
            lambda: self._connection().infer(net, [given], outputs=wanted, client_timeout=limit_s)
        )
        found = [said.as_numpy(one) for one in outputs]
        if not all(isinstance(one, np.ndarray) and one.dtype == np.float32 for one in found):
            raise Elsewhere("inference_wrong", f"The net {net} gave no float32.")
        return tuple(found)

    def _connection(self) -> Any:
        if not hasattr(self._mine, "client"):
            self._mine.client = self._package.InferenceServerClient(
                self._address,
                # Faces go to the address of the setting, and through no proxy of the environment.
                channel_args=[
                    ("grpc.enable_http_proxy", 0),
                    ("grpc.max_reconnect_backoff_ms", int(1000 * REST_S)),
                ],
            )
        return self._mine.client

    def _safely(self, call: Callable[[], Any]) -> Any:
        """What `call` gives. Raises Elsewhere for whatever came in between; its words are not told,
        because the server there chose them."""
        try:
            return call()
        except Exception as error:  # the client's own, gRPC's, and numpy's for a malformed answer
            status = getattr(error, "status", lambda: None)()
            raise Elsewhere(
                "inference_unreachable",
                "The nets of LOOKGATE_INFERENCE do not answer.",
                f"{type(error).__name__} {status or ''}".rstrip(),
            ) from error
