"""Reads of what has been taken back of an invoice already."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.kernel.errors import Fault, Refused
from billing.kernel.money import divide_half_away, format_minor
from billing.models import Invoice
from billing.queries.dispute import Standing, disputed


@dataclass(frozen=True, slots=True)
class Notes:
    """Sums of the notes that gave parts of an invoice back: tax, what of it came on top of their subtotals, and all.

    `groups`: base and tax by the place of the invoice's tax groups; empty where there are no notes.
    """

    tax_minor: int
    on_top_minor: int
    total_minor: int
    groups: tuple[tuple[int, int], ...] = ()


_PAID = text(
    """
    WITH RECURSIVE chain AS (
        SELECT id, corrects_id FROM billing.invoice WHERE id = :invoice
        UNION ALL SELECT o.id, o.corrects_id FROM billing.invoice o JOIN chain n ON o.id = n.corrects_id
    )
    SELECT p.id, p.provider_account_id, p.charge_ref, p.amount_minor,
           (p.amount_minor - coalesce(
               (SELECT sum(r.amount_minor) FROM billing.refund r
                WHERE r.payment_id = p.id AND r.status NOT IN ('failed', 'canceled')), 0)
             - coalesce(
               (SELECT sum(d.reopened_minor) FROM billing.dispute d
                WHERE d.invoice_id IN (SELECT id FROM chain) AND d.charge_ref = p.charge_ref
                  AND d.provider_account_id = p.provider_account_id), 0))::bigint AS left_minor,
           EXISTS (SELECT FROM billing.dispute d
                   WHERE d.invoice_id IN (SELECT id FROM chain) AND d.charge_ref = p.charge_ref
                     AND d.provider_account_id = p.provider_account_id AND d.status = 'lost') AS lost
    FROM chain
    JOIN billing.payment p ON p.invoice_id = chain.id AND p.status = 'succeeded'
    WHERE NOT EXISTS (SELECT FROM billing.unapplied_payment u
                      WHERE u.provider_account_id = p.provider_account_id AND u.charge_ref = p.charge_ref)
    ORDER BY p.id DESC
    """
)


@dataclass(frozen=True, slots=True)
class PaidBy:
    """A payment that an invoice's money came by, and what of it could still go back."""

    payment_id: UUID
    provider_account_id: UUID
    charge_ref: str
    amount_minor: int
    left_minor: int
    lost: bool
    """A dispute of it was lost: the provider refunds nothing of it any more."""

    @property
    def refundable_minor(self) -> int:
        """What the provider would send back."""
        return 0 if self.lost else self.left_minor


def paid_by(session: Session, invoice_id: UUID) -> list[PaidBy]:
    """The succeeded payments that were applied to the invoice, or to those that it replaces, newest first."""
    return [PaidBy(*row) for row in session.execute(_PAID, {"invoice": invoice_id})]


_CREDITS = text(
    """
    SELECT abs(c.amount_minor) FROM billing.invoice_line l
    JOIN billing.invoice_line c ON c.credits_line_id = l.id AND c.credits_issued
    WHERE l.invoice_id = :invoice
    UNION ALL
    SELECT abs(c.amount_minor) FROM billing.invoice_line l
    JOIN billing.waiting_line c ON c.credits_line_id = l.id AND c.credits_issued
    WHERE l.invoice_id = :invoice
    """
)


_CREDITS_ON = text(
    """
    SELECT sum(abs(c.amount_minor)), string_agg(DISTINCT o.number, ' and ' ORDER BY o.number)
    FROM billing.invoice_line c
    JOIN billing.invoice_line l ON l.id = c.credits_line_id
    JOIN billing.invoice o ON o.id = l.invoice_id AND o.id <> c.invoice_id
    WHERE c.invoice_id = :invoice AND c.credits_issued
    """
)


def credits_on(session: Session, invoice: Invoice) -> str:
    """What the invoice's own lines give back for unused time of other documents, for a message; "" where nothing."""
    amount, numbers = session.execute(_CREDITS_ON, {"invoice": invoice.id}).one()
    return f"{format_minor(int(amount), invoice.currency)} of {numbers}" if amount else ""


def credited_gross(session: Session, invoice: Invoice) -> int:
    """The gross of all proration credits written for the invoice's lines, those that wait included; each rounded."""
    net = invoice.subtotal_minor - invoice.discount_minor
    if net == 0:
        return 0
    credits_ = session.execute(_CREDITS, {"invoice": invoice.id}).scalars()
    return sum(divide_half_away(credit * invoice.total_minor, net) for credit in credits_)


