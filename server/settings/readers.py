"""One value of one setting, read out of its text or refused: the little functions of the table.

Each gives the value, or raises ValueError with the rest of a sentence that begins with the
setting's name. No sentence repeats the text, because it may be a secret. Not here: which setting
is read by which function (table.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

NETS = ("detect", "mesh", "iris", "embed", "spoof")
"""As pipeline/nets/ort.py has them, without loading its runtime."""


def text(value: str) -> str:
    """Take any text."""
    return value


def boolean(value: str) -> bool:
    """Read true or false in their usual spellings."""
    known = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    if value.lower() not in known:
        raise ValueError("must be true or false")
    return known[value.lower()]


def number(low: float, high: float) -> Callable[[str], float]:
    """Make a reader of numbers from `low` to `high`, both included."""

    def read(value: str) -> float:
        if not re.fullmatch(r"[0-9]+(\.[0-9]+)?", value) or not low <= float(value) <= high:
            raise ValueError(f"must be a number from {low:g} to {high:g}")
        return float(value)

    return read


def integer(low: int, high: int) -> Callable[[str], int]:
    """Make a reader of whole numbers from `low` to `high`, both included."""

    def read(value: str) -> int:
        if not re.fullmatch(r"[0-9]+", value) or not low <= int(value) <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return int(value)

    return read


def choice(*allowed: str) -> Callable[[str], str]:
    """Make a reader of one of these words."""

    def read(value: str) -> str:
        if value not in allowed:
            raise ValueError(f"must be one of {', '.join(allowed)}")
        return value

    return read


def path(value: str) -> Path:
    """Read the path of a file or folder, made absolute."""
    return Path(value).expanduser().absolute()


def url(*schemes: str) -> Callable[[str], str]:
    """Make a reader of addresses that begin with one of `schemes`."""

    def read(value: str) -> str:
        ok = any(value.startswith(scheme) and value != scheme for scheme in schemes)
        if not ok or re.search(r"\s", value):
            raise ValueError(f"must begin with {' or '.join(schemes)}")
        return value

    return read


def grpc(value: str) -> str:
    """Read grpc://host:port, and give host:port."""
    try:
        parts = urlsplit(value)
        whole = parts.hostname and parts.port and not (parts.path or parts.query or parts.username)
    except ValueError:
        whole = None
    if not whole or parts.scheme != "grpc":
        raise ValueError("must be grpc://host:port")
    return parts.netloc


def nets(value: str) -> tuple[str, ...]:
    """Read names of nets, separated by commas or blanks."""
    found = tuple(value.replace(",", " ").split())
    if not found or set(found) - set(NETS):
        raise ValueError(f"must be some of {', '.join(NETS)}")
    return found


def base_url(value: str) -> str:
    """Read an http or https URL that paths can be put behind."""
    parts = urlsplit(value)
    bad = parts.query or parts.fragment or parts.username or not parts.hostname
    if parts.scheme not in ("http", "https") or bad:
        raise ValueError("must be an http or https URL without query or user")
    return value.rstrip("/")


def urls(value: str) -> tuple[str, ...]:
    """Read TURN addresses (RFC 7065), separated by commas or blanks."""
    read = url("turn:", "turns:")
    return tuple(read(part) for part in value.replace(",", " ").split())


def ports(value: str) -> tuple[int, int] | None:
    """Read FIRST-LAST, two unprivileged UDP ports."""
    match = re.fullmatch(r"([0-9]{1,5})-([0-9]{1,5})", value)
    if not match or not 1024 <= int(match[1]) <= int(match[2]) <= 65535:
        raise ValueError("must be FIRST-LAST within 1024 to 65535")
    return int(match[1]), int(match[2])


def secret(value: str) -> str:
    """Read a secret of some length."""
    if len(value) < 16:
        raise ValueError("must have at least 16 characters")
    return value


def addresses(value: str) -> tuple[str, ...]:
    """Read one or more IP addresses, separated by commas or blanks."""
    found = tuple(address(part) for part in value.replace(",", " ").split())
    if not found:
        raise ValueError("must be IP addresses")
    return found


def address(value: str) -> str:
    """Read what has the form of an IP address."""
    if not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,3}){3}|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*", value):
        raise ValueError("must be an IP address")
    return value
