"""What the customer's page shows: amounts in minor units, and of a payment method no more than its last digits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from billing.flows.customer_debits import Mandate


@dataclass(frozen=True, slots=True)
class Bill:
    """One line of the page. `number` is null for a subscription's first payment, whose invoice is not issued yet."""

    number: str | None
    amount_minor: int
    currency: str
    due_on: date | None
    """In the customer's zone; of what is charged automatically, the day of issue."""
    overdue: bool
    state: str
    """open | under_way | paid | carried_forward, to the next invoice"""
    debit_on: date | None = None
    """The day on which a bank account is going to be debited for it."""
    arrives_by: date | None = None
    """Until when, about, a debit that is under way has arrived."""


@dataclass(frozen=True, slots=True)
class Card:
    """What may be shown of a payment method."""

    brand: str
    last4: str
    wallet: str | None
    """The wallet through which the card was given, by its name."""
    exp_month: int | None
    exp_year: int | None
    is_account: bool = False
    """A bank account, debited by itself: nothing is pressed for it."""


@dataclass(frozen=True, slots=True)
class Shown:
    """All that the page says."""

    seller: str
    bills: Sequence[Bill]
    """Oldest first: the order in which they are paid."""
    newest: UUID | None
    """The last of them that is open: what comes later was not on the page, and isn't paid from it."""
    totals: dict[str, int]
    """What remains to pay, by currency."""
    pays: dict[str, int]
    """What is charged of that, by currency, where the present method pays it: whole steps of the provider's, and
    nothing of what is too little. The rest comes with the next invoice."""
    pays_by_card: dict[str, int]
    """The same for a new card."""
    pays_by_wallet: dict[str, int]
    """The same for a new PayPal wallet."""
    card: Card | None
    can_pay: bool
    message: str | None
    """The one sentence above all, by its key; None where the amounts speak for themselves."""
    number: str | None
    """The invoice that the message is about."""
    currency: str
    publishable_key: str | None
    test_mode: bool
    cards: bool
    """Whether a card may be given."""
    wallet: str | None
    """The provider through which a PayPal wallet may be given; None where it may not."""
    mandate: Mandate | None = None
    """Under which a bank account may be given; None where it may not."""
