"""What a bank has taken back is not given back once more by a change or a cancel."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from billing.commands.subscription.cancel import CancelWhen, Unused
from billing.flows import changing
from billing.flows.disputing import Decided, credit_loss, write_off_loss
from billing.flows.order import Order
from billing.models import Dispute, Invoice, Payment, Subscription, WaitingLine
from billing.validators.subscription import NewItem
from tests.flows.company import START, Company, company

ORDER = Order(actor="mara", reason="looked at")


@pytest.fixture
def acme(database_url: str) -> Iterator[Company]:
    """Two months of a customer who has paid both; the second is the running one."""
    with company(database_url) as fresh:
        fresh.price("big", 30000)
        fresh.price("small", 100)
        fresh.customer("a1")
        fresh.subscribe("a1", "s1", price="big")
        fresh.settle()
        fresh.set_clock(START + timedelta(days=28))
        fresh.settle()
        yield fresh


def _running(acme: Company) -> tuple[Invoice, Payment]:
    invoice = acme.invoices()[1]
    return invoice, acme.payments(invoice)[0]


def _dispute(acme: Company, *, status: str | None = None) -> None:
    """Of the running month's payment; closed with `status`, if given."""
    ref = acme.witness.call("POST", "disputes", {"charge": _running(acme)[1].charge_ref})["id"]
    acme.settle()
    if status is not None:
        acme.witness.call("POST", f"disputes/{ref}/close", {"status": status})
        acme.settle()
    acme.set_clock(START + timedelta(days=30))
    acme.settle()


def _decide(acme: Company, decide: Callable[..., Decided]) -> None:
    with acme.begin() as session:
        dispute_id = session.scalars(select(Dispute.id)).one()
    decide(acme.parts, dispute_id, order=ORDER)
    acme.settle()


def _cancel(acme: Company) -> None:
    with acme.parts.begin() as session:
        changing.cancel(acme.parts, session, _only(acme), when=CancelWhen.NOW, prorate=True, unused=Unused.REFUND)
    acme.settle()


def _change(acme: Company, price: str) -> None:
    with acme.parts.begin() as session:
        changing.change(acme.parts, session, _only(acme), items=(NewItem(price),))


def _only(acme: Company) -> UUID:
    with acme.begin() as session:
        return session.scalars(select(Subscription.id)).one()


def _waiting(acme: Company) -> list[str]:
    with acme.begin() as session:
        return list(session.scalars(select(WaitingLine.kind).order_by(WaitingLine.id)))


@pytest.mark.parametrize("status", [None, "lost"])
def test_a_cancel_gives_nothing_back_of_what_is_disputed_or_lost(acme: Company, status: str | None) -> None:
    _dispute(acme, status=status)
    _cancel(acme)
    assert acme.refunds() == []
    assert acme.credit(_running(acme)[0].profile_id) == 0
    assert acme.violations() == ()


@pytest.mark.parametrize("decide", [write_off_loss, credit_loss])
def test_nor_once_a_loss_is_decided_on(acme: Company, decide: Callable[..., Decided]) -> None:
    _dispute(acme, status="lost")
    _decide(acme, decide)
    _cancel(acme)
    assert acme.refunds() == []
    assert acme.violations() == ()


def test_what_a_dispute_that_was_won_has_put_back_is_given_back(acme: Company) -> None:
    _dispute(acme, status="won")
    _cancel(acme)
    assert len(acme.refunds()) == 1
    assert acme.violations() == ()


def test_a_downgrade_gives_nothing_back(acme: Company) -> None:
    _dispute(acme, status="lost")
    _change(acme, "small")
    assert _waiting(acme) == []


def test_an_upgrade_while_it_is_disputed_is_charged(acme: Company) -> None:
    acme.price("huge", 60000)
    _dispute(acme)
    _change(acme, "huge")
    assert _waiting(acme) == ["proration_credit", "proration_charge"]


def test_after_a_write_off_a_change_writes_nothing(acme: Company) -> None:
    acme.price("huge", 60000)
    _dispute(acme, status="lost")
    _decide(acme, write_off_loss)
    _change(acme, "huge")
    assert _waiting(acme) == []
