"""Dunning: what a decline means, and a schedule that counts from its own moments and ends where it says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from billing.rules.dunning import DeclineClass, DunningPolicy, FinalAction, Need, Next, classify, need_of, next_try

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


TABLE = {
    # (2) Stripe's nine: never again without a new method; of them one asks the customer.
    DeclineClass.HARD: """
        incorrect_number lost_card pickup_card stolen_card revocation_of_authorization
        revocation_of_all_authorizations highest_risk_level transaction_not_allowed""",
    DeclineClass.AUTHENTICATION: "authentication_required",
    # (3) Data problems: the customer is asked.
    DeclineClass.DATA: """
        expired_card incorrect_address incorrect_cvc incorrect_pin incorrect_zip invalid_cvc invalid_expiry_month
        invalid_expiry_year invalid_number invalid_pin""",
    # (4) The fraud family: stop, and never tell the customer why.
    DeclineClass.FRAUD: "blocklist fraudulent merchant_blacklist restricted_card security_violation",
    # (5) The rest: on schedule. Sources disagree on do_not_honor; Stripe itself repeats it.
    DeclineClass.SOFT: """
        approve_with_id call_issuer card_velocity_exceeded do_not_honor duplicate_transaction generic_decline
        insufficient_funds issuer_not_available new_account_information_available no_action_taken processing_error
        reenter_transaction service_not_allowed try_again_later withdrawal_count_limit_exceeded""",
}
OF_NO_USE = """
    card_not_supported currency_not_supported do_not_try_again invalid_account live_mode_test_card not_permitted
    previously_declined_do_not_retry stop_payment_order testmode_decline"""
CODES = [(code, kind) for kind, codes in TABLE.items() for code in codes.split()]
CODES += [(code, DeclineClass.HARD) for code in OF_NO_USE.split()]


@pytest.mark.parametrize(("decline_code", "expected"), CODES)
def test_a_code_without_advice_has_its_class(decline_code: str, expected: DeclineClass) -> None:
    assert classify(decline_code) is expected


@pytest.mark.parametrize(("decline_code", "kind"), CODES)
@pytest.mark.parametrize(
    ("advice_code", "advised"),
    [
        ("do_not_try_again", DeclineClass.HARD),
        ("try_again_later", DeclineClass.SOFT),
        ("confirm_card_data", DeclineClass.DATA),
    ],
)
def test_advice_goes_before_every_list_except_where_it_can_not_help_or_would_tell(
    decline_code: str, kind: DeclineClass, advice_code: str, advised: DeclineClass
) -> None:
    expected = advised
    if kind is DeclineClass.AUTHENTICATION or (kind is DeclineClass.FRAUD and advised is not DeclineClass.SOFT):
        expected = kind
    assert classify(decline_code, advice_code) is expected


@pytest.mark.parametrize("decline_code", TABLE[DeclineClass.FRAUD].split())
@pytest.mark.parametrize("advice_code", [None, "do_not_try_again", "confirm_card_data"])
def test_of_suspected_fraud_the_customer_hears_what_is_said_of_any_card_that_is_of_no_more_use(
    decline_code: str, advice_code: str | None
) -> None:
    assert need_of(classify(decline_code, advice_code)) is need_of(DeclineClass.HARD) is Need.NEW_METHOD


@pytest.mark.parametrize(
    ("decline", "need"),
    [
        (DeclineClass.SOFT, None),
        (DeclineClass.AUTHENTICATION, Need.AUTHENTICATE),
        (DeclineClass.DATA, Need.CARD_DATA),
        (DeclineClass.HARD, Need.NEW_METHOD),
    ],
)
def test_the_customer_is_asked_for_what_only_the_customer_can_mend(decline: DeclineClass, need: Need | None) -> None:
    assert need_of(decline) is need


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
