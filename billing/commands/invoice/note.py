"""Notes that correct an invoice in one sum: the refund of a part of it, the cancellation of all. Pure."""

from __future__ import annotations

from billing.commands.invoice.planned import PlannedInvoice
from billing.db.base import JsonList
from billing.kernel.ids import new_id
from billing.kernel.money import divide_half_away, share
from billing.kernel.status import InvoiceStatus
from billing.models import Account, Invoice
from billing.queries.correction import Notes
from billing.rules.tax import TaxGroup
from billing.rules.totals import Totals


def refund_note(invoice: Invoice, *, amount_minor: int, earlier: Notes, parties: bytes) -> PlannedInvoice:
    """The credit note of a refund; `earlier` are the notes before it.

    tax = round(all refunded × invoice tax ÷ invoice total) - tax of the earlier notes, so that the notes of a whole
    invoice add up to its tax. Source: the scenario contract, rule 13.
    """
    return _part(
        invoice,
        amount_minor=amount_minor,
        earlier=earlier,
        parties=parties,
        status=InvoiceStatus.REFUNDED,
        counter=Account.REFUNDS_IN_FLIGHT,
    )


def credit_note(
    invoice: Invoice, *, amount_minor: int, earlier: Notes, parties: bytes, counter: Account
) -> PlannedInvoice:
    """The credit note of a part of an invoice that goes to `counter`: its open debt, or the customer's balance."""
    return _part(
        invoice,
        amount_minor=amount_minor,
        earlier=earlier,
        parties=parties,
        status=InvoiceStatus.CREDITED,
        counter=counter,
    )


def _part(
    invoice: Invoice, *, amount_minor: int, earlier: Notes, parties: bytes, status: InvoiceStatus, counter: Account
) -> PlannedInvoice:
    given_back, on_top = earlier.total_minor + amount_minor, invoice.total_minor - invoice.subtotal_minor
    tax_minor = _part_of(invoice, invoice.tax_minor, given_back) - earlier.tax_minor
    on_top_minor = _part_of(invoice, on_top + invoice.discount_minor, given_back) - earlier.on_top_minor
    totals = Totals(
        subtotal_minor=amount_minor - on_top_minor,
        discount_minor=0,
        tax_minor=tax_minor,
        total_minor=amount_minor,
        credit_applied_minor=0,
        amount_due_minor=0,
        tax_groups=_groups(invoice.tax_groups, earlier, tax_minor=tax_minor, base_minor=amount_minor - tax_minor),
        reverse_charge=invoice.reverse_charge,
        notes=tuple(invoice.legal_notes),
        credit_note=True,
    )
    return _note(invoice, totals, parties, kind="credit_note", status=status, counter=counter)


def _part_of(invoice: Invoice, amount_minor: int, given_back: int) -> int:
    """In proportion to what is given back. Of an invoice that comes to nothing, that is all of it."""
    return divide_half_away(given_back * amount_minor, invoice.total_minor) if invoice.total_minor else amount_minor


def cancellation(invoice: Invoice, *, parties: bytes) -> PlannedInvoice:
    """The document that takes back all of a void invoice, whose number stays (DECISIONS 33)."""
    totals = Totals(
        subtotal_minor=invoice.subtotal_minor,
        discount_minor=invoice.discount_minor,
        tax_minor=invoice.tax_minor,
        total_minor=invoice.total_minor,
        credit_applied_minor=0,
        amount_due_minor=0,
        tax_groups=tuple(TaxGroup.of(each) for each in invoice.tax_groups),
        reverse_charge=invoice.reverse_charge,
        notes=tuple(invoice.legal_notes),
        credit_note=True,
    )
    return _note(
        invoice, totals, parties, kind="cancellation", status=InvoiceStatus.CREDITED, counter=Account.RECEIVABLE
    )


def _note(
    invoice: Invoice, totals: Totals, parties: bytes, *, kind: str, status: InvoiceStatus, counter: Account
) -> PlannedInvoice:
    return PlannedInvoice(
        id=new_id(),
        seller_id=invoice.seller_id,
        profile_id=invoice.profile_id,
        subscription_id=invoice.subscription_id,
        currency=invoice.currency,
        period_start=invoice.period_start,
        period_end=invoice.period_end,
        lines=(),
        totals=totals,
        collection=invoice.collection,
        days_until_due=0,
        charged=False,
        buyer_country=invoice.buyer_country,
        buyer_kind=invoice.buyer_kind,
        parties_json=parties,
        kind=kind,
        note_status=status,
        counter=counter,
        corrects_id=invoice.id,
    )


def _groups(groups: JsonList, earlier: Notes, *, tax_minor: int, base_minor: int) -> tuple[TaxGroup, ...]:
    """The invoice's groups with shares of these sums, in proportion to what earlier notes have left of each.

    So the notes of a whole invoice add up to it rate by rate, as it is declared.
    """
    found = [TaxGroup.of(each) for each in groups]
    gone = earlier.groups or [(0, 0)] * len(found)
    left = [(group.base_minor - base, group.tax_minor - tax) for group, (base, tax) in zip(found, gone, strict=True)]
    bases = _shared(base_minor, [base for base, _ in left])
    taxes = _shared(tax_minor, [tax for _, tax in left])
    return tuple(
        TaxGroup(group.percent, group.inclusive, base, tax, group.code)
        for group, base, tax in zip(found, bases, taxes, strict=True)
    )


def _shared(amount_minor: int, weights: list[int]) -> list[int]:
    """Shares in proportion; where the weights come to nothing, the first bears all."""
    return share(amount_minor, weights if sum(weights) else [1, *([0] * (len(weights) - 1))])
