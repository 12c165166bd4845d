"""What a failed call proves. One reading of the SDK's exceptions for charges, other writes and reads alike.

Only two things prove that this sending did nothing: the connection was never made, or Stripe itself answered, in its
own error shape, with a refusal that it gives before it acts. All else is unclear, whatever the status line says: a
gateway, a proxy or a broken body speaks for nobody.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import requests
import stripe
import urllib3

from billing.kernel.errors import ProviderRefused, ProviderUnavailable, ProviderUncertain, Reach
from billing.providers.stripe.facts import Raw, Unreadable, code, inner


class Proof(StrEnum):
    """What a failure says about this one sending."""

    NOT_RUN = "not_run"
    """Never reached Stripe, or turned away at its door (rate limit, lock): the same again may work later."""
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


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed call, without the SDK's exception: that one holds bodies, and bodies may hold names."""

    proof: Proof
    reason: str
    """A stable technical code: Stripe's, or ours where Stripe gave none."""
    http_status: int | None = None
    request_ref: str | None = None
    replayed: bool = False
    retry_after_s: float | None = None
    reach: Reach = Reach.ANSWERED
    error: Raw = field(default_factory=dict, repr=False)
    """Stripe's error object, for the outcome table alone."""

    def of_a_read(self) -> ProviderUnavailable | ProviderRefused:
        """The kernel error for a call that changes nothing: asking again is always safe."""
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

    def _refusal(self) -> ProviderRefused:
        return ProviderRefused(self._line(), code=self.reason, account_wide=self.proof is Proof.NOT_ALLOWED)

    def _line(self) -> str:
        status = "no answer" if self.http_status is None else f"HTTP {self.http_status}"
        return f"stripe: {self.reason} ({status}, request {self.request_ref or 'unknown'})"


def failure_of(error: Exception) -> Failure:
    """Read any exception of a call. Never raises; what it doesn't know is unclear."""
    if isinstance(error, stripe.APIConnectionError):
        if never_connected(error):
            return Failure(Proof.NOT_RUN, "connection_not_made", reach=Reach.AWAY)
        return Failure(Proof.UNCLEAR, _silence(error), reach=Reach.AWAY)
    if isinstance(error, Unreadable):
        return Failure(Proof.UNCLEAR, "answer_unreadable")
    if not isinstance(error, stripe.StripeError):
        return Failure(Proof.UNCLEAR, "call_broke")
    return _answer(error)


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


def headers_of(headers: object) -> dict[str, str]:
    """Headers by lower-case name, from whatever mapping an HTTP client gave."""
    if not isinstance(headers, Mapping):
        return {}
    return {str(name).lower(): str(value) for name, value in headers.items()}


def was_replayed(headers: Mapping[str, str]) -> bool:
    """True where Stripe says that this answer is the stored one of an earlier sending under the key."""
    return headers.get("idempotent-replayed", "").lower() == "true"


def _answer(error: stripe.StripeError) -> Failure:
    headers = headers_of(error.headers)
    body = error.json_body if isinstance(error.json_body, Mapping) else {}
    shaped = inner(body, "error")
    status = error.http_status
    proof, fallback = _proof(status, shaped)
    return Failure(
        proof=proof,
        reason=code(shaped, "code") or fallback,
        http_status=status,
        request_ref=headers.get("request-id"),
        replayed=was_replayed(headers),
        retry_after_s=_seconds(headers.get("retry-after")),
        reach=_reach(status, shaped, headers),
        error=shaped,
    )


def _proof(status: int | None, shaped: Raw) -> tuple[Proof, str]:
    """The table. `shaped` is Stripe's error object; empty where the answer was not in Stripe's shape."""
    kind = code(shaped, "type")
    if kind is None:
        return Proof.UNCLEAR, f"http_{status}_unshaped"
    if kind == "idempotency_error" and status == 400:
        return Proof.KEY_DIFFERS, "key_parameters_differ"
    if code(shaped, "code") == "lock_timeout" or status == 429:
        return Proof.NOT_RUN, "rate_limited"
    match status:
        case 401 | 403:
            return Proof.NOT_ALLOWED, "key_rejected" if status == 401 else "permission_denied"
        case 400 | 404:
            return Proof.REFUSED, "invalid_request"
        case 402:
            return Proof.FAILED, "request_failed"
        case _:
            return Proof.UNCLEAR, f"http_{status}"


def _reach(status: int | None, shaped: Raw, headers: Mapping[str, str]) -> Reach:
    """A lock on one object is no sign of the rate. Stripe names whose limit was met: `global-rate`, `endpoint-rate`."""
    if status is None or status >= 500:
        # A stored failure is given back by a provider that is there.
        return Reach.ANSWERED if was_replayed(headers) else Reach.AWAY
    if status != 429 or code(shaped, "code") == "lock_timeout":
        return Reach.ANSWERED
    named = headers.get("stripe-rate-limited-reason", "")
    return Reach.THROTTLED_ENDPOINT if named.startswith(("endpoint", "resource")) else Reach.THROTTLED


def _silence(error: stripe.APIConnectionError) -> str:
    if any(
        isinstance(link, requests.exceptions.Timeout | urllib3.exceptions.TimeoutError | TimeoutError)
        for link in _chain(error)
    ):
        return "no_answer_in_time"
    return "connection_broke"


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


def _seconds(value: str | None) -> float | None:
    if value is None or not value.isascii() or not value.isdigit() or len(value) > 6:
        return None
    return float(value)
