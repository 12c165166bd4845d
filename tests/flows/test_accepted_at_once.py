"""One finding of which two work items of different kinds tell, each accepted at the same instant."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import pytest
from sqlalchemy import event, select, text

from billing.flows import auditing, working
from billing.flows.order import Order
from billing.flows.parts import Parts
from billing.flows.working import Action
from billing.models import AuditAcceptance, Invoice, WorkItem
from billing.queries.operations.work import WorkFilter
from tests import builders
from tests.flows.built import a_world

FAY, ADA = Order(actor="fay", reason="paid back by hand"), Order(actor="ada", reason="seen in the dashboard")


@pytest.fixture
def parts(database_url: str) -> Iterator[Parts]:
    with a_world(database_url, billing_audit_whole_every_s=60) as made:
        yield made


@pytest.fixture
def items(parts: Parts) -> tuple[UUID, UUID]:
    """The audit's, and the witness's, which tells of the same in the opposite order."""
    with parts.begin() as session:
        less = "UPDATE billing.invoice SET amount_remaining_minor = amount_remaining_minor - 1 WHERE id = :id"
        session.execute(text(less), {"id": session.scalars(select(Invoice.id).where(Invoice.status == "open")).one()})
    auditing.tick_whole(parts)
    with parts.begin() as session:
        found = session.scalars(select(WorkItem).where(WorkItem.kind == auditing.FINDING)).one()
        findings = found.findings or []
        assert len(findings) > 1
        same = {name: getattr(found, name) for name in ("subject_type", "subject_id", "seller_id", "safe_actions")}
        twin = builders.work_item(session, kind=auditing.BY_WITNESS, findings=findings[::-1], **same)
        return found.id, twin.id


def _held(parts: Parts) -> list[AuditAcceptance]:
    with parts.begin() as session:
        return list(session.scalars(select(AuditAcceptance)))


def _just_before_it_is_written(parts: Parts, act: object) -> None:
    """What another operator does, and commits, after the first looked at what is in force."""
    done: list[bool] = []

    def first(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if statement.startswith("INSERT INTO billing.audit_acceptance") and not done:
            done.append(True)
            assert callable(act)
            act()

    event.listen(parts.sessions.kw["bind"], "before_cursor_execute", first)


def test_two_operators_who_accept_it_at_one_instant_are_both_answered(parts: Parts, items: tuple[UUID, UUID]) -> None:
    one, twin = items
    _just_before_it_is_written(parts, lambda: working.act(parts, twin, action=Action.ACCEPT, order=ADA))
    assert working.act(parts, one, action=Action.ACCEPT, order=FAY).changed
    held = _held(parts)
    assert (len(held), {each.actor for each in held}) == (2, {"ada"}), "in force once, as the first said it"
    with parts.begin() as session:
        assert {session.get_one(WorkItem, each).status for each in items} == {"resolved"}
    again = working.act(parts, one, action=Action.ACCEPT, order=FAY)
    assert not again.changed


def test_two_orders_for_all_of_them_at_one_instant_go_through(parts: Parts, items: tuple[UUID, UUID]) -> None:
    def all_of(kind: str, order: Order) -> list[str | None]:
        wanted = WorkFilter(kind=kind)
        return [each.refused for each in working.act_on_all(parts, wanted, action=Action.ACCEPT, order=order)]

    _just_before_it_is_written(parts, lambda: all_of(auditing.BY_WITNESS, ADA))
    assert all_of(auditing.FINDING, FAY) == [None]
    assert len(_held(parts)) == 2
