"""Seeds for what the host application is to hear: J1, J2."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from billing.db.clock import wall_now
from billing.models import Delivery, OutboxEvent
from tests import builders
from tests.audit.seeds import Accused, Planting, seed


def _heard(planting: Planting) -> Delivery:
    return planting.session.scalars(select(Delivery)).one()


def _told(planting: Planting) -> OutboxEvent:
    """Something new that nobody heard of yet."""
    return builders.outbox(planting.session, planting.world.open, topic="invoice.payment_failed")


@seed("J1")
def an_event_was_handed_over_and_the_endpoint_has_no_delivery(planting: Planting) -> Accused:
    told = _told(planting)
    told.delivered_at = told.created_at
    return "outbox", str(told.id)


@seed("J1")
def a_delivery_is_called_delivered_that_no_try_brought(planting: Planting) -> Accused:
    planting.run("UPDATE billing.delivery_attempt SET outcome = 'http_500'")
    return "outbox", str(_heard(planting).outbox_id)


@seed("J2")
def an_event_is_handed_over_to_nobody(planting: Planting) -> Accused:
    told = _told(planting)
    planting.run("UPDATE billing.endpoint SET created_at = created_at - interval '3 hours'")
    planting.run("UPDATE billing.outbox SET created_at = created_at - interval '2 hours' WHERE id = :id", id=told.id)
    return "outbox", str(told.id)


@seed("J2")
def nobody_brings_what_is_due_at_an_endpoint(planting: Planting) -> Accused:
    due = wall_now(planting.session) - timedelta(hours=2)
    builders.delivery(planting.session, planting.world.host, _told(planting), status="waiting", next_try_at=due)
    return "endpoint", str(planting.world.host.id)


@seed("J2")
def a_delivery_is_tried_for_ever(planting: Planting) -> Accused:
    wall = wall_now(planting.session)
    told = _told(planting)
    builders.delivery(
        planting.session,
        planting.world.host,
        told,
        status="waiting",
        first_try_at=wall - timedelta(days=9),
        next_try_at=wall - timedelta(days=2),
    )
    planting.world.host.delivered_at = wall
    return "outbox", str(told.id)


@seed("J2")
def nobody_was_told_that_a_delivery_was_given_up(planting: Planting) -> Accused:
    builders.delivery(planting.session, planting.world.host, _told(planting), status="dead")
    return "endpoint", str(planting.world.host.id)


@seed("J2")
def nobody_was_told_that_an_endpoint_is_off(planting: Planting) -> Accused:
    host = planting.world.host
    host.status, host.off_at, host.off_reason = "off", wall_now(planting.session), "http_500"
    return "endpoint", str(host.id)
