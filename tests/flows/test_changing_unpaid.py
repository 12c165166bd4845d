"""What a change or a cancel gives back of a period whose document is on its way to be paid."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from billing.commands.subscription.cancel import CancelWhen
from billing.flows import changing, drafts
from billing.models import Invoice, WaitingLine
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


def test_a_draft_will_be_charged_in_full_so_what_waits_gives_back_of_it(reviewed: Company) -> None:
    id_ = _begin(reviewed, "pm_card_visa")
    assert [each.status for each in reviewed.invoices()] == ["draft"]
    _lower(reviewed, id_, at=HALF)
    assert _waiting(reviewed) == [("proration_credit", -1500), ("proration_charge", 500)]
    for day in (15, 28, 43):
        reviewed.set_clock(START + timedelta(days=day))
        reviewed.settle()
        drafts.sweep(reviewed.parts)
        reviewed.settle()
    first, second = _invoices(reviewed)
    assert (first.status, first.subtotal_minor, second.subtotal_minor) == ("paid", 3000, 1000 - 1500 + 500)
    assert reviewed.violations() == ()


def test_what_is_issued_at_once_gives_nothing_back_of_a_draft_that_has_no_number(reviewed: Company) -> None:
    id_ = _begin(reviewed, "pm_card_visa")
    _lower(reviewed, id_, at=HALF, proration=changing.Proration.INVOICE_NOW)
    assert _waiting(reviewed) == []
    assert [each.status for each in reviewed.invoices()] == ["draft"]
    assert reviewed.violations() == ()
