"""One POST: to the address that was checked, within its time, no redirect, no proxy, no cookie, no second try."""

from __future__ import annotations

import http.client
import ipaddress
import socket
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Timer
from urllib.parse import urlsplit

from billing.delivery.address import AddressNotAllowed, NameUnknown, Network, checked_address, is_listed

_AGENT = "billing-engine"
_MOST_WAIT_S = 3600
"""A receiver that asks for more patience than this (`Retry-After`) gets this much."""
TAKEN = "delivered"
GONE = "http_410"
"""The receiver wants no more, ever (Standard Webhooks, delivery success and failure)."""


@dataclass(frozen=True, slots=True)
class Answer:
    """How a try ended: `delivered`, or a code. `wait_s`: seconds that the receiver asks for before the next."""

    outcome: str
    wait_s: float = 0.0


class _Pinned(http.client.HTTPConnection):
    """A connection to one address under the host's name, whose certificate is checked against that name."""

    def __init__(self, host: str, port: int, *, address: str, connect_s: float, read_s: float, tls: bool) -> None:
        self.default_port = 443 if tls else 80
        super().__init__(host, port, timeout=read_s)
        self._address, self._connect_s, self._read_s = address, connect_s, read_s
        self._context = ssl.create_default_context() if tls else None
        self.late = False

    def connect(self) -> None:
        plain = socket.create_connection((self._address, self.port), self._connect_s)
        self.sock = plain
        if self._context is not None:
            self.sock = self._context.wrap_socket(plain, server_hostname=self.host, do_handshake_on_connect=False)
            self.sock.do_handshake()
        self.sock.settimeout(self._read_s)

    def cut(self) -> None:
        """End whatever it is at: a time-out is of one read, and an answer may come a byte a second."""
        self.late = True
        if self.sock is not None:
            try:
                self.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                return


def post(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    connect_s: float,
    read_s: float,
    allowed: Sequence[Network] = (),
) -> Answer:
    """Post JSON. Raises nothing: whatever goes wrong is a code, and none tells what the receiver wrote.

    Ends within `connect_s` (twice with TLS) and `read_s`, in seconds, besides the resolver's own time. In plain HTTP
    only to an address of the `allowed` networks. Any 2xx is success; a redirect is a failure.
    """
    parts = urlsplit(url)
    host, tls = parts.hostname or "", parts.scheme == "https"
    port = parts.port or (443 if tls else 80)
    try:
        address = checked_address(host, port, allowed=allowed)
        if not tls and not is_listed(ipaddress.ip_address(address), allowed):
            return Answer("not_encrypted")
        connection = _Pinned(host, port, address=address, connect_s=connect_s, read_s=read_s, tls=tls)
        return _sent(connection, parts.path or "/", parts.query, body, headers, within_s=2 * connect_s + read_s)
    except AddressNotAllowed:
        return Answer("address_not_allowed")
    except NameUnknown:
        return Answer("name_unknown")
    except TimeoutError:
        return Answer("timed_out")
    except ssl.SSLCertVerificationError:
        return Answer("certificate_refused")
    except ssl.SSLError:
        return Answer("tls_failed")
    except OSError:
        return Answer("not_reached")
    except (http.client.HTTPException, ValueError):
        return Answer("no_http")


def _sent(
    connection: _Pinned, path: str, query: str, body: bytes, headers: Mapping[str, str], *, within_s: float
) -> Answer:
    end = Timer(within_s, connection.cut)
    end.daemon = True
    end.start()
    try:
        sent = {"Content-Type": "application/json", "User-Agent": _AGENT, "Connection": "close", **headers}
        connection.request("POST", f"{path}?{query}" if query else path, body=body, headers=sent)
        answer = connection.getresponse()
    except (OSError, http.client.HTTPException):
        if connection.late:
            raise TimeoutError from None
        raise
    finally:
        end.cancel()
        connection.close()
    if 200 <= answer.status < 300:
        return Answer(TAKEN)
    return Answer(f"http_{answer.status}", _asked(answer.headers.get("Retry-After")))


def _asked(value: str | None) -> float:
    if value is None or not (value.isascii() and value.isdigit() and len(value) < 10):
        return 0.0
    return float(min(int(value), _MOST_WAIT_S))
