"""One command in an empty network, with a name server that writes down what it is asked.

Run by test_silence.py as `unshare --net --mount python -m tests.alone REPORT UNTIL COMMAND...`: the
process is alone on a network that has loopback and nothing else. The command is ended by SIGINT as
soon as a line of its output holds UNTIL, where that is not empty. REPORT gets its status, its last
words and the names that were looked up, as JSON. Not here: what is expected.
Source: network_namespaces(7), netdevice(7), RFC 1035 section 4.1 (questions).
"""

from __future__ import annotations

import fcntl
import json
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

SERVER = "127.0.0.1"
RESOLV_CONF = Path("/etc/resolv.conf")
_SIOCSIFFLAGS, _IFF_UP = 0x8914, 0x1
"""linux/sockios.h, linux/if.h."""


def main(arguments: Sequence[str]) -> None:
    """Run the command to its end."""
    report, until, *command = arguments
    asked: list[str] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as names:
        fcntl.ioctl(names, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", _IFF_UP))
        names.bind((SERVER, 53))
        with tempfile.NamedTemporaryFile("w") as told:
            told.write(f"nameserver {SERVER}\noptions attempts:1 timeout:1\n")
            told.flush()
            # Seen by this mount namespace alone.
            subprocess.run(["mount", "--bind", told.name, str(RESOLV_CONF)], check=True)
            threading.Thread(target=_answer, args=(names, asked), daemon=True).start()
            status, said = _run(command, until)
    Path(report).write_text(json.dumps({"status": status, "said": said[-20:], "asked": asked}))


def _run(command: Sequence[str], until: str) -> tuple[int, list[str]]:
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        said.append(line.rstrip())
        if until and until in line:
            process.send_signal(signal.SIGINT)
    return process.wait(), said


def _answer(names: socket.socket, asked: list[str]) -> None:
    """Say that no name exists, and keep it."""
    while True:
        try:
            question, whose = names.recvfrom(4096)
        except OSError:
            return
        asked.append(_name(question))
        # Header of 12 bytes: an answer (QR), recursion available, RCODE 3: there is no such name.
        names.sendto(question[:2] + b"\x81\x83" + question[4:], whose)


def _name(question: bytes) -> str:
    labels, at = [], 12
    while at < len(question) and question[at]:
        labels.append(question[at + 1 : at + 1 + question[at]].decode("ascii", "replace"))
        at += 1 + question[at]
    return ".".join(labels)


if __name__ == "__main__":
    main(sys.argv[1:])
