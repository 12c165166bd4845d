"""The thin client: one OAuth token an account, time-outs on every call, `PayPal-Request-Id` on every POST, no retry.

A token that PayPal no longer takes is fetched anew once: a 401 is given before anything is done.
"""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from billing.kernel.errors import Reach
from billing.providers.failing import Failure, Proof, headers_of, never_connected, silence_of
from billing.providers.paypal.failures import CallFailed, of_answer
from billing.providers.reading import Raw, Unreadable, optional
from billing.providers.road import Answered, Road

Send = Callable[[str, str, Mapping[str, str], Any], Answered]
"""(method, address, headers, body) → (body, status, headers). Raises what `requests` raises."""

LIVE = "https://api-m.paypal.com"
SANDBOX = "https://api-m.sandbox.paypal.com"

CERTIFICATE_S = 2.0
"""To connect for a certificate, and to read it: whoever delivers waits, and may be anybody."""

_EARLY_S = 60.0
"""A token is given up so long before its end (wall seconds)."""
_OK = range(200, 300)


@dataclass(frozen=True, slots=True)
class Answer:
    """A 2xx answer. `body` is empty where PayPal sends none."""

    status: int
    body: Raw
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Token:
    text: str = field(repr=False)
    good_until: float
    """On this process's monotonic clock."""


class PayPalClient:
    """One PayPal account's REST API. Threads may share it; after a fork each process goes on with the token it has."""

    def __init__(self, send: Send, *, base_address: str, client_id: str, client_secret: str) -> None:
        self._send = send
        self._base = base_address.rstrip("/")
        self._credentials = base64.b64encode(f"{client_id}:{client_secret}".encode()).decode()
        self._token: _Token | None = None
        self._fetching = threading.Lock()

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Answer:
        """Read. Raises `CallFailed`."""
        return self._call("GET", f"{path}?{urlencode(query)}" if query else path)

    def post(self, path: str, body: Mapping[str, Any], *, key: str) -> Answer:
        """Write once under `key`. Raises `CallFailed`."""
        return self._call("POST", path, json.dumps(body, separators=(",", ":")).encode(), key=key)

    def delete(self, path: str) -> Answer:
        """Remove: the same again removes nothing more. Raises `CallFailed`."""
        return self._call("DELETE", path)

    def _call(self, method: str, path: str, body: bytes | None = None, *, key: str | None = None) -> Answer:
        token = self._valid_token()
        answer = self._once(method, path, body, key, token)
        if answer is None:
            # Another thread may have a new one already.
            answer = self._once(method, path, body, key, self._fetch(refused=token))
        if answer is None:
            raise CallFailed(Failure(Proof.NOT_ALLOWED, "key_rejected", 401, provider="paypal"))
        return answer

    def _once(self, method: str, path: str, body: bytes | None, key: str | None, token: _Token) -> Answer | None:
        """One request; None where the token is not taken (any more)."""
        headers = {"Authorization": f"Bearer {token.text}", "Accept": "application/json"}
        if body is not None:
            headers |= {"Content-Type": "application/json", "Prefer": "return=representation"}
        if key is not None:
            headers["PayPal-Request-Id"] = key
        raw, status, told = self._sent(method, path, headers, body)
        if status == 401:
            return None
        if status not in _OK:
            raise CallFailed(of_answer(raw, status, told))
        try:
            return Answer(status, _json(raw), told)
        except Unreadable:
            # A gateway's page, or one that was cut off: nobody at PayPal said this.
            raise CallFailed(Failure(Proof.UNCLEAR, "answer_is_no_json", status, provider="paypal")) from None

    def _sent(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes | None
    ) -> tuple[bytes, int, dict[str, str]]:
        try:
            raw, status, told = self._send(method, self._base + path, headers, body)
        except Exception as error:  # noqa: BLE001 (whatever breaks on the road, only this tells what it proves)
            if never_connected(error):
                failure = Failure(Proof.NOT_RUN, "connection_not_made", reach=Reach.AWAY, provider="paypal")
            else:
                failure = Failure(Proof.UNCLEAR, silence_of(error), reach=Reach.AWAY, provider="paypal")
            raise CallFailed(failure) from None
        return raw, status, headers_of(told)

    def _valid_token(self) -> _Token:
        token = self._token
        if token is not None and token.good_until > time.monotonic():
            return token
        return self._fetch(refused=token)

    def _fetch(self, *, refused: _Token | None) -> _Token:
        """A new token, fetched by one thread for all. Whatever fails here, the request itself was never sent."""
        with self._fetching:
            if self._token is not None and self._token is not refused:
                return self._token
            self._token = self._new_token()
            return self._token

    def _new_token(self) -> _Token:
        headers = {
            "Authorization": f"Basic {self._credentials}",
            "Accept": "application/json",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        began = time.monotonic()
        try:
            raw, status, told = self._sent("POST", "/v1/oauth2/token", headers, b"grant_type=client_credentials")
        except CallFailed as failed:
            raise CallFailed(failed.failure.as_not_run("no_token")) from None
        if status not in _OK:
            failure = of_answer(raw, status, told)
            if status in (400, 401, 403):
                raise CallFailed(Failure(Proof.NOT_ALLOWED, "key_rejected", status, provider="paypal"))
            raise CallFailed(failure.as_not_run("no_token"))
        try:
            body = _json(raw)
            text, life = optional(body, "access_token"), body.get("expires_in")
        except Unreadable:
            text, life = None, None
        if text is None or not isinstance(life, int):
            raise CallFailed(Failure(Proof.NOT_RUN, "token_unreadable", status, provider="paypal"))
        return _Token(text, began + life - _EARLY_S)


def fetched(road: Road, url: str) -> bytes:
    """A certificate, by a plain GET without credentials. Raises `OSError` for all but a whole answer of 200."""
    try:
        body, status, _ = road.send("GET", url, {"Accept": "text/plain"})
    except Exception as away:  # noqa: BLE001 (whatever breaks on the road: it is fetched again with the next delivery)
        raise OSError(type(away).__name__) from None
    if status != 200:
        raise OSError(f"HTTP {status}")
    return body


def _json(raw: bytes) -> Raw:
    if not raw.strip():
        return {}
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        raise Unreadable("body") from None
    if not isinstance(body, dict):
        raise Unreadable("body")
    return body
