"""docs/ledger.md says what each entry posts; the books of a billed company must agree."""

from __future__ import annotations

import re
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from sqlalchemy import text

from billing.commands.credit.grant import grant_credit
from billing.commands.refund.record import note_facts
from billing.commands.subscription.cancel import CancelWhen
from billing.flows import changing, correcting, refunding
from billing.models import Invoice, Refund
from billing.models.ledger import ENTRY_KINDS
from billing.providers.port import RefundFacts
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
    acme.settle()
    refunding.refund(acme.parts, _invoice(acme, leaving).id)
    _cancel(acme, _invoice(acme, paying))
    acme.settle()
    assert _posted(acme) == _documented()


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
