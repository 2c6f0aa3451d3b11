"""Nets and archives small enough to be made in a test: a few weights, no real package."""

from __future__ import annotations

import hashlib
import io
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from models import graph
from models.check import onnxruntime
from models.manifest import Input, Net, Output, Source


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def onnx_net(slope: float = 0.25) -> bytes:
    """y = PRelu(x - 128) over 1x3x4x4, as a package might hold it."""
    proto = graph.model(
        [graph.node("Sub", ["x", "grey"], "c"), graph.node("PRelu", ["c", "slope"], "y")],
        [graph.value("x", (1, 3, 4, 4))],
        [graph.value("y", (1, 3, 4, 4))],
        [
            graph.tensor("grey", np.array(128, np.float32)),
            graph.tensor("slope", np.array([slope, 2, 3], np.float32).reshape(3, 1, 1)),
        ],
        opset=13,
    )
    return graph.serialise(proto, "from-a-package")


def wheel(members: dict[str, bytes], executable: bool = False) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as z:
        for name, data in members.items():
            info = zipfile.ZipInfo(name, (2020, 1, 1, 0, 0, 0))
            info.external_attr = (0o100755 if executable else 0o100644) << 16
            z.writestr(info, data)
    return stream.getvalue()


def tarball(members: dict[str, bytes | tarfile.TarInfo]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as t:
        for name, data in members.items():
            if isinstance(data, tarfile.TarInfo):
                t.addfile(data)
            else:
                info = tarfile.TarInfo(name)
                info.size = len(data)
                t.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def source(archive: bytes, registry: str = "pypi") -> Source:
    return Source(
        registry=registry,
        package="tiny",
        version="1.0",
        archive="tiny-1.0-py3-none-any.whl" if registry == "pypi" else "tiny-1.0.tgz",
        archive_sha256=sha256(archive),
        archive_bytes=len(archive),
        tags=(),
    )


def net(of: Source, data: bytes, converted: bytes, **changes: Any) -> Net:
    one = Net(
        name="tiny",
        task="test",
        licence="CC0-1.0",
        origin="made in a test",
        warning="",
        source=of,
        path="tiny/net.onnx",
        source_sha256=sha256(data),
        source_bytes=len(data),
        conversion="onnx",
        conversion_version=2,
        file="tiny.onnx",
        sha256=sha256(converted),
        bytes=len(converted),
        input=Input("image", (1, 3, 4, 4), "NCHW", "BGR", 1.0),
        outputs=(Output("out", (1, 3, 4, 4), "y", "the input, bent"),),
        tolerance=1e-3,
        one_thread_ms=0.01,
    )
    return replace(one, **changes)


def run(data: bytes, x: np.ndarray[Any, Any]) -> list[np.ndarray[Any, Any]]:
    """All outputs of an ONNX net with one input."""
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    return list(session.run(None, {session.get_inputs()[0].name: x}))


def write(file: Path, data: bytes) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
    return file
