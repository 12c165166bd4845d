"""The facts of one document, as they were frozen; beside them only what became of its debt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class LineFacts:
    """One line. `unit_amount` is in minor units (parts of them, too); `how` is the account of the amount."""

    kind: str
    description: str
    quantity: Decimal
    unit_amount: Decimal | None
    amount_minor: int
    discount_minor: int
    tax_percent: Decimal
    tax_inclusive: bool
    tax_code: str
    period_start: datetime | None
    period_end: datetime | None
    how: Mapping[str, Any]
    corrects: str | None = None
    """Number of the invoice that charged what this line gives back, where that is another (art. 219)."""
    corrects_issued_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupFacts:
    """The tax of a document at one percent; `base_minor` is without it."""

    percent: Decimal
    inclusive: bool
    base_minor: int
    tax_minor: int
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentFacts:
    """A document. Amounts are minor units of `currency`; parties are the sealed JSON, opened. Repr shows no party."""

    kind: str
    status: str
    number: str | None
    issued_at: datetime | None
    due_at: datetime | None
    paid_at: datetime | None
    period_start: datetime | None
    period_end: datetime | None
    zone: str
    """In which the document's days are counted: the seller's, in whose books they stand."""
    periods_zone: str
    """In which supply periods are counted: the subscription's."""
    currency: str
    subtotal_minor: int
    discount_minor: int
    tax_minor: int
    total_minor: int
    credit_applied_minor: int
    brought_forward_minor: int
    amount_due_minor: int
    amount_paid_minor: int
    amount_carried_forward_minor: int
    amount_remaining_minor: int
    tax_groups: Sequence[GroupFacts]
    legal_notes: Sequence[str]
    collection: str
    buyer_country: str
    seller: Mapping[str, Any] = field(repr=False)
    buyer: Mapping[str, Any] = field(repr=False)
    lines: Sequence[LineFacts]
    corrects: str | None = None
    """Number of the invoice that it corrects."""
    corrects_issued_at: datetime | None = None
    supplied_at: datetime | None = None
    """Of an invoice without a period that corrects another: when the first of them was issued."""
    seller_tax: Mapping[str, Any] | None = None
    """Tax in the seller's currency, with rate, source and date (Directive 2006/112/EC art. 230)."""
    by_itself: bool = True
    """Of an automatic invoice: nothing was declined, and charging goes on, so that nobody need do anything."""
