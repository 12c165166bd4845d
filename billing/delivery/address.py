"""Where a delivery may go: public addresses only, unless a setting names the network.

A name is resolved once, and the connection is made to an address that was checked: a second answer of its name server
(DNS rebinding) is never asked for.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_TRANSLATED = (ipaddress.ip_network("64:ff9b::/96"), ipaddress.ip_network("64:ff9b:1::/48"))
"""An IPv4 address within, for a translator of the network (RFC 6052, RFC 8215)."""
_UNKNOWN = tuple(map(ipaddress.ip_network, ("192.0.0.0/24", "192.88.99.0/24", "3fff::/20")))
"""In IANA's registries, but not in those of each Python that we run on: protocols' own (a cloud has its metadata at
192.0.0.192), 6to4 relays, documentation."""


class AddressNotAllowed(Exception):
    """The host has an address in a network that no setting allows."""


class NameUnknown(Exception):
    """The host's name has no address, or no name server answered."""


def checked_address(host: str, port: int, *, allowed: Sequence[Network]) -> str:
    """The address to connect to. Raises `NameUnknown`, and `AddressNotAllowed` if any of the host's is not allowed."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NameUnknown from error
    # An address with a zone (fe80::1%eth0) is of one link.
    addresses = [ipaddress.ip_address(str(each[4][0]).partition("%")[0]) for each in found]
    if not addresses:
        raise NameUnknown
    if not all(is_allowed(each, allowed=allowed) for each in addresses):
        raise AddressNotAllowed
    return str(addresses[0])


def literal(host: str) -> Address | None:
    """The address that a host spells by numbers, in any way that the resolver reads; None of a name. Asks nobody."""
    try:
        found = socket.getaddrinfo(host, None, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError):
        return None
    return ipaddress.ip_address(str(found[0][4][0]).partition("%")[0])


def is_allowed(address: Address, *, allowed: Sequence[Network]) -> bool:
    """Whether it is public (IANA's registries, as Python knows them) or in a network that is allowed."""
    return is_listed(address, allowed) or is_public(address)


def is_listed(address: Address, networks: Sequence[Network]) -> bool:
    """Whether one of these networks holds it."""
    plain = _plain(address)
    return any(plain in network for network in networks if network.version == plain.version)


def is_public(address: Address) -> bool:
    """False for what is private, shared, loopback, link-local (cloud metadata), multicast, reserved or translated."""
    plain = _plain(address)
    if is_listed(plain, _UNKNOWN):
        return False
    if isinstance(plain, ipaddress.IPv6Address):
        hidden = plain.sixtofour or (plain.teredo and plain.teredo[1])
        if hidden or any(plain in network for network in _TRANSLATED) or plain.is_site_local:
            return False
    return plain.is_global and not plain.is_multicast and not plain.is_reserved


def _plain(address: Address) -> Address:
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
