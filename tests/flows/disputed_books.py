"""What docs/ledger.md says of disputes, done: each way in which one ends, and each rest that it leaves."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import select

from billing.commands.dispute.record import new_dispute, note_dispute
from billing.commands.payment.unapplied import lock_unapplied
from billing.commands.refund.of_unapplied import reserve_unapplied
from billing.commands.refund.record import note_facts
from billing.flows import disputing, external_money, refunding
from billing.flows.order import Order
from billing.models import Dispute, Invoice, Refund, UnappliedPayment
from billing.providers.port import DisputeFacts, RefundFacts
from billing.validators.subscription import NewItem
from tests.flows.company import START, Company

ORDER = Order(actor="mara", reason="a letter of the bank")


def invoice_of(acme: Company, profile_id: UUID) -> Invoice:
    (found,) = [each for each in acme.invoices() if each.profile_id == profile_id and each.kind == "invoice"]
    return found


def refund_returned(acme: Company, invoice_id: UUID) -> UUID:
    """A refund of 1.19 fails. Returns its work item."""
    refunding.refund(acme.parts, invoice_id, amount_minor=119)
    acme.settle()
    refund = acme.refunds()[-1]
    assert refund.refund_ref is not None
    facts = RefundFacts(refund.refund_ref, "failed", 119, "eur", refund.charge_ref, str(refund.id))
    with acme.parts.begin() as session:
        locked = session.get_one(Refund, refund.id, with_for_update=True)
        note_facts(session, refund=locked, facts=facts, now=START, wall=datetime.now(UTC))
    (item,) = [each for each in acme.work_items() if each.subject_id == refund.id]
    return item.id


def dispute_everything(acme: Company) -> None:
    """Each way in which a dispute ends, of payments of its own; the stray payment among them."""
    names = [f"d{number}" for number in range(11)]
    paid = [acme.customer(name) for name in names]
    for name in names:
        acme.begin_subscription(name, f"of-{name}", NewItem("basic", 1))
    acme.settle()
    won, credited, partly, foreign, elsewhere, gone, repaid, twice, *abroad, _ = [
        invoice_of(acme, each) for each in paid
    ]
    _told(acme, won, "needs_response")
    _told(acme, won, "won", reinstated_minor=1190)
    _told(acme, credited, "lost")
    _told(acme, credited, "won", reinstated_minor=1190)
    _told(acme, elsewhere, "lost", moved_currency="usd", withdrawn_minor=1300)
    disputing.write_off_loss(acme.parts, _told(acme, partly, "lost"), order=ORDER)
    external_money.mark_paid(acme.parts, partly.id)
    external_money.mark_paid(acme.parts, partly.id, amount_minor=5, reference="once more")
    for invoice, amount in ((repaid, 1190), (twice, 190)):
        _told(acme, invoice, "lost")
        external_money.mark_paid(acme.parts, invoice.id, amount_minor=amount)
        _told(acme, invoice, "won", reinstated_minor=1190)
    for invoice, amount in ((foreign, 190), (gone, 1190)):
        refunding.refund(acme.parts, invoice.id, amount_minor=amount)
    _told(acme, foreign, "lost", currency="usd")
    _told(acme, gone, "lost")
    _told(acme, gone, "won", reinstated_minor=1190)
    for invoice, amount in zip(abroad, (190, 1190), strict=True):
        refunding.refund(acme.parts, invoice.id, amount_minor=amount)
        _lost_and_won(acme, invoice, moved_currency="usd", withdrawn_minor=1300)
    last = invoice_of(acme, paid[-1])
    refunding.refund(acme.parts, last.id, amount_minor=190)
    disputing.credit_loss(acme.parts, _told(acme, last, "lost"), order=ORDER)
    with acme.begin() as session:
        stray = session.scalars(select(UnappliedPayment)).one()
        of_stray = session.get_one(Invoice, stray.invoice_id)
    with acme.parts.begin() as session:
        row, whose = lock_unapplied(session, stray.id)
        assert whose is not None
        reserve_unapplied(session, row=row, invoice=whose, amount_minor=90, now=START, wall=datetime.now(UTC))
    apart = {"charge_ref": stray.charge_ref, "amount_minor": 1000}
    _told(acme, of_stray, "lost", **apart, withdrawn_minor=1000)
    _told(acme, of_stray, "won", **apart, withdrawn_minor=1000, reinstated_minor=1000)
    apart |= {"dispute_ref": "du_elsewhere", "amount_minor": 100}
    _told(acme, of_stray, "lost", **apart, withdrawn_minor=110, moved_currency="usd")
    moved = {"amount_minor": 1190, "moved_currency": "usd", "withdrawn_minor": 1300}
    _lost_and_won(acme, of_stray, **apart | moved | {"dispute_ref": "du_more_elsewhere"})
    apart |= {"dispute_ref": "du_more", "amount_minor": 1190}
    _told(acme, of_stray, "lost", **apart)
    _lost_and_won(acme, of_stray, **apart | moved | {"dispute_ref": "du_gone_elsewhere"})


def _lost_and_won(acme: Company, invoice: Invoice, **given: Any) -> None:
    _told(acme, invoice, "lost", **given)
    _told(acme, invoice, "won", **given, reinstated_minor=1280)


def leave_rests(acme: Company) -> None:
    """What a dispute that is over leaves, by its cause."""
    names = ("in-part", "worse", "better", "given-up", "returned")
    paid = [acme.customer(name) for name in names]
    for name in names:
        acme.begin_subscription(name, f"of-{name}", NewItem("basic", 1))
    acme.settle()
    in_part, worse, better, given_up, returned = [invoice_of(acme, each) for each in paid]
    _told(acme, in_part, "won", reinstated_minor=1000)
    _told(acme, worse, "won", currency="usd", reinstated_minor=1100)
    _told(acme, better, "won", currency="usd", reinstated_minor=1300)
    disputing.write_off_loss(acme.parts, _told(acme, given_up, "lost"), order=ORDER)
    _told(acme, given_up, "lost", reinstated_minor=200)
    refund_returned(acme, returned.id)
    _told(acme, returned, "lost")
    _told(acme, returned, "won", reinstated_minor=1190)


def _told(acme: Company, invoice: Invoice, status: str, **given: Any) -> UUID:
    """The provider says this of the invoice's one dispute."""
    payment = acme.payments(invoice)[-1]
    known: dict[str, Any] = {
        "dispute_ref": f"du_{invoice.id}",
        "charge_ref": payment.charge_ref,
        "status": status,
        "amount_minor": 1190,
        "currency": "eur",
        "reason": "general",
        "created": START,
        "due_by": None,
        "refundable": False,
        "withdrawn_minor": 1190,
        "reinstated_minor": 0,
        "moved_currency": "eur",
    }
    facts = DisputeFacts(**known | given)
    with acme.parts.begin() as session:
        row = session.scalars(select(Dispute).where(Dispute.dispute_ref == facts.dispute_ref)).one_or_none()
        of = payment.id if facts.charge_ref == payment.charge_ref else None
        row = row or new_dispute(invoice=invoice, payment_id=of, account_id=acme.account_id, facts=facts)
        note_dispute(session, dispute=row, invoice=session.get_one(Invoice, invoice.id), facts=facts, now=START)
        return row.id
