"""The one road to a provider: bounded in time and size, no redirects, no cookies, no second try."""

from __future__ import annotations

import ipaddress
import os
import time
from collections.abc import Mapping
from http.cookiejar import DefaultCookiePolicy
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter

MAX_BODY_BYTES = 8 * 1024 * 1024
"""Above any answer that we ask for (a page of 100 intents with their charges is about 1 MB)."""

_CHUNK_BYTES = 64 * 1024
_SOCKETS_KEPT = 64

Answered = tuple[bytes, int, Mapping[str, str]]
"""Body, status, headers."""


class BodyTooLarge(ValueError):
    """The answer is longer than `MAX_BODY_BYTES`."""


class BodyTooSlow(TimeoutError):
    """The answer began in time and did not end in time."""


class Road:
    """HTTP. Safe for many threads and after a fork: each process has its own pool of connections.

    `connect_s` and `read_s` are seconds; a call ends within `connect_s` + 2 × `read_s`: once for the first byte, once
    for the whole body.
    """

    def __init__(self, *, connect_s: float, read_s: float) -> None:
        self._timeouts = (connect_s, read_s)
        self._sessions: dict[tuple[int, bool], requests.Session] = {}

    def send(self, method: str, url: str, headers: Mapping[str, str], body: Any = None) -> Answered:
        """One request, sent once. Raises what `requests` and `urllib3` raise, and the two errors above."""
        with self._session(url).request(
            method,
            url,
            headers=dict(headers),
            data=body,
            timeout=self._timeouts,
            allow_redirects=False,
            stream=True,
        ) as answer:
            told = _bounded_body(answer, deadline=time.monotonic() + self._timeouts[1])
            return told, answer.status_code, answer.headers

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
