"""Web origins as relying apps name them and browsers send them: read, and written in one way.

Not here: which client has which (server/store), what becomes of a page of another one
(server/http/requests.py). Source: RFC 6454 section 6.2 (ASCII serialisation), RFC 3986 section 3.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*")
_HOST = re.compile(r"[a-z0-9_.-]+|\[[0-9a-f:.]+\]")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_OPAQUE = ("about", "blob", "data", "file", "javascript")
"""Pages of these schemes send `null`, as anybody can (HTML standard, "opaque origin")."""


def origin_of(text: str) -> str:
    """An origin as browsers send it: `https://shop.example`, `capacitor://localhost`.

    Any scheme with a host will do, because hybrid apps have their own. Raises ValueError, with a
    sentence that says what to write instead.
    """
    if "*" in text:
        raise ValueError("An origin is named whole, because * would let any page in.")
    if text == "null":
        raise ValueError("Pages without an origin of their own send null, which anybody can send.")
    parts = urlsplit(text)
    try:
        port = parts.port
    except ValueError:
        raise ValueError("The port of an origin is 1 to 65535.") from None
    host = parts.hostname or ""
    host = f"[{host}]" if ":" in host else host
    more = parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc
    if more or not _SCHEME.fullmatch(parts.scheme) or not _HOST.fullmatch(host):
        raise ValueError("An origin is scheme://host or scheme://host:port, such as https://host.")
    if parts.scheme in _OPAQUE:
        raise ValueError(f"Pages of {parts.scheme}: have no origin of their own.")
    if port == 0:
        raise ValueError("The port of an origin is 1 to 65535.")
    told = "" if port is None or port == _DEFAULT_PORTS.get(parts.scheme) else f":{port}"
    return f"{parts.scheme}://{host}{told}"


def is_origin(text: str) -> bool:
    """Whether this is an origin, written as browsers write it."""
    try:
        return origin_of(text) == text
    except ValueError:
        return False
