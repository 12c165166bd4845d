"""Card networks' limits and the hour of a retry, in the flow: by card and not by method, over all invoices."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from threading import Thread
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.commands.payment.open import open_payments
from billing.db.clock import wall_now
from billing.flows import collection, operating
from billing.flows.charging import charge_once
from billing.flows.order import Order
from billing.kernel.errors import Refused
from billing.models import Invoice
from billing.queries import card_tries
from billing.queries.collection import load_due
from billing.queries.operations.invoices import show_invoice
from billing.validators.seller import SellerPolicy
from tests.flows.company import START, Company, company

FUNDS = "pm_card_visa_chargeDeclinedInsufficientFunds"
DAY = timedelta(days=1)
ORDER = Order(actor="anna", reason="the customer called")


def tried_before(acme: Company, number: int, *, status: str = "declined") -> None:
    """So many tries of the failing card went out before, one each day, for an invoice of another customer."""
    with acme.parts.begin() as session:
        session.execute(
            text(
                """
                INSERT INTO billing.payment (id, seller_id, invoice_id, profile_id, attempt_no, kind, scheduled,
                    provider_account_id, payment_method_id, payment_intent_id, customer_ref, method_ref, token, checks,
                    absent_lists, card_fingerprint, amount_minor, currency, opened_at, status, first_sent_at, closed_at)
                SELECT gen_random_uuid(), p.seller_id, p.invoice_id, p.profile_id, 100 + n, p.kind, FALSE,
                    p.provider_account_id, p.payment_method_id, p.payment_intent_id, p.customer_ref, p.method_ref, 1, 0,
                    0, f.card_fingerprint, p.amount_minor, p.currency, p.opened_at, :status,
                    p.opened_at - n * interval '1 day', p.opened_at
                FROM billing.payment p, billing.payment f, generate_series(1, :number) AS n
                WHERE p.status = 'succeeded' AND f.status = 'declined'"""
            ),
            {"number": number, "status": status},
        )


def failing(acme: Company, *, before: int, status: str = "declined") -> UUID:
    """A customer whose card was declined at `START`, and `before` times on the days before that."""
    acme.customer("a0")
    acme.subscribe("a0", "s0", start=START)
    profile = acme.customer("a1", method=FUNDS)
    acme.subscribe("a1", "s1")
    acme.settle()
    tried_before(acme, before, status=status)
    return profile


def the_open(acme: Company) -> Invoice:
    return next(each for each in acme.invoices() if each.status == "open")


def ours(acme: Company) -> list[str]:
    return [each.status for each in acme.payments(acme.invoices()[-1])]


def test_a_retry_that_would_be_the_sixteenth_waits_until_the_oldest_is_a_month_old(acme: Company) -> None:
    failing(acme, before=14)
    acme.set_clock(START + 3 * DAY)
    acme.settle()
    invoice = the_open(acme)
    free = START - 14 * DAY + 30 * DAY
    assert (invoice.next_attempt_at, invoice.card_limit_until, invoice.dunning_step) == (free, free, 0)
    assert ours(acme) == ["declined"]
    ((_, payload),) = acme.told("invoice.retry_postponed")
    assert (payload["why"], payload["until"]) == ("card_limit", free.isoformat())
    with acme.begin() as session:
        assert show_invoice(session, invoice.id)["card_limit_until"] == free
    assert [each for each in acme.violations() if each.code == "C1"] == []
    acme.set_clock(free)
    acme.settle()
    invoice = the_open(acme)
    assert ours(acme) == ["declined", "declined"]
    assert (invoice.card_limit_until, invoice.dunning_step) == (None, 1)
    assert invoice.next_attempt_at == free + 5 * DAY


def test_one_fewer_is_tried_on_time(acme: Company) -> None:
    failing(acme, before=13)
    acme.set_clock(START + 3 * DAY)
    acme.settle()
    assert ours(acme) == ["declined", "declined"]


@pytest.mark.parametrize("status", ["not_sent", "canceled"])
def test_attempts_that_never_reached_the_network_are_not_counted(acme: Company, status: str) -> None:
    failing(acme, before=20, status=status)
    acme.set_clock(START + 3 * DAY)
    acme.settle()
    assert ours(acme) == ["declined", "declined"]


def test_a_card_that_comes_again_as_another_method_is_the_same_card(acme: Company) -> None:
    profile = failing(acme, before=14)
    acme.set_clock(START + DAY)
    acme.give_method(profile, FUNDS, another=True)
    acme.settle()
    assert ours(acme) == ["declined"]
    assert the_open(acme).next_attempt_at == START + 16 * DAY
    acme.give_method(profile, "pm_card_mastercard")
    acme.settle()
    assert ours(acme) == ["declined", "succeeded"]


def test_the_card_is_counted_over_all_invoices_and_customers_but_a_first_try_is_no_repeat(acme: Company) -> None:
    failing(acme, before=14)
    acme.customer("a2", method=FUNDS)
    acme.subscribe("a2", "s2")
    acme.settle()
    assert ours(acme) == ["declined"]
    acme.set_clock(START + 3 * DAY)
    acme.settle()
    # Sixteen have been sent: the second oldest of them must leave first.
    assert {each.next_attempt_at for each in acme.invoices() if each.status == "open"} == {START - 13 * DAY + 30 * DAY}


def test_an_operators_retry_is_outside_the_schedule_but_not_outside_the_limit(acme: Company) -> None:
    failing(acme, before=14)
    acme.set_clock(START + DAY)
    with pytest.raises(Refused) as refused:
        operating.retry_invoice(acme.parts, the_open(acme).id, order=ORDER)
    assert refused.value.code == "card_limit_reached"
    assert "2026-02-16T00:00:00Z" in refused.value.faults[0].mend


def test_where_the_policy_says_so_a_retry_over_the_limit_is_the_end(database_url: str) -> None:
    with company(database_url, policy=SellerPolicy(dunning_hours=None, card_limit="final")) as acme:
        failing(acme, before=14)
        acme.set_clock(START + 3 * DAY)
        acme.settle()
        invoice = the_open(acme)
        assert (invoice.final_decision, invoice.next_attempt_at) == ("cancel", None)
        assert acme.subscription(invoice.subscription_id).status == "canceled"  # type: ignore[arg-type]
        assert ours(acme) == ["declined"]


def test_where_the_limits_are_off_nothing_waits(database_url: str) -> None:
    with company(database_url, policy=SellerPolicy(dunning_hours=None, card_limit="off")) as acme:
        failing(acme, before=30)
        acme.set_clock(START + 3 * DAY)
        acme.settle()
        assert ours(acme) == ["declined", "declined"]


def test_retries_of_one_slice_count_each_other_and_one_statement_reads_them_all(acme: Company) -> None:
    profile = failing(acme, before=10)
    with acme.parts.begin() as session:
        for number in range(3):
            charge_once(acme.parts, session, profile, amount_minor=100, currency="eur", description=f"extra {number}")
    acme.settle()
    at = START + 3 * DAY
    acme.set_clock(at)
    with acme.counting_statements() as statements:
        collection.plan(acme.parts)
        acme.run_messages()
    assert len([each for each in statements if "p.card_fingerprint = c.fingerprint" in each]) == 1
    # Fourteen were sent before. The customer's oldest is tried first; the other three, whose turn comes after, wait.
    assert len([each for each in acme.payments() if each.opened_at == at]) == 1
    acme.set_clock(at + timedelta(hours=1))
    acme.settle()
    waiting = [each for each in acme.invoices() if each.card_limit_until is not None]
    assert [each.next_attempt_at for each in waiting] == [START + 20 * DAY] * 3


def test_two_workers_at_once_do_not_pass_the_limit_together(acme: Company) -> None:
    failing(acme, before=12)
    acme.customer("a2", method=FUNDS)
    acme.subscribe("a2", "s2")
    acme.settle()
    at = START + 3 * DAY
    acme.set_clock(at)
    first, second = [each.id for each in acme.invoices() if each.status == "open"]

    def open_one(session: Session, invoice_id: UUID) -> None:
        due = load_due(session, invoices=[invoice_id], now=at)
        open_payments(session, due, now=at, wall=wall_now(session), lease_s=60)

    def other_worker() -> None:
        with acme.parts.begin() as session:
            open_one(session, second)

    other = Thread(target=other_worker)
    with acme.parts.begin() as session:
        open_one(session, first)
        other.start()
        until = time.monotonic() + 20
        while other.is_alive() and time.monotonic() < until:
            if session.execute(text("SELECT count(*) FROM pg_locks WHERE NOT granted")).scalar_one():
                break
    other.join()
    opened = [each.invoice_id for each in acme.payments() if each.status == "prepared"]
    assert opened == [first]
    assert next(each for each in acme.invoices() if each.id == second).card_limit_until is not None


@pytest.mark.new_database
def test_the_count_reads_an_index_of_its_own(acme: Company) -> None:
    values = {"accounts": [acme.account_id], "fingerprints": ["f"], "since": START, "most": 35}
    with acme.begin() as session:
        session.execute(text("SET LOCAL enable_seqscan = off"))
        plan = session.execute(text(f"EXPLAIN {card_tries._TRIES.text}"), values).scalars().all()
    assert any("Index Scan Backward using ix_payment_card_tries" in line for line in plan), plan


def test_a_scheduled_retry_falls_in_the_morning_of_the_customer(database_url: str) -> None:
    with company(database_url, policy=SellerPolicy(card_limit="off")) as acme:
        profile = acme.customer("a1", method=FUNDS)
        with acme.parts.begin() as session:
            session.execute(
                text("UPDATE billing.profile SET timezone = 'America/New_York' WHERE id = :id"), {"id": profile}
            )
        acme.subscribe("a1", "s1", start=datetime(2026, 1, 31, 10, tzinfo=UTC))
        acme.set_clock(datetime(2026, 1, 31, 10, tzinfo=UTC))
        acme.settle()
        planned = the_open(acme).next_attempt_at
        assert planned is not None
        # Due at 05:00 in New York; made between 08:00 and 09:00, which is 13:00 UTC.
        assert datetime(2026, 2, 3, 13, tzinfo=UTC) <= planned < datetime(2026, 2, 3, 14, tzinfo=UTC)
        acme.set_clock(planned)
        acme.settle()
        assert ours(acme) == ["declined", "declined"]
        assert (the_open(acme).dunning_step, the_open(acme).dunning_at) == (1, planned)
        assert acme.violations() == ()
