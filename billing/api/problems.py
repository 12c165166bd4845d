"""Everything that goes wrong, as problem+json (RFC 9457): a code, the field, and how to mend it."""

from __future__ import annotations

from typing import Any

from flask import Response
from pydantic import ValidationError

from billing.api.mends import mend_of
from billing.api.shapes import Broken, Shape
from billing.kernel.errors import (
    Fault,
    MasterKeyMissing,
    ProviderRefused,
    ProviderUnavailable,
    ProviderUncertain,
    Refused,
    Stale,
)

_STATUS = {
    "idempotency_key_missing": 400,
    "not_json": 400,
    "api_key_missing": 401,
    "api_key_invalid": 401,
    "scope_missing": 403,
    "not_found": 404,
    "method_not_allowed": 405,
    "idempotency_key_in_use": 409,
    "stale": 412,
    "body_too_large": 413,
    "not_the_media_type": 415,
    "last_tier_not_open": 422,
    "too_many_requests": 429,
}
_TITLES = {
    400: "The request can't be read",
    401: "No valid key",
    403: "The key may not do this",
    404: "There is no such thing",
    405: "Not with this method",
    409: "The state of things doesn't allow it",
    412: "It has changed meanwhile",
    413: "Too large",
    415: "Not this media type",
    422: "The values don't hold",
    429: "Too many requests",
    500: "It failed here",
    502: "The payment provider refused",
    503: "Not now",
}
# What stands against it is a state, not the words of the request.
_STATES = (
    "_taken", "_in_flight", "_canceled", "_incomplete", "_due", "_on_hold", "_paused", "_stopped", "_not_open",
    "_partly_settled", "_corrected", "_changed", "_exceeds_paid", "_exceeded", "_disputed", "_not_lost", "_decided",
    "_not_pending", "_not_complete", "_not_safe", "_in_hands", "_is_off", "_erased", "_blanked", "_not_issued",
    "_takes_days", "_not_standing", "already_paused", "not_paused", "not_canceling", "not_active", "_not_draft",
    "_not_automatic", "_included_fixed", "nothing_owed", "nothing_to_settle", "nothing_to_refund",
    "nothing_to_adopt_for", "_exceeds_invoice", "_below_zero", "balance_too_large", "line_credited", "last_line",
    "month_not_over", "_settled", "refund_not_failed", "_rotating", "_limit_reached", "destination_rate_missing",
    "catch_up_too_long", "payment_method_missing", "payment_method_refused", "_known", "_payment_open", "_not_begun",
)  # fmt: skip


class FaultShape(Shape):
    """One thing that is wrong."""

    field: str
    code: str
    mend: str


class Problem(Shape):
    """RFC 9457. `code`, `field` and `mend` are those of the first fault; `faults` are all of them."""

    type: str
    title: str
    status: int
    code: str
    field: str
    mend: str
    faults: list[FaultShape]


def problem(faults: list[Fault], *, status: int | None = None) -> Response:
    """The answer to a request that was refused."""
    first = faults[0]
    known = status or status_of(first)
    said = Problem(
        type=f"urn:billing:problem:{first.code}",
        title=_TITLES[known],
        status=known,
        code=first.code,
        field=first.field,
        mend=first.mend,
        faults=[FaultShape(field=each.field, code=each.code, mend=each.mend) for each in faults],
    )
    return Response(said.model_dump_json(), status=known, mimetype="application/problem+json")


def status_of(fault: Fault) -> int:
    """By the code: what the request says is wrong (422), or something stands against it (409)."""
    return _STATUS.get(fault.code, 409 if fault.code.endswith(_STATES) else 422)


def told(error: Exception) -> Response | None:
    """The answer to a failure that is foreseen; None to any other."""
    match error:
        case MasterKeyMissing():
            return problem([Fault("request", "unavailable", "repeat the request, under its key")], status=503)
        case Refused():
            return problem([_as_it_is_called_here(each) for each in error.faults])
        case Stale():
            return problem([Fault("version", "stale", str(error))])
        case ProviderUnavailable() | ProviderUncertain():
            answer = problem(
                [Fault("provider", "provider_unavailable", "repeat the request, under its key")], status=503
            )
            answer.headers["Retry-After"] = "5"
            return answer
        case ProviderRefused():
            return problem([Fault("provider", "provider_refused", f"the provider said {error.code}")], status=502)
        case _:
            return None


CALLED = {
    "amount": "amount_minor", "contact": "address", "line": "position", "mandate": "mandate_ref",
    "timestamp": "used_at",
}  # fmt: skip
"""What flows call as an operator does, by what a request calls it, wherever it gives one; none has a field so named."""
_CALLED_BY_CODE = {"range_empty": "until"}
"""The same where the word is right elsewhere."""


def _as_it_is_called_here(fault: Fault) -> Fault:
    if fault.code == "unknown_field":
        return fault  # the request's own word
    place, dot, name = fault.field.rpartition(".")
    called = _CALLED_BY_CODE.get(fault.code) or CALLED.get(name, name)
    return Fault(f"{place}{dot}{called}", fault.code, fault.mend)


def faults_of(error: ValidationError) -> list[Fault]:
    """What a body or query lacks, by its place. The values themselves are told to nobody."""
    return [fault for each in error.errors() for fault in _faults_at(_place(each["loc"]), each)]


def _faults_at(place: str, error: Any) -> list[Fault]:
    cause = error.get("ctx", {}).get("error")
    if isinstance(cause, Broken):
        return [Fault(place, each.code, each.mend) for each in cause.faults]
    return [Fault(place, _CODES.get(error["type"], "not_valid"), mend_of(error))]


_CODES = {"missing": "missing", "extra_forbidden": "unknown_field"}


def _place(loc: tuple[int | str, ...]) -> str:
    # Places in lists count from 1, as in all faults of ours.
    return ".".join(str(each + 1) if isinstance(each, int) else each for each in loc) or "body"
