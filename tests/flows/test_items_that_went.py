"""A metered item that went and came again: each of its lines tells of its own time, once."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from importlib import import_module
from uuid import UUID

import pytest
from sqlalchemy import select, text

from billing.commands.subscription.change import Proration
from billing.flows import changing
from billing.models import PastItem
from billing.queries.operations.explaining import document_account
from billing.rules.explain import explain
from billing.validators.subscription import NewItem
from billing.validators.usage import NewUsage
from tests.flows.company import START, Company

MIGRATION = import_module("billing.db.migrations.versions.0049_items_that_went")
AS_BEFORE = text("UPDATE billing.waiting_line SET counts_from = period_start WHERE kind = 'usage'")
"""What a line that waited kept of a version before that migration."""


def _day(day: int) -> datetime:
    return datetime(2026, 2, day, tzinfo=UTC)


def _change(acme: Company, id_: UUID, *codes: str, proration: Proration = Proration.PRORATE) -> None:
    items = [NewItem(code) for code in codes]
    with acme.parts.begin() as session:
        changing.change(acme.parts, session, id_, items=items, proration=proration)
    acme.settle()


def _use(acme: Company, quantity: int, at: datetime | None = None) -> None:
    acme.use(NewUsage("s1", "calls", f"{quantity}", Decimal(quantity), at))


def _quantities(acme: Company) -> list[int]:
    return [int(line.quantity) for each in acme.invoices() for line in acme.lines(each) if line.kind == "usage"]


def _there_twice(acme: Company, proration: Proration) -> UUID:
    """100 are used before it goes, 7 after it came again; it is 20 February and it has gone for the second time."""
    acme.price("calls", 10, usage="sum")
    acme.customer("a1")
    id_ = acme.begin_subscription("a1", "s1", NewItem("basic"), NewItem("calls"))
    acme.settle()
    acme.set_clock(_day(5))
    _use(acme, 100)
    acme.set_clock(_day(6))
    _change(acme, id_, "basic", proration=proration)
    acme.set_clock(_day(10))
    _change(acme, id_, "basic", "calls")
    acme.set_clock(_day(12))
    _use(acme, 7)
    acme.set_clock(_day(20))
    _change(acme, id_, "basic")
    return id_


def _renew(acme: Company) -> None:
    acme.set_clock(_day(28))
    acme.settle()


@pytest.mark.parametrize("proration", [Proration.PRORATE, Proration.INVOICE_NOW])
def test_each_stay_is_charged_once_and_is_kept(acme: Company, proration: Proration) -> None:
    id_ = _there_twice(acme, proration)
    _renew(acme)
    assert _quantities(acme) == [100, 7]
    assert acme.violations() == ()
    with acme.begin() as session:
        stays = session.scalars(select(PastItem).where(PastItem.subscription_id == id_).order_by(PastItem.id)).all()
        assert [(each.counts_from, each.ended_at) for each in stays] == [(START, _day(6)), (_day(10), _day(20))]
        told = explain(document_account(session, acme.invoices()[-1].id))
    assert told.count("   usage counts from 2026-02-10 on, when the price was added") == 1


def test_what_was_charged_twice_before_is_found(acme: Company) -> None:
    _there_twice(acme, Proration.PRORATE)
    with acme.parts.begin() as session:
        session.execute(AS_BEFORE)
    _renew(acme)
    assert _quantities(acme) == [100, 107]
    (violation,) = acme.violations()
    assert violation.code == "R4"
    assert "lines of price calls" in violation.detail
    assert violation.detail.endswith("charge 207, 107 were used")


@pytest.mark.parametrize("proration", [Proration.PRORATE, Proration.INVOICE_NOW])
def test_what_waits_at_the_upgrade_is_charged_for_its_own_time(acme: Company, proration: Proration) -> None:
    _there_twice(acme, proration)
    with acme.parts.begin() as session:
        session.execute(AS_BEFORE)
        session.execute(text(MIGRATION.COUNTS_SINCE_IT_CAME_BACK))
    _renew(acme)
    assert _quantities(acme) == [100, 7]
    assert acme.violations() == ()


def test_what_is_told_of_a_stay_that_was_invoiced_counts_when_the_item_came_again(acme: Company) -> None:
    id_ = _there_twice(acme, Proration.INVOICE_NOW)
    acme.set_clock(_day(22))
    _change(acme, id_, "basic", "calls")
    acme.set_clock(_day(23))
    _use(acme, 3, _day(4))
    _use(acme, 2, _day(11))
    _use(acme, 50, _day(8))
    _renew(acme)
    assert _quantities(acme) == [100, 9, 3], "the second stay still waited; between the two nothing is charged"
    assert acme.violations() == ()


def test_a_stay_whose_line_is_missing_is_not_covered_by_that_of_the_next_one(acme: Company) -> None:
    _there_twice(acme, Proration.INVOICE_NOW)
    _renew(acme)
    with acme.parts.begin() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(
            text("UPDATE billing.invoice_line SET kind = 'one_off' WHERE kind = 'usage' AND quantity = 100")
        )
    told = [each.detail for each in acme.violations() if each.code == "R4"]
    assert [each for each in told if each.startswith("100 of price calls, used before 2026-02-28")] == told != []
