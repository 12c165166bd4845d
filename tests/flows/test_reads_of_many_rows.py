"""What operators and finance people read costs what is told, not what there is: held by plans over many rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.commands.ledger.close import close_month
from billing.flows.bookkeeping import close
from billing.flows.order import Order
from billing.flows.recognition import recognise_due
from billing.queries.api import disputes as api_payments
from billing.queries.api import invoices as api_invoices
from billing.queries.books.payout import payout_report
from billing.queries.books.reports import aging_report, deferred_report
from billing.queries.books.trial_balance import trial_balances
from billing.queries.operations import browsing, endpoints, gauges
from billing.queries.operations.browsing import Browse
from billing.queries.operations.invoices import list_invoices
from billing.queries.unlisted_movements import unlisted_since
from tests.flows.company import Company

pytestmark = pytest.mark.new_database

ORDER = Order(actor="ada", reason="the month is over")
_MANY = 20_000
# Newer than all that the first customer has, as of one who was large once and is gone.
_OTHERS = """
INSERT INTO billing.{table}
SELECT m.* FROM billing.{table} t, generate_series(1, :many) n, jsonb_populate_record(t, jsonb_build_object(
    'id', ('ffffffff-ffff-7fff-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'profile_id', CAST(:other AS text)){more}) m
WHERE t.id = (SELECT id FROM billing.{table} ORDER BY id LIMIT 1)
"""
_OLD = """
INSERT INTO billing.{table}
SELECT m.* FROM billing.{table} t, generate_series(1, 2000) n,
    jsonb_populate_record(t, jsonb_build_object('id', gen_random_uuid()){more}) m
WHERE t.id = (SELECT id FROM billing.{table} ORDER BY id LIMIT 1)
"""
_MORE = {
    "invoice": " || jsonb_build_object('number', '{who}-' || n, 'series_no', {from_} + n)",
    "payment": " || jsonb_build_object('charge_ref', '{who}-' || n, 'attempt_no', {from_} + n)",
}


@contextmanager
def _read(session: Session) -> Iterator[list[dict[str, Any]]]:
    """Nodes of the plans of what is asked within, as they were carried out."""
    nodes: list[dict[str, Any]] = []
    execute = psycopg.Cursor.execute

    def explained(cursor: Any, query: Any, params: Any = None, **named: Any) -> Any:
        if str(query).lstrip().upper().startswith(("SELECT", "WITH")):
            with cursor.connection.cursor() as beside:
                (plan,) = execute(beside, f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {query}", params).fetchone()
            found = [plan[0]["Plan"]]
            for node in found:
                found += node.get("Plans", [])
            nodes.extend(found)
        return execute(cursor, query, params, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(psycopg.Cursor, "execute", explained)
        yield nodes


def _seen(nodes: list[dict[str, Any]], table: str) -> float:
    """Rows of a table that were looked at, whether they were let through or not."""
    looked_at: list[float] = [
        (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)) * node["Actual Loops"]
        for node in nodes
        if node.get("Relation Name") == table
    ]
    return sum(looked_at)


@pytest.fixture
def crowd(acme: Company) -> tuple[Company, UUID]:
    """One customer with two thousand old documents and tries, beside ten times as many newer ones of another."""
    first, other = acme.customer("a1"), acme.customer("a2")
    acme.subscribe("a1", "a1")
    acme.settle()
    with acme.parts.begin() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        for table, more in _MORE.items():
            old, new = more.format(who="old", from_=10), more.format(who="new", from_=10_000)
            session.execute(text(_OLD.format(table=table, more=old)))
            session.execute(text(_OTHERS.format(table=table, more=new)), {"other": str(other), "many": _MANY})
    with acme.parts.begin() as session:
        session.execute(text("ANALYZE billing.invoice, billing.payment"))
    return acme, first


_LISTS: dict[str, Callable[[Session, UUID, UUID], Any]] = {
    "invoice": lambda session, _, first: list_invoices(session, profile=first, limit=10),
    "invoice by account": lambda session, _seller, _first: list_invoices(session, customer="a1", limit=10),
    "payment": lambda session, _, first: browsing.list_payments(
        session, Browse(profile_id=first), before=None, limit=10
    ),
    "invoice of the API": lambda session, seller, first: api_invoices.documents(
        session, seller, after=None, limit=10, kind="invoice", profile=first
    ),
    "payment of the API": lambda session, seller, first: api_payments.payments(
        session, seller, after=None, limit=10, profile_id=first
    ),
    "payment of the API by account": lambda session, seller, _: api_payments.payments(
        session, seller, after=None, limit=10, account_id="a1"
    ),
}


def test_a_large_customers_list_is_not_looked_for_among_everybodys(crowd: tuple[Company, UUID]) -> None:
    acme, first = crowd
    seen = {}
    for what, listed in _LISTS.items():
        with acme.parts.begin() as session, _read(session) as nodes:
            page = listed(session, acme.seller_id, first)
        assert len(page.rows) == 10, what
        seen[what] = _seen(nodes, what.split(maxsplit=1)[0])
    assert {what: rows for what, rows in seen.items() if rows >= 5_000} == {}


def _endpoint(session: Session, seller_id: UUID, *, waiting: int) -> None:
    values = {"seller": seller_id, "waiting": waiting}
    session.execute(
        text(
            """
            WITH made AS (
                INSERT INTO billing.endpoint (id, seller_id, code, target, topics, status, secret, streak,
                                              version)
                VALUES (gen_random_uuid(), :seller, 'shop', 'https://shop.example', ARRAY['*'], 'on', '\\x00', 0, 1)
                RETURNING id)
            INSERT INTO billing.delivery (endpoint_id, outbox_id, seller_id, object_id, created_at)
            SELECT id, gen_random_uuid(), :seller, gen_random_uuid(), clock_timestamp() - n * interval '1 second'
            FROM made, generate_series(1, :waiting) n
            """
        ),
        values,
    )


def test_the_oldest_delivery_is_found_among_many_that_wait(acme: Company) -> None:
    with acme.parts.begin() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        _endpoint(session, acme.seller_id, waiting=_MANY)
    with acme.parts.begin() as session:
        session.execute(text("ANALYZE billing.delivery, billing.endpoint"))
    with acme.parts.begin() as session, _read(session) as nodes:
        lag_s = gauges.outbox_lag(session)
    assert lag_s >= _MANY
    assert _seen(nodes, "delivery") < 10


def test_what_waits_for_an_endpoint_is_counted_up_to_a_limit(acme: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    with acme.parts.begin() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        _endpoint(session, acme.seller_id, waiting=30)
    for name in ("_LIST", "_ONE"):
        few = getattr(endpoints, name).replace(f"LIMIT {endpoints.MOST}", "LIMIT 20")
        monkeypatch.setattr(endpoints, name, few)
    with acme.parts.begin() as session:
        (row,) = endpoints.list_endpoints(session).rows
        shown = endpoints.show_endpoint(session, row["id"])
    assert (row["waiting"], shown["waiting"]) == (20, 20)


@pytest.fixture
def billed(acme: Company) -> Company:
    """A year's price paid on 31 January, and a month's that nobody pays; it is 3 March."""
    acme.customer("a1")
    acme.customer("a2", method="pm_card_chargeCustomerFail")
    for account in ("a1", "a2"):
        acme.subscribe(account, account)
    acme.settle()
    acme.set_clock(datetime(2026, 3, 3, tzinfo=UTC))
    acme.settle()
    recognise_due(acme.parts)
    return acme


def _told(session: Session, day: date) -> list[Any]:
    """What stands at the end of a day: each account that is not at nothing, and every report's rows and ties."""
    balances = [
        (account.account, account.balance_minor)
        for each in trial_balances(session, as_of=day, since=day)
        for account in each.accounts
        if account.balance_minor
    ]
    reports = [aging_report(session, as_of=day), deferred_report(session, as_of=day)]
    return [balances, *((each.rows, [tie for tie in each.ties if tie.ledger_minor]) for each in reports)]


def test_what_accounts_stand_at_is_taken_from_the_last_close(billed: Company) -> None:
    days = (date(2026, 1, 31), date(2026, 2, 1), date(2026, 2, 28), date(2026, 3, 2), date(2026, 3, 3))
    close(billed.parts, billed.seller_id, month=date(2026, 1, 1), order=ORDER)
    close(billed.parts, billed.seller_id, month=date(2026, 2, 1), order=ORDER)
    with billed.parts.begin() as session:
        told = [_told(session, day) for day in days]
        # What is closed is read no more; that it is still so is for the audit, which reads all.
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text(_TAMPERED), {"until": date(2026, 2, 1)})
        assert [_told(session, day) for day in days[2:]] == told[2:]
        session.rollback()
    with billed.parts.begin() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text("DELETE FROM billing.month_close"))
        assert [_told(session, day) for day in days] == told
        session.rollback()


_TAMPERED = """
UPDATE billing.posting p SET amount_minor = 3 * amount_minor
FROM billing.ledger_entry e WHERE e.id = p.entry_id AND e.booked_on < :until
"""


def test_a_close_goes_on_from_the_one_before(billed: Company) -> None:
    close(billed.parts, billed.seller_id, month=date(2026, 1, 1), order=ORDER)
    with billed.parts.begin() as session:
        whole = trial_balances(session, as_of=date(2026, 2, 28), seller_id=billed.seller_id)
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text(_TAMPERED), {"until": date(2026, 2, 1)})
        closed = close_month(
            session, seller_id=billed.seller_id, month=date(2026, 2, 1), actor="ada", reason="over",
            now=billed.parts.clock.now(session),
        )  # fmt: skip
        assert closed is not None
        stood = {each["account"]: each["balance_minor"] for each in closed.balances}
        session.rollback()
    assert stood == {each.account: each.balance_minor for each in whole[0].accounts if each.balance_minor}


