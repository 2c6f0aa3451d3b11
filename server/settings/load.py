"""Settings out of the environment: read once, every problem told at the same time.

The only file of the server that reads the environment. Not here: which settings there are
(table.py).
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from models.manifest import default_dir
from pipeline.refusal import Refusal
from server import cpus
from server.settings.table import COMMAND_LINE, PREFIX, TABLE, Setting

SESSIONS_OF_A_CPU = 8
"""One carries 6 that look at every picture, measured. This only bounds what may be tried."""
FEWEST_SESSIONS = 4
"""A part of a CPU carries people one after the other, who connect meanwhile."""
MOST_TOGETHER = 1000
"""As MAX_SESSIONS may be."""
FEWEST_IN_LINE = 32
MOST_SESSIONS = 64
"""One process keeps some 3 CPUs busy, because one thread alone runs Python at a time."""


class ConfigError(Refusal):
    """Settings that cannot be used; `problems` has one sentence per setting, each with its name."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("config_invalid", "; ".join(problems))
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Settings:
    """What one server was told; field `x_y` is the variable LOOKGATE_X_Y."""

    host: str
    port: int
    public_url: str
    data_dir: Path
    models_dir: Path
    embedder: Path | None
    match_score: float | None
    policy: Path | None
    inference: str | None
    inference_nets: tuple[str, ...]
    inference_deadline_s: float
    inference_fallback: str
    store: str
    master_key: str | None
    max_sessions: int
    max_connecting: int
    line: int
    subject_addresses: int
    identify_sessions: int
    workers: int
    ticket_ttl_s: float
    token_ttl_s: int
    allow_no_origin: bool
    proxy_hops: int
    client_rate: float
    offer_rate: float
    address_failures: int
    identify_failures: int
    max_connections: int
    address_connections: int
    rtc_addresses: tuple[str, ...]
    rtc_public_address: str | None
    rtc_ports: tuple[int, int] | None
    stun_url: str | None
    turn_urls: tuple[str, ...]
    turn_secret: str | None
    metrics_token: str | None
    duplicates: str
    replayed: str
    adapt: str
    record: Path | None
    record_days: float
    log_format: str
    log_level: str


def load(environ: Mapping[str, str] | None = None, *, processes: int = 1) -> Settings:
    """Read every setting, for so many processes together. Raises ConfigError with all problems.

    An empty variable counts as unset, as compose files write them.
    """
    given = _told(environ)
    problems = _unknown(given)
    values: dict[str, Any] = {}
    for row in TABLE:
        try:
            values[row.name.lower()] = _value(row, given)
        except ValueError as error:
            problems.append(f"{PREFIX}{row.name} {error}")
    urls, secret = values.pop("turn_url", None), values.get("turn_secret")
    if (urls is None) != (secret is None) and not problems:
        missing = "TURN_URL" if urls is None else "TURN_SECRET"
        problems.append(f"{PREFIX}{missing} is missing: TURN needs both")
    if (values.get("embedder") is None) != (values.get("match_score") is None) and not problems:
        if values["embedder"] is None:
            problems.append(f"{PREFIX}EMBEDDER is missing: {PREFIX}MATCH_SCORE belongs to it")
        else:
            problems.append(
                f"{PREFIX}MATCH_SCORE is missing: the built-in thresholds are calibrated for SFace"
                f" only, so {PREFIX}EMBEDDER needs its own"
            )
    if values.get("embedder") and values.get("inference") and "embed" in values["inference_nets"]:
        problems.append(
            f"{PREFIX}INFERENCE_NETS has `embed`, which {PREFIX}EMBEDDER replaces: one of the two"
        )
    if problems:
        raise ConfigError(problems)
    values["turn_urls"] = urls or ()
    values["rtc_addresses"] = values["rtc_addresses"] or ()
    # The event loop takes 0.015 of a core a session (measured), the frames ten times as much.
    values["workers"] = values["workers"] or cpus.whole()
    values["max_sessions"] = values["max_sessions"] or _sessions(
        cpus.usable(), values["rtc_ports"], processes
    )
    if values["line"] is None:
        values["line"] = max(FEWEST_IN_LINE, 4 * values["max_sessions"])
    values["public_url"] = values["public_url"] or f"http://localhost:{values['port']}"
    values["data_dir"] = values["data_dir"] or default_data_dir(given)
    values["models_dir"] = values["models_dir"] or default_dir(given)
    return Settings(**{field.name: values[field.name] for field in fields(Settings)})


