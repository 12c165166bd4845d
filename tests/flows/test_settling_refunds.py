"""A refund that failed is settled by a person: as credit, or as paid another way. Then nothing of it is owed."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from billing.commands.subscription.cancel import CancelWhen
from billing.commands.work_item.raise_item import raise_item
from billing.flows import changing, paying_out, refunding, rights, working
from billing.flows.order import Done, Order
from billing.flows.working import Action
from billing.kernel.errors import Refused
from billing.kernel.ids import new_id
from billing.models import Refund, WorkItem
from tests.flows.company import START, Company
from tests.flows.refunds import at_provider, books, paid_invoice

ORDER = Order(actor="mara", reason="transfer 2026-02-11/17")


def _failed(acme: Company) -> tuple[Refund, WorkItem]:
    """1190 that could not go back, of a customer who has left."""
    invoice = paid_invoice(acme, "pm_card_refundFail")
    with acme.parts.begin() as session:
        id_ = session.execute(text("SELECT id FROM billing.subscription")).scalar_one()
        changing.cancel(acme.parts, session, id_, when=CancelWhen.NOW)
    refunding.refund(acme.parts, invoice.id)
    acme.settle()
    acme.set_clock(START + timedelta(days=2))
    acme.wait_for(lambda: [each.status for each in at_provider(acme)] == ["failed"])
    acme.settle()
    (row,), (item,) = acme.refunds(), acme.work_items()
    assert (row.status, item.kind, books(acme)[0]) == ("failed", "refund_failed", -1190)
    return row, item


def _act(acme: Company, item_id: UUID, action: Action, order: Order = ORDER) -> Done:
    return working.act(acme.parts, item_id, action=action, order=order)


def _refused(acme: Company, profile_id: UUID) -> list[str]:
    try:
        rights.erase(acme.parts, profile_id, order=ORDER)
    except Refused as refused:
        return [fault.code for fault in refused.faults]
    return []


def test_it_goes_into_the_balance_once_and_can_be_paid_out_from_there(acme: Company) -> None:
    row, item = _failed(acme)
    assert item.safe_actions == ["credit", "paid", "park"]
    tried = _act(acme, item.id, Action.CREDIT, Order("mara", "a look", dry_run=True))
    assert (tried.told, books(acme)[0]) == ("11.90 EUR are credit", -1190)
    assert _act(acme, item.id, Action.CREDIT).changed
    for again in (Action.CREDIT, Action.PAID):
        assert not _act(acme, item.id, again).changed
    assert (books(acme)[0], acme.account("customer_credit"), acme.credit(row.profile_id)) == (0, -1190, 1190)
    (settled,), (closed,) = acme.refunds(), acme.work_items()
    assert (settled.status, settled.settled_as, closed.status) == ("failed", "credit", "resolved")
    assert _refused(acme, row.profile_id) == ["credit_left"]
    with acme.parts.begin() as session:
        paying_out.pay_out(acme.parts, session, row.profile_id, currency="eur")
    assert (books(acme)[0], acme.credit(row.profile_id)) == (-1190, 0)
    assert acme.violations() == ()


def test_it_is_noted_as_paid_another_way_and_its_customer_can_be_forgotten(acme: Company) -> None:
    row, item = _failed(acme)
    assert _refused(acme, row.profile_id) == ["refund_in_flight"]
    _act(acme, item.id, Action.PARK)
    assert _act(acme, item.id, Action.PAID).told == "11.90 EUR were paid another way"
    assert (books(acme)[0], acme.account("external_money"), acme.credit(row.profile_id)) == (0, -1190, 0)
    (settled,) = acme.refunds()
    assert (settled.settled_as, settled.settled_reference) == ("paid", "transfer 2026-02-11/17")
    assert _refused(acme, row.profile_id) == []
    assert acme.violations() == ()


def test_a_refund_that_was_not_sent_yet_is_none_to_settle(acme: Company) -> None:
    row, item = _failed(acme)
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.refund SET status = 'pending', closed_at = NULL"))
    with pytest.raises(Refused) as refused:
        _act(acme, item.id, Action.PAID)
    assert [fault.code for fault in refused.value.faults] == ["refund_not_failed"]
    assert acme.refunds()[0].settled_as is row.settled_as is None


@pytest.mark.parametrize(
    ("kind", "do", "code"),
    [
        ("refund_failed", Action.PAID, "refund_missing"),
        ("payment_unapplied", Action.PAID, "payment_missing"),
        ("payment_unapplied", Action.REFUND, "payment_missing"),
        ("difference", Action.ADOPT, "difference_missing"),
        ("difference", Action.REREAD, "difference_missing"),
        ("difference", Action.DISCARD, "difference_missing"),
    ],
)
def test_of_an_item_whose_row_is_not_there_any_more_that_is_told(
    acme: Company, kind: str, do: Action, code: str
) -> None:
    item = _without_its_row(acme, kind, do)
    with pytest.raises(Refused) as refused:
        _act(acme, item.id, do)
    assert [fault.code for fault in refused.value.faults] == [code]
    assert [each.status for each in acme.work_items()] == ["open"]


@pytest.mark.parametrize("kind", ["notice_not_sent", "e_invoice_not_sent"])
def test_what_is_not_there_any_more_is_not_sent_again_and_its_item_is_closed(acme: Company, kind: str) -> None:
    item = _without_its_row(acme, kind, Action.RETRY)
    assert _act(acme, item.id, Action.RETRY).told == "its cause is gone; it is closed"
    assert [each.status for each in acme.work_items()] == ["resolved"]


def _without_its_row(acme: Company, kind: str, do: Action) -> WorkItem:
    """An item about a row that only another copy of this database has."""
    profile_id = acme.customer("a1")
    with acme.parts.begin() as session:
        return raise_item(
            session,
            kind=kind,
            subject_type=kind.removesuffix("_not_sent").partition("_")[0],
            subject_id=new_id(),
            seller_id=acme.seller_id,
            profile_id=profile_id,
            summary="It was about a row.",
            safe_actions=[do],
            now=acme.now(),
        )
