"""What an operator does with a finding that is true and can't be undone: it is accepted, told, and accuses no more."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import event, select, text
from sqlalchemy.exc import IntegrityError

from billing.flows import accepting, audit, auditing, working
from billing.flows.audit_report import Report
from billing.flows.measuring import measure
from billing.flows.order import Order
from billing.flows.parts import Parts
from billing.flows.working import Action
from billing.kernel.errors import Refused
from billing.kernel.ids import new_id
from billing.models import AuditAcceptance, AuditRecord, AuditSeal, Invoice, Profile, WorkItem
from billing.queries.audit.seals import compute
from tests import builders
from tests.flows.built import a_world
from tests.flows.company import START

WHY = Order(actor="fay", reason="lost with the database of 3 March, and paid back by hand")
LESS = "UPDATE billing.invoice SET amount_remaining_minor = amount_remaining_minor - 1 WHERE id = :id"


@pytest.fixture
def parts(database_url: str) -> Iterator[Parts]:
    with a_world(database_url, billing_audit_whole_every_s=60) as made:
        yield made


@pytest.fixture
def invoice_id(parts: Parts) -> UUID:
    """Of an open one that says of itself that less is still to be paid than the books do."""
    with parts.begin() as session:
        found = session.scalars(select(Invoice.id).where(Invoice.status == "open")).one()
    _run(parts, LESS, id=found)
    return found


def _run(parts: Parts, change: str, **values: object) -> None:
    with parts.begin() as session:
        session.execute(text(change), values)


def _whole(parts: Parts) -> Report:
    """The day's audit of everything, as a worker makes it."""
    _run(parts, "DELETE FROM billing.heartbeat")
    report = auditing.tick_whole(parts)
    assert report is not None
    return report


def _items(parts: Parts) -> list[WorkItem]:
    with parts.begin() as session:
        return list(session.scalars(select(WorkItem).where(WorkItem.kind == auditing.FINDING).order_by(WorkItem.id)))


def _accept(parts: Parts) -> str:
    return working.act(parts, _items(parts)[-1].id, action=Action.ACCEPT, order=WHY).told


def _held(parts: Parts) -> list[AuditAcceptance]:
    with parts.begin() as session:
        return list(session.scalars(select(AuditAcceptance).order_by(AuditAcceptance.id)))


def _metric(parts: Parts, name: str) -> int:
    return sum(int(each.value) for each in measure(parts) if each.name == name and dict(each.labels)["code"] == "L4")


def test_one_that_is_not_accepted_accuses_at_each_audit(parts: Parts, invoice_id: UUID) -> None:
    for tries in (1, 2, 3):
        assert {each.code for each in _whole(parts).violations} == {"L4"}
        assert [(each.status, each.tries) for each in _items(parts)] == [("open", tries)]
        assert _metric(parts, "billing_audit_violations") == 2


def test_one_that_is_accepted_is_told_at_each_audit_and_is_no_violation(parts: Parts, invoice_id: UUID) -> None:
    said = {each.key for each in _whole(parts).violations}
    assert "L4: " in _accept(parts)
    assert [each.status for each in _items(parts)] == ["resolved"]

    for _ in range(2):
        report = _whole(parts)
        assert (report.broken, report.violations) == (False, ())
        assert {each.violation.key for each in report.accepted} == said
        assert {(each.acceptance.actor, each.acceptance.reason) for each in report.accepted} == {
            (WHY.actor, WHY.reason)
        }
        assert {each.code: each.accepted for each in report.checked if each.accepted} == {"L4": 2}
        assert [each.status for each in _items(parts)] == ["resolved"]
    assert (_metric(parts, "billing_audit_violations"), _metric(parts, "billing_audit_accepted")) == (0, 2)
    assert not auditing.recent(parts).broken


def test_a_true_fault_beside_an_accepted_one_is_seen_at_once(parts: Parts, invoice_id: UUID) -> None:
    _whole(parts)
    _accept(parts)
    assert not _whole(parts).broken
    with parts.begin() as session:
        row = builders.event(session, builders.provider_account(session, code="other"), status="dead", error=None)
    report = _whole(parts)
    assert ("E3", str(row.id)) in [(each.code, each.subject_id) for each in report.violations]
    assert {each.violation.code for each in report.accepted} == {"L4"}
    assert [(each.status, each.subject_id) for each in _items(parts)] == [("resolved", invoice_id), ("open", row.id)]


def test_in_other_words_it_accuses_again_and_what_was_accepted_is_not_what_it_says_now(
    parts: Parts, invoice_id: UUID
) -> None:
    _whole(parts)
    _accept(parts)
    _run(parts, LESS, id=invoice_id)
    report = _whole(parts)
    assert {each.code for each in report.violations} == {"L4"}
    assert report.accepted == ()
    assert [each.status for each in _items(parts)] == ["resolved", "open"]


