"""Several open invoices of one customer are tried oldest first, whoever cut the slices and in whatever order."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from sqlalchemy import select, text

from billing.commands.slice.cut import cut
from billing.flows import collection
from billing.models import Invoice, Slice
from tests.flows.company import START, Company


def _two_open(acme: Company) -> tuple[UUID, UUID]:
    """An older and a younger invoice of one customer, both due now, with a card that pays."""
    acme.customer("one", method="pm_card_chargeCustomerFail")
    acme.subscribe("one", "one-basic")
    acme.settle()
    acme.set_clock(START + timedelta(days=31))
    acme.settle()
    older, younger = acme.invoices()
    with acme.parts.begin() as session:
        session.execute(text("DELETE FROM billing.slice"))
        session.execute(
            text("UPDATE billing.invoice SET next_attempt_at = :now, extra_try = TRUE, charge_not_before = NULL"),
            {"now": START + timedelta(days=31)},
        )
    return older.id, younger.id


def _slice(acme: Company, *members: UUID) -> UUID:
    with acme.parts.begin() as session:
        (id_,) = cut(session, kind="charges", members=members, size=10)
    acme.line.messages.clear()
    return id_


def _tried(acme: Company, invoice: UUID) -> int:
    with acme.begin() as session:
        return len(acme.payments(session.get_one(Invoice, invoice)))


def test_of_one_slice_the_oldest_is_tried_and_the_next_stays_due(acme: Company) -> None:
    older, younger = _two_open(acme)
    before = _tried(acme, older), _tried(acme, younger)
    assert collection.charge(acme.parts, _slice(acme, younger, older)) == 1
    assert (_tried(acme, older), _tried(acme, younger)) == (before[0] + 1, before[1])
    acme.settle()
    assert _tried(acme, younger) == before[1] + 1


def test_a_younger_one_waits_where_another_worker_has_the_older(acme: Company) -> None:
    older, younger = _two_open(acme)
    assert collection.charge(acme.parts, _slice(acme, younger)) == 0
    with acme.begin() as session:
        assert session.scalars(select(Slice.status)).all() == ["done"]
    assert collection.charge(acme.parts, _slice(acme, older)) == 1
    assert collection.charge(acme.parts, _slice(acme, younger)) == 1


def test_the_oldest_whose_slice_waits_is_not_cut_into_another_for_a_younger_one(acme: Company) -> None:
    older, _ = _two_open(acme)
    assert [collection.plan(acme.parts) for _ in range(3)] == [1, 0, 0]
    with acme.begin() as session:
        assert session.scalars(select(Slice.member_ids)).all() == [[older]]


def test_an_older_one_that_waits_for_its_time_holds_nobody_up(acme: Company) -> None:
    older, younger = _two_open(acme)
    with acme.parts.begin() as session:
        session.get_one(Invoice, older).next_attempt_at = START + timedelta(days=40)
    assert collection.charge(acme.parts, _slice(acme, younger)) == 1


def test_an_older_one_whose_outcome_is_unknown_holds_nobody_up(acme: Company) -> None:
    older, younger = _two_open(acme)
    with acme.parts.begin() as session:
        session.execute(
            text(
                "UPDATE billing.payment SET status = 'unknown', closed_at = NULL, next_check_at = clock_timestamp()"
                " WHERE id = (SELECT id FROM billing.payment WHERE invoice_id = :id ORDER BY attempt_no DESC LIMIT 1)"
            ),
            {"id": older},
        )
        session.get_one(Invoice, older).next_attempt_at = None
    assert collection.charge(acme.parts, _slice(acme, younger)) == 1
