"""The table of settings: the name, the kind, the default, the meaning and the reader of each.

docs/settings.md is written from it (markdown.py), and a test finds that page stale. Not here: how a
text is read (readers.py), where the texts come from (load.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from server.settings import readers

PREFIX = "LOOKGATE_"


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
    read: Callable[[str], Any] = readers.text
    secret: bool = False
    """Its value is never shown."""


TABLE: tuple[Setting, ...] = (
    Setting("HOST", "address", "127.0.0.1", "Address that HTTP listens on."),
    Setting("PORT", "port", "8470", "Port that HTTP listens on.", readers.integer(0, 65535)),
    Setting(
        "PUBLIC_URL",
        "URL",
        None,
        "How browsers and relying apps reach this server; the tokens' `iss`. Without it"
        " `http://localhost:PORT`.",
        readers.base_url,
    ),
    Setting(
        "DATA_DIR",
        "folder",
        None,
        "Database and master key; one that others may enter is refused. Without it `lookgate` in"
        " the XDG data folder (`~/.local/share/lookgate`).",
        readers.path,
    ),
    Setting(
        "MODELS_DIR",
        "folder",
        None,
        "The nets, as `lookgate models fetch` makes them. Without it `lookgate/models` in the XDG"
        " cache folder.",
        readers.path,
    ),
    Setting(
        "EMBEDDER",
        "file",
        None,
        "Recognition net of an InsightFace pack to use in place of SFace, by someone who has the"
        " right to (docs/insightface.md). Needs MATCH_SCORE. Everybody must enrol again.",
        readers.path,
    ),
    Setting(
        "MATCH_SCORE",
        "cosine",
        None,
        "From which similarity on a face matches its template with EMBEDDER, which needs it: the"
        " built-in threshold is SFace's.",
        readers.number(0.3, 0.9),
    ),
    Setting(
        "POLICY",
        "file",
        None,
        "JSON or TOML with fields of the policy to change, as `lookgate calibrate` writes it"
        " (docs/evaluation.md). Without it the built-in values.",
        readers.path,
    ),
    Setting(
        "INFERENCE",
        "URL",
        None,
        "`grpc://host:port` of a server of KServe's protocol v2 that runs INFERENCE_NETS, with the"
        " same files and the same runtime: crops of faces go there, in the clear (docs/scaling.md)."
        " Without it every net runs here.",
        readers.grpc,
    ),
    Setting(
        "INFERENCE_NETS",
        "names",
        "embed",
        "Nets that run at INFERENCE, separated by commas: `embed`, `mesh`, `spoof`, `detect`,"
        " `iris`. Without a GPU there only `embed` is worth its way.",
        readers.nets,
    ),
    Setting(
        "INFERENCE_DEADLINE_S",
        "seconds",
        "0.25",
        "How long one call of INFERENCE may take; it is made twice, and then for 5 s none.",
        readers.number(0.01, 5),
    ),
    Setting(
        "INFERENCE_FALLBACK",
        "local or refuse",
        "local",
        "What happens while INFERENCE does not answer: the nets here answer, or sessions are"
        " refused (`internal`).",
        readers.choice("local", "refuse"),
    ),
    Setting(
        "STORE",
        "URL",
        "sqlite:///lookgate.sqlite3",
        "`sqlite:///NAME` is a file in the data folder, `sqlite:////PATH` one elsewhere;"
        " `mongodb://...` uses MongoDB.",
        readers.url("sqlite:///", "mongodb://", "mongodb+srv://"),
        secret=True,
    ),
    Setting(
        "MASTER_KEY",
        "base64 of 32 bytes",
        None,
        "Seals templates and signing keys; several, newest first, separated by commas. Without it"
        " a key file is made in the data folder on first start.",
        readers.text,
        secret=True,
    ),
    Setting(
        "MAX_SESSIONS",
        "number",
        None,
        "At most so many sessions show a picture at the same time; more are told `busy`. Fewer"
        " where the CPUs do not carry so many. Without it 8 for each CPU that this process may use"
        " (affinity, cgroup quota), from 4 to 64 a process, and no more than half of RTC_PORTS."
        " All processes of one `lookgate serve` have them together.",
        readers.integer(1, 1000),
    ),
    Setting(
        "MAX_CONNECTING",
        "number",
        "32",
        "Sessions that show no picture yet, beside those; more are told `busy`. Where few places"
        " are free, they have 5 s in place of 10 s to connect, and as long for the first picture.",
        readers.integer(1, 1000),
    ),
    Setting(
        "LINE",
        "number",
        None,
        "Sessions that wait in line for a place; more are told `busy` and have no rank. Without"
        " it four times MAX_SESSIONS, and at least 32.",
        readers.integer(0, 4000),
    ),
    Setting(
        "SUBJECT_ADDRESSES",
        "number",
        "3",
        "Addresses (IPv6: /64) at which one subject may have a session at the same time, one at"
        " each: a new one ends the older one of the same address. More are told"
        " `too_many_sessions`.",
        readers.integer(1, 1000),
    ),
    Setting(
        "IDENTIFY_SESSIONS",
        "number",
        "30",
        "Sessions without a subject of one relying app and address at the same time, and always"
        " fewer than MAX_SESSIONS; more are told `too_many_sessions`.",
        readers.integer(1, 1000),
    ),
    Setting(
        "WORKERS",
        "number",
        None,
        "Threads that measure frames, of each process. Without it as many as CPUs that this"
        " process may use; `lookgate serve --processes` shares them out.",
        readers.integer(1, 256),
    ),
    Setting(
        "TICKET_TTL_S",
        "seconds",
        "60",
        "How long a ticket may wait for its offer.",
        readers.number(5, 600),
    ),
    Setting(
        "TOKEN_TTL_S", "seconds", "120", "How long a token is valid.", readers.integer(10, 120)
    ),
    Setting(
        "ALLOW_NO_ORIGIN",
        "true or false",
        "true",
        "Take offers without an `Origin` header. Browsers always send one; the command line and"
        " native apps do not, and their ticket is the secret. An origin that is sent is checked"
        " either way.",
        readers.boolean,
    ),
    Setting(
        "PROXY_HOPS",
        "number",
        "0",
        "Proxies of yours in front of this server: so many entries from the right of"
        " `X-Forwarded-For` are believed.",
        readers.integer(0, 8),
    ),
    Setting(
        "CLIENT_RATE",
        "per second",
        "10",
        "Requests of one relying app, on average; six times as many at once. About one person no"
        " more than a fifth of that.",
        readers.number(0.1, 10000),
    ),
    Setting(
        "OFFER_RATE",
        "per second",
        "2",
        "Offers, and wrong client secrets, of one address, on average; forty times as many at"
        " once, so that 30 people of one office log in and some try again.",
        readers.number(0.1, 10000),
    ),
    Setting(
        "ADDRESS_FAILURES",
        "number",
        "50",
        "Failed logins and `identify` of one address (IPv6: of one /64) in 24 h, of devices that"
        " are not known; then one at a time, after waits. Raise it where many people share an"
        " address.",
        readers.integer(5, 1_000_000),
    ),
    Setting(
        "IDENTIFY_FAILURES",
        "number",
        "500",
        "The same of one relying app's `identify`: people before a door whom it does not know.",
        readers.integer(5, 1_000_000),
    ),
    Setting(
        "MAX_CONNECTIONS",
        "number",
        "512",
        "HTTP connections at the same time. With so many, the one that has waited longest for a"
        " request gives way to a new one; where none waits, the new one is told"
        " `too_many_connections`. Where the process may not open enough files for that and for"
        " media, fewer.",
        readers.integer(16, 65536),
    ),
    Setting(
        "ADDRESS_CONNECTIONS",
        "number",
        "200",
        "Of these, HTTP connections of one address (IPv6: of one /64): 30 browsers of one office"
        " open six each. Not counted with PROXY_HOPS, because then the peer is the proxy.",
        readers.integer(1, 65536),
    ),
    Setting(
        "RTC_ADDRESSES",
        "IP addresses",
        None,
        "Addresses that media binds to, separated by commas. Without it all of this machine's.",
        readers.addresses,
    ),
    Setting(
        "RTC_PUBLIC_ADDRESS",
        "IP address",
        None,
        "Address told to browsers in place of the bound ones (one-to-one NAT, containers).",
        readers.address,
    ),
    Setting(
        "RTC_PORTS",
        "FIRST-LAST",
        None,
        "UDP ports for media, one per session. Without it any free one.",
        readers.ports,
    ),
    Setting(
        "STUN_URL",
        "URL",
        None,
        "`stun:host:port`, told to browsers. Not needed where they reach this server directly.",
        readers.url("stun:", "stuns:"),
    ),
    Setting(
        "TURN_URL",
        "URLs",
        None,
        "`turn:host:port?transport=udp` and so on, separated by commas; told to browsers with"
        " credentials for one session. Needs TURN_SECRET.",
        readers.urls,
    ),
    Setting(
        "TURN_SECRET",
        "text",
        None,
        "coturn's `static-auth-secret`. Needs TURN_URL.",
        readers.secret,
        secret=True,
    ),
    Setting(
        "METRICS_TOKEN",
        "text",
        None,
        "Bearer token for `/metrics`. Without it only this machine may read them, and only past no"
        " proxy.",
        readers.secret,
        secret=True,
    ),
    Setting(
        "DUPLICATES",
        "off, allow or refuse",
        "allow",
        "A face that is enrolled under a second name of the same client: nobody looks, the client's"
        " backend is told, or it is told and the enrolment is refused (docs/privacy.md).",
        readers.choice("off", "allow", "refuse"),
    ),
    Setting(
        "REPLAYED",
        "off, record or refuse",
        "record",
        "A session that shows the same film as an earlier one of its subject: nothing is kept and"
        " nobody looks, its record and the audit say `replayed`, or it is refused as well, and the"
        " page hears `liveness` (docs/replayed.md).",
        readers.choice("off", "record", "refuse"),
    ),
    Setting(
        "ADAPT",
        "never or bounded",
        "never",
        "Whether a login changes the template that it matched: never, or by one bounded step from"
        " the first enrolment, where it is far above the threshold and answered a challenge"
        " (docs/decisions/adaptation.md).",
        readers.choice("never", "bounded"),
    ),
    Setting(
        "RECORD",
        "folder",
        None,
        "Record every session into this folder (docs/tape.md): faces and templates in the clear."
        " The page tells the person, who may decline. Without it nothing is recorded.",
        readers.path,
    ),
    Setting(
        "RECORD_DAYS",
        "days",
        "30",
        "Recordings older than this are removed, while RECORD is set.",
        readers.number(0.01, 3650),
    ),
    Setting(
        "LOG_FORMAT",
        "json or plain",
        "plain",
        "One line a record.",
        readers.choice("json", "plain"),
    ),
    Setting(
        "LOG_LEVEL",
        "level",
        "info",
        "How much is told.",
        readers.choice("debug", "info", "warning", "error"),
    ),
)

COMMAND_LINE: tuple[Setting, ...] = (
    Setting("SERVER", "URL", "http://127.0.0.1:8470", "Which server to talk to.", readers.base_url),
    Setting(
        "CLIENT_SECRET", "text", None, "The relying app's secret, in place of a file.", secret=True
    ),
)
"""Read by `lookgate enroll`, `login` and `identify` alone."""