def _sessions(count: float, ports: tuple[int, int] | None, processes: int) -> int:
    found = min(
        MOST_SESSIONS * processes,
        MOST_TOGETHER,
        max(FEWEST_SESSIONS, math.ceil(SESSIONS_OF_A_CPU * count)),
    )
    if ports is not None:  # as many connect as show a picture
        found = min(found, max(1, (ports[1] - ports[0] + 1) // 2))
    return found


def command_line(environ: Mapping[str, str] | None = None) -> dict[str, str | None]:
    """SERVER and CLIENT_SECRET. Raises ConfigError."""
    given = _told(environ)
    problems, values = [], {}
    for row in COMMAND_LINE:
        try:
            values[row.name.lower()] = _value(row, given)
        except ValueError as error:
            problems.append(f"{PREFIX}{row.name} {error}")
    if problems:
        raise ConfigError(problems)
    return values


def default_data_dir(environ: Mapping[str, str]) -> Path:
    """`lookgate` in the XDG data folder (XDG Base Directory Specification 0.8)."""
    base = environ.get("XDG_DATA_HOME", "")
    if base and Path(base).is_absolute():
        return Path(base) / "lookgate"
    home = environ.get("HOME", "")
    return (Path(home) if home else Path.home()) / ".local" / "share" / "lookgate"


def child_environ(**changed: str) -> dict[str, str]:
    """This process's environment for a child, with LOOKGATE_* as given and no others."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return {**kept, **{PREFIX + name.upper(): value for name, value in changed.items()}}


def environ_of_one(count: int, together: Settings) -> dict[str, str]:
    """This process's environment for one of so many that serve together and share the CPUs."""
    environ = dict(os.environ)
    if not environ.get(f"{PREFIX}WORKERS", "").strip():
        environ[f"{PREFIX}WORKERS"] = str(math.ceil(cpus.usable() / count))
    # Where the others died, one has all sessions, and their sockets.
    environ[f"{PREFIX}MAX_SESSIONS"] = str(together.max_sessions)
    return environ


def _value(row: Setting, given: Mapping[str, str]) -> Any:
    text = given.get(PREFIX + row.name, "").strip() or row.default
    return None if text is None else row.read(text)


def of_services(environ: Mapping[str, str] | None = None) -> list[str]:
    """Names of variables that Kubernetes made of a Service, for the log: they are no settings.

    A Service named `lookgate` brings LOOKGATE_PORT=tcp://... and six others into every pod of its
    namespace, and one named `lookgate-x` as many.
    """
    given = os.environ if environ is None else environ
    return sorted(name for name in given if _of_service(name, given[name]))


def _of_service(name: str, text: str) -> bool:
    return any(names.fullmatch(name) and texts.fullmatch(text) for names, texts in _SERVICE)


_SERVICE = tuple(
    (re.compile(rf"{PREFIX[:-1]}(?:_[A-Z0-9_]+)?_(?:{names})"), re.compile(texts))
    for names, texts in (
        (r"SERVICE_HOST|PORT_[0-9]+_(?:TCP|UDP|SCTP)_ADDR", r"[0-9A-Fa-f.:]+"),
        (r"SERVICE_PORT(?:_[A-Z0-9_]+)?|PORT_[0-9]+_(?:TCP|UDP|SCTP)_PORT", r"[0-9]+"),
        (r"PORT_[0-9]+_(?:TCP|UDP|SCTP)_PROTO", r"tcp|udp|sctp"),
        (r"PORT(?:_[0-9]+_(?:TCP|UDP|SCTP))?", r"(?:tcp|udp|sctp)://[0-9A-Fa-f.:\[\]]+:[0-9]+"),
    )
)
"""Names and texts of the variables of a Service, `lookgate` or `lookgate-x` (Kubernetes, "Service",
"Environment variables"; pkg/kubelet/envvars/envvars.go)."""


def _told(environ: Mapping[str, str] | None) -> Mapping[str, str]:
    """What somebody told us, without what Kubernetes made."""
    given = os.environ if environ is None else environ
    return {name: text for name, text in given.items() if not _of_service(name, text)}


def _unknown(given: Mapping[str, str]) -> list[str]:
    """A misspelt setting must not be silently ignored."""
    known = {PREFIX + row.name for row in (*TABLE, *COMMAND_LINE)}
    strange = sorted(
        name
        for name in given
        # The demo app's own settings begin alike (web/demo).
        if name.startswith(PREFIX) and not name.startswith(f"{PREFIX}DEMO_") and name not in known
    )
    return [f"{name} is not a setting" for name in strange]
