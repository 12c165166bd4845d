"""docs/ledger.md says what each entry posts; the books of a billed company must agree."""

from __future__ import annotations

import re
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import select, text

from billing.commands.credit.grant import grant_credit
from billing.commands.dispute.record import new_dispute, note_dispute
from billing.commands.movement.book import book_movements
from billing.commands.movement.keep import keep_movements
from billing.commands.payment.settle_unapplied import settle_unapplied
from billing.commands.payment.unapplied import keep_charge, lock_unapplied
from billing.commands.payout.note import note_payout
from billing.commands.refund.of_unapplied import reserve_unapplied
from billing.commands.refund.record import note_facts
from billing.commands.subscription.cancel import CancelWhen
from billing.flows import (
    accrual,
    changing,
    correcting,
    crediting,
    disputing,
    drafts,
    external_money,
    movements,
    paying_out,
    refunding,
    replacing,
    rights,
    working,
)
from billing.flows.order import Order
from billing.kernel.status import SettledAs
from billing.models import Dispute, Invoice, Payment, Refund, UnappliedPayment
from billing.models.ledger import ENTRY_KINDS
from billing.providers.listed import ListedMovement, PayoutFacts
from billing.providers.port import ChargeFacts, DisputeFacts, RefundFacts
from billing.queries.invoice import lock_invoice
from billing.validators.subscription import NewItem
from billing.validators.usage import NewUsage
from tests.flows.company import START, Company

PAGE = Path(__file__).parents[2] / "docs" / "ledger.md"

ORDER = Order(actor="mara", reason="a letter of the bank")

Shapes = dict[str, set[tuple[frozenset[str], frozenset[str]]]]
"""By kind of entry: the accounts that it debits, and those that it credits."""


def _documented() -> Shapes:
    shapes: Shapes = defaultdict(set)
    for kind, debit, credit in re.findall(r"^\| `(\w+)` \|[^|]*\|([^|]*)\|([^|]*)\|$", PAGE.read_text(), re.MULTILINE):
        shapes[kind].add((_accounts(debit), _accounts(credit)))
    return shapes


def _accounts(cell: str) -> frozenset[str]:
    return frozenset(part.partition(":")[0].strip() for part in cell.split(";"))


def _posted(acme: Company) -> Shapes:
    query = """
        SELECT e.kind, array_agg(p.account) FILTER (WHERE p.amount_minor > 0) AS debit,
               array_agg(p.account) FILTER (WHERE p.amount_minor < 0) AS credit
        FROM billing.ledger_entry e JOIN billing.posting p ON p.entry_id = e.id GROUP BY e.id, e.seller_id, e.kind"""
    shapes: Shapes = defaultdict(set)
    with acme.begin() as session:
        for row in session.execute(text(query)):
            shapes[row.kind].add((frozenset(row.debit), frozenset(row.credit)))
    return shapes


def test_the_page_has_every_kind_of_entry() -> None:
    assert set(_documented()) == set(ENTRY_KINDS)


def test_the_page_says_what_the_books_show(acme: Company) -> None:
    declining = [acme.customer(name, method="pm_card_chargeCustomerFail") for name in ("b1", "b2", "b3", "b4")]
    with acme.parts.begin() as session:
        for prepaid in (False, True):
            grant_credit(session, profile_id=declining[0], amount_minor=250, currency="eur", now=START, prepaid=prepaid)
    paying, leaving = acme.customer("a1"), acme.customer("a2")
    acme.customer("u1", method=None)
    acme.price("calls", 10, usage="sum")
    acme.begin_subscription("u1", "metered", NewItem("calls"))
    for account in ("a1", "a2", "b1", "b2", "b3", "b4"):
        acme.subscribe(account, f"of-{account}")
    acme.settle()
    _wait_over_the_months_end(acme)
    correcting.void(acme.parts, _invoice(acme, declining[0]).id)
    correcting.mark_uncollectible(acme.parts, _invoice(acme, declining[1]).id)
    external_money.mark_paid(acme.parts, _invoice(acme, declining[1]).id)
    with acme.parts.begin() as session:
        grant_credit(session, profile_id=declining[3], amount_minor=200, currency="eur", now=START)
    crediting.apply_credit(acme.parts, _invoice(acme, declining[3]).id, order=ORDER)
    external_money.mark_paid(acme.parts, _invoice(acme, declining[3]).id, amount_minor=1500)
    acme.pay_by_hand()
    acme.pay_behind_our_back(declining[2])
    for way in (working.Action.CREDIT, working.Action.PAID):
        _refund_that_comes_back(acme, _invoice(acme, paying).id, way)
    acme.set_clock(START + timedelta(days=14))
    acme.use(NewUsage("metered", "calls", "r1", Decimal(3), START + timedelta(days=13)))
    acme.settle()
    refunding.refund(acme.parts, _invoice(acme, leaving).id)
    _cancel(acme, _invoice(acme, paying))
    acme.settle()
    _pay_out(acme)
    accrual.accrue_due(acme.parts)
    with acme.parts.begin() as session:
        paying_out.pay_out(acme.parts, session, paying, currency="eur")
    _dispute_everything(acme)
    _rests(acme)
    _replace_two(acme)
    _settle_two(acme)
    _carry_forward(acme)
    _give_a_draft_back(acme)
    assert _posted(acme) == _documented()


