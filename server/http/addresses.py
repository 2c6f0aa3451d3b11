"""Addresses as limits count them: IPv4, or the /64 that one IPv6 host is given.

Not here: which address of a request counts (requests.py), what is counted (server/limits.py,
connections.py). Source: RFC 6177 section 2; RFC 4291 section 2.5.5.2 (IPv4-mapped).
"""

from __future__ import annotations

import ipaddress


def counted(text: str) -> str | None:
    """The address that limits know this one by; None if it is none."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return str(address.ipv4_mapped)
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)
