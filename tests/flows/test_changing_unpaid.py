"""What a change or a cancel gives back of a period whose document is on its way to be paid."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from billing.commands.subscription.cancel import CancelWhen
from billing.flows import changing, drafts
from billing.flows.previewing import apply, preview_cancel, preview_change
from billing.kernel.errors import Stale
from billing.models import Invoice, WaitingLine
from billing.queries.books.reports import deferred_report
from billing.queries.correction import refundable
from billing.validators.seller import SellerPolicy
from billing.validators.subscription import NewItem
from tests.flows.company import START, Company, company

HALF = START + timedelta(days=14)
SOON = START + timedelta(hours=1)
NEXT = START + timedelta(days=28)


@pytest.fixture
def reviewed(database_url: str) -> Iterator[Company]:
    """Every document is looked at for fifteen days."""
    with company(database_url, policy=SellerPolicy(draft_review_h=360)) as fresh:
        yield fresh


def _begin(acme: Company, method: str) -> UUID:
    """30.00 and tax for 28 days; the price of 10.00 is beside it."""
    acme.price("small", 1000)
    acme.price("big", 3000)
    acme.customer("a1", method=method)
    id_ = acme.subscribe("a1", "s1", price="big")
    acme.settle()
    return id_


def _lower(acme: Company, id_: UUID, *, at: datetime, **given: object) -> None:
    acme.set_clock(at)
    with acme.parts.begin() as session:
        changing.change(acme.parts, session, id_, items=(NewItem("small"),), **given)  # type: ignore[arg-type]


def _waiting(acme: Company) -> list[tuple[str, int]]:
    with acme.begin() as session:
        rows = session.execute(select(WaitingLine.kind, WaitingLine.amount_minor).order_by(WaitingLine.id))
        return [(row.kind, row.amount_minor) for row in rows]


def _bank_says(acme: Company, *, succeeded: bool) -> None:
    (intent,) = [each for each in acme.witness.intents() if each.status == "processing"]
    acme.witness.call("POST", f"payment_intents/{intent.intent_ref}/settle", {"succeeded": succeeded})
    acme.settle()


def _invoices(acme: Company) -> list[Invoice]:
    return [each for each in acme.invoices() if each.kind == "invoice"]


def test_a_debit_that_is_with_the_bank_counts_as_paid_for_a_lower_price(acme: Company) -> None:
    id_ = _begin(acme, "pm_sandbox_processing")
    assert [each.status for each in acme.payments()] == ["processing"]
    _lower(acme, id_, at=SOON)
    assert _waiting(acme) == [("proration_credit", -2996), ("proration_charge", 999)]
    _bank_says(acme, succeeded=True)
    acme.set_clock(NEXT)
    acme.settle()
    first, second = acme.invoices()
    assert (first.status, first.total_minor) == ("paid", 3570)
    assert (second.kind, second.subtotal_minor) == ("credit_note", 2996 - 999 - 1000)
    assert acme.violations() == ()


def test_so_it_does_for_a_cancel(acme: Company) -> None:
    id_ = _begin(acme, "pm_sandbox_processing")
    acme.set_clock(SOON)
    with acme.parts.begin() as session:
        changing.cancel(acme.parts, session, id_, when=CancelWhen.NOW, prorate=True)
    (invoice,) = _invoices(acme)
    assert acme.credit(invoice.profile_id) == 3565, "2996 and 19 %"
    _bank_says(acme, succeeded=True)
    assert (_invoices(acme)[0].status, acme.violations()) == ("paid", ())


def test_a_debit_that_the_bank_has_refused_is_unpaid(acme: Company) -> None:
    id_ = _begin(acme, "pm_sandbox_processing")
    _bank_says(acme, succeeded=False)
    _lower(acme, id_, at=SOON)
    assert _waiting(acme) == []
    assert acme.violations() == ()


def _issue(acme: Company, *days: int) -> list[Invoice]:
    for day in days:
        acme.set_clock(START + timedelta(days=day))
        acme.settle()
        drafts.sweep(acme.parts)
        acme.settle()
    assert acme.violations() == ()
    return _invoices(acme)


def _kinds(acme: Company, draft: Invoice) -> list[tuple[str, int]]:
    return [(line.kind, line.amount_minor) for line in acme.lines(draft)]


_HALF_OFF = [("recurring", 3000), ("proration_credit", -1500)]


def test_what_a_draft_charged_is_given_back_on_it(reviewed: Company) -> None:
    id_ = _begin(reviewed, "pm_card_visa")
    assert [each.status for each in reviewed.invoices()] == ["draft"]
    _lower(reviewed, id_, at=HALF)
    assert _waiting(reviewed) == [("proration_charge", 500)]
    (draft,) = reviewed.invoices()
    assert (draft.status, draft.total_minor, _kinds(reviewed, draft)) == ("draft", 1785, _HALF_OFF)
    first, second = _issue(reviewed, 15, 28, 43)
    assert (first.status, first.subtotal_minor, second.subtotal_minor) == ("paid", 1500, 1000 + 500)


def test_so_it_is_where_the_charges_are_invoiced_at_once(reviewed: Company) -> None:
    id_ = _begin(reviewed, "pm_card_visa")
    _lower(reviewed, id_, at=HALF, proration=changing.Proration.INVOICE_NOW)
    assert _waiting(reviewed) == []
    assert [(each.status, each.subtotal_minor) for each in reviewed.invoices()] == [("draft", 1500), ("draft", 500)]
    first, second = _issue(reviewed, 29)[:2]
    assert (first.status, second.status, first.subtotal_minor + second.subtotal_minor) == ("paid", "paid", 2000)


def test_so_it_is_by_a_cancel_with_nothing_left_in_the_balance(reviewed: Company) -> None:
    id_ = _begin(reviewed, "pm_card_visa")
    reviewed.set_clock(HALF)
    with reviewed.parts.begin() as session:
        changing.cancel(reviewed.parts, session, id_, when=CancelWhen.NOW, prorate=True)
    (draft,) = reviewed.invoices()
    assert _kinds(reviewed, draft) == _HALF_OFF
    (invoice,) = _issue(reviewed, 15)
    assert (invoice.status, invoice.amount_paid_minor, reviewed.credit(invoice.profile_id)) == ("paid", 1785, 0)


def test_so_it_is_by_another_interval(reviewed: Company) -> None:
    id_ = _begin(reviewed, "pm_card_visa")
    reviewed.price("yearly", 24_000, interval_unit="year")
    reviewed.set_clock(HALF)
    with reviewed.parts.begin() as session:
        changing.change(reviewed.parts, session, id_, items=(NewItem("yearly"),))
    first, second = sorted(reviewed.invoices(), key=lambda each: each.subtotal_minor)
    assert (_kinds(reviewed, first), _kinds(reviewed, second)) == (_HALF_OFF, [("recurring", 24_000)])
    assert [each.status for each in _issue(reviewed, 29)] == ["paid", "paid"]


def test_what_the_review_took_off_is_not_given_back_again(reviewed: Company) -> None:
    id_ = _begin(reviewed, "pm_card_visa")
    (draft,) = reviewed.invoices()
    with reviewed.parts.begin() as session:
        drafts.add_line(reviewed.parts, session, draft.id, description="Half, as agreed", amount_minor=-1500)
    reviewed.set_clock(HALF)
    with reviewed.parts.begin() as session:
        changing.cancel(reviewed.parts, session, id_, when=CancelWhen.NOW, prorate=True)
    (invoice,) = _issue(reviewed, 15)
    assert invoice.subtotal_minor == 750, "half of what was left"


def test_a_preview_says_what_comes_off_a_draft_and_is_applied_to_the_cent(reviewed: Company) -> None:
    id_ = _begin(reviewed, "pm_card_visa")
    reviewed.set_clock(HALF)
    with reviewed.begin() as session:
        seen = preview_cancel(reviewed.parts, session, id_, when=CancelWhen.NOW, prorate=True)
    assert [line.amount_minor for line in seen.on_drafts] == [-1500]
    assert (seen.documents, seen.waiting, seen.given_back_minor) == ((), (), 1500)
    with reviewed.parts.begin() as session:
        apply(reviewed.parts, session, seen.token)
    (draft,) = reviewed.invoices()
    assert _kinds(reviewed, draft) == _HALF_OFF


def test_a_preview_is_stale_once_the_review_has_taken_something_off(reviewed: Company) -> None:
    id_ = _begin(reviewed, "pm_card_visa")
    reviewed.set_clock(HALF)
    with reviewed.begin() as session:
        seen = preview_cancel(reviewed.parts, session, id_, when=CancelWhen.NOW, prorate=True)
    (draft,) = reviewed.invoices()
    with reviewed.parts.begin() as session:
        drafts.add_line(reviewed.parts, session, draft.id, description="As agreed", amount_minor=-100)
    with reviewed.parts.begin() as session, pytest.raises(Stale):
        apply(reviewed.parts, session, seen.token)


def test_a_preview_is_stale_once_the_draft_that_it_takes_something_off_is_issued(reviewed: Company) -> None:
    """The same line would stand on the next invoice, and the whole of this one be charged."""
    id_ = _begin(reviewed, "pm_card_visa")
    reviewed.price("free", 0)
    reviewed.set_clock(HALF)
    with reviewed.begin() as session:
        seen = preview_change(reviewed.parts, session, id_, items=[NewItem("free")])
    assert ([line.amount_minor for line in seen.on_drafts], seen.waiting) == ([-1500], ())
    (draft,) = reviewed.invoices()
    with reviewed.parts.begin() as session:
        drafts.release(reviewed.parts, session, [draft.id], now=reviewed.now())
    reviewed.settle()
    assert [each.status for each in reviewed.invoices()] == ["paid"]
    with reviewed.parts.begin() as session, pytest.raises(Stale):
        apply(reviewed.parts, session, seen.token)
    assert _waiting(reviewed) == []


def test_a_credit_that_stands_on_a_draft_is_refunded_once(reviewed: Company) -> None:
    id_ = _begin(reviewed, "pm_card_visa")
    _lower(reviewed, id_, at=HALF)
    invoice = _issue(reviewed, 15)[0]
    with reviewed.parts.begin() as session:
        assert refundable(session, session.get_one(Invoice, invoice.id)) == 1785


def _lowered_and_renewed(acme: Company) -> UUID:
    """What the lower price gave back of the paid period leaves 1.43 of the next one's draft."""
    id_ = _begin(acme, "pm_card_visa")
    _issue(acme, 15)
    _lower(acme, id_, at=START + timedelta(days=16))
    acme.set_clock(NEXT)
    acme.settle()
    assert [each.subtotal_minor for each in _invoices(acme)] == [3000, 1000 + 429 - 1286]
    acme.set_clock(NEXT + timedelta(days=1))
    return id_


