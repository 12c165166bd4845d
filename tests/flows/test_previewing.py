"""A change is previewed exactly, then applied to the cent, or refused as stale."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text

from billing.commands.credit.grant import grant_credit
from billing.commands.subscription.cancel import CancelWhen
from billing.commands.subscription.change import ChangeWhen, Proration
from billing.commands.tax_rate.put import put_tax_rate
from billing.flows import changing, previewing
from billing.flows.previewing import Preview, apply, preview_cancel, preview_change, preview_renewal
from billing.kernel.errors import Refused, Stale
from billing.models import Invoice, InvoiceLine, Subscription
from billing.sandbox.embedded.processes import wait_until
from billing.validators.subscription import NewItem
from billing.validators.tax_rate import NewTaxRate
from billing.validators.usage import NewUsage
from tests.flows.company import START, Company
from tests.flows.test_start import somebody_waits

HALF = START + timedelta(days=14)
"""Half of 31 January to 28 February."""


@pytest.fixture
def s1(acme: Company) -> UUID:
    acme.customer("a1")
    id_ = acme.subscribe("a1", "s1", quantity=2)
    acme.settle()
    acme.set_clock(HALF)
    return id_


def _preview(acme: Company, id_: UUID, quantity: int = 5, proration: Proration = Proration.INVOICE_NOW) -> Preview:
    with acme.parts.begin() as session:
        return preview_change(acme.parts, session, id_, items=[NewItem("basic", quantity)], proration=proration)


def _apply(acme: Company, token: str) -> changing.Opened:
    with acme.parts.begin() as session:
        return apply(acme.parts, session, token)


def _lines(acme: Company, invoice_id: UUID) -> list[tuple[str, int]]:
    with acme.begin() as session:
        query = session.query(InvoiceLine).filter_by(invoice_id=invoice_id).order_by(InvoiceLine.position)
        return [(line.kind, line.amount_minor) for line in query]


def test_a_preview_writes_nothing_and_says_what_the_change_then_writes(acme: Company, s1: UUID) -> None:
    before = acme.subscription(s1).version
    seen = _preview(acme, s1)
    assert (len(acme.invoices()), acme.subscription(s1).version) == (1, before)
    (document,) = seen.documents
    assert [(line.kind, line.amount_minor) for line in document.lines] == [
        ("proration_credit", -1000),
        ("proration_charge", 2500),
    ]
    assert seen.upcoming is not None
    assert [(line.kind, line.amount_minor) for line in seen.upcoming.lines] == [("recurring", 5000)]
    acme.set_clock(HALF + timedelta(minutes=10))
    _apply(acme, seen.token)
    invoice: Invoice = acme.invoices()[-1]
    assert _lines(acme, invoice.id) == [("proration_credit", -1000), ("proration_charge", 2500)]
    totals = document.totals
    assert (invoice.subtotal_minor, invoice.tax_minor, invoice.total_minor, invoice.amount_due_minor) == (
        totals.subtotal_minor, totals.tax_minor, totals.total_minor, totals.amount_due_minor,
    )  # fmt: skip
    assert invoice.period_start == HALF, "it is computed as of the preview"


def test_lines_that_wait_are_shown_and_stand_on_the_upcoming_invoice(acme: Company, s1: UUID) -> None:
    seen = _preview(acme, s1, proration=Proration.PRORATE)
    assert (seen.documents, [line.amount_minor for line in seen.waiting]) == ((), [-1000, 2500])
    assert seen.upcoming is not None
    assert [line.amount_minor for line in seen.upcoming.lines] == [-1000, 2500, 5000]
    _apply(acme, seen.token)
    acme.set_clock(START.replace(month=2, day=28))
    acme.settle()
    assert acme.invoices()[-1].total_minor == seen.upcoming.totals.total_minor


def test_a_scheduled_change_shows_the_invoice_it_will_come_to(acme: Company, s1: UUID) -> None:
    with acme.parts.begin() as session:
        seen = preview_change(acme.parts, session, s1, items=[NewItem("basic", 1)], when=ChangeWhen.PERIOD_END)
    assert (seen.documents, seen.waiting) == ((), ())
    _apply(acme, seen.token)
    acme.set_clock(START.replace(month=2, day=28))
    acme.settle()
    assert seen.upcoming is not None
    assert acme.invoices()[-1].total_minor == seen.upcoming.totals.total_minor == 1190


def test_a_cancel_is_previewed_with_its_credit_note(acme: Company, s1: UUID) -> None:
    with acme.parts.begin() as session:
        seen = preview_cancel(acme.parts, session, s1, when=CancelWhen.NOW, prorate=True)
    assert [(each.kind, each.totals.total_minor) for each in seen.documents] == [("credit_note", 1190)]
    _apply(acme, seen.token)
    note = next(each for each in acme.invoices() if each.kind == "credit_note")
    assert (note.total_minor, acme.subscription(s1).status) == (1190, "canceled")


def _touch(acme: Company, s1: UUID) -> None:
    with acme.parts.begin() as session:
        session.get_one(Subscription, s1).days_until_due = 7


def _grant(acme: Company, s1: UUID) -> None:
    with acme.parts.begin() as session:
        profile = session.get_one(Subscription, s1).profile_id
        grant_credit(session, profile_id=profile, amount_minor=100, currency="eur", now=HALF)


Between = Callable[[Company, UUID], None]


def _later(now: datetime) -> Between:
    return lambda acme, _: acme.set_clock(now)


@pytest.mark.parametrize(
    ("between", "why"),
    [
        (_touch, "the subscription has changed"),
        (_grant, "what it would come to has changed"),
        (_later(HALF + timedelta(minutes=16)), "older than 15 minutes"),
    ],
)
def test_it_is_stale_once_anything_that_matters_has_changed(
    acme: Company, s1: UUID, between: Between, why: str
) -> None:
    seen = _preview(acme, s1)
    between(acme, s1)
    with pytest.raises(Stale, match=why):
        _apply(acme, seen.token)
    assert len(acme.invoices()) == 1


def test_it_is_stale_once_a_boundary_lies_between(acme: Company, s1: UUID) -> None:
    boundary = START.replace(month=2, day=28)
    acme.set_clock(boundary - timedelta(minutes=5))
    seen = _preview(acme, s1)
    acme.set_clock(boundary)
    with pytest.raises(Stale, match="a period has begun"):
        _apply(acme, seen.token)


def test_it_is_stale_once_something_was_used_that_it_would_leave_out(acme: Company) -> None:
    acme.customer("a2")
    acme.price("calls", 2, usage="sum")
    id_ = acme.begin_subscription("a2", "s2", NewItem("basic"), NewItem("calls"))
    with acme.begin() as session:
        ended = preview_cancel(acme.parts, session, id_, when=CancelWhen.NOW)
        left = preview_change(acme.parts, session, id_, items=[NewItem("basic")])
        kept = preview_change(acme.parts, session, id_, items=[NewItem("basic", 2), NewItem("calls")])
    acme.set_clock(START + timedelta(minutes=1))
    acme.use(NewUsage("s2", "calls", "u1", Decimal(1000)))
    for seen in (ended, left):
        with pytest.raises(Stale, match="was used since"):
            _apply(acme, seen.token)
    _apply(acme, kept.token)


def test_while_something_is_overdue_nothing_is_previewed(acme: Company, s1: UUID) -> None:
    acme.set_clock(START.replace(month=2, day=28))
    with pytest.raises(Refused) as refusal:
        _preview(acme, s1)
    assert refusal.value.code == "renewal_due"


def test_a_token_that_was_touched_is_refused(acme: Company, s1: UUID) -> None:
    token = _preview(acme, s1).token
    other = _preview(acme, s1, quantity=500).token
    forged = f"{other.partition('.')[0]}.{token.partition('.')[2]}"
    with pytest.raises(Refused) as refusal:
        _apply(acme, forged)
    assert refusal.value.code == "token_invalid"


def test_a_rate_that_is_put_while_it_is_applied_waits_for_that(
    acme: Company, s1: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was shown is what is invoiced, also between the comparison and the writing."""
    shown = _preview(acme, s1)
    compared = previewing.used_after

    def put() -> None:
        with acme.parts.begin() as session:
            put_tax_rate(session, seller_id=acme.seller_id, new=NewTaxRate("standard", Decimal(25)))

    with ThreadPoolExecutor(1) as pool:
        puts: list[Future[None]] = []

        def put_meanwhile(*given: Any, **named: Any) -> bool:
            puts.append(pool.submit(put))
            assert wait_until(lambda: puts[0].done() or somebody_waits(acme), seconds=10)
            return compared(*given, **named)

        monkeypatch.setattr(previewing, "used_after", put_meanwhile)
        (issued,) = _apply(acme, shown.token).issued
        puts[0].result(timeout=10)
    with acme.begin() as session:
        assert session.get_one(Invoice, issued.id).total_minor == shown.documents[0].totals.total_minor
        assert session.scalar(text("SELECT percent FROM billing.tax_rate WHERE name = 'standard'")) == 25


def test_a_preview_takes_no_locks(acme: Company, s1: UUID) -> None:
    with acme.parts.begin() as holding:
        holding.execute(text("SELECT 1 FROM billing.profile FOR UPDATE"))
        holding.execute(text("SELECT 1 FROM billing.subscription FOR UPDATE"))
        with acme.parts.begin() as session:
            session.execute(text("SET LOCAL lock_timeout = 100"))
            preview_change(acme.parts, session, s1, items=[NewItem("basic", 3)])


def test_of_one_that_is_paused_no_next_invoice_is_shown(acme: Company, s1: UUID) -> None:
    """Boundaries pass without one until it is resumed, nobody knows when."""

    def shown() -> int | None:
        with acme.begin() as session:
            row = session.get_one(Subscription, s1)
            told = preview_renewal(acme.parts, session, row, now=acme.now())
        return None if told is None else told.totals.subtotal_minor

    before = shown()
    assert before is not None
    with acme.parts.begin() as session:
        changing.pause(acme.parts, session, s1)
    assert shown() is None
    with acme.parts.begin() as session:
        changing.resume(acme.parts, session, s1)
    assert shown() == before