def test_lines_that_were_earned_long_ago_are_not_read_for_what_is_deferred(billed: Company) -> None:
    with billed.parts.begin() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(
            text(
                """
                INSERT INTO billing.revenue_schedule
                SELECT made.* FROM billing.revenue_schedule r, generate_series(1, :many) n,
                    jsonb_populate_record(r, jsonb_build_object('id', md5(n::text), 'next_on', NULL,
                        'next_at', NULL, 'recognised_minor', r.net_minor)) made
                WHERE r.id = (SELECT id FROM billing.revenue_schedule LIMIT 1)
                """
            ),
            {"many": _MANY},
        )
    with billed.parts.begin() as session:
        session.execute(text("ANALYZE billing.revenue_schedule"))
    with billed.parts.begin() as session, _read(session) as nodes:
        deferred_report(session, as_of=date(2026, 3, 3), seller_id=billed.seller_id)
    assert _seen(nodes, "revenue_schedule") < 1_000


def test_documents_of_a_payout_are_looked_up_behind_the_second_wall(crowd: tuple[Company, UUID]) -> None:
    acme, _ = crowd
    with acme.parts.begin() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text(_PAYOUT), {"seller": str(acme.seller_id)})
    with acme.parts.begin() as session:
        session.execute(text("ANALYZE billing.provider_movement, billing.payout"))
    with acme.parts.for_seller(acme.seller_id).begin() as session, _read(session) as nodes:
        report = payout_report(session, payout="po_1", seller_id=acme.seller_id)
    assert len([row for row in report.rows if row["invoice"]]) == 100
    assert _seen(nodes, "invoice") < 5_000


