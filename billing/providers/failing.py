"""What a failed call proves, whichever provider it went to: one reading for charges, other writes and reads alike."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import requests
import urllib3

from billing.kernel.errors import ProviderRefused, ProviderUnavailable, ProviderUncertain, ProviderUnreadable, Reach
from billing.providers.reading import Unreadable


class Proof(StrEnum):
    """What a failure says about this one sending."""

    NOT_RUN = "not_run"
    """Never reached the provider, or turned away at its door (rate limit, lock): the same again may work later."""
    NOT_ALLOWED = "not_allowed"
    """401 or 403: nothing will work under this key until a person mends it."""
    REFUSED = "refused"
    """400 or 404: understood and not done; the same again is refused again."""
    FAILED = "failed"
    """402: tried, and failed; no money moved."""
    KEY_DIFFERS = "key_differs"
    """The key was used before with other parameters: what ran under it is another request."""
    UNCLEAR = "unclear"
    """It may have run."""


_UNREADABLE = "answer_unreadable_"


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed call, without its exception: that one may hold bodies, and bodies may hold names."""

    proof: Proof
    reason: str
    """A stable technical code: the provider's, or ours where it gave none."""
    http_status: int | None = None
    request_ref: str | None = None
    replayed: bool = False
    retry_after_s: float | None = None
    reach: Reach = Reach.ANSWERED
    error: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The provider's error object, for the outcome table alone."""
    provider: str = "stripe"

    def of_a_read(self) -> ProviderUnavailable | ProviderRefused:
        """The kernel error for a call that changes nothing: asking again is always safe."""
        if self.reason.startswith(_UNREADABLE):
            return ProviderUnreadable(f"{self.provider}: {self.reason}", reach=self.reach)
        if self.proof in (Proof.NOT_RUN, Proof.UNCLEAR):
            return ProviderUnavailable(self._line(), retry_after_s=self.retry_after_s, reach=self.reach)
        return self._refusal()

    def of_a_write(self) -> ProviderUnavailable | ProviderUncertain | ProviderRefused:
        """The kernel error for a write other than a charge."""
        if self.proof is Proof.UNCLEAR:
            spent = self.replayed and (self.http_status or 0) >= 500
            return ProviderUncertain(self._line(), key_spent=spent, reach=self.reach)
        if self.proof is Proof.NOT_RUN:
            return ProviderUnavailable(self._line(), retry_after_s=self.retry_after_s, reach=self.reach)
        return self._refusal()

    def as_not_run(self, reason: str) -> Failure:
        """The same of a step before the request: whatever became of it, the request itself was not sent."""
        return replace(self, proof=Proof.NOT_RUN, reason=reason)

    def _refusal(self) -> ProviderRefused:
        return ProviderRefused(self._line(), code=self.reason, account_wide=self.proof is Proof.NOT_ALLOWED)

    def _line(self) -> str:
        status = "no answer" if self.http_status is None else f"HTTP {self.http_status}"
        return f"{self.provider}: {self.reason} ({status}, request {self.request_ref or 'unknown'})"


def unreadable(error: Unreadable, *, provider: str = "stripe") -> Failure:
    """An answer that is not of the provider's API proves nothing. The reason names the field."""
    return Failure(Proof.UNCLEAR, f"{_UNREADABLE}{error}", provider=provider)


def never_connected(error: BaseException) -> bool:
    """True where no connection was made, so no byte of the request left: refused, unresolved, timed out, distrusted."""
    return any(
        isinstance(
            link,
            requests.exceptions.ConnectTimeout
            | urllib3.exceptions.NewConnectionError
            | urllib3.exceptions.ConnectTimeoutError
            | socket.gaierror
            | ConnectionRefusedError
            | ssl.SSLCertVerificationError,
        )
        for link in _chain(error)
    )


def silence_of(error: BaseException) -> str:
    """Why no answer came, for a request that may have arrived."""
    if any(
        isinstance(link, requests.exceptions.Timeout | urllib3.exceptions.TimeoutError | TimeoutError)
        for link in _chain(error)
    ):
        return "no_answer_in_time"
    return "connection_broke"


def headers_of(headers: object) -> dict[str, str]:
    """Headers by lower-case name, from whatever mapping an HTTP client gave."""
    if not isinstance(headers, Mapping):
        return {}
    return {str(name).lower(): str(value) for name, value in headers.items()}


MOST_WAIT_S = 3600.0
"""A `Retry-After` puts one thing off for so long at most: the longest of our own pauses, far below a key's life."""


def seconds_of(value: str | None) -> float | None:
    """A `Retry-After` in whole seconds, up to `MOST_WAIT_S`; None for anything else."""
    if value is None or not value.isascii() or not value.isdigit() or len(value) > 20:
        return None
    return min(float(value), MOST_WAIT_S)


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error, its causes, and what `requests` and `urllib3` carry in their arguments; bounded."""
    waiting = [error]
    for _ in range(12):
        if not waiting:
            return
        link = waiting.pop(0)
        yield link
        carried = (link.__cause__, getattr(link, "reason", None), *link.args[:2])
        waiting += [each for each in carried if isinstance(each, BaseException)]
