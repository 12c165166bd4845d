"""docs/ledger.md says what each entry posts; the books of a billed company must agree."""

from __future__ import annotations

import re
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import UUID

from sqlalchemy import text

from billing.commands.credit.grant import grant_credit
from billing.commands.movement.book import book_movements
from billing.commands.movement.keep import keep_movements
from billing.commands.payout.note import note_payout
from billing.commands.refund.record import note_facts
from billing.commands.subscription.cancel import CancelWhen
from billing.flows import accrual, changing, correcting, movements, refunding
from billing.models import Invoice, Refund
from billing.models.ledger import ENTRY_KINDS
from billing.providers.listed import ListedMovement
from billing.providers.port import PayoutFacts, RefundFacts
from billing.validators.subscription import NewItem
from billing.validators.usage import NewUsage
from tests.flows.company import START, Company

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
    declining = [acme.customer(name, method="pm_card_chargeCustomerFail") for name in ("b1", "b2", "b3")]
    with acme.parts.begin() as session:
        grant_credit(session, profile_id=declining[0], amount_minor=500, currency="eur", now=START)
    paying, leaving = acme.customer("a1"), acme.customer("a2")
    acme.customer("u1", method=None)
    acme.price("calls", 10, usage="sum")
    acme.begin_subscription("u1", "metered", NewItem("calls"))
    for account in ("a1", "a2", "b1", "b2", "b3"):
        acme.subscribe(account, f"of-{account}")
    acme.settle()
    correcting.void(acme.parts, _invoice(acme, declining[0]).id)
    correcting.mark_uncollectible(acme.parts, _invoice(acme, declining[1]).id)
    correcting.mark_paid(acme.parts, _invoice(acme, declining[1]).id)
    acme.pay_by_hand()
    acme.pay_behind_our_back(declining[2])
    _refund_that_comes_back(acme, _invoice(acme, paying).id)
    acme.set_clock(START + timedelta(days=14))
    acme.use(NewUsage("metered", "calls", "r1", Decimal(3), START + timedelta(days=13)))
    acme.settle()
    refunding.refund(acme.parts, _invoice(acme, leaving).id)
    _cancel(acme, _invoice(acme, paying))
    acme.settle()
    _pay_out(acme)
    accrual.accrue_due(acme.parts)
    assert _posted(acme) == _documented()


def _pay_out(acme: Company) -> None:
    """The provider takes its fees, keeps one charge in dollars, and pays out: one arrives, two come back."""
    movements.sweep(acme.parts)
    acme.set_clock(datetime(2026, 3, 1, tzinfo=UTC))
    movements.sweep(acme.parts)
    charge = next(each.charge_ref for each in acme.payments() if each.status == "succeeded")
    with acme.parts.begin() as session:
        listed = ListedMovement("txn_usd", "charge", charge, 1300, 0, "usd", START)
        keep_movements(session, account_id=acme.account_id, listed=[listed])
        book_movements(session, account_id=acme.account_id, now=START, most=10)
        shares = [{"seller_id": str(acme.seller_id), "amount_minor": 100}]
        for ref, statuses in (("po_1", ("paid", "failed")), ("po_2", ("failed",))):
            for status in statuses:
                facts = PayoutFacts(ref, status, 100, "eur", START)
                note_payout(session, account_id=acme.account_id, facts=facts, shares=shares, now=START)


def _invoice(acme: Company, profile_id: UUID) -> Invoice:
    (found,) = [each for each in acme.invoices() if each.profile_id == profile_id and each.kind == "invoice"]
    return found


def _refund_that_comes_back(acme: Company, invoice_id: UUID) -> None:
    refunding.refund(acme.parts, invoice_id, amount_minor=119)
    acme.settle()
    (refund,) = acme.refunds()
    assert refund.refund_ref is not None
    facts = RefundFacts(refund.refund_ref, "failed", 119, "eur", refund.charge_ref, str(refund.id))
    with acme.parts.begin() as session:
        locked = session.get_one(Refund, refund.id, with_for_update=True)
        note_facts(session, refund=locked, facts=facts, now=START, wall=datetime.now(UTC))


def _cancel(acme: Company, invoice: Invoice) -> None:
    assert invoice.subscription_id is not None
    with acme.parts.begin() as session:
        changing.cancel(acme.parts, session, invoice.subscription_id, when=CancelWhen.NOW, prorate=True)
