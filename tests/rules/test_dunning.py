"""Dunning: what a decline means, and a schedule that counts from its own moments and ends where it says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from billing.rules.dunning import DeclineClass, DunningPolicy, FinalAction, Next, classify, next_try

DAYS = tuple(timedelta(days=days) for days in (3, 5, 7))
POLICY = DunningPolicy(DAYS, FinalAction.CANCEL)
START = datetime(2026, 1, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    ("decline_code", "advice_code", "expected"),
    [
        ("generic_decline", None, DeclineClass.SOFT),
        ("insufficient_funds", None, DeclineClass.SOFT),
        ("do_not_honor", None, DeclineClass.SOFT),
        ("a_code_of_next_year", None, DeclineClass.SOFT),
        (None, None, DeclineClass.SOFT),
        ("lost_card", None, DeclineClass.HARD),
        ("transaction_not_allowed", None, DeclineClass.HARD),
        ("expired_card", None, DeclineClass.DATA),
        ("incorrect_cvc", None, DeclineClass.DATA),
        ("fraudulent", None, DeclineClass.FRAUD),
        ("authentication_required", None, DeclineClass.AUTHENTICATION),
        ("authentication_required", "try_again_later", DeclineClass.AUTHENTICATION),
        ("generic_decline", "do_not_try_again", DeclineClass.HARD),
        ("do_not_honor", "confirm_card_data", DeclineClass.DATA),
        ("expired_card", "try_again_later", DeclineClass.SOFT),
        ("fraudulent", "advice_of_next_year", DeclineClass.FRAUD),
    ],
)
def test_a_decline_is_read_by_advice_first_and_then_by_its_code(
    decline_code: str | None, advice_code: str | None, expected: DeclineClass
) -> None:
    assert classify(decline_code, advice_code) is expected


STRIPES_NINE = [
    "incorrect_number",
    "lost_card",
    "pickup_card",
    "stolen_card",
    "revocation_of_authorization",
    "revocation_of_all_authorizations",
    "authentication_required",
    "highest_risk_level",
    "transaction_not_allowed",
]


@pytest.mark.parametrize("decline_code", STRIPES_NINE)
def test_what_stripe_never_retries_waits_for_a_new_method(decline_code: str) -> None:
    decline = classify(decline_code)
    assert decline is not DeclineClass.SOFT
    assert not next_try(POLICY, retries_used=0, scheduled_at=START, decline=decline).charges


@pytest.mark.parametrize(
    ("decline_code", "expected"),
    [
        # The stand-in's methods, as the scenario contract names them.
        ("generic_decline", DeclineClass.SOFT),
        ("insufficient_funds", DeclineClass.SOFT),
        ("lost_card", DeclineClass.HARD),
        ("expired_card", DeclineClass.DATA),
        ("authentication_required", DeclineClass.AUTHENTICATION),
        # What Stripe advises in test mode, where it advised nothing here.
        ("processing_error", DeclineClass.SOFT),
        ("stolen_card", DeclineClass.HARD),
        ("incorrect_cvc", DeclineClass.DATA),
        ("invalid_expiry_year", DeclineClass.DATA),
        # The family of which the customer is never told the reason.
        ("fraudulent", DeclineClass.FRAUD),
        ("merchant_blacklist", DeclineClass.FRAUD),
        ("security_violation", DeclineClass.FRAUD),
        # Codes of which others say that a repeat is of no use.
        ("card_not_supported", DeclineClass.HARD),
        ("invalid_account", DeclineClass.HARD),
        ("live_mode_test_card", DeclineClass.HARD),
        ("previously_declined_do_not_retry", DeclineClass.HARD),
        ("stop_payment_order", DeclineClass.HARD),
    ],
)
def test_a_code_without_advice_has_its_class(decline_code: str, expected: DeclineClass) -> None:
    assert classify(decline_code) is expected


@pytest.mark.parametrize(
    ("delays", "moments"),
    [
        ((3, 5, 7), [3, 8, 15]),  # ours and Meteroid's
        ((2, 5, 7, 7), [2, 7, 14, 21]),  # Polar's
        ((8, 8, 8), [8, 16, 24]),  # Kill Bill's
        ((1,), [1]),
    ],
)
def test_the_schedules_of_the_field_count_from_moment_to_moment(delays: tuple[int, ...], moments: list[int]) -> None:
    policy = DunningPolicy(tuple(timedelta(days=days) for days in delays), FinalAction.KEEP)
    at = START
    for used, moment in enumerate(moments):
        following = next_try(policy, retries_used=used, scheduled_at=at, decline=DeclineClass.SOFT)
        assert following == Next(at=START + timedelta(days=moment), final=None, charges=True)
        assert following.at is not None
        at = following.at
    last = next_try(policy, retries_used=len(delays), scheduled_at=at, decline=DeclineClass.SOFT)
    assert last == Next(at=None, final=FinalAction.KEEP, charges=False)


def test_a_moment_that_an_outage_delayed_delays_what_follows() -> None:
    late = START + timedelta(days=10)
    following = next_try(POLICY, retries_used=1, scheduled_at=late, decline=DeclineClass.SOFT)
    assert following.at == late + DAYS[1]


def test_each_delay_counts_from_the_previous_scheduled_moment() -> None:
    at = START
    moments = []
    for used in range(3):
        following = next_try(POLICY, retries_used=used, scheduled_at=at, decline=DeclineClass.SOFT)
        assert following.charges
        assert following.at is not None
        at = following.at
        moments.append((at - START).days)
    assert moments == [3, 8, 15]
    last = next_try(POLICY, retries_used=3, scheduled_at=at, decline=DeclineClass.SOFT)
    assert last == Next(at=None, final=FinalAction.CANCEL, charges=False)


@pytest.mark.parametrize("decline", [kind for kind in DeclineClass if kind is not DeclineClass.SOFT])
def test_after_any_but_a_soft_decline_the_schedule_counts_on_without_charging(decline: DeclineClass) -> None:
    following = next_try(POLICY, retries_used=1, scheduled_at=START, decline=decline)
    assert following == Next(at=START + DAYS[1], final=None, charges=False)


@pytest.mark.parametrize("final", list(FinalAction))
def test_without_retries_the_first_decline_decides(final: FinalAction) -> None:
    following = next_try(DunningPolicy((), final), retries_used=0, scheduled_at=START, decline=DeclineClass.SOFT)
    assert following == Next(at=None, final=final, charges=False)
