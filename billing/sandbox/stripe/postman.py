"""Carries deliveries over HTTP: one pooled session a thread, no proxies from the environment, no redirects."""

from __future__ import annotations

import threading

import requests

TIMEOUT_S = 10
"""How long a receiver may take (wall time)."""


class Postman:
    """The usual transport of webhooks. Calling it returns the receiver's status; it raises `OSError` without one."""

    def __init__(self) -> None:
        self._mine = threading.local()

    def __call__(self, url: str, body: bytes, headers: dict[str, str]) -> int:
        answer = self._session().post(url, data=body, headers=headers, timeout=TIMEOUT_S, allow_redirects=False)
        return answer.status_code

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._mine, "session", None)
        if session is None:
            session = self._mine.session = requests.Session()
            session.trust_env = False
        return session
