"""What an address counts as: the network that one caller has all of.

No requests, no tries. Sources: RFC 6177 (an IPv6 site has a /64 at the least), RFC 7239 section 6
(how proxies write an address).
"""

from __future__ import annotations

import ipaddress
import re

UNKNOWN = "unknown"
"""All who come without an address that can be read count as one."""
_IPV6_BITS = 64


def network_of(text: str) -> str:
    """The caller's network for an IPv4 or IPv6 address, with a port or without; else UNKNOWN."""
    text = text.strip().strip('"')
    if found := re.fullmatch(r"\[([^\]]*)\](?::\d+)?|([\d.]+):\d+", text):
        text = found[1] or found[2]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return UNKNOWN
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is None:
            return str(ipaddress.ip_network((address, _IPV6_BITS), strict=False))
        address = address.ipv4_mapped
    return str(address)