def _wait_over_the_months_end(acme: Company) -> None:
    """What a change leaves for an invoice that comes in a year."""
    acme.price("yearly", 10_000, interval_unit="year")
    acme.customer("w1")
    id_ = acme.begin_subscription("w1", "waits", NewItem("yearly", 1))
    acme.settle()
    acme.set_clock(START + timedelta(hours=12))
    with acme.parts.begin() as session:
        changing.change(acme.parts, session, id_, items=(NewItem("yearly", 2),))


def _give_a_draft_back(acme: Company) -> None:
    """A cancel gives back more than the draft of its period bears: a note does, before the draft is issued."""
    acme.price("big", 3000)
    acme.customer("n1")
    id_, began = acme.begin_subscription("n1", "noted", NewItem("big")), acme.now()
    acme.settle()
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.seller SET draft_review_h = 360"))
    acme.set_clock(began + timedelta(days=16))
    with acme.parts.begin() as session:
        changing.change(acme.parts, session, id_, items=(NewItem("basic"),))
    acme.set_clock(began + timedelta(days=31))
    acme.settle()
    with acme.parts.begin() as session:
        changing.cancel(acme.parts, session, id_, when=CancelWhen.NOW, prorate=True)
    acme.set_clock(began + timedelta(days=47))
    drafts.sweep(acme.parts)


def _carry_forward(acme: Company) -> None:
    """One is asked for again by an invoice that is void then, the other's customer is forgotten."""
    acme.price("small", 20)
    asked, forgotten = [acme.customer(name) for name in ("c1", "c2")]
    for name in ("c1", "c2"):
        acme.begin_subscription(name, f"of-{name}", NewItem("small"))
    acme.settle()
    with acme.parts.begin() as session:
        of_it = _invoice(acme, forgotten).subscription_id
        assert of_it is not None
        changing.cancel(acme.parts, session, of_it, when=CancelWhen.NOW)
    acme.settle()
    rights.erase(acme.parts, forgotten, order=ORDER)
    acme.give_method(asked, "pm_card_chargeCustomerFail")
    acme.begin_subscription("c1", "more", NewItem("basic"))
    acme.settle()
    correcting.void(acme.parts, next(each.id for each in acme.invoices() if each.brought_forward_minor))


def _settle_two(acme: Company) -> None:
    """Two more charges come for what is paid: one becomes credit, the other is paid back another way."""
    for way in SettledAs:
        with acme.parts.begin() as session:
            payment = session.scalars(select(Payment).where(Payment.status == "succeeded").limit(1)).one()
            invoice = lock_invoice(session, payment.invoice_id)
            charge = ChargeFacts(f"ch_{way}", "succeeded", 100, "eur", START)
            keep_charge(session, invoice=invoice, payment=payment, charge=charge, now=START)
            row = session.scalars(
                select(UnappliedPayment).where(UnappliedPayment.charge_ref == charge.charge_ref)
            ).one()
            settle_unapplied(session, row=row, invoice=invoice, way=way, now=START)


