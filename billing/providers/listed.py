"""What a provider's lists of a whole account show, reduced to what our rows are compared with; nothing personal."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ListedCharge:
    """One try to move money. Amounts in minor units of `currency`; `status`: succeeded | pending | failed."""

    charge_ref: str
    status: str
    amount_minor: int
    refunded_minor: int
    currency: str
    created: datetime
    intent_ref: str | None
    customer_ref: str | None
    method_ref: str | None
    metadata_invoice: str | None
    metadata_payment: str | None
    """Our ids, as the intent was created with: of later attempts at the same intent the first one's."""
    balance_ref: str | None
    """The movement of the provider's balance, which names the fee; null until the provider has booked it."""


@dataclass(frozen=True, slots=True)
class ListedRefund:
    """One refund. `status`: pending | requires_action | succeeded | failed | canceled."""

    refund_ref: str
    status: str
    amount_minor: int
    currency: str
    created: datetime
    charge_ref: str | None
    metadata_refund: str | None
    by_provider: bool = False
    """The provider took it back by itself: the end of a dispute, or without one."""


@dataclass(frozen=True, slots=True)
class ListedDispute:
    """One dispute, an inquiry too."""

    dispute_ref: str
    status: str
    amount_minor: int
    currency: str
    created: datetime
    charge_ref: str
    """Empty where the provider does not say."""


@dataclass(frozen=True, slots=True)
class ListedMovement:
    """One movement of the provider's balance: `amount_minor` gross and signed, `fee_minor` taken from it.

    In the currency of the balance, which may not be the charge's.
    """

    balance_ref: str
    type: str
    source_ref: str | None
    amount_minor: int
    fee_minor: int
    currency: str
    created: datetime


@dataclass(frozen=True, slots=True)
class PayoutFacts:
    """The provider's present state of one payout, in the currency of the balance it empties."""

    payout_ref: str
    status: str
    """pending | in_transit | paid | failed | canceled"""
    amount_minor: int
    currency: str
    arrives_at: datetime | None
    listed: bool = True
    """Whether the movements that it holds can be listed, all of them."""
    by_hand: bool = False
    """The provider knows nothing of what it holds, and refuses to list it."""