_PAYOUT = """
WITH made AS (
    INSERT INTO billing.payout (id, provider_account_id, payout_ref, status, amount_minor, currency, opened_at, shares,
                                version)
    SELECT gen_random_uuid(), id, 'po_1', 'paid', 100, 'eur', now(),
           jsonb_build_array(jsonb_build_object('seller_id', CAST(:seller AS text), 'amount_minor', 100)), 1
    FROM billing.provider_account LIMIT 1 RETURNING id)
INSERT INTO billing.provider_movement (id, provider_account_id, balance_ref, type, source_ref, amount_minor, fee_minor,
                                       currency, occurred_at, seller_id, booked_at, payout_id, version)
SELECT gen_random_uuid(), p.provider_account_id, 'txn_' || p.id, 'charge', p.charge_ref, 100, 1, 'eur', now(),
       CAST(:seller AS uuid), now(), made.id, 1
FROM made, (SELECT * FROM billing.payment WHERE charge_ref LIKE 'old-%' LIMIT 100) p
"""


def test_what_a_provider_held_for_long_is_found_beside_all_that_it_did_not(crowd: tuple[Company, UUID]) -> None:
    acme, _ = crowd
    with acme.begin() as session, _read(session) as nodes:
        assert unlisted_since(session, account_id=acme.account_id, now=acme.now(), most=10) == []
    assert any(node.get("Relation Name") == "payment" for node in nodes)
    assert _seen(nodes, "payment") < 10
