"""All settings of the demo app: command line first, then environment, then the default.

No other module reads the environment. Source: docs/widget.md, "The demo app".
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit


class BadSettings(Exception):
    """Every problem of the settings at once, one sentence each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the demo app is told at its start."""

    server: str
    """Lookgate as this app reaches it, without a slash at the end."""
    public_server: str
    """Lookgate as browsers reach it; also the issuer that tokens must name."""
    client: str
    """This app's client id at Lookgate; also the audience that tokens must name."""
    secret: str = field(repr=False)
    """The client secret; sent to `server` and nowhere else."""
    host: str = "127.0.0.1"
    port: int = 8471
    database: Path = Path("demo.sqlite3")
    secure_cookies: bool = False
    """True behind https: cookies get `Secure` and the `__Host-` prefix."""
    behind_proxy: bool = False
    """True behind one reverse proxy: the caller's address is the last of `X-Forwarded-For`."""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m web.demo", description="A demo app that logs people in by Lookgate."
    )
    parser.add_argument("--server", help="Lookgate's URL for this app [LOOKGATE_DEMO_SERVER]")
    parser.add_argument(
        "--public-server",
        help="Lookgate's URL for browsers, when another [LOOKGATE_DEMO_PUBLIC_SERVER]",
    )
    parser.add_argument("--client", help="client id [LOOKGATE_DEMO_CLIENT]")
    parser.add_argument(
        "--secret-file", help="file with the client secret [LOOKGATE_DEMO_SECRET_FILE]"
    )
    parser.add_argument("--host", help="address to listen on [LOOKGATE_DEMO_HOST]")
    parser.add_argument("--port", help="port to listen on [LOOKGATE_DEMO_PORT]")
    parser.add_argument("--database", help="SQLite file [LOOKGATE_DEMO_DATABASE]")
    for name, text in (("secure-cookies", "set behind https"), ("behind-proxy", "set behind one")):
        variable = f"LOOKGATE_DEMO_{name.replace('-', '_').upper()}"
        parser.add_argument(
            f"--{name}", action="store_const", const="1", help=f"{text} [{variable}]"
        )
    return parser


def read_settings(arguments: Sequence[str], environ: Mapping[str, str] | None = None) -> Settings:
    """Read all settings; `BadSettings` lists everything that is wrong with them."""
    environ = os.environ if environ is None else environ
    given = vars(_parser().parse_args(arguments))
    problems: list[str] = []

    def value(name: str, default: str = "") -> str:
        told = environ.get(f"LOOKGATE_DEMO_{name.upper()}", "")
        # Kubernetes makes LOOKGATE_DEMO_PORT=tcp://... of a Service named lookgate-demo.
        return given[name] or (told if not told.startswith("tcp://") else "") or default

    def url(name: str, default: str) -> str:
        text = value(name, default).rstrip("/")
        parts = urlsplit(text)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
            problems.append(f"{name.replace('_', '-')}: {text!r} is not an http or https URL")
        return text

    server = url("server", "http://127.0.0.1:8470")
    public_server = url("public_server", server)
    secret = ""
    secret_file = value("secret_file")
    if not secret_file:
        problems.append("secret-file: is needed; `lookgate client add` makes the secret")
    else:
        try:
            secret = Path(secret_file).read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            problems.append(f"secret-file: cannot read {secret_file!r}: {type(error).__name__}")
        else:
            if not secret:
                problems.append(f"secret-file: {secret_file!r} is empty")
    port = value("port", "8471")
    if not (port.isascii() and port.isdigit() and int(port) < 65536):
        problems.append(f"port: {port!r} is not a port number")
        port = "0"
    flags = {name: value(name, "0").lower() for name in ("secure_cookies", "behind_proxy")}
    for name, flag in flags.items():
        if flag not in ("0", "1", "true", "false"):
            problems.append(f"{name.replace('_', '-')}: is 0 or 1")
    if problems:
        raise BadSettings(problems)
    return Settings(
        server=server,
        public_server=public_server,
        client=value("client", "demo"),
        secret=secret,
        host=value("host", "127.0.0.1"),
        port=int(port),
        database=Path(value("database", "demo.sqlite3")),
        secure_cookies=flags["secure_cookies"] in ("1", "true"),
        behind_proxy=flags["behind_proxy"] in ("1", "true"),
    )
