"""docs/ledger.md says what each entry posts; the books of a billed company must agree."""

from __future__ import annotations

import re
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID

from sqlalchemy import select, text

from billing.commands.credit.grant import grant_credit
from billing.commands.movement.book import book_movements
from billing.commands.movement.keep import keep_movements
from billing.commands.payment.settle_unapplied import settle_unapplied
from billing.commands.payment.unapplied import keep_charge
from billing.commands.payout.note import note_payout
from billing.commands.subscription.cancel import CancelWhen
from billing.flows import (
    accrual,
    changing,
    correcting,
    crediting,
    drafts,
    external_money,
    movements,
    paying_out,
    refunding,
    replacing,
    rights,
    working,
)
from billing.kernel.status import SettledAs
from billing.models import Invoice, Payment, UnappliedPayment
from billing.models.ledger import ENTRY_KINDS
from billing.providers.listed import ListedMovement, PayoutFacts
from billing.providers.port import ChargeFacts
from billing.queries.invoice import lock_invoice
from billing.validators.subscription import NewItem
from billing.validators.usage import NewUsage
from tests.flows.company import START, Company
from tests.flows.disputed_books import ORDER, dispute_everything, invoice_of, leave_rests, refund_returned

PAGE = Path(__file__).parents[2] / "docs" / "ledger.md"

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
    correcting.void(acme.parts, invoice_of(acme, declining[0]).id)
    correcting.mark_uncollectible(acme.parts, invoice_of(acme, declining[1]).id)
    external_money.mark_paid(acme.parts, invoice_of(acme, declining[1]).id)
    with acme.parts.begin() as session:
        grant_credit(session, profile_id=declining[3], amount_minor=200, currency="eur", now=START)
    crediting.apply_credit(acme.parts, invoice_of(acme, declining[3]).id, order=ORDER)
    external_money.mark_paid(acme.parts, invoice_of(acme, declining[3]).id, amount_minor=1500)
    acme.pay_by_hand()
    acme.pay_behind_our_back(declining[2])
    for way in (working.Action.CREDIT, working.Action.PAID):
        _refund_that_comes_back(acme, invoice_of(acme, paying).id, way)
    acme.set_clock(START + timedelta(days=14))
    acme.use(NewUsage("metered", "calls", "r1", Decimal(3), START + timedelta(days=13)))
    acme.settle()
    refunding.refund(acme.parts, invoice_of(acme, leaving).id)
    _cancel(acme, invoice_of(acme, paying))
    acme.settle()
    _pay_out(acme)
    accrual.accrue_due(acme.parts)
    with acme.parts.begin() as session:
        paying_out.pay_out(acme.parts, session, paying, currency="eur")
    dispute_everything(acme)
    leave_rests(acme)
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
        of_it = invoice_of(acme, forgotten).subscription_id
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


def _refund_that_comes_back(acme: Company, invoice_id: UUID, way: working.Action) -> None:
    item_id = refund_returned(acme, invoice_id)
    working.act(acme.parts, item_id, action=way, order=ORDER)


def _replace_two(acme: Company) -> None:
    """One as it was, and one under the lower rate that held all along: it asks for less than was paid."""
    paid = [acme.customer(name) for name in ("r1", "r2")]
    for name in ("r1", "r2"):
        acme.begin_subscription(name, f"of-{name}", NewItem("basic", 1))
    acme.settle()
    replacing.replace_invoice(acme.parts, invoice_of(acme, paid[0]).id, order=ORDER)
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.tax_rate SET percent = 10"))
    replacing.replace_invoice(acme.parts, invoice_of(acme, paid[1]).id, order=ORDER)


def _cancel(acme: Company, invoice: Invoice) -> None:
    assert invoice.subscription_id is not None
    with acme.parts.begin() as session:
        changing.cancel(acme.parts, session, invoice.subscription_id, when=CancelWhen.NOW, prorate=True)
