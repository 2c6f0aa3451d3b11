"""Settings: one table, read once, every problem told at the same time.

The only place that reads the environment. Not here: what a setting does. docs/settings.md is
written from this table (config_page.py) and a test finds it stale.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from models.manifest import default_dir

PREFIX = "LOOKGATE_"


class ConfigError(Exception):
    """Settings that cannot be used; `problems` has one sentence per setting, each with its name."""

    code = "config_invalid"

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems
        self.text = "; ".join(problems)


def _text(value: str) -> str:
    return value


def _boolean(value: str) -> bool:
    known = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    if value.lower() not in known:
        raise ValueError("must be true or false")
    return known[value.lower()]


def _number(low: float, high: float) -> Callable[[str], float]:
    def read(value: str) -> float:
        if not re.fullmatch(r"[0-9]+(\.[0-9]+)?", value) or not low <= float(value) <= high:
            raise ValueError(f"must be a number from {low:g} to {high:g}")
        return float(value)

    return read


def _integer(low: int, high: int) -> Callable[[str], int]:
    def read(value: str) -> int:
        if not re.fullmatch(r"[0-9]+", value) or not low <= int(value) <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return int(value)

    return read


def _choice(*allowed: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        if value not in allowed:
            raise ValueError(f"must be one of {', '.join(allowed)}")
        return value

    return read


def _path(value: str) -> Path:
    return Path(value).expanduser().absolute()


def _url(*schemes: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        ok = any(value.startswith(scheme) and value != scheme for scheme in schemes)
        if not ok or re.search(r"\s", value):
            raise ValueError(f"must begin with {' or '.join(schemes)}")
        return value

    return read


def _base_url(value: str) -> str:
    parts = urlsplit(value)
    bad = parts.query or parts.fragment or parts.username or not parts.hostname
    if parts.scheme not in ("http", "https") or bad:
        raise ValueError("must be an http or https URL without query or user")
    return value.rstrip("/")


def _urls(value: str) -> tuple[str, ...]:
    read = _url("turn:", "turns:")
    return tuple(read(part) for part in value.replace(",", " ").split())


def _ports(value: str) -> tuple[int, int] | None:
    match = re.fullmatch(r"([0-9]{1,5})-([0-9]{1,5})", value)
    if not match or not 1024 <= int(match[1]) <= int(match[2]) <= 65535:
        raise ValueError("must be FIRST-LAST within 1024 to 65535")
    return int(match[1]), int(match[2])


def _secret(value: str) -> str:
    if len(value) < 16:
        raise ValueError("must have at least 16 characters")
    return value


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
    store: str
    master_key: str | None
    max_sessions: int
    workers: int
    ticket_ttl_s: float
    token_ttl_s: int
    allow_no_origin: bool
    proxy_hops: int
    client_rate: float
    offer_rate: float
    rtc_addresses: tuple[str, ...]
    rtc_public_address: str | None
    rtc_ports: tuple[int, int] | None
    stun_url: str | None
    turn_urls: tuple[str, ...]
    turn_secret: str | None
    metrics_token: str | None
    record: Path | None
    record_days: float
    log_format: str
    log_level: str


@dataclass(frozen=True, slots=True)
class Setting:
    """One row of the table."""

    name: str
    """Without the prefix, upper case."""
    kind: str
    """For people."""
    default: str | None
    """As it would be written; None: nothing."""
    text: str
    """What it does."""
    read: Callable[[str], Any] = _text
    secret: bool = False
    """Its value is never shown."""


def _addresses(value: str) -> tuple[str, ...]:
    found = tuple(_address(part) for part in value.replace(",", " ").split())
    if not found:
        raise ValueError("must be IP addresses")
    return found


def _address(value: str) -> str:
    if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,3}){3}|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*", value):
        raise ValueError("must be an IP address")
    return value


TABLE: tuple[Setting, ...] = (
    Setting("HOST", "address", "127.0.0.1", "Address that HTTP listens on."),
    Setting("PORT", "port", "8470", "Port that HTTP listens on.", _integer(0, 65535)),
    Setting(
        "PUBLIC_URL",
        "URL",
        None,
        "How browsers and relying apps reach this server; the tokens' `iss`. Without it"
        " `http://localhost:PORT`.",
        _base_url,
    ),
    Setting(
        "DATA_DIR",
        "folder",
        None,
        "Database and master key. Without it `lookgate` in the XDG data folder"
        " (`~/.local/share/lookgate`).",
        _path,
    ),
    Setting(
        "MODELS_DIR",
        "folder",
        None,
        "The nets, as `lookgate models fetch` makes them. Without it `lookgate/models` in the XDG"
        " cache folder.",
        _path,
    ),
    Setting(
        "EMBEDDER",
        "file",
        None,
        "Recognition net of an InsightFace pack to use in place of SFace, by someone who has the"
        " right to (docs/insightface.md). Needs MATCH_SCORE. Everybody must enrol again.",
        _path,
    ),
    Setting(
        "MATCH_SCORE",
        "cosine",
        None,
        "From which similarity on a face matches its template with EMBEDDER, which needs it: the"
        " built-in threshold is SFace's.",
        _number(0.3, 0.9),
    ),
    Setting(
        "POLICY",
        "file",
        None,
        "JSON or TOML with fields of the policy to change, as `lookgate calibrate` writes it"
        " (docs/evaluation.md). Without it the built-in values.",
        _path,
    ),
    Setting(
        "STORE",
        "URL",
        "sqlite:///lookgate.sqlite3",
        "`sqlite:///NAME` is a file in the data folder, `sqlite:////PATH` one elsewhere;"
        " `mongodb://...` uses MongoDB.",
        _url("sqlite:///", "mongodb://", "mongodb+srv://"),
        secret=True,
    ),
    Setting(
        "MASTER_KEY",
        "base64 of 32 bytes",
        None,
        "Seals templates and signing keys; several, newest first, separated by commas. Without it"
        " a key file is made in the data folder on first start.",
        _text,
        secret=True,
    ),
    Setting(
        "MAX_SESSIONS",
        "number",
        "8",
        "Sessions with a camera at the same time; more are told `busy`.",
        _integer(1, 1000),
    ),
    Setting(
        "WORKERS",
        "number",
        None,
        "Threads that measure frames. Without it as many as there are cores.",
        _integer(1, 256),
    ),
    Setting(
        "TICKET_TTL_S",
        "seconds",
        "60",
        "How long a ticket may wait for its offer.",
        _number(5, 600),
    ),
    Setting("TOKEN_TTL_S", "seconds", "120", "How long a token is valid.", _integer(10, 120)),
    Setting(
        "ALLOW_NO_ORIGIN",
        "true or false",
        "true",
        "Take offers without an `Origin` header. Browsers always send one; the command line and"
        " native apps do not, and their ticket is the secret. An origin that is sent is checked"
        " either way.",
        _boolean,
    ),
    Setting(
        "PROXY_HOPS",
        "number",
        "0",
        "Proxies of yours in front of this server: so many entries from the right of"
        " `X-Forwarded-For` are believed.",
        _integer(0, 8),
    ),
    Setting(
        "CLIENT_RATE",
        "per second",
        "10",
        "Requests of one relying app, on average; six times as many at once.",
        _number(0.1, 10000),
    ),
    Setting(
        "OFFER_RATE",
        "per second",
        "1",
        "Offers, and wrong client secrets, of one address, on average; twenty times as many at"
        " once.",
        _number(0.1, 10000),
    ),
    Setting(
        "RTC_ADDRESSES",
        "IP addresses",
        None,
        "Addresses that media binds to, separated by commas. Without it all of this machine's.",
        _addresses,
    ),
    Setting(
        "RTC_PUBLIC_ADDRESS",
        "IP address",
        None,
        "Address told to browsers in place of the bound ones (one-to-one NAT, containers).",
        _address,
    ),
    Setting(
        "RTC_PORTS",
        "FIRST-LAST",
        None,
        "UDP ports for media, one per session. Without it any free one.",
        _ports,
    ),
    Setting(
        "STUN_URL",
        "URL",
        None,
        "`stun:host:port`, told to browsers. Not needed where they reach this server directly.",
        _url("stun:", "stuns:"),
    ),
    Setting(
        "TURN_URL",
        "URLs",
        None,
        "`turn:host:port?transport=udp` and so on, separated by commas; told to browsers with"
        " credentials for one session. Needs TURN_SECRET.",
        _urls,
    ),
    Setting(
        "TURN_SECRET",
        "text",
        None,
        "coturn's `static-auth-secret`. Needs TURN_URL.",
        _secret,
        secret=True,
    ),
    Setting(
        "METRICS_TOKEN",
        "text",
        None,
        "Bearer token for `/metrics`. Without it only this machine may read them, and only past no"
        " proxy.",
        _secret,
        secret=True,
    ),
    Setting(
        "RECORD",
        "folder",
        None,
        "Record every session into this folder (docs/tape.md): faces and templates in the clear."
        " The page tells the person, who may decline. Without it nothing is recorded.",
        _path,
    ),
    Setting(
        "RECORD_DAYS",
        "days",
        "30",
        "Recordings older than this are removed, while RECORD is set.",
        _number(0.01, 3650),
    ),
    Setting("LOG_FORMAT", "json or plain", "plain", "One line a record.", _choice("json", "plain")),
    Setting(
        "LOG_LEVEL",
        "level",
        "info",
        "How much is told.",
        _choice("debug", "info", "warning", "error"),
    ),
)

COMMAND_LINE: tuple[Setting, ...] = (
    Setting("SERVER", "URL", "http://127.0.0.1:8470", "Which server to talk to.", _base_url),
    Setting(
        "CLIENT_SECRET", "text", None, "The relying app's secret, in place of a file.", secret=True
    ),
)
"""Read by `lookgate enroll`, `login` and `identify` alone."""


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """Read every setting. Raises ConfigError with all problems.

    An empty variable counts as unset, as compose files write them.
    """
    given = os.environ if environ is None else environ
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
    if problems:
        raise ConfigError(problems)
    values["turn_urls"] = urls or ()
    values["rtc_addresses"] = values["rtc_addresses"] or ()
    # The event loop takes 0.015 of a core a session (measured), the frames ten times as much.
    values["workers"] = values["workers"] or os.cpu_count() or 1
    values["public_url"] = values["public_url"] or f"http://localhost:{values['port']}"
    values["data_dir"] = values["data_dir"] or default_data_dir(given)
    values["models_dir"] = values["models_dir"] or default_dir(given)
    return Settings(**{field.name: values[field.name] for field in fields(Settings)})


def command_line(environ: Mapping[str, str] | None = None) -> dict[str, str | None]:
    """SERVER and CLIENT_SECRET. Raises ConfigError."""
    given = os.environ if environ is None else environ
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


def _value(row: Setting, given: Mapping[str, str]) -> Any:
    text = given.get(PREFIX + row.name, "").strip() or row.default
    return None if text is None else row.read(text)


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
