"""A guard holds a whole day of many customers with several documents each: what a person decides is decided for all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from billing.flows import drafts, working
from billing.flows.order import Order
from billing.flows.working import Action
from billing.models import BillingPeriod, Invoice, InvoiceLine, IssuedDay
from billing.sandbox.bench.counting import counting_statements
from billing.validators.seller import SellerPolicy
from tests.flows.company import START, Company, company

CUSTOMERS, MISSED = 12, 3
AFTER = START + timedelta(days=100)


@pytest.fixture
def held(database_url: str) -> Iterator[Company]:
    """Twelve customers, one of whom began later, missed three and two months; the day holds what is made of it."""
    with company(database_url, policy=SellerPolicy(guard_volume=2)) as acme:
        for number in range(CUSTOMERS):
            acme.customer(f"a{number}", method=None)
            acme.subscribe(f"a{number}", f"s{number}", start=START + timedelta(days=50 if number == 7 else 0))
        acme.settle()
        with acme.parts.begin() as session:
            for week in range(1, 5):
                usual = {"currency": "eur", "documents": 5, "amount_minor": 5 * 1190}
                day = (AFTER - timedelta(days=7 * week)).date()
                session.add(IssuedDay(seller_id=acme.seller_id, day=day, **usual))
        acme.set_clock(AFTER)
        acme.settle()
        yield acme


def _decide(acme: Company, action: Action) -> tuple[str, int]:
    """What is told, and how many statements it took."""
    (item,) = [each for each in acme.work_items() if each.status == "open"]
    assert item.kind == "day_guarded"
    with counting_statements() as sent:
        told = working.act(acme.parts, item.id, action=action, order=Order(actor="ada", reason="looked at")).told
    drafts.sweep(acme.parts)
    acme.settle()
    return told, len(sent)


def _held(acme: Company) -> dict[UUID | None, list[Invoice]]:
    """Drafts by subscription, oldest first."""
    found: dict[UUID | None, list[Invoice]] = defaultdict(list)
    for invoice in sorted(acme.invoices(), key=lambda each: (each.period_start is None, each.period_start)):
        if invoice.status == "draft":
            found[invoice.subscription_id].append(invoice)
    return found


def _count(before: dict[UUID | None, list[Invoice]]) -> int:
    return sum(len(each) for each in before.values())


def test_merged_each_subscription_has_its_own_lines_in_the_order_of_their_periods(held: Company) -> None:
    before = _held(held)
    assert sorted(len(each) for each in before.values()) == [MISSED - 1, *[MISSED] * (CUSTOMERS - 1)]
    told, sent = _decide(held, Action.MERGE)
    assert told.startswith(f"{CUSTOMERS} drafts")
    assert sent < _count(before), "many at once"
    after = {invoice.id: invoice for invoice in held.invoices()}
    for subscription_id, documents in before.items():
        merged, dropped = after[documents[-1].id], [after[each.id] for each in documents[:-1]]
        assert (merged.status, merged.total_minor) == ("open", len(documents) * 1190)
        assert {(each.status, each.total_minor, each.hold_id) for each in dropped} == {("expired", 0, None)}
        lines = held.lines(merged)
        assert [line.position for line in lines] == list(range(1, len(documents) + 1))
        assert [line.period_start for line in lines] == [each.period_start for each in documents]
        assert (merged.period_start, merged.period_end) == (documents[0].period_start, documents[-1].period_end)
        assert merged.subscription_id == subscription_id
        assert _named(held, merged) == [each.period_start for each in documents]
    assert held.violations() == ()


def test_skipped_each_subscription_is_billed_for_its_running_period_alone(held: Company) -> None:
    before = _held(held)
    told, sent = _decide(held, Action.SKIP)
    assert told.startswith(f"{CUSTOMERS} drafts")
    assert sent < _count(before), "many at once"
    after = {invoice.id: invoice for invoice in held.invoices()}
    for documents in before.values():
        assert [after[each.id].status for each in documents] == ["expired"] * (len(documents) - 1) + ["open"]
        assert after[documents[-1].id].total_minor == 1190
        assert _named(held, after[documents[-1].id]) == [documents[-1].period_start]
    assert held.violations() == ()


@pytest.mark.parametrize(("action", "status"), [(Action.RELEASE, "open"), (Action.DISCARD, "expired")])
def test_released_or_discarded_all_are_so_in_a_few_statements(held: Company, action: Action, status: str) -> None:
    before = _held(held)
    told, sent = _decide(held, action)
    assert told.startswith(f"{_count(before)} drafts")
    assert sent < CUSTOMERS * 2, "many at once"
    after = {invoice.id: invoice.status for invoice in held.invoices()}
    assert {after[each.id] for documents in before.values() for each in documents} == {status}
    assert held.violations() == ()


def test_what_cannot_be_summed_up_is_refused_and_nothing_of_the_decision_stays(held: Company) -> None:
    (earliest, *_), *_ = _held(held).values()
    with held.parts.begin() as session:
        line = session.scalars(select(InvoiceLine).where(InvoiceLine.invoice_id == earliest.id)).one()
        line.amount_minor = -100_000
    before = {each.id: each.version for each in held.invoices()}
    with pytest.raises(Exception, match="draft_below_zero"):
        _decide(held, Action.MERGE)
    assert {each.id: each.version for each in held.invoices()} == before


def _named(acme: Company, document: Invoice) -> list[object]:
    """When the periods that name this document begin."""
    with acme.begin() as session:
        query = select(BillingPeriod.starts_at).where(BillingPeriod.invoice_id == document.id)
        return list(session.scalars(query.order_by(BillingPeriod.starts_at)))
