"""A planned document: everything that an invoice will say, before it has a number."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from billing.kernel.status import InvoiceStatus
from billing.models import Account
from billing.rules.national import NationalTax
from billing.rules.tax import TaxTreatment
from billing.rules.totals import Totals


class PlannedLine(NamedTuple):
    """One line. `how_json` is the account of how the amount came about, as JSON text.

    `id` is that of the waiting line it was, if it waited. On a credit note the amounts have their signs turned.
    """

    kind: str
    price_id: UUID | None
    description: str
    quantity: str
    unit_amount: str | None
    amount_minor: int
    discount_minor: int
    treatment: TaxTreatment
    period_start: datetime | None
    period_end: datetime | None
    how_json: str
    id: UUID | None = None
    credits_line_id: UUID | None = None
    credits_issued: bool = False
    counts_from: datetime | None = None
    """Of usage: from when on it counts, the start of the period or the moment at which its item came."""
    if_used: bool = False
    """Told only if there is some: usage from before a pause, of a period that closed in it."""


class Held(StrEnum):
    """Why a document is a draft at first: the seller reviews it, or a subscription waits for its first payment."""

    REVIEW = "review"
    FIRST_PAYMENT = "first_payment"
    GUARD = "guard"
    """It is out of the ordinary: a person decides, by the work item that `hold_id` names."""


class PlannedInvoice(NamedTuple):
    """A document ready to be issued. `parties_json` names seller and buyer in full; it is written sealed.

    A credit note's total goes to the account `counter`: the customer's balance, the open debt, or a refund on its way.
    """

    id: UUID
    seller_id: UUID
    profile_id: UUID
    subscription_id: UUID | None
    currency: str
    period_start: datetime | None
    period_end: datetime | None
    lines: tuple[PlannedLine, ...]
    totals: Totals
    collection: str
    days_until_due: int
    charged: bool
    """Whether collection may try it at once (false for a seller's or subscription's final `unpaid`)."""
    buyer_country: str
    buyer_kind: str
    parties_json: bytes
    kind: str = "invoice"
    note_status: InvoiceStatus = InvoiceStatus.CREDITED
    counter: Account = Account.CUSTOMER_CREDIT
    corrects_id: UUID | None = None
    seller_tax: NationalTax | None = None
    """The tax in the seller's own currency, where the document is in another."""
    hold_id: UUID | None = None
    """The work item of a guard that holds it."""
    held: Held | None = None
    """Written as a draft, without a number: until it was reviewed, or until it is paid."""
    drafted: bool = False
    """Its draft is written already, and becomes this document."""
