"""Seeds for what was asked of the provider, and what came of it: P8 to P10, E1, E4, E5, E6, J4, J6, R5."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from billing.models import BillingPeriod, Payment, PaymentMethod, ProviderEvent, Refund, Slice
from billing.providers.stripe.witness import WitnessedEvent
from tests import builders
from tests.audit.seeds import Accused, Planting, seed
from tests.audit.seeds_payments import payments_of


def _now() -> datetime:
    return datetime.now(UTC)


@seed("P8")
def a_method_of_another_customer_was_charged(planting: Planting) -> Accused:
    payment, _ = payments_of(planting, planting.world.paid)[0]
    other = planting.session.scalars(select(PaymentMethod).where(PaymentMethod.profile_id != payment.profile_id)).one()
    planting.run("UPDATE billing.payment SET payment_method_id = :other WHERE id = :id", id=payment.id, other=other.id)
    return "payment", str(payment.id)


@seed("P8")
def a_method_was_charged_before_its_consent(planting: Planting) -> Accused:
    payment, _ = payments_of(planting, planting.world.paid)[0]
    planting.run(
        "UPDATE billing.payment_method SET consent_at = :late WHERE id = :id",
        late=payment.opened_at + timedelta(days=1),
        id=payment.payment_method_id,
    )
    return "payment", str(payment.id)


@seed("P8")
def an_account_was_debited_that_nobody_was_told_of(planting: Planting) -> Accused:
    payment, _ = payments_of(planting, planting.world.paid)[0]
    planting.run("UPDATE billing.payment SET method_kind = 'sepa_debit' WHERE id = :id", id=payment.id)
    return "payment", str(payment.id)


@seed("P8")
def the_provider_was_asked_for_another_method(planting: Planting) -> Accused:
    sent = planting.witness.request_rows[0]
    changed = {**sent.params, "payment_method": "pm_another"}
    planting.witness.request_rows[0] = replace(sent, params=changed)
    return "payment", str(sent.key)


def _refund(planting: Planting) -> Refund:
    return planting.session.scalars(select(Refund)).one()


@seed("P9", "P5")
def more_is_refunded_than_was_captured(planting: Planting) -> Accused:
    refund = _refund(planting)
    planting.run("UPDATE billing.refund SET amount_minor = 5000 WHERE id = :id", id=refund.id)
    return "charge", str(refund.charge_ref)


@seed("P9", "P5")
def a_refund_is_of_another_charge_than_its_payment(planting: Planting) -> Accused:
    refund = _refund(planting)
    planting.run("UPDATE billing.refund SET currency = 'usd' WHERE id = :id", id=refund.id)
    return "refund", str(refund.id)


@seed("P9", "L6")
def the_provider_gave_back_more_than_it_took(planting: Planting) -> Accused:
    payment, _ = payments_of(planting, planting.world.paid)[0]
    planting.witness.put(planting.witness.charge(payment.charge_ref), refunded_minor=payment.amount_minor + 1)
    return "charge", str(payment.charge_ref)


@seed("P10")
def an_attempt_is_unknown_for_days_and_nobody_was_told(planting: Planting) -> Accused:
    row = builders.attempt(
        planting.session,
        planting.world.open,
        at=planting.world.now - timedelta(hours=26, minutes=1),
        status="unknown",
    )
    return "payment", str(row.id)


@seed("P10")
def an_attempt_was_declined_without_a_reason(planting: Planting) -> Accused:
    payment, _ = payments_of(planting, planting.world.open)[0]
    planting.witness.charge_rows.remove(planting.witness.charge(payment.charge_ref))
    planting.run("UPDATE billing.payment SET decline_code = NULL, charge_ref = NULL WHERE id = :id", id=payment.id)
    return "payment", str(payment.id)


@seed("P10")
def the_charge_of_a_declined_attempt_is_under_way(planting: Planting) -> Accused:
    payment, _ = payments_of(planting, planting.world.open)[0]
    planting.witness.put(planting.witness.charge(payment.charge_ref), status="pending")
    return "payment", str(payment.id)


@seed("R5", "R1", "R2", "R4")
def a_later_period_was_billed_by_an_older_document(planting: Planting) -> Accused:
    running = planting.world.running
    periods = planting.session.scalars(
        select(BillingPeriod).where(BillingPeriod.subscription_id == running.id).order_by(BillingPeriod.period_no)
    ).all()
    first, second = periods[0], periods[1]
    for period, other in ((first, second), (second, first)):
        planting.run(
            "UPDATE billing.billing_period SET invoice_id = :other WHERE id = :id", id=period.id, other=other.invoice_id
        )
    return "billing_period", str(second.id)


@seed("E1")
def an_event_that_was_taken_is_not_kept(planting: Planting) -> Accused:
    planting.witness.event_rows.append(
        WitnessedEvent(
            event_ref="evt_lost",
            account_ref=planting.witness.account_ref,
            type="payment_intent.succeeded",
            created=planting.world.now,
            delivered=True,
        )
    )
    return "event", "evt_lost"


def _listed(planting: Planting, created: datetime, **given: str) -> Accused:
    known = {"event_ref": "evt_unheard", "type": "refund.updated"} | given
    planting.witness.event_rows.append(
        WitnessedEvent(account_ref=planting.witness.account_ref, created=created, delivered=False, **known)
    )
    return "event", known["event_ref"]


@seed("E4")
def an_event_before_the_place_up_to_which_the_list_was_read_is_missing(planting: Planting) -> Accused:
    planting.world.account.events_read_to = planting.world.now - timedelta(minutes=30)
    return _listed(planting, planting.world.now - timedelta(hours=1))


@seed("E4")
def nobody_reads_the_list_of_events(planting: Planting) -> Accused:
    return _listed(planting, planting.world.now - timedelta(days=29))


@seed("E5")
def an_intent_succeeded_at_the_provider_alone(planting: Planting) -> Accused:
    _, intent = payments_of(planting, planting.world.open)[0]
    rows = planting.witness.intent_rows
    place = next(place for place, row in enumerate(rows) if row.intent_ref == intent.intent_ref)
    rows[place] = replace(rows[place], status="succeeded")
    return "payment_intent", str(intent.id)


@seed("E6")
def a_live_event_came_to_a_test_account(planting: Planting) -> Accused:
    row = builders.event(planting.session, planting.world.account, livemode=True)
    return "provider_event", str(row.id)


@seed("E6")
def nobody_knows_who_signed_an_event(planting: Planting) -> Accused:
    row = builders.event(planting.session, planting.world.account, body_hash=b"")
    return "provider_event", str(row.id)


@seed("J4")
def a_slice_starts_for_ever(planting: Planting) -> Accused:
    row = builders.slice_(
        planting.session,
        [planting.world.profile.id],
        status="running",
        tries=12,
        token=12,
        lease_until=_now() + timedelta(hours=1),
    )
    return "slice", str(row.id)


@seed("J4")
def an_event_was_given_up_and_nobody_was_told(planting: Planting) -> Accused:
    row = builders.event(planting.session, planting.world.account, status="dead", error="no handler")
    return "provider_event", str(row.id)


@seed("J6")
def a_slice_was_taken_under_no_token(planting: Planting) -> Accused:
    row = planting.session.scalars(select(Slice).where(Slice.status == "done")).first()
    assert row is not None
    planting.run("UPDATE billing.slice SET token = 0 WHERE id = :id", id=row.id)
    return "slice", str(row.id)


@seed("J6")
def an_event_was_taken_under_no_token(planting: Planting) -> Accused:
    row = planting.session.scalars(select(ProviderEvent).where(ProviderEvent.status == "processed")).one()
    planting.run("UPDATE billing.provider_event SET tries = token + 1 WHERE id = :id", id=row.id)
    return "provider_event", str(row.id)


@seed("J6")
def an_attempt_was_sent_under_no_token(planting: Planting) -> Accused:
    row = planting.session.scalars(select(Payment).where(Payment.invoice_id == planting.world.open.id)).one()
    planting.run("UPDATE billing.payment SET token = 0 WHERE id = :id", id=row.id)
    return "payment", str(row.id)
