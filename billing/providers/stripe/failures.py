"""What a failed call to Stripe proves. One reading of the SDK's exceptions for charges, other writes and reads alike.

Only two things prove that this sending did nothing: the connection was never made, or Stripe itself answered, in its
own error shape, with a refusal that it gives before it acts. All else is unclear, whatever the status line says: a
gateway, a proxy or a broken body speaks for nobody.
"""

from __future__ import annotations

from collections.abc import Mapping

import stripe

from billing.kernel.errors import Reach
from billing.providers.failing import Failure, Proof, headers_of, never_connected, seconds_of, silence_of, unreadable
from billing.providers.reading import Raw, Unreadable, code, inner


def failure_of(error: Exception) -> Failure:
    """Read any exception of a call. Never raises; what it doesn't know is unclear."""
    if isinstance(error, stripe.APIConnectionError):
        if never_connected(error):
            return Failure(Proof.NOT_RUN, "connection_not_made", reach=Reach.AWAY)
        return Failure(Proof.UNCLEAR, silence_of(error), reach=Reach.AWAY)
    if isinstance(error, Unreadable):
        return unreadable(error)
    if not isinstance(error, stripe.StripeError):
        return Failure(Proof.UNCLEAR, "call_broke")
    return _answer(error)


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
        retry_after_s=seconds_of(headers.get("retry-after")),
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
