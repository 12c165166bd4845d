"""Auditing by itself: one worker at a time, from the last clean run on; findings are work until they are gone."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from pydantic import SecretStr
from sqlalchemy import select, text

from billing.flows import audit, auditing
from billing.flows.parts import Parts
from billing.models import AuditRun, AuditSeal, Invoice, Profile, WorkItem
from billing.queries.audit.seals import SEALED_TABLES
from billing.queries.audit_runs import gauge
from billing.settings import Settings
from billing.webhooks.app import create_app
from tests.flows.built import a_world

TOKEN = secrets.token_hex()


@pytest.fixture
def parts(database_url: str) -> Iterator[Parts]:
    with a_world(database_url, billing_audit_every_s=900) as made:
        yield made


def runs(parts: Parts) -> list[AuditRun]:
    with parts.begin() as session:
        return list(session.scalars(select(AuditRun).order_by(AuditRun.id)))


def break_one(parts: Parts, change: str) -> Invoice:
    """Change what the open invoice says is still to be paid."""
    with parts.begin() as session:
        invoice = session.scalars(select(Invoice).where(Invoice.status == "open")).one()
        session.execute(text(change), {"id": invoice.id})
        return invoice


def test_of_many_ticks_one_looks_and_the_next_begins_where_it_began(parts: Parts) -> None:
    first = auditing.tick(parts)

    assert first is not None
    assert not first.broken
    assert auditing.tick(parts) is None
    with parts.begin() as session:
        session.execute(text("UPDATE billing.heartbeat SET seen_at = seen_at - interval '16 minutes'"))
    second = auditing.tick(parts)
    assert second is not None
    assert second.since == first.began_at - auditing.OVERLAP
    assert [(each.scope, each.violations) for each in runs(parts)] == [("recent", 0), ("recent", 0)]


def test_a_setting_of_none_looks_at_nothing(parts: Parts) -> None:
    off = replace(parts, settings=parts.settings.model_copy(update={"billing_audit_every_s": None}))

    assert auditing.tick(off) is None
    assert runs(parts) == []


def test_a_finding_is_work_until_an_audit_finds_it_gone_and_until_then_the_start_stands_still(parts: Parts) -> None:
    clean = auditing.recent(parts)
    less = "UPDATE billing.invoice SET amount_remaining_minor = amount_remaining_minor - 1 WHERE id = :id"
    invoice = break_one(parts, less)
    for _ in range(2):
        report = auditing.recent(parts)
        assert {each.code for each in report.violations} == {"L4"}
        assert report.since == clean.began_at - auditing.OVERLAP

    with parts.begin() as session:
        item = session.scalars(select(WorkItem).where(WorkItem.kind == auditing.FINDING)).one()
    assert (item.subject_id, item.profile_id, item.tries, item.status) == (invoice.id, invoice.profile_id, 2, "open")
    assert "L4" in item.summary
    with parts.begin() as session:
        assert session.scalars(select(Profile.hold_id).where(Profile.id == invoice.profile_id)).one() is not None

    break_one(parts, less.replace("minor - 1", "minor + 1"))
    assert not auditing.recent(parts).broken
    with parts.begin() as session:
        assert session.get_one(WorkItem, item.id).status == "resolved"


def move_back(parts: Parts, hours: float) -> None:
    """So much wall time goes by."""
    with parts.begin() as session:
        back = text("UPDATE billing.heartbeat SET seen_at = seen_at - make_interval(secs => :hours * 3600)")
        session.execute(back, {"hours": hours})


def daily(parts: Parts) -> Parts:
    return replace(parts, settings=parts.settings.model_copy(update={"billing_audit_whole_every_s": 86_400}))


def test_everything_is_looked_at_once_a_day(parts: Parts) -> None:
    assert auditing.tick_whole(parts) is None, "the sandbox's clock jumps"
    made = daily(parts)
    first = auditing.tick_whole(made)
    assert first is not None
    assert (first.since, first.broken) == (None, False)
    assert auditing.tick_whole(made) is None
    move_back(made, 23)
    assert auditing.tick_whole(made) is None
    break_one(made, "UPDATE billing.invoice SET amount_remaining_minor = amount_remaining_minor - 1 WHERE id = :id")
    move_back(made, 1.1)
    assert auditing.tick_whole(made) is not None
    assert items(made) == [("invariant_broken", "open")]
    assert [(each.scope, each.violations > 0) for each in runs(made)] == [("whole", False), ("whole", True)]


def test_an_audit_of_everything_that_was_killed_is_begun_anew_when_its_time_is_over(parts: Parts) -> None:
    made = daily(parts)
    with pytest.raises(ConnectionError):
        auditing.tick_whole(replace(made, clock=Dying()))
    assert auditing.tick_whole(made) is None
    move_back(made, 2.1)
    assert auditing.tick_whole(made) is not None


class Dying:
    """The worker dies once it looks at its clock."""

    def now(self, _session: object) -> datetime:
        raise ConnectionError


def test_metrics_show_what_a_whole_audit_found_until_the_next(parts: Parts) -> None:
    break_one(parts, "UPDATE billing.invoice SET amount_remaining_minor = amount_remaining_minor - 1 WHERE id = :id")
    whole(parts)
    auditing.keep(parts, audit.run(parts, since=datetime(2100, 1, 1, tzinfo=UTC)))
    with parts.begin() as session:
        shown = gauge(session)
    assert shown is not None
    assert (shown["by_code"]["L4"], shown["by_code"]["P1"]) == (2, 0)
    assert 0 <= shown["whole_age_s"] < 60


def items(parts: Parts) -> list[tuple[str, str]]:
    with parts.begin() as session:
        query = select(WorkItem).where(WorkItem.kind.in_((auditing.FINDING, auditing.BY_WITNESS))).order_by(WorkItem.id)
        return [(item.kind, item.status) for item in session.scalars(query)]


def whole(parts: Parts) -> None:
    auditing.keep(parts, audit.run(parts, shown=auditing.SHOWN))


def test_what_a_whole_audit_found_is_not_gone_because_a_recent_one_does_not_look_there(parts: Parts) -> None:
    """The row is older than what a recent audit looks at, and nothing tells that it was changed."""
    less = "UPDATE billing.invoice SET amount_remaining_minor = amount_remaining_minor - 1 WHERE id = :id"
    break_one(parts, less)
    whole(parts)
    assert items(parts) == [("invariant_broken", "open")]
    later = replace(audit.run(parts, since=datetime(2100, 1, 1, tzinfo=UTC)), since=datetime(2100, 1, 1, tzinfo=UTC))
    assert not later.broken
    auditing.keep(parts, later)
    auditing.keep(parts, later)
    assert items(parts) == [("invariant_broken", "open")]

    break_one(parts, less.replace("minor - 1", "minor + 1"))
    whole(parts)
    assert items(parts) == [("invariant_broken", "resolved")]
    break_one(parts, less)
    auditing.recent(parts)
    break_one(parts, less.replace("minor - 1", "minor + 1"))
    auditing.recent(parts)
    assert items(parts) == [("invariant_broken", "resolved")] * 2


def test_what_only_the_witness_showed_stands_until_it_is_asked_again(parts: Parts) -> None:
    clean = audit.run(parts)
    shown = audit.Violation("P2", "payment", str(UUID(int=5)), "moved twice", witnessed=True)
    checked = tuple(replace(each, skipped_reason=None) for each in clean.checked)
    asked = replace(clean, checked=checked)
    broken = replace(asked, checked=(replace(checked[0], violations=1), *checked[1:]), violations=(shown,))

    auditing.keep(parts, broken)
    whole(parts)
    assert items(parts) == [("witness_disagrees", "open")]
    auditing.keep(parts, replace(asked, began_at=audit.run(parts).began_at))
    assert items(parts) == [("witness_disagrees", "resolved")]


def test_metrics_show_what_only_the_witness_showed_until_it_is_asked_again(parts: Parts) -> None:
    clean = audit.run(parts)
    shown = audit.Violation("P5", "payment", str(UUID(int=5)), "no charge there", witnessed=True)
    asked = replace(clean, checked=tuple(replace(each, skipped_reason=None) for each in clean.checked))
    of_p5 = tuple(replace(each, violations=int(each.code == "P5")) for each in asked.checked)

    auditing.keep(parts, replace(asked, checked=of_p5, violations=(shown,)))
    assert found_of(parts, "P5") == 1
    whole(parts)
    auditing.recent(parts)
    assert found_of(parts, "P5") == 1, "those had no witness"
    auditing.keep(parts, replace(asked, began_at=audit.run(parts).began_at))
    assert found_of(parts, "P5") == 0


def found_of(parts: Parts, code: str) -> int:
    with parts.begin() as session:
        shown = gauge(session)
    assert shown is not None
    count = shown["by_code"][code]
    assert isinstance(count, int)
    return count


def test_what_came_after_an_audit_took_its_snapshot_is_not_gone_for_it(parts: Parts) -> None:
    """A whole audit takes minutes; meanwhile a recent one finds something."""
    before = audit.run(parts)
    break_one(parts, "UPDATE billing.invoice SET amount_remaining_minor = amount_remaining_minor - 1 WHERE id = :id")
    auditing.recent(parts)
    auditing.keep(parts, before)
    assert items(parts) == [("invariant_broken", "open")]


def test_a_whole_audit_that_finds_nothing_seals_what_has_settled(parts: Parts) -> None:
    report = audit.run(parts)
    auditing.keep(parts, replace(report, began_at=report.began_at + timedelta(hours=2)))

    with parts.begin() as session:
        seals = session.scalars(select(AuditSeal).order_by(AuditSeal.id)).all()
        entries = session.execute(text("SELECT count(*) FROM billing.ledger_entry")).scalar_one()
    assert [each.table_name for each in seals] == list(SEALED_TABLES)
    assert seals[0].rows == entries
    assert not audit.run(parts).broken
    with parts.begin() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text("UPDATE billing.audit_trail SET actor = 'nobody'"))
    assert {each.code for each in audit.run(parts).violations} == {"S4"}


def test_metrics_are_shown_to_whoever_bears_the_token_and_are_absent_without_one_outside_the_sandbox(
    parts: Parts,
) -> None:
    auditing.recent(parts)
    tokened = replace(parts, settings=settings_with_token(parts))
    bearer = {"Authorization": f"Bearer {TOKEN}"}

    assert parts.settings.billing_sandbox
    assert create_app(parts).test_client().get("/metrics").status_code == 200
    real = replace(parts, settings=parts.settings.model_copy(update={"billing_sandbox": False}))
    assert create_app(real).test_client().get("/metrics", headers=bearer).status_code == 404
    asked = create_app(tokened).test_client()
    assert asked.get("/metrics").status_code == 401
    assert asked.get("/metrics", headers={"Authorization": "Bearer another"}).status_code == 401
    answer = asked.get("/metrics", headers=bearer)
    assert (answer.status_code, answer.content_type) == (200, "text/plain; version=0.0.4; charset=utf-8")
    lines = dict(line.rsplit(" ", 1) for line in answer.text.splitlines() if not line.startswith("#"))
    assert lines['billing_audit_violations{code="P1"}'] == "0"
    assert 0 <= float(lines["billing_audit_clean_age_seconds"]) < 60
    assert int(lines["billing_audit_rows"]) > 0


def settings_with_token(parts: Parts) -> Settings:
    """The same settings, with a token."""
    return parts.settings.model_copy(update={"billing_metrics_token": SecretStr(TOKEN)})