def test_a_draft_that_earlier_credits_leave_too_little_of_stops_no_cancel(reviewed: Company) -> None:
    id_ = _lowered_and_renewed(reviewed)
    with reviewed.begin() as session:
        seen = preview_cancel(reviewed.parts, session, id_, when=CancelWhen.NOW, prorate=True)
    with reviewed.parts.begin() as session:
        apply(reviewed.parts, session, seen.token)
    (draft,) = [each for each in reviewed.invoices() if each.status == "draft"]
    (note,) = [each for each in reviewed.invoices() if each.kind == "credit_note"]
    assert (draft.subtotal_minor, note.subtotal_minor) == (143, 968), "30 of 31 days of 10.00, into the balance"
    issued = _issue(reviewed, 44)[-1]
    assert (issued.status, issued.credit_applied_minor, issued.amount_due_minor) == ("paid", 170, 0)
    assert reviewed.credit(issued.profile_id) == 1152 - 170
    with reviewed.parts.begin() as session:
        assert refundable(session, session.get_one(Invoice, issued.id)) <= 0, "the note has given it back"


def test_what_a_note_gave_back_of_a_draft_is_not_deferred_once_that_is_issued(reviewed: Company) -> None:
    id_ = _lowered_and_renewed(reviewed)
    with reviewed.parts.begin() as session:
        changing.cancel(reviewed.parts, session, id_, when=CancelWhen.NOW, prorate=True)
    _issue(reviewed, 44)
    day = (START + timedelta(days=44)).date()
    with reviewed.begin() as session:
        report = deferred_report(session, as_of=day)
    assert (report.rows, report.broken, reviewed.account("deferred_revenue")) == ([], False, 0)
    assert reviewed.account("revenue") == -(3000 + 143 - 968), "what was paid for, and nothing of it is still to come"
    assert reviewed.violations() == ()


def test_nor_a_change(reviewed: Company) -> None:
    id_ = _lowered_and_renewed(reviewed)
    reviewed.price("middle", 2000)
    with reviewed.parts.begin() as session:
        changing.change(reviewed.parts, session, id_, items=(NewItem("middle"),))
    assert _waiting(reviewed) == [("proration_credit", -968), ("proration_charge", 1935)]
    issued = _issue(reviewed, 44, 59, 75)
    assert [each.subtotal_minor for each in issued] == [3000, 143, 2000 + 1935 - 968]