def test_an_accepted_finding_parks_no_customer_again(parts: Parts, invoice_id: UUID) -> None:
    hold = select(Profile.hold_id).join(Invoice, Invoice.profile_id == Profile.id).where(Invoice.id == invoice_id)
    _whole(parts)
    _accept(parts)
    with parts.begin() as session:
        held = session.scalars(hold).one()
    assert held is not None, "to accept is not to release"
    working.act(parts, held, action=Action.RETRY, order=WHY)
    _whole(parts)
    with parts.begin() as session:
        assert session.scalars(hold).one() is None


def test_what_is_accepted_while_an_audit_is_under_way_is_no_news_at_its_end(parts: Parts, invoice_id: UUID) -> None:
    _whole(parts)
    under_way = audit.run(parts, shown=auditing.SHOWN, with_acceptances=True)
    _accept(parts)
    auditing.keep(parts, under_way)
    assert [each.status for each in _items(parts)] == ["resolved"]


def test_nothing_but_the_acceptance_and_the_item_is_written(parts: Parts, invoice_id: UUID) -> None:
    _whole(parts)
    written: list[str] = []
    note = lambda _connection, _cursor, statement, *_: written.append(statement)  # noqa: E731
    event.listen(parts.sessions.kw["bind"], "before_cursor_execute", note)
    _accept(parts)
    changes = {each.split()[2 if each.startswith("INSERT") else 1] for each in written if each[:6] in _CHANGES}
    assert changes == {"billing.audit_acceptance", "billing.work_item", "billing.audit_trail", "billing.outbox"}


_CHANGES = ("INSERT", "UPDATE", "DELETE")


def test_who_when_and_why_are_kept_with_the_words_and_stand_in_the_trail(parts: Parts, invoice_id: UUID) -> None:
    said = {(each.code, each.subject_type, each.subject_id, each.detail) for each in _whole(parts).violations}
    told = _accept(parts)
    held = _held(parts)
    assert {(each.code, each.subject_type, each.subject_id, each.detail) for each in held} == said
    assert {(each.actor, each.reason) for each in held} == {(WHY.actor, WHY.reason)}
    with parts.begin() as session:
        (row,) = session.scalars(select(AuditRecord).where(AuditRecord.action == "work.accept"))
        assert (row.actor, row.reason, row.subject_id) == (WHY.actor, WHY.reason, _items(parts)[0].id)
        assert row.after is not None
        assert row.after["told"] == told
        assert all(each.detail in told for each in held)


def test_one_that_is_revoked_accuses_again_and_both_stand_in_the_trail(parts: Parts, invoice_id: UUID) -> None:
    _whole(parts)
    _accept(parts)
    _whole(parts)
    back = Order(actor="ada", reason="it can be undone after all")
    for held in _held(parts):
        assert accepting.revoke(parts, held.id, order=back).changed
        assert not accepting.revoke(parts, held.id, order=back).changed
    assert {each.code for each in _whole(parts).violations} == {"L4"}
    assert [each.status for each in _items(parts)] == ["resolved", "open"]
    assert {(each.revoked_by, each.revoked_because) for each in _held(parts)} == {(back.actor, back.reason)}
    with parts.begin() as session:
        actions = session.scalars(select(AuditRecord.action).where(AuditRecord.action.like("acceptance.%"))).all()
    assert actions == ["acceptance.revoke"] * 2
    _accept(parts)
    assert not _whole(parts).broken, "it can be accepted anew"


def test_to_accept_again_changes_nothing_and_a_trial_neither(parts: Parts, invoice_id: UUID) -> None:
    _whole(parts)
    tried = working.act(parts, _items(parts)[0].id, action=Action.ACCEPT, order=replace(WHY, dry_run=True))
    assert (tried.changed, _held(parts)) == (True, [])
    _accept(parts)
    again = working.act(parts, _items(parts)[0].id, action=Action.ACCEPT, order=WHY)
    assert (again.changed, len(_held(parts))) == (False, 2)


def test_what_the_last_audit_did_not_find_is_refused(parts: Parts, invoice_id: UUID) -> None:
    _whole(parts)
    _run(parts, LESS.replace("minor - 1", "minor + 1"), id=invoice_id)
    _whole(parts)
    with pytest.raises(Refused) as refused:
        _accept(parts)
    (fault,) = refused.value.faults
    assert (fault.field, fault.code) == ("finding", "finding_not_standing")
    assert "billing audit" in fault.mend
    with pytest.raises(Refused) as refused:
        accepting.revoke(parts, new_id(), order=WHY)
    assert refused.value.code == "acceptance_not_found"


def test_other_work_is_not_accepted(parts: Parts, invoice_id: UUID) -> None:
    _whole(parts)
    with parts.begin() as session:
        item = session.scalars(select(WorkItem).where(WorkItem.kind == "customer_quarantined")).one()
    with pytest.raises(Refused) as refused:
        working.act(parts, item.id, action=Action.ACCEPT, order=WHY)
    assert refused.value.code == "action_not_safe"


