"""The bench of charges: what it counts, on few charges; a real worker is only in the bench itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

from billing.providers.stripe.witness import WitnessedRequest
from billing.sandbox.bench.charges import Case, Result, seen, tell
from billing.sandbox.bench.figures import Report

START = datetime(2026, 11, 26, 12, tzinfo=UTC)


def request(
    at_s: float, *, path: str = "/v1/payment_intents", method: str = "POST", status: int = 200
) -> WitnessedRequest:
    at = START + timedelta(seconds=at_s)
    return WitnessedRequest(
        seq=1,
        account_ref="acct_1",
        wall_time=at,
        clock=at,
        method=method,
        path=path,
        params={},
        key=str(UUID(int=1)),
        status=status,
        outcome="executed",
        request_ref="req_1",
    )


def test_calls_are_counted_between_the_first_and_the_last_charge() -> None:
    requests = [
        request(-1, path="/v1/account", method="GET"),
        *(request(second / 10) for second in range(101)),
        request(5, status=429),
        request(6, path="/v1/refunds/re_1", method="GET"),
        request(11, path="/v1/refunds/re_1", method="GET"),
    ]
    result = seen(Case("capped", 101, cap=10), requests, [(0, 100.0), (50, 110.0), (101, 112.0)])
    assert (result.seconds, result.charges, result.calls, result.throttled, result.rereads) == (10.0, 101, 102, 1, 1)
    assert result.of_cap == 1.02
    assert result.slope_mb is not None
    assert round(result.slope_mb) == round(2 / 51 * 10_000)


def test_what_is_told_stands_beside_the_bare_sdk() -> None:
    free = Result(Case("free", 100), 2.0, 100, 100, 0, 0, [])
    figures = tell([free], 100.0, Report(as_json=True))
    assert figures["of_bare_sdk"] == 0.5
    assert figures["cases"][0]["charges_a_second"] == 50.0
