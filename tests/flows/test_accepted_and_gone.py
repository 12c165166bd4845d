"""How long an acceptance holds: as long as audits of everything find what it is about. What comes back is another."""

from __future__ import annotations

import pytest
from sqlalchemy import select, text

from billing.commands.audit_trail.record import ENGINE
from billing.flows import audit, auditing, working
from billing.flows.order import Order
from billing.flows.working import Action
from billing.kernel.errors import Refused
from billing.models import AuditAcceptance, AuditRecord, WorkItem
from billing.queries.audit.invariant import Text
from tests.flows.company import Company
from tests.flows.found import add_to, audited, finding, untrue_invoice

WHY = Order(actor="fay", reason="lost with the database of 3 March, and paid back by hand")


def _accept(acme: Company) -> None:
    working.act(acme.parts, finding(acme).id, action=Action.ACCEPT, order=WHY)


def _held(acme: Company) -> list[AuditAcceptance]:
    with acme.parts.begin() as session:
        return list(session.scalars(select(AuditAcceptance)))


def test_what_an_audit_of_everything_finds_gone_is_another_fault_when_it_comes_back(acme: Company) -> None:
    invoice_id = untrue_invoice(acme)
    audited(acme)
    _accept(acme)
    add_to(acme, invoice_id, 1)
    auditing.recent(acme.parts)
    assert {each.revoked_at for each in _held(acme)} == {None}, "which looks only at what changed"
    audited(acme)
    assert {each.revoked_by for each in _held(acme)} == {ENGINE}
    with acme.parts.begin() as session:
        ended = session.scalars(select(AuditRecord).where(AuditRecord.action == "acceptance.revoke")).all()
        assert {(each.actor, each.subject_id) for each in ended} == {(ENGINE, each.id) for each in _held(acme)}
    add_to(acme, invoice_id, -1)
    assert {each.code for each in audited(acme).violations} == {"L4"}


def test_what_only_the_witness_shows_is_not_gone_for_an_audit_without_one(acme: Company) -> None:
    """Though the item that told of it is purged before the acceptance ends."""
    invoice_id = untrue_invoice(acme)
    audited(acme)
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.work_item SET kind = :kind"), {"kind": auditing.BY_WITNESS})
    with acme.parts.begin() as session:
        item_id = session.scalars(select(WorkItem.id).where(WorkItem.findings.is_not(None))).one()
    working.act(acme.parts, item_id, action=Action.ACCEPT, order=WHY)
    with acme.parts.begin() as session:
        session.execute(text("DELETE FROM billing.work_item WHERE id = :id"), {"id": item_id})
    add_to(acme, invoice_id, 1)
    audited(acme)
    assert {each.revoked_at for each in _held(acme)} == {None}


def test_what_was_accepted_while_an_audit_was_under_way_is_not_gone_for_it(acme: Company) -> None:
    invoice_id = untrue_invoice(acme)
    audited(acme)
    add_to(acme, invoice_id, 1)
    under_way = audit.run(acme.parts, shown=auditing.SHOWN, with_acceptances=True)
    add_to(acme, invoice_id, -1)
    _accept(acme)
    auditing.keep(acme.parts, under_way)
    assert {each.revoked_at for each in _held(acme)} == {None}


def test_what_can_be_put_right_at_any_time_is_not_accepted(acme: Company) -> None:
    """A trigger is made again, a secret goes out of its row; the next one is told in the same words.

    A log or a queue holds another message tomorrow. Whatever else the audit says of that row waits for it.
    """
    card, invoice_id = "4242 4242 4242 4242", untrue_invoice(acme)
    with acme.parts.begin() as session:
        session.execute(text("DROP TRIGGER invoice_frozen ON billing.invoice"))
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text("UPDATE billing.subscription SET code = :said"), {"said": f"card {card}"})
        session.execute(
            text("UPDATE billing.invoice SET legal_notes = ARRAY[:said] WHERE id = :id"),
            {"said": "sk_live_4eC39HqLyjWDarjtT1zdp7dc", "id": invoice_id},
        )
    report = audit.run(
        acme.parts, shown=auditing.SHOWN, with_acceptances=True, texts=lambda: [Text("broker celery", card)]
    )
    auditing.keep(acme.parts, report)
    assert {each.code for each in report.violations if each.subject_id == str(invoice_id)} >= {"L4", "S2"}
    assert {each.subject_type for each in report.violations} == {"trigger", "text", "subscription", "invoice"}
    with acme.parts.begin() as session:
        items = session.scalars(select(WorkItem.id).where(WorkItem.kind == auditing.FINDING)).all()
    for item_id in items:
        with pytest.raises(Refused) as refused:
            working.act(acme.parts, item_id, action=Action.ACCEPT, order=WHY)
        assert refused.value.code == "action_not_safe"
