"""Dunning: what a decline means, when an invoice is tried again, and what happens when the tries are used up.

Source: the scenario contract, rule 11; the order of `classify` follows Stripe's advice on declines. The numbers and
their sources stand in docs/dunning.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from billing.rules.retry_time import Hours


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


FOR_GOOD = frozenset({DeclineClass.HARD, DeclineClass.DATA, DeclineClass.FRAUD})
"""No other try with the same method can help, not even one at which the customer is present."""


class Need(StrEnum):
    """What the customer is asked for. All that a customer ever learns of a decline's reason."""

    AUTHENTICATE = "authenticate"
    CARD_DATA = "card_data"
    NEW_METHOD = "new_method"


class OverLimit(StrEnum):
    """What becomes of a retry that a card network's limit forbids."""

    POSTPONE = "postpone"
    FINAL = "final"
    OFF = "off"
    """The limits are not watched: the retry is sent."""


@dataclass(frozen=True, slots=True)
class DunningPolicy:
    """`retries` are delays, each counted from the attempt of the previous scheduled moment."""

    retries: tuple[timedelta, ...]
    final: FinalAction
    hours: Hours | None = None
    """Local hours in which scheduled retries fall; None: at the exact delay."""
    over_limit: OverLimit = OverLimit.OFF
    fall_back: bool = False
    """Whether another valid method is tried at once after a definite decline of the default."""


@dataclass(frozen=True, slots=True)
class Next:
    """Either the next scheduled moment `at`, or the `final` action now.

    `charges` says whether the moment is a real try as things stand; a new method declined softly makes it one again.
    """

    at: datetime | None
    final: FinalAction | None
    charges: bool


_STRIPES_NINE = frozenset(
    {
        "authentication_required",
        "highest_risk_level",
        "incorrect_number",
        "lost_card",
        "pickup_card",
        "revocation_of_all_authorizations",
        "revocation_of_authorization",
        "stolen_card",
        "transaction_not_allowed",
    }
)
"""What Stripe itself never retries without a new method."""
_HARD = _STRIPES_NINE | {
    # Codes that say as much by their names.
    "card_not_supported",
    "currency_not_supported",
    "do_not_try_again",
    "invalid_account",
    "live_mode_test_card",
    "not_permitted",
    "previously_declined_do_not_retry",
    "stop_payment_order",
    "testmode_decline",
}
_DATA = frozenset(
    {
        "expired_card",
        "incorrect_address",
        "incorrect_cvc",
        "incorrect_pin",
        "incorrect_zip",
        "invalid_cvc",
        "invalid_expiry_month",
        "invalid_expiry_year",
        "invalid_number",
        "invalid_pin",
    }
)
_FRAUD = frozenset({"blocklist", "fraudulent", "merchant_blacklist", "restricted_card", "security_violation"})
_ADVICE = {
    "do_not_try_again": DeclineClass.HARD,
    "try_again_later": DeclineClass.SOFT,
    "confirm_card_data": DeclineClass.DATA,
}
_NEEDS = {
    DeclineClass.HARD: Need.NEW_METHOD,
    DeclineClass.AUTHENTICATION: Need.AUTHENTICATE,
    DeclineClass.DATA: Need.CARD_DATA,
    # The same words as for any other card that is of no more use.
    DeclineClass.FRAUD: Need.NEW_METHOD,
}


def classify(decline_code: str | None, advice_code: str | None = None) -> DeclineClass:
    """What a decline means: by advice, then Stripe's nine, faulty data, suspected fraud; what no list names is soft.

    `authentication_required` goes before all: no advice makes a blind repeat succeed. Suspected fraud stays fraud where
    the advice forbids a repeat anyway, so that nothing tells it from outside.
    """
    if decline_code == "authentication_required":
        return DeclineClass.AUTHENTICATION
    if advice_code in _ADVICE:
        advised = _ADVICE[advice_code]
        return DeclineClass.FRAUD if decline_code in _FRAUD and advised is not DeclineClass.SOFT else advised
    if decline_code in _HARD:
        return DeclineClass.HARD
    if decline_code in _DATA:
        return DeclineClass.DATA
    if decline_code in _FRAUD:
        return DeclineClass.FRAUD
    return DeclineClass.SOFT


def need_of(decline: DeclineClass) -> Need | None:
    """What only the customer can mend; None where time may mend it."""
    return _NEEDS.get(decline)


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
