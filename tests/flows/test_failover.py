"""A failover to a replica that lagged: a call of the old side is waited for; one that comes later stops everything."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest
import requests
from sqlalchemy import select, text

from billing.flows import collection, healing, renewal, restoring
from billing.flows.start import start
from billing.kernel.ids import new_id
from billing.models import Payment
from billing.queries import same_database
from billing.queries.same_database import notice_server, pin_anew
from billing.queue.names import RENEWALS_BILL
from tests.flows.company import START, Company
from tests.flows.restored import backup_of, brakes, healed


@pytest.fixture
def lagged(acme: Company) -> Iterator[Company]:
    """An open invoice; the attempt that the old side then committed is not in these rows."""
    with backup_of(acme) as backup:
        acme.customer("a1")
        acme.subscribe("a1", "s1")
        renewal.plan(acme.parts)
        while acme.line.messages:
            task, ids = acme.line.messages.popleft()
            if task.name == RENEWALS_BILL.name:
                renewal.bill(acme.parts, *map(UUID, ids))
        with acme.parts.begin() as session:
            session.execute(text("UPDATE billing.slice SET status = 'done'"))
            session.execute(text("UPDATE billing.database_pin SET timeline = '00000000'"))
        backup.take()
        backup.restore()
        yield acme


def _the_old_sides_call_arrives(acme: Company) -> UUID:
    """It charges the invoice, by an attempt that is lost. Returns its id."""
    (invoice,), lost = acme.invoices(), new_id()
    with acme.begin() as session:
        who = session.execute(text(
            "SELECT m.method_ref, c.customer_ref FROM billing.payment_method m "
            "JOIN billing.provider_customer c USING (profile_id)")).one()  # fmt: skip
    asked = {
        "amount": str(invoice.amount_due_minor), "currency": "eur", "customer": who.customer_ref, "confirm": "true",
        "payment_method": who.method_ref, "off_session": "true", "allowed_payment_method_types[]": "card",
        "metadata[invoice_id]": str(invoice.id), "metadata[payment_id]": str(lost),
    }  # fmt: skip
    headers = {"Authorization": "Bearer sk_test_company", "Idempotency-Key": str(lost)}
    requests.post(f"{acme.witness_url}/v1/payment_intents", data=asked, headers=headers, timeout=5).raise_for_status()
    return lost


def _charged(acme: Company) -> list[int]:
    return [each.amount_minor for each in acme.witness.charges() if each.status == "succeeded"]


def _pin(acme: Company) -> tuple[str | None, bool]:
    """The timeline that the rows are pinned to, and whether another server was noticed."""
    with acme.begin() as session:
        row = session.execute(text("SELECT timeline, noticed IS NOT NULL FROM billing.database_pin")).one()
        return row[0], row[1]


def _let_the_lease_pass(acme: Company) -> None:
    moved = "UPDATE billing.database_pin SET noticed_at = noticed_at - make_interval(secs => :lease * 4 / 3)"
    with acme.parts.begin() as session:
        session.execute(text(moved), {"lease": acme.parts.settings.lease_s})


def test_a_call_that_is_under_way_at_a_failover_is_waited_for_and_found(lagged: Company) -> None:
    lagged.settle_under_a_brake()
    assert _charged(lagged) == [], "nothing is sent while a call of the old side may be under way"
    assert _pin(lagged) == ("00000000", True)
    lost = _the_old_sides_call_arrives(lagged)
    assert not restoring.recognise(lagged.parts)
    assert brakes(lagged) == [("collect", None), ("issue", None)], "what is there already is not waited for"
    _let_the_lease_pass(lagged)
    healing.tick(lagged.parts)
    lagged.wait_for(lambda: healed(lagged), seconds=20)
    lagged.settle()
    assert _charged(lagged) == [1190], "nobody is charged a second time"
    (invoice,) = lagged.invoices()
    assert invoice.status == "paid"
    with lagged.begin() as session:
        assert session.scalars(select(Payment.id)).all() == [lost]


def test_once_no_call_can_be_under_way_the_new_side_bills_on(lagged: Company) -> None:
    assert renewal.plan(lagged.parts) == collection.plan(lagged.parts) == 0
    assert not restoring.recognise(lagged.parts)
    _let_the_lease_pass(lagged)
    lagged.settle()
    assert _charged(lagged) == [1190]
    timeline, noticed = _pin(lagged)
    assert timeline != "00000000"
    assert not noticed


def test_the_wait_begins_anew_where_that_server_is_lost_too(lagged: Company) -> None:
    assert not restoring.recognise(lagged.parts)
    _let_the_lease_pass(lagged)
    with lagged.parts.begin() as session:
        session.execute(text("UPDATE billing.database_pin SET noticed = 'one before'"))
    assert not restoring.recognise(lagged.parts)
    _let_the_lease_pass(lagged)
    assert restoring.recognise(lagged.parts)


def test_a_server_that_was_lost_while_the_provider_was_asked_is_not_pinned(lagged: Company) -> None:
    with lagged.parts.begin() as session:
        notice_server(session)
        session.execute(text("UPDATE billing.database_pin SET noticed = 'one before'"))
        pin_anew(session)
    assert not restoring.recognise(lagged.parts)


def test_a_server_that_was_started_again_is_not_waited_for(acme: Company) -> None:
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.database_pin SET fingerprint = 'before'"))
    assert restoring.recognise(acme.parts)


def test_one_that_tells_no_timeline_is_waited_for(acme: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(same_database, "_TIMELINE", text("SELECT pg_is_not_there()"))
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.database_pin SET fingerprint = 'before'"))
    assert not restoring.recognise(acme.parts)
    _let_the_lease_pass(acme)
    assert restoring.recognise(acme.parts)
    assert _pin(acme) == (None, False)
    monkeypatch.undo()
    start(acme.parts)
    assert _pin(acme)[0] is not None, "pins of before learn theirs when a process starts"


def test_a_charge_of_a_lost_attempt_stops_everything_though_its_invoice_has_one_of_ours(lagged: Company) -> None:
    with lagged.parts.begin() as session:
        notice_server(session)
        pin_anew(session)  # as if the call had taken longer than any may
    lagged.settle()
    assert _charged(lagged) == [1190]
    lost = _the_old_sides_call_arrives(lagged)
    lagged.wait_for(lambda: lagged.witness.state().undelivered_webhooks == 0)
    lagged.settle_under_a_brake()
    assert brakes(lagged) == [("collect", None), ("issue", None)]
    (item,) = [each for each in lagged.work_items() if each.kind == restoring.RESTORED]
    assert str(lost) in str(item.error)


def test_a_pin_of_before_the_files_were_noted_learns_them_at_the_next_start(acme: Company) -> None:
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.database_pin SET filenode = NULL"))
    start(acme.parts)
    with acme.begin() as session:
        known = session.scalar(
            text("SELECT filenode = pg_relation_filenode('billing.database_pin') FROM billing.database_pin")
        )
    assert known


@pytest.mark.parametrize("stopped", [True, False])
def test_a_dump_that_is_put_back_over_our_tables_is_an_older_copy_and_nobody_is_charged_again(
    acme: Company, tmp_path: Path, *, stopped: bool
) -> None:
    """`stopped`: processes begin anew afterwards; else those that were there go on."""
    with backup_of(acme) as backup:
        acme.customer("a1")
        acme.subscribe("a1", "s1")
        acme.settle()
        backup.dump(tmp_path / "nightly")
        acme.set_clock(START + timedelta(days=28))
        acme.settle()
        assert _charged(acme) == [1190, 1190]
        backup.put_back(tmp_path / "nightly")
    if stopped:
        acme.line.messages.clear()
        start(acme.parts)
    acme.set_clock(START + timedelta(days=28))
    acme.settle_under_a_brake()
    assert (len(acme.invoices()), _charged(acme)) == (1, [1190, 1190])
    assert _pin(acme)[1], "it is open: calls of before may be under way"
    _let_the_lease_pass(acme)
    acme.settle_under_a_brake()
    assert brakes(acme) == [("collect", None), ("issue", None)]
    assert (len(acme.invoices()), _charged(acme)) == (1, [1190, 1190])
    with acme.begin() as session:
        assert same_database.is_same(session), "it was asked once, and is pinned to its new files"
