"""What a failed call to PayPal proves.

Only its own error shape (`name`, `debug_id`) speaks for it; a gateway's page or a broken body proves nothing. 5xx are
never evidence: PayPal asks for the same request again, under the same id.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from billing.kernel.errors import BillingError, Reach
from billing.providers.failing import Failure, Proof, seconds_of, unreadable
from billing.providers.paypal.declines import OF_OUR_ACCOUNT
from billing.providers.reading import Raw, Unreadable, optional

IN_PROGRESS = "idempotency_key_in_use"
"""Our reason where another request runs under the same id: what becomes of it is not known yet."""

_NOT_IN_OUR_SHAPE: Raw = {}

T = TypeVar("T")


class CallFailed(Exception):
    """A call that brought no 2xx, with what that proves. It never leaves the adapter."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(failure.reason)


def guarded(call: Callable[[], T], error_of: Callable[[Failure], BillingError]) -> T:
    """What the call answers. Raises what `error_of` makes of its failure."""
    try:
        return call()
    except CallFailed as failed:
        failure = failed.failure
    except Unreadable as odd:
        failure = unreadable(odd, provider="paypal")
    raise error_of(failure)


def of_answer(raw: bytes, status: int, headers: Mapping[str, str]) -> Failure:
    """Read an answer that is no 2xx."""
    shaped = _shaped(raw)
    issue = issue_of(shaped)
    proof, reason = _proof(status, shaped, issue)
    return Failure(
        proof=proof,
        reason=reason,
        http_status=status,
        request_ref=headers.get("paypal-debug-id") or optional(shaped, "debug_id"),
        retry_after_s=seconds_of(headers.get("retry-after")),
        reach=Reach.THROTTLED if status == 429 else Reach.AWAY if status >= 500 else Reach.ANSWERED,
        error=shaped,
        provider="paypal",
    )


def issue_of(shaped: Raw) -> str | None:
    """The first `issue` among an error's details: upper-case words, never free text."""
    details = shaped.get("details")
    if not isinstance(details, list) or not details or not isinstance(details[0], Mapping):
        return None
    return _word(details[0].get("issue"))


def _invalid_field(shaped: Raw) -> str | None:
    """Where the first of an error's details says in free text what is wrong with a field: of which."""
    details = shaped.get("details")
    if not isinstance(details, list) or not details or not isinstance(details[0], Mapping):
        return None
    return f"INVALID_{_word(details[0].get('field')) or 'FIELD'}"


def _proof(status: int, shaped: Raw, issue: str | None) -> tuple[Proof, str]:
    name = _word(shaped.get("name"))
    if name is None:
        return Proof.UNCLEAR, f"http_{status}_unshaped"
    reason = (issue or _invalid_field(shaped) or name).lower()
    match status:
        case 429:
            return Proof.NOT_RUN, "rate_limited"
        case 403:
            return Proof.NOT_ALLOWED, "permission_denied"
        case 409:
            return Proof.UNCLEAR, IN_PROGRESS
        case 422 if issue in OF_OUR_ACCOUNT:
            return Proof.NOT_ALLOWED, reason
        case 422:
            return Proof.FAILED, reason
        case 400 | 404:
            return Proof.REFUSED, reason
        case _:
            return Proof.UNCLEAR, f"http_{status}"


def _shaped(raw: bytes) -> Raw:
    try:
        body: Any = json.loads(raw)
    except ValueError:
        return _NOT_IN_OUR_SHAPE
    return body if isinstance(body, dict) and _word(body.get("name")) is not None else _NOT_IN_OUR_SHAPE


def _word(value: object) -> str | None:
    if not isinstance(value, str) or not 0 < len(value) <= 80:
        return None
    return value if value.replace("_", "").isalnum() and value.isascii() else None