def test_whoever_proves_something_hears_of_no_acceptance(parts: Parts, invoice_id: UUID) -> None:
    """Scenarios, the demo, crash tests, benches and tests: there each violation is one."""
    found = _whole(parts).violations
    _accept(parts)
    report = audit.run(parts)
    assert (set(report.violations), report.accepted) == (set(found), ())


def test_all_that_is_accepted_is_asked_for_once_an_audit(parts: Parts, invoice_id: UUID) -> None:
    _whole(parts)
    _accept(parts)
    asked: list[str] = []
    note = lambda _connection, _cursor, statement, *_: asked.append(statement)  # noqa: E731
    event.listen(parts.sessions.kw["bind"], "before_cursor_execute", note)
    audit.run(parts, codes=["L4"], with_acceptances=True)
    assert sum("audit_acceptance" in each for each in asked) == 1


def test_to_accept_one_reads_no_acceptance_of_another_thing(parts: Parts, invoice_id: UUID) -> None:
    """Bulk orders accept hundreds, each with all the others in force."""
    _whole(parts)
    with parts.begin() as session:
        for _ in range(5):
            session.add(_an_acceptance(code="L4", subject_id=str(new_id())))
    read: list[int] = []
    note = lambda _connection, cursor, statement, *_: (  # noqa: E731
        read.append(cursor.rowcount) if "FROM billing.audit_acceptance" in statement else None
    )
    event.listen(parts.sessions.kw["bind"], "after_cursor_execute", note)
    _accept(parts)
    assert read == [0]


def test_one_finding_is_in_force_once_and_again_after_it_was_revoked(parts: Parts, invoice_id: UUID) -> None:
    _whole(parts)
    _accept(parts)
    (first, *_) = _held(parts)
    same = {"code": first.code, "subject_id": first.subject_id, "detail": first.detail}
    with pytest.raises(IntegrityError, match="uq_audit_acceptance_in_force"), parts.begin() as session:
        session.add(_an_acceptance(**same))
    accepting.revoke(parts, first.id, order=WHY)
    with parts.begin() as session:
        session.add(_an_acceptance(**same))


def _an_acceptance(*, code: str, subject_id: str, detail: str = "another amount") -> AuditAcceptance:
    return AuditAcceptance(
        id=new_id(),
        code=code,
        subject_type="invoice",
        subject_id=subject_id,
        detail=detail,
        witnessed=False,
        work_item_id=new_id(),
        actor=WHY.actor,
        reason=WHY.reason,
        accepted_at=START,
    )


def test_history_that_was_changed_is_told_though_it_is_sealed_anew_and_another_change_accuses(parts: Parts) -> None:
    _whole(parts)
    _break_a_seal(parts)
    assert {each.code for each in _whole(parts).violations} == {"S4"}
    _accept(parts)
    for _ in range(2):
        report = audit.run(parts, with_acceptances=True)
        assert (report.broken, [each.violation.code for each in report.accepted]) == (False, ["S4"])
        auditing.keep(parts, replace(report, began_at=report.began_at + timedelta(hours=2)))
    (held,) = _held(parts)
    accepting.revoke(parts, held.id, order=WHY)
    assert held.subject_id in {each.subject_id for each in audit.run(parts, with_acceptances=True).violations}
    with parts.begin() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text("UPDATE billing.audit_trail SET actor = 'nobody'"))
    report = audit.run(parts, with_acceptances=True)
    assert [each.code for each in report.violations] == ["S4", "S4"], "by the seal of before, and by that of after"
    assert report.accepted == ()


def test_a_table_is_read_once_however_many_of_its_seals_were_accepted_as_broken(parts: Parts) -> None:
    _whole(parts)
    for _ in range(2):
        _break_a_seal(parts)
        _whole(parts)
        _accept(parts)
    read: list[str] = []
    note = lambda _connection, _cursor, statement, *_: read.append(statement)  # noqa: E731
    event.listen(parts.sessions.kw["bind"], "before_cursor_execute", note)
    report = audit.run(parts, codes=["S4"], with_acceptances=True)
    assert (len(report.accepted), report.broken) == (2, False)
    assert sum("hashtextextended" in each for each in read) == 1


def _break_a_seal(parts: Parts) -> None:
    """One over the audit trail, as if a row had been changed since."""
    with parts.begin() as session:
        builders.audit_record(session, action="work.park", subject_type="work_item", subject_id=new_id())
        upto = session.scalars(select(AuditRecord.id).order_by(AuditRecord.id.desc()).limit(1)).one()
        made = compute(session, "audit_trail", upto)
        assert made.rows > 0
        session.add(AuditSeal(id=new_id(), table_name="audit_trail", upto=upto, rows=made.rows, digest="another"))