def _pay_out(acme: Company) -> None:
    """The provider takes its fees, keeps one charge in dollars, and pays out: one arrives, two come back.

    A refund is worth no cent in dollars, neither on its way nor when it fails.
    """
    movements.sweep(acme.parts)
    acme.set_clock(datetime(2026, 3, 1, tzinfo=UTC))
    movements.sweep(acme.parts)
    charge = next(each.charge_ref for each in acme.payments() if each.status == "succeeded")
    with acme.parts.begin() as session:
        refund = acme.refunds()[0].refund_ref
        listed = [
            ListedMovement("txn_usd", "charge", charge, 1300, 0, "usd", START),
            ListedMovement("txn_cent", "refund", refund, 0, 0, "usd", START),
            ListedMovement("txn_cent_back", "refund_failure", refund, 0, 0, "usd", START),
        ]
        keep_movements(session, account_id=acme.account_id, listed=listed)
        book_movements(session, account_id=acme.account_id, now=START, most=10)
        shares = [{"seller_id": str(acme.seller_id), "amount_minor": 100}]
        for ref, statuses in (("po_1", ("paid", "failed")), ("po_2", ("failed",))):
            for status in statuses:
                facts = PayoutFacts(ref, status, 100, "eur", START)
                note_payout(session, account_id=acme.account_id, facts=facts, shares=shares, now=START)


def _invoice(acme: Company, profile_id: UUID) -> Invoice:
    (found,) = [each for each in acme.invoices() if each.profile_id == profile_id and each.kind == "invoice"]
    return found


def _refund_that_comes_back(acme: Company, invoice_id: UUID, way: working.Action) -> None:
    item_id = _returned(acme, invoice_id)
    working.act(acme.parts, item_id, action=way, order=ORDER)


def _returned(acme: Company, invoice_id: UUID) -> UUID:
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


def _dispute_everything(acme: Company) -> None:
    """Each way in which a dispute ends, of payments of its own; the stray payment among them."""
    names = [f"d{number}" for number in range(11)]
    paid = [acme.customer(name) for name in names]
    for name in names:
        acme.begin_subscription(name, f"of-{name}", NewItem("basic", 1))
    acme.settle()
    won, credited, partly, foreign, elsewhere, gone, repaid, twice, *abroad, _ = [_invoice(acme, each) for each in paid]
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
    for invoice, amount in zip(abroad, (190, 1190), strict=True):
        refunding.refund(acme.parts, invoice.id, amount_minor=amount)
        _lost_and_won(acme, invoice, moved_currency="usd", withdrawn_minor=1300)
    last = _invoice(acme, paid[-1])
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


def _rests(acme: Company) -> None:
    """What a dispute that is over leaves, by its cause."""
    names = ("in-part", "worse", "better", "given-up", "returned")
    paid = [acme.customer(name) for name in names]
    for name in names:
        acme.begin_subscription(name, f"of-{name}", NewItem("basic", 1))
    acme.settle()
    in_part, worse, better, given_up, returned = [_invoice(acme, each) for each in paid]
    _told(acme, in_part, "won", reinstated_minor=1000)
    _told(acme, worse, "won", currency="usd", reinstated_minor=1100)
    _told(acme, better, "won", currency="usd", reinstated_minor=1300)
    disputing.write_off_loss(acme.parts, _told(acme, given_up, "lost"), order=ORDER)
    _told(acme, given_up, "lost", reinstated_minor=200)
    _returned(acme, returned.id)
    _told(acme, returned, "lost")
    _told(acme, returned, "won", reinstated_minor=1190)


def _replace_two(acme: Company) -> None:
    """One as it was, and one under the lower rate that held all along: it asks for less than was paid."""
    paid = [acme.customer(name) for name in ("r1", "r2")]
    for name in ("r1", "r2"):
        acme.begin_subscription(name, f"of-{name}", NewItem("basic", 1))
    acme.settle()
    replacing.replace_invoice(acme.parts, _invoice(acme, paid[0]).id, order=ORDER)
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.tax_rate SET percent = 10"))
    replacing.replace_invoice(acme.parts, _invoice(acme, paid[1]).id, order=ORDER)


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


def _cancel(acme: Company, invoice: Invoice) -> None:
    assert invoice.subscription_id is not None
    with acme.parts.begin() as session:
        changing.cancel(acme.parts, session, invoice.subscription_id, when=CancelWhen.NOW, prorate=True)
