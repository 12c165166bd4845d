"""Whom to count as one visitor: of what senders can make us do, each network has its share."""

from __future__ import annotations

import ipaddress


def network(address: str | None) -> str:
    """An address of IPv4, also as IPv6 writes it, and of IPv6 the 64 bits that one line is given; empty without one."""
    try:
        known = ipaddress.ip_address(address or "")
    except ValueError:
        return ""
    if isinstance(known, ipaddress.IPv4Address):
        return str(known)
    return str(known.ipv4_mapped or ipaddress.ip_network((known, 64), strict=False))
