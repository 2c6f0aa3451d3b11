"""Two servers of KServe's protocol v2 that nobody here wrote: NVIDIA's Triton, Seldon's MLServer.

Each is installed from PyPI into an environment of its own below build/, with our ONNX Runtime, and
serves our embedder on loopback. Not here: what they are asked (test_kserve.py).
Source: the packages nvidia-pytriton (brings a tritonserver) and mlserver.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from models.manifest import default_dir
from server.frames.elsewhere import Elsewhere, TritonClient
from tests.peers.tools import free_port

HERE = Path(__file__).parent
BUILD = HERE.parents[1] / "build" / "peers"
INSTALL_S, START_S = 240.0, 60.0
PACKAGES = {
    "triton": "nvidia-pytriton==0.7.0",
    "mlserver": "mlserver==1.7.1",
}


@dataclass
class KServe:
    """A running one, and all processes that belong to it."""

    address: str
    process: subprocess.Popen[bytes]

    def signal(self, number: signal.Signals) -> None:
        """Send it to all of them."""
        os.killpg(self.process.pid, number)

    def cpu_s(self) -> float:
        """CPU seconds of all of them so far (proc(5), stat: pgrp, utime, stime)."""
        ticks = 0
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                fields = stat.read_text().rpartition(")")[2].split()
                if int(fields[2]) == self.process.pid:
                    ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")


def environment(name: str) -> Path:
    """The bin folder of a peer's own environment; a skip if PyPI cannot be reached."""
    folder = BUILD / name
    if not (folder / ".stamp").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        runtime = f"onnxruntime=={importlib.metadata.version('onnxruntime')}"
        _pip([str(folder / "bin" / "pip")], PACKAGES[name], runtime)
        if name == "triton":
            (packages,) = (folder / "lib").glob("python3.*/site-packages")
            shutil.copy(HERE / "stub" / "sitecustomize.py", packages)
        (folder / ".stamp").touch()
    return folder / "bin"


def _pip(pip: list[str], *arguments: str) -> None:
    command = [*pip, "install", "--quiet", "--only-binary", ":all:", *arguments]
    # Without PYTHONPATH: what is on it would count as installed already.
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=INSTALL_S, env=_environ()
    )
    if done.returncode != 0:
        pytest.skip(f"{arguments[-1]} cannot be installed from PyPI: {done.stderr.strip()[-300:]}")


def _environ() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}


@contextlib.contextmanager
def triton() -> Iterator[KServe]:
    """Triton with the embedder in its Python backend."""
    python = environment("triton") / "python"
    grpc, http = free_port(), free_port()
    command = [str(python), str(HERE / "triton_server.py"), str(default_dir())]
    with _running([*command, str(grpc), str(http), "embed"], f"127.0.0.1:{grpc}") as server:
        yield server


@contextlib.contextmanager
def mlserver() -> Iterator[KServe]:
    """MLServer with the embedder in a custom runtime."""
    program = environment("mlserver") / "mlserver"
    grpc, http, metrics = free_port(), free_port(), free_port()
    settings: dict[str, Any] = {"host": "127.0.0.1", "grpc_port": grpc, "http_port": http}
    settings |= {"metrics_port": metrics, "parallel_workers": 0, "debug": False}
    model = {
        "name": "embed",
        "implementation": "mlserver_runtime.OnnxNet",
        "inputs": [{"name": "image", "datatype": "FP32", "shape": [1, 3, 112, 112]}],
        "outputs": [{"name": "embedding", "datatype": "FP32", "shape": [1, 128]}],
        "parameters": {"uri": str(default_dir() / "embed.onnx")},
    }
    with tempfile.TemporaryDirectory(prefix="lookgate-mlserver-") as folder:
        (Path(folder) / "settings.json").write_text(json.dumps(settings))
        (Path(folder) / "model-settings.json").write_text(json.dumps(model))
        shutil.copy(HERE / "mlserver_runtime.py", folder)
        with _running([str(program), "start", folder], f"127.0.0.1:{grpc}") as server:
            yield server


SERVERS = {"triton": triton, "mlserver": mlserver}


@contextlib.contextmanager
def _running(command: list[str], address: str) -> Iterator[KServe]:
    """In a process group of its own, ready to be asked; killed at the end."""
    if importlib.util.find_spec("tritonclient") is None:
        pytest.skip("tritonclient is not on the path (tests/peers/run.py puts it there)")
    with tempfile.TemporaryDirectory(prefix="lookgate-kserve-") as folder:
        log = Path(folder) / "log"
        environ = _environ() | {"PYTRITON_HOME": folder, "HOME": folder}
        with log.open("wb") as out:
            process = subprocess.Popen(
                command, stdout=out, stderr=out, cwd=folder, env=environ, start_new_session=True
            )
        try:
            _wait(address, process, log)
            yield KServe(address, process)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _wait(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Return when it says what the embedder takes."""
    deadline_s = time.monotonic() + START_S
    asked = TritonClient(address)
    while True:
        with contextlib.suppress(Elsewhere):
            asked.describe("embed", 1.0)
            return
        if process.poll() is not None or time.monotonic() > deadline_s:
            pytest.fail(f"it did not start: {log.read_text('utf-8', 'replace')[-2000:]}")
        time.sleep(0.2)
