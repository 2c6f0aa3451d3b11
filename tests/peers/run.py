"""`make test-peers`: the tests against programs that nobody here wrote, one peer after the other.

Each peer has 6 minutes, all together have 25; one that takes longer is stopped and has failed. A
peer whose tool is lacking is skipped by name, and the reasons stand at the end of its run.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
KSERVE = "tests/peers/test_kserve.py"
PEERS: dict[str, list[str]] = {
    "FerretDB 1.24 over PostgreSQL": [
        "--store=ferretdb",
        "tests/server/conformance",
        "tests/peers/test_ferretdb.py",
    ],
    "Triton": [KSERVE, "-ktriton"],
    "MLServer": [KSERVE, "-kmlserver"],
    "haproxy before two servers": ["tests/peers/test_many_machines.py"],
    "Apache and LemonLDAP::NG": ["tests/peers/oidc/test_apache_and_lemonldap.py"],
    "relying apps in JavaScript": ["tests/peers/oidc/test_node_apps.py"],
    "JupyterHub and idpyoidc": ["tests/peers/oidc/test_python_apps.py"],
    "Keycloak": ["tests/peers/oidc/test_keycloak.py"],
    "oauth2-proxy": ["tests/peers/oidc/test_oauth2_proxy.py"],
}
"""Name and arguments of pytest."""

CLIENT = ROOT / "build" / "peers" / "client"
PEER_S = 360.0
ALL_S = 1500.0
LAST_WORDS_S = 30.0
"""For pytest to take down what it set up."""


def path_with_client() -> str:
    """PYTHONPATH with Triton's client, which wants an older protobuf than the rest of this project.
    Where PyPI cannot be reached, its tests skip and say so."""
    if not CLIENT.exists():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--only-binary", ":all:"]
        command += ["--target", str(CLIENT), "tritonclient[grpc]==2.73.0"]
        if subprocess.run(command, check=False, timeout=PEER_S).returncode != 0:
            shutil.rmtree(CLIENT, ignore_errors=True)
    return os.pathsep.join([str(CLIENT), str(ROOT)])


def run_one(arguments: list[str], limit_s: float) -> int:
    """Its status; it is stopped after `limit_s`."""
    command = [sys.executable, "-m", "pytest", "-rs", *arguments]
    environ = dict(os.environ)
    if KSERVE in arguments:
        environ["PYTHONPATH"] = path_with_client()
    child = subprocess.Popen(command, cwd=ROOT, env=environ, start_new_session=True)
    try:
        return child.wait(limit_s)
    except subprocess.TimeoutExpired:
        child.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(LAST_WORDS_S)
        return 1
    finally:
        # What it started and left behind is of its session.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def main() -> int:
    """Run all, with the arguments of this command for each."""
    ends_s = time.monotonic() + ALL_S
    failed = []
    for name, arguments in PEERS.items():
        print(f"== {name}", flush=True)
        limit_s = min(PEER_S, ends_s - time.monotonic() - LAST_WORDS_S)
        if limit_s <= 0 or run_one([*arguments, *sys.argv[1:]], limit_s) != 0:
            failed.append(name)
    for name in failed:
        print(f"FAILED or not in time: {name}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
