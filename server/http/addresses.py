"""Addresses: read in every form that proxies write, as limits count them, of this machine or not.

Limits count an IPv4 address, or the /64 that one IPv6 host is given. Not here: which entry of a
header counts (requests.py), what is counted (server/limits.py, connections.py). Source: RFC 7239
section 6 (node identifiers); RFC 6177 section 2; RFC 4291 section 2.5.5.2 (IPv4-mapped).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

_PORT = r"(?::(?:[0-9]{1,5}|_[A-Za-z0-9._-]+))?"
_NODE = re.compile(
    rf"\[([0-9A-Fa-f:.]+)(?:%[^\]]*)?\]{_PORT}|([0-9.]+){_PORT}|([0-9A-Fa-f:.]+)(?:%.*)?"
)
"""IPv6 in brackets, IPv4, both with or without a port; IPv6 bare, as X-Forwarded-For has it. A
scope (RFC 4007 section 11) says nothing to others."""

_OWN_HEADERS = frozenset(
    {
        *("host", "connection", "user-agent", "authorization", "te"),
        *("accept", "accept-encoding", "accept-language"),
        *("cache-control", "pragma", "if-modified-since", "if-none-match"),
        *("cookie", "dnt", "priority", "referer", "upgrade-insecure-requests"),
        "x-prometheus-scrape-timeout-seconds",
    }
)
"""What a scraper, `curl` or a browser sends by itself. A proxy that passes a request on adds one of
very many others (X-Forwarded-*, Forwarded, Via, CF-Connecting-IP, X-Real-IP, Traceparent)."""


def read(text: str) -> Address | None:
    """The address of a node identifier, with or without port, brackets and quotes; else None."""
    found = _NODE.fullmatch(text.strip().removeprefix('"').removesuffix('"'))
    if found is None:
        return None
    try:
        address = ipaddress.ip_address(found[1] or found[2] or found[3])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address


def counted(text: str) -> str | None:
    """What limits know the caller by who wrote this address; None if it is none."""
    address = read(text)
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, 64), strict=False))
    return None if address is None else str(address)


def local(remote: str | None, headers: Mapping[str, str]) -> bool:
    """Whether a connection from `remote` comes from this machine, and past no proxy.

    A proxy shows by a header that no client sends by itself, or by the name that it is reached by.
    """
    address = read(remote or "")
    foreign = {
        name
        for name in map(str.lower, headers)
        if name not in _OWN_HEADERS and not name.startswith("sec-")
    }
    ours = address is not None and address.is_loopback
    return ours and not foreign and _names_us(headers)


def _names_us(headers: Mapping[str, str]) -> bool:
    host = headers.get("Host", "")
    address = read(host)
    if address is not None:
        return address.is_loopback
    return host.partition(":")[0].lower() == "localhost"
