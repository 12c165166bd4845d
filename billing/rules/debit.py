"""Debits of bank accounts: what a bank's refusal means. Days after, and by other rules than a card's.

Only for want of funds may the same debit be presented again, and at most twice: banks charge for each return, and
schemes count them. Sources and the reading of codes: docs/dunning.md.
"""

from __future__ import annotations

from billing.kernel.kinds import MethodKind, takes
from billing.rules.dunning import DeclineClass, classify

DEBITS = frozenset({MethodKind.SEPA_DEBIT})
"""Kinds whose outcome the bank tells days later."""
TAKES_DAYS = DEBITS | {"acss_debit", "au_becs_debit", "bacs_debit", "nz_bank_account", "us_bank_account"}
"""By Stripe's names also those that nobody can set up here and a customer may have brought along."""
MOST_TRIES = 3
"""Of one invoice with one account: the debit, and two more."""
NO_FUNDS = "insufficient_funds"


def is_debit(kind: str | None) -> bool:
    """Whether a method, or what an attempt tells of it, is a bank account."""
    return kind in DEBITS


def brings(kind: str, currency: str, *, first_payment: bool) -> bool:
    """Whether a method can bring this money: it takes the currency (ISO 4217, lower case), and comes in time.

    `first_payment`: a subscription waits for it, for hours (DECISIONS 34).
    """
    return takes(kind, currency) and not (first_payment and kind in TAKES_DAYS)


def meaning(kind: str | None, decline_code: str | None, advice_code: str | None, *, failed: int = 1) -> DeclineClass:
    """What a decline means, by the kind that its attempt tells of.

    `failed`: how many debits of the invoice from this account have failed, this one among them. A debit that may not
    be presented again waits for another method, or a person.
    """
    if not is_debit(kind):
        return classify(decline_code, advice_code)
    again = decline_code == NO_FUNDS and failed < MOST_TRIES
    return DeclineClass.SOFT if again else DeclineClass.HARD
