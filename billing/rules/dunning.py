"""Dunning: what a decline means, when an invoice is tried again, and what happens when the tries are used up.

Source: the scenario contract, rule 11; the order of `classify` follows Stripe's advice on declines.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum


class FinalAction(StrEnum):
    """What becomes of the subscription when the last scheduled try has failed."""

    CANCEL = "cancel"
    UNPAID = "unpaid"
    KEEP = "keep"


class DeclineClass(StrEnum):
    """Only `soft` is ever tried again with the same method; the others wait for the customer."""

    SOFT = "soft"
    HARD = "hard"
    AUTHENTICATION = "authentication"
    DATA = "data"
    FRAUD = "fraud"
    """The reason is never told to the customer."""


@dataclass(frozen=True, slots=True)
class DunningPolicy:
    """`retries` are delays, each counted from the attempt of the previous scheduled moment."""

    retries: tuple[timedelta, ...]
    final: FinalAction


@dataclass(frozen=True, slots=True)
class Next:
    """Either the next scheduled moment `at`, or the `final` action now.

    `charges` says whether the moment is a real try as things stand; a new method declined softly makes it one again.
    """

    at: datetime | None
    final: FinalAction | None
    charges: bool


# Stripe's list of codes that it will not retry without a new method, and codes that say as much by their names.
_HARD = frozenset(
    {
        "incorrect_number",
        "lost_card",
        "pickup_card",
        "stolen_card",
        "revocation_of_authorization",
        "revocation_of_all_authorizations",
        "highest_risk_level",
        "transaction_not_allowed",
        "card_not_supported",
        "invalid_account",
        "live_mode_test_card",
        "previously_declined_do_not_retry",
        "stop_payment_order",
    }
)
_DATA = frozenset(
    {
        "expired_card",
        "incorrect_address",
        "incorrect_cvc",
        "incorrect_zip",
        "invalid_cvc",
        "invalid_expiry_month",
        "invalid_expiry_year",
        "invalid_number",
    }
)
_FRAUD = frozenset({"fraudulent", "merchant_blacklist", "security_violation"})
_ADVICE = {
    "do_not_try_again": DeclineClass.HARD,
    "try_again_later": DeclineClass.SOFT,
    "confirm_card_data": DeclineClass.DATA,
}


def classify(decline_code: str | None, advice_code: str | None = None) -> DeclineClass:
    """What a decline means. The provider's advice goes before our lists; what no list names is soft.

    `authentication_required` goes before all: no advice makes a blind repeat succeed.
    """
    if decline_code == "authentication_required":
        return DeclineClass.AUTHENTICATION
    if advice_code in _ADVICE:
        return _ADVICE[advice_code]
    if decline_code in _HARD:
        return DeclineClass.HARD
    if decline_code in _DATA:
        return DeclineClass.DATA
    if decline_code in _FRAUD:
        return DeclineClass.FRAUD
    return DeclineClass.SOFT


def next_try(policy: DunningPolicy, *, retries_used: int, scheduled_at: datetime, decline: DeclineClass) -> Next:
    """What follows a scheduled moment that brought no money.

    `retries_used` counts scheduled retries so far, 0 after the first try. `scheduled_at` is the business time at which
    the last scheduled moment was tried or passed over: late after an outage, never that of an unscheduled try.
    `decline` is the latest one; a missing method counts as hard. After a hard decline the caller lets the moments pass
    without charging and asks again with the same `decline`.
    """
    if retries_used >= len(policy.retries):
        return Next(at=None, final=policy.final, charges=False)
    at = scheduled_at + policy.retries[retries_used]
    return Next(at=at, final=None, charges=decline is DeclineClass.SOFT)
