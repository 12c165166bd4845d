"""Who is counted as one visitor."""

from __future__ import annotations

import pytest

from billing.kernel.visitor import network


@pytest.mark.parametrize(
    ("address", "named"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("", ""),
        (None, ""),
        ("no\naddress", ""),
    ],
)
def test_a_network_is_an_address_of_ipv4_or_a_line_of_ipv6(address: str | None, named: str) -> None:
    """A server that listens on both writes IPv4 as IPv6: all of it would be one visitor."""
    assert network(address) == named
