from __future__ import annotations

import ipaddress
import socket
from typing import Any

import pytest

from billing.delivery.address import AddressNotAllowed, NameUnknown, checked_address, is_allowed

INSIDE = [
    "127.0.0.1", "10.0.0.7", "172.16.3.4", "192.168.1.1", "169.254.169.254", "100.100.100.200", "0.0.0.0", "224.0.0.1",
    "255.255.255.255", "240.0.0.1", "192.0.2.1", "198.18.0.1", "::1", "::", "fe80::1", "fc00::1", "fd00:ec2::254",
    "ff02::1", "fec0::1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:db8::1",
    "192.0.0.192", "::ffff:192.0.0.192", "192.88.99.1", "3fff::1",
]  # fmt: skip


@pytest.mark.parametrize("text", INSIDE)
def test_what_is_not_public_is_refused_in_whatever_dress(text: str) -> None:
    assert not is_allowed(ipaddress.ip_address(text), allowed=[])


@pytest.mark.parametrize("text", ["1.1.1.1", "93.184.215.14", "2606:4700::1111", "::ffff:1.1.1.1"])
def test_what_is_public_is_allowed(text: str) -> None:
    assert is_allowed(ipaddress.ip_address(text), allowed=[])


def test_a_network_of_the_setting_is_allowed_and_only_it() -> None:
    allowed = [ipaddress.ip_network("10.1.0.0/16")]
    assert is_allowed(ipaddress.ip_address("10.1.2.3"), allowed=allowed)
    assert is_allowed(ipaddress.ip_address("::ffff:10.1.2.3"), allowed=allowed)
    assert not is_allowed(ipaddress.ip_address("10.2.2.3"), allowed=allowed)


def _answers(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    def found(*_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 443)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", found)


def test_a_name_with_one_address_inside_is_refused_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    _answers(monkeypatch, "1.1.1.1", "10.0.0.7")
    with pytest.raises(AddressNotAllowed):
        checked_address("hooks.example", 443, allowed=[])
    _answers(monkeypatch, "1.1.1.1", "1.0.0.1")
    assert checked_address("hooks.example", 443, allowed=[]) == "1.1.1.1"


@pytest.mark.parametrize("host", ["127.1", "2130706433", "0x7f.0.0.1", "localhost"])
def test_other_spellings_of_loopback_are_loopback(host: str) -> None:
    with pytest.raises((AddressNotAllowed, NameUnknown)):
        checked_address(host, 443, allowed=[])


def test_a_name_that_is_none_is_unknown() -> None:
    with pytest.raises(NameUnknown):
        checked_address("nobody.invalid", 443, allowed=[])
