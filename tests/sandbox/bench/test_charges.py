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


def test_calls_are_counted_while_there_is_enough_to_do() -> None:
    requests = [
        request(-1, path="/v1/account", method="GET"),
        *(request(second / 10) for second in range(100)),
        request(5, status=429),
        request(6, path="/v1/refunds/re_1", method="GET"),
        request(30, path="/v1/payment_intents"),
    ]
    result = seen(Case("capped", 101, cap=10), requests, [(0, 100.0), (50, 110.0), (97, 112.0)])
    assert 9.5 < result.seconds < 10
    assert (result.throttled, result.rereads) == (1, 1)
    assert result.of_cap is not None
    assert 1.0 <= result.of_cap < 1.04
    assert result.slope_mb is not None
    assert round(result.slope_mb) == round(2 / 47 * 10_000)


def test_what_is_told_stands_beside_the_bare_sdk() -> None:
    free = Result(Case("free", 100), 2.0, 100, 100, 0, 0, [])
    figures = tell([free], 100.0, Report(as_json=True))
    assert figures["of_bare_sdk"] == 0.5
    assert figures["cases"][0]["charges_a_second"] == 50.0
