"""Seeds for periods and debts: R1 to R3, R6, C1."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import select

from billing.models import BillingPeriod, Subscription
from tests.audit.seeds import Accused, Planting, seed


def _period(planting: Planting, of: Subscription, k: int) -> BillingPeriod:
    return planting.session.scalars(
        select(BillingPeriod).where(BillingPeriod.subscription_id == of.id, BillingPeriod.period_no == k)
    ).one()


@seed("R1", "R4")
def a_boundary_is_not_where_the_anchor_puts_it(planting: Planting) -> Accused:
    running = planting.world.running
    wrong = _period(planting, running, 2)
    planting.run(
        "UPDATE billing.billing_period SET ends_at = ends_at - interval '1 hour' WHERE id = :id",
        id=_period(planting, running, 1).id,
    )
    planting.run(
        "UPDATE billing.billing_period SET starts_at = starts_at - interval '1 hour' WHERE id = :id", id=wrong.id
    )
    return "billing_period", str(wrong.id)


@seed("R1")
def a_period_between_two_others_is_missing(planting: Planting) -> Accused:
    running = planting.world.running
    planting.run("DELETE FROM billing.billing_period WHERE id = :id", id=_period(planting, running, 1).id)
    return "billing_period", str(_period(planting, running, 2).id)


@seed("R1", "N4", "R4")
def a_period_stands_on_two_documents(planting: Planting) -> Accused:
    planting.run(
        "UPDATE billing.invoice_line l SET period_start = o.period_start, period_end = o.period_end "
        "FROM billing.invoice o WHERE l.invoice_id = :id AND o.id = :other",
        id=planting.world.open.id,
        other=planting.world.recovered.id,
    )
    return "subscription", str(planting.world.running.id)


@seed("R1", "R4")
def the_document_of_a_period_does_not_charge_it(planting: Planting) -> Accused:
    period = _period(planting, planting.world.running, 0)
    planting.run(
        "UPDATE billing.billing_period SET invoice_id = :other WHERE id = :id",
        id=period.id,
        other=planting.world.recovered.id,
    )
    return "billing_period", str(period.id)


@seed("R1")
def a_subscription_was_never_billed(planting: Planting) -> Accused:
    moved_in = planting.world.moved_in
    planting.run("DELETE FROM billing.billing_period WHERE subscription_id = :id", id=moved_in.id)
    return "subscription", str(moved_in.id)


@seed("R1")
def something_paid_elsewhere_was_billed(planting: Planting) -> Accused:
    moved_in = planting.world.moved_in
    planting.run(
        "UPDATE billing.subscription SET paid_through = :later WHERE id = :id",
        later=datetime(2026, 3, 20, tzinfo=UTC),
        id=moved_in.id,
    )
    return "billing_period", str(_period(planting, moved_in, 2).id)


@seed("R1", "R6")
def the_running_period_is_not_billed(planting: Planting) -> Accused:
    running = planting.world.running
    last = _period(planting, running, 2)
    planting.run("DELETE FROM billing.billing_period WHERE id = :id", id=last.id)
    return "subscription", str(running.id)


@seed("R3")
def a_period_begins_at_the_scheduled_end(planting: Planting) -> Accused:
    ended = planting.world.ended
    planting.run("UPDATE billing.subscription SET cancel_at = started_at WHERE id = :id", id=ended.id)
    planting.run(
        "INSERT INTO billing.outbox (id, seller_id, topic, object_type, object_id, occurred_at, payload, created_at) "
        "SELECT gen_random_uuid(), seller_id, 'subscription.updated', 'subscription', id, started_at, "
        "jsonb_build_object('cancel_at', started_at), now() - interval '1 hour' "
        "FROM billing.subscription WHERE id = :id",
        id=ended.id,
    )
    return "billing_period", str(_period(planting, ended, 0).id)


@seed("R3")
def a_period_begins_after_the_end(planting: Planting) -> Accused:
    ended = planting.world.ended
    planting.run(
        "UPDATE billing.subscription SET cancel_at = NULL, ended_at = started_at - interval '1 day' WHERE id = :id",
        id=ended.id,
    )
    return "billing_period", str(_period(planting, ended, 0).id)


@seed("R6")
def a_subscription_is_due_a_month_too_late(planting: Planting) -> Accused:
    moved_in = planting.world.moved_in
    planting.run(
        "UPDATE billing.subscription SET next_due_at = next_due_at + interval '30 days' WHERE id = :id", id=moved_in.id
    )
    return "subscription", str(moved_in.id)


@seed("R6")
def a_hold_names_a_work_item_that_is_closed(planting: Planting) -> Accused:
    planting.run("UPDATE billing.work_item SET status = 'resolved', closed_at = seen_at")
    return "subscription", str(planting.world.held.id)


@seed("C1")
def an_open_invoice_has_no_next_try(planting: Planting) -> Accused:
    planting.run("UPDATE billing.invoice SET next_attempt_at = NULL WHERE id = :id", id=planting.world.open.id)
    return "invoice", str(planting.world.open.id)
