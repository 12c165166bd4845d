"""Noting money that came past the provider, whatever has become of the invoice that it names.

While it is owed, the provider's intent is canceled first, as for any correction; where that turns out to be paid or
under way, that wins. On a paid or void one it pays what a lost dispute has put back, or becomes the customer's credit.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.expected_version import require_version
from billing.commands.invoice.receive import Came, Placed, asked_of, receive, require_not_noted, require_takes
from billing.flows.correcting import correct_open
from billing.flows.order import Order, carry_out, note
from billing.flows.parts import Parts
from billing.kernel.errors import Fault, Refused, Stale
from billing.kernel.money import MOST_TOTAL, format_minor
from billing.kernel.status import InvoiceStatus
from billing.models import Invoice
from billing.queries.dispute import lock_losses
from billing.queries.invoice import lock_invoice
from billing.queries.profile import lock_profile
from billing.validators.checks import Checks

_PAID_BEFORE = timedelta(days=366)
"""Money may come before its invoice; a year sooner, it is a slip of the pen, and would be booked in that year."""
_COLLECTED = (InvoiceStatus.OPEN, InvoiceStatus.UNCOLLECTIBLE)


@dataclass(frozen=True, slots=True)
class Noted:
    """The invoice as it is now, where the money went, and what money could still pay on it (minor units)."""

    number: str
    currency: str
    status: str
    placed: Placed
    remaining_minor: int

    @property
    def told(self) -> str:
        """It in a sentence."""

        def write(amount: int) -> str:
            return format_minor(amount, self.currency)

        placed = self.placed
        came = placed.paid_minor + placed.repaid_minor + placed.credited_minor
        rest = f"{write(self.remaining_minor)} are still owed" if self.remaining_minor else f"it is {self.status}"
        credited = f", {write(placed.credited_minor)} are credit" if placed.credited_minor else ""
        return f"{write(came)} came another way; {rest}{credited}"


def mark_paid(
    parts: Parts,
    invoice_id: UUID,
    *,
    amount_minor: int | None = None,
    reference: str = "",
    received_at: datetime | None = None,
    order: Order | None = None,
) -> Noted:
    """Note money that came another way. Not idempotent where something is owed and an amount without a reference named.

    `amount_minor` (None: all that is owed, lost disputes included) may be a part, and the rest stays open; or more, and
    the excess goes into the balance. `reference` is what the bank or till calls it, `received_at` when it came (None:
    now). Beside an amount it names the payment, and where nothing is owed it has to: a second one of that name is
    refused.

    Raises `Refused`: the faults of the values, `in_the_future`, `long_before_issue`, `invoice_not_found`,
    `invoice_not_open` (nothing is owed and no amount named; or replaced, expired, a draft), `reference_missing`,
    `reference_taken`, `payment_in_flight`; `Stale` where it was issued just now; the provider's errors: then nothing
    was done here, do it again.
    """
    checks = Checks()
    checks.optional_text("reference", reference, most=200)
    if amount_minor is not None:
        checks.whole("amount", amount_minor, least=1, most=MOST_TOTAL)
    if received_at is not None:
        checks.instant("received_at", received_at)
    checks.done()

    noted: list[Noted] = []

    def take(session: Session, invoice: Invoice, now: datetime) -> None:
        losses = lock_losses(session, invoice.id)
        asked = asked_of(invoice, losses)
        if not asked:
            _require_named(invoice, amount_minor, reference)
        if amount_minor is not None:
            require_not_noted(session, invoice, reference)
        came = Came(asked if amount_minor is None else amount_minor, reference, received_at or now)
        placed = receive(session, invoice=invoice, losses=losses, came=came, now=now)
        rest = asked - placed.paid_minor - placed.repaid_minor
        noted.append(Noted(invoice.number or "invoice", invoice.currency, invoice.status, placed, rest))

    with parts.begin() as session:
        found = session.get(Invoice, invoice_id)
        if found is not None and received_at is not None:
            _require_credible(found, received_at, now=parts.clock.now(session))
        collected = found is None or (found.kind == "invoice" and found.status in _COLLECTED)
    if collected:
        correct_open(parts, invoice_id, take, action="mark_paid", order=order, or_uncollectible=True)
        return noted[-1]
    with carry_out(parts, order) if order else parts.begin() as session:
        lock_profile(session, session.get_one(Invoice, invoice_id).profile_id)
        invoice = lock_invoice(session, invoice_id)
        if invoice.status in _COLLECTED:
            raise Stale("it was issued meanwhile, and may be charged; do it again")
        require_takes(invoice)
        require_version(invoice, order.expected_version if order else None)
        take(session, invoice, parts.clock.now(session))
        if order is not None:
            _note(parts, session, order, invoice, noted[-1].placed)
    return noted[-1]


def _require_credible(invoice: Invoice, received_at: datetime, *, now: datetime) -> None:
    if received_at > now:
        raise Refused(Fault("received_at", "in_the_future", "give the day on which the money came"))
    if invoice.issued_at is not None and received_at < invoice.issued_at - _PAID_BEFORE:
        mend = "it is more than a year before the invoice; give the day on which the money came"
        raise Refused(Fault("received_at", "long_before_issue", mend))


def _require_named(invoice: Invoice, amount_minor: int | None, reference: str) -> None:
    if amount_minor is None:
        mend = f"it is {invoice.status}; nothing is owed on it. What came all the same is credit: say how much"
        raise Refused(Fault("invoice", "invoice_not_open", mend))
    if not reference:
        mend = "nothing is owed on it, so all of it becomes credit; say what the bank calls the payment"
        raise Refused(Fault("reference", "reference_missing", mend))


def _note(parts: Parts, session: Session, order: Order, invoice: Invoice, placed: Placed) -> None:
    after = {"status": invoice.status, "repaid_minor": placed.repaid_minor, "credited_minor": placed.credited_minor}
    note(
        parts,
        session,
        order,
        action="invoice.mark_paid",
        subject_type="invoice",
        subject_id=invoice.id,
        seller_id=invoice.seller_id,
        before={"status": invoice.status},
        after=after,
    )
