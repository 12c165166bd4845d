"""The one road to Stripe: bounded in time and size, no redirects, no cookies, no second try.

The SDK's own client follows redirects, reads bodies of any size, and shares sockets with a forked child.
"""

from __future__ import annotations

import ipaddress
import os
import time
from collections.abc import Mapping
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import requests
import stripe
from requests.adapters import HTTPAdapter

MAX_BODY_BYTES = 8 * 1024 * 1024
"""Above any answer that we ask for (a page of 100 intents with their charges is about 1 MB)."""

_CHUNK_BYTES = 64 * 1024
_SOCKETS_KEPT = 64
_AGENT = f"Stripe/v1 PythonBindings/{stripe.VERSION}"
_UNSENT_HEADERS = {"x-stripe-client-user-agent", "x-stripe-client-telemetry", "user-agent"}
_UNREAD_HEADERS = {"stripe-notice"}


class BodyTooLarge(ValueError):
    """The answer is longer than `MAX_BODY_BYTES`."""


class BodyTooSlow(TimeoutError):
    """The answer began in time and did not end in time."""


class BoundedClient(stripe.HTTPClient):
    """HTTP for the SDK. Safe for many threads and after a fork: each process has its own pool of connections.

    `connect_s` and `read_s` are seconds; a call ends within `connect_s` + 2 × `read_s`: once for the first byte, once
    for the whole body. Every failure is a `stripe.APIConnectionError` whose cause is the error of `requests`.
    """

    name = "requests"

    def __init__(self, *, connect_s: float, read_s: float) -> None:
        super().__init__()
        self._timeouts = (connect_s, read_s)
        self._sessions: dict[tuple[int, bool], requests.Session] = {}

    def request(  # type: ignore[override]  # the SDK declares str here and takes bytes, as its own clients return
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        post_data: Any = None,
        *,
        _usage: list[str] | None = None,
    ) -> tuple[bytes, int, Mapping[str, str]]:
        try:
            return self._send(method, url, headers or {}, post_data)
        except Exception as error:
            raise stripe.APIConnectionError(type(error).__name__) from error  # type: ignore[no-untyped-call]

    def _send(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any
    ) -> tuple[bytes, int, Mapping[str, str]]:
        sent = {name: value for name, value in headers.items() if name.lower() not in _UNSENT_HEADERS}
        with self._session(url).request(
            method,
            url,
            headers={**sent, "User-Agent": _AGENT},
            data=post_data,
            timeout=self._timeouts,
            allow_redirects=False,
            stream=True,
        ) as answer:
            body = _bounded_body(answer, deadline=time.monotonic() + self._timeouts[1])
            for name in _UNREAD_HEADERS:
                answer.headers.pop(name, None)
            return body, answer.status_code, answer.headers

    def _session(self, url: str) -> requests.Session:
        """This process's session. One made before a fork is left to the parent, whose sockets it holds.

        No lock: a fork could copy it while it is held. Two threads may make one each; the first put in is used.
        """
        loopback = _is_loopback(url)
        key = (os.getpid(), loopback)
        session = self._sessions.get(key)
        if session is None:
            session = self._sessions.setdefault(key, _new_session(loopback=loopback))
        return session

    def close(self) -> None:
        """Close this process's connections."""
        for (pid, _), session in list(self._sessions.items()):
            if pid == os.getpid():
                session.close()


def _new_session(*, loopback: bool) -> requests.Session:
    session = requests.Session()
    session.trust_env = not loopback
    session.auth = _as_it_is
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    adapter = HTTPAdapter(pool_connections=2, pool_maxsize=_SOCKETS_KEPT, max_retries=0)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Keeps `requests` from replacing our Authorization header by an entry of the user's .netrc."""
    return request


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _bounded_body(answer: requests.Response, *, deadline: float) -> bytes:
    """The whole body. Reads what has arrived, piece by piece: waiting for a full buffer would outlast the deadline."""
    body = bytearray()
    while chunk := answer.raw.read1(_CHUNK_BYTES, decode_content=True):
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise BodyTooLarge
        if time.monotonic() > deadline:
            raise BodyTooSlow
    return bytes(body)
