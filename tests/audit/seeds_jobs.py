"""Seeds for events, jobs and secrets: E2, E3, J3, J5, S1, S2."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from billing.models import Payment, ProviderEvent, Slice, WorkItem
from tests import builders
from tests.audit.seeds import Accused, Planting, seed


def _now() -> datetime:
    return datetime.now(UTC)


@seed("E2")
def an_event_is_stored_twice(planting: Planting) -> Accused:
    planting.drop("provider_event", "uq_provider_event_provider_account_id_event_ref")
    planting.run("UPDATE billing.provider_event SET event_ref = 'evt_twice'")
    first = min(str(id_) for id_ in planting.session.scalars(select(ProviderEvent.id)))
    return "provider_event", first


@seed("E3")
def an_event_waits_for_days(planting: Planting) -> Accused:
    row = builders.event(
        planting.session,
        planting.world.account,
        status="received",
        handled_at=None,
        created_at=_now() - timedelta(days=3),
        next_try_at=_now() + timedelta(hours=1),
    )
    return "provider_event", str(row.id)


@seed("E3", "J4")
def an_event_is_dead_without_a_reason(planting: Planting) -> Accused:
    row = builders.event(planting.session, planting.world.account, status="dead", error=None)
    return "provider_event", str(row.id)


@seed("J3")
def a_slice_lost_its_worker(planting: Planting) -> Accused:
    row = builders.slice_(
        planting.session, [planting.world.profile.id], status="running", lease_until=_now() - timedelta(hours=1)
    )
    return "slice", str(row.id)


@seed("J3")
def nobody_asks_about_an_unknown_attempt(planting: Planting) -> Accused:
    row = builders.attempt(
        planting.session,
        planting.world.open,
        at=planting.world.now,
        status="unknown",
        next_check_at=_now() - timedelta(hours=1),
    )
    return "payment", str(row.id)


@seed("J3")
def nobody_handles_an_event(planting: Planting) -> Accused:
    row = builders.event(
        planting.session,
        planting.world.account,
        status="received",
        handled_at=None,
        next_try_at=_now() - timedelta(hours=1),
    )
    return "provider_event", str(row.id)


@seed("J5")
def a_slice_is_in_a_state_that_nobody_knows(planting: Planting) -> Accused:
    row = planting.session.scalars(select(Slice).where(Slice.status == "done")).first()
    assert row is not None
    planting.drop("slice", "ck_slice_status_known")
    planting.run("UPDATE billing.slice SET status = 'lost' WHERE id = :id", id=row.id)
    return "slice", str(row.id)


@seed("J5")
def an_attempt_is_in_a_state_that_nobody_knows(planting: Planting) -> Accused:
    row = planting.session.scalars(select(Payment).where(Payment.invoice_id == planting.world.open.id)).one()
    planting.drop("payment", "ck_payment_status_known")
    planting.run("UPDATE billing.payment SET status = 'lost' WHERE id = :id", id=row.id)
    return "payment", str(row.id)


@seed("J5")
def an_event_is_in_a_state_that_nobody_knows(planting: Planting) -> Accused:
    row = planting.session.scalars(select(ProviderEvent).where(ProviderEvent.status == "processed")).one()
    planting.drop("provider_event", "ck_provider_event_status_known")
    planting.run("UPDATE billing.provider_event SET status = 'lost' WHERE id = :id", id=row.id)
    return "provider_event", str(row.id)


@seed("J5", "R6")
def a_work_item_is_in_a_state_that_nobody_knows(planting: Planting) -> Accused:
    """What it holds is then held by nothing."""
    row = planting.session.scalars(select(WorkItem).where(WorkItem.status == "open")).one()
    planting.drop("work_item", "ck_work_item_status_known")
    planting.run("UPDATE billing.work_item SET status = 'lost', closed_at = seen_at WHERE id = :id", id=row.id)
    return "work_item", str(row.id)


@seed("J5")
def a_split_slice_lost_a_member(planting: Planting) -> Accused:
    whole = planting.session.scalars(select(Slice).where(Slice.status == "split")).one()
    planting.run(
        "DELETE FROM billing.slice WHERE parent_id = :id AND member_ids[1] = :member",
        id=whole.id,
        member=whole.member_ids[0],
    )
    return "slice", str(whole.id)


@seed("J5")
def a_split_slice_lost_a_subscription(planting: Planting) -> Accused:
    member, running = [planting.world.profile.id], planting.world.running.id
    whole = builders.slice_(planting.session, member, status="split", subscription_ids=[running])
    builders.slice_(planting.session, member, parent_id=whole.id, subscription_ids=[planting.world.held.id])
    return "slice", str(whole.id)


@seed("S1")
def a_card_number_stands_in_a_work_item(planting: Planting) -> Accused:
    item = planting.session.scalars(select(WorkItem).where(WorkItem.status == "open")).one()
    item.summary = f"The customer read out {card_number()} on the telephone."
    return "work_item", str(item.id)


@seed("S2")
def a_key_stands_in_a_message_to_the_host(planting: Planting) -> Accused:
    row = builders.outbox(planting.session, planting.world.paid, topic="invoice.paid")
    row.payload = {"note": provider_key()}
    return "outbox", str(row.id)


@seed("S2")
def a_customers_link_stands_in_what_an_event_failed_by(planting: Planting) -> Accused:
    item = planting.session.scalars(select(WorkItem).where(WorkItem.status == "open")).one()
    item.error = f"not sent: https://pay.example.com/pay/AQM{'0' * 59}"
    return "work_item", str(item.id)


def card_number() -> str:
    """A number that only looks like a card's: made here, so that none stands in the code."""
    digits = "4" + "0" * 14
    total = sum(int(digit) if place % 2 else sum(divmod(2 * int(digit), 10)) for place, digit in enumerate(digits))
    return digits + str(-total % 10)


def provider_key() -> str:
    return "_".join(("sk", "test", "0" * 24))