def refundable(session: Session, invoice: Invoice) -> int:
    """What may still go back to the customer, in minor units. Source: the scenario contract, rule 13.

    What a lost dispute has taken has gone back already, so has what was paid out of the balance to the same charges.
    What the customer has paid another way after that can't go back through the provider. Raises `Refused`
    (`charge_disputed`) while a dispute is open.
    """
    payments = paid_by(session, invoice.id)
    standing = _undisputed(session, invoice)
    left = _left(session, invoice, standing.gone_minor)
    paid = sum(each.amount_minor for each in payments) - standing.repaid_minor
    not_paid = invoice.total_minor - invoice.amount_credited_minor - paid
    return min(left, left - not_paid + invoice.amount_returned_minor, sum(each.refundable_minor for each in payments))


def still_refundable(session: Session, invoice: Invoice) -> int:
    """As `refundable`, for showing: nothing while a dispute is open, and nothing of a note."""
    if invoice.kind != "invoice" or disputed(session, invoice.id).forbidden:
        return 0
    return max(0, refundable(session, invoice))


def creditable(session: Session, invoice: Invoice) -> int:
    """What of the invoice's total no note, credit or lost dispute has given back. Raises as `refundable` does."""
    return _left(session, invoice, _undisputed(session, invoice).gone_minor)


_CREDITED_BY = text(
    """
    SELECT DISTINCT coalesce(o.number, 'a draft') FROM billing.invoice_line l
    JOIN billing.invoice_line c ON c.credits_line_id = l.id AND c.credits_issued
    JOIN billing.invoice o ON o.id = c.invoice_id
    WHERE l.invoice_id = :invoice
    UNION ALL
    SELECT DISTINCT 'the next invoice' FROM billing.invoice_line l
    JOIN billing.waiting_line c ON c.credits_line_id = l.id AND c.credits_issued
    WHERE l.invoice_id = :invoice
    """
)


def taken_back(session: Session, invoice: Invoice) -> str:
    """What of the invoice was given back already and how, for the message of a refusal; "" where nothing was."""
    documents = sorted(session.execute(_CREDITED_BY, {"invoice": invoice.id}).scalars())
    ways = (
        (invoice.amount_refunded_minor, "were refunded"),
        (invoice.amount_credited_minor, "were credited"),
        (invoice.amount_returned_minor, "were credited into the balance"),
        (disputed(session, invoice.id).gone_minor, "were taken by a lost dispute"),
        (credited_gross(session, invoice), f"were credited for unused time by {' and '.join(documents)}"),
    )
    told = [f"{format_minor(minor, invoice.currency)} {how}" for minor, how in ways if minor > 0]
    return f"of {format_minor(invoice.total_minor, invoice.currency)}, {', '.join(told)}" if told else ""


def _undisputed(session: Session, invoice: Invoice) -> Standing:
    standing = disputed(session, invoice.id)
    if standing.forbidden:
        mend = "a dispute of it is open; once that is over, see `billing dispute list`"
        raise Refused(Fault("invoice", "charge_disputed", mend))
    return standing


def creditable_loss(session: Session, invoice: Invoice, *, owed_minor: int) -> int:
    """What of `owed_minor`, the debt that one lost dispute has left open, nothing else has given back."""
    gone = disputed(session, invoice.id).gone_minor
    return min(owed_minor, _left(session, invoice, gone - owed_minor))


def _left(session: Session, invoice: Invoice, taken: int) -> int:
    given = invoice.amount_refunded_minor + invoice.amount_credited_minor + invoice.amount_returned_minor
    return invoice.total_minor - given - taken - credited_gross(session, invoice)


_NOTES = text(
    """
    SELECT coalesce(sum(tax_minor), 0), coalesce(sum(total_minor - subtotal_minor), 0), coalesce(sum(total_minor), 0)
    FROM billing.invoice WHERE corrects_id = :invoice AND kind = 'credit_note'
    """
)
_NOTED_GROUPS = text(
    """
    SELECT sum((g.said ->> 'base_minor')::bigint), sum((g.said ->> 'tax_minor')::bigint)
    FROM billing.invoice i CROSS JOIN jsonb_array_elements(i.tax_groups) WITH ORDINALITY AS g(said, place)
    WHERE i.corrects_id = :invoice AND i.kind = 'credit_note'
    GROUP BY g.place ORDER BY g.place
    """
)


def notes_of(session: Session, invoice_id: UUID) -> Notes:
    """What the notes that gave parts of the invoice back come to so far."""
    tax, on_top, total = map(int, session.execute(_NOTES, {"invoice": invoice_id}).one())
    groups = session.execute(_NOTED_GROUPS, {"invoice": invoice_id}).all() if total else ()
    return Notes(tax, on_top, total, tuple((int(base), int(tax)) for base, tax in groups))
