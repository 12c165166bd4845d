"""Seeds for what may go wrong with payments, P1 to P7, in our books or at the provider."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from billing.kernel.ids import new_id
from billing.models import Invoice, Payment, PaymentIntent, PaymentMethod, UnappliedPayment
from tests import builders
from tests.audit.seeds import Accused, Planting, seed
from tests.audit.witness_rows import charge_of, intent_of


def payments_of(planting: Planting, invoice: Invoice) -> list[tuple[Payment, PaymentIntent]]:
    found = planting.session.execute(
        select(Payment, PaymentIntent)
        .join(PaymentIntent, PaymentIntent.id == Payment.payment_intent_id)
        .where(Payment.invoice_id == invoice.id)
        .order_by(Payment.attempt_no)
    )
    return [(payment, intent) for payment, intent in found]


def _second_charge(planting: Planting, *, status: str) -> Accused:
    invoice = planting.world.paid
    payment, intent = payments_of(planting, invoice)[0]
    builders.unapplied(planting.session, invoice, at=payment.opened_at, charge_ref="ch_second", status=status)
    planting.witness.charge_rows.append(
        charge_of(payment, intent, planting.witness.account_ref, charge_ref="ch_second", key=None)
    )
    return "invoice", str(invoice.id)


@seed("P1")
def a_second_charge_of_a_paid_invoice_is_held(planting: Planting) -> Accused:
    return _second_charge(planting, status="held")


@seed("P1")
def the_provider_still_has_a_second_charge_that_we_hold_for_returned(planting: Planting) -> Accused:
    return _second_charge(planting, status="refunded")


@seed("P2")
def an_invoice_has_two_intents_that_may_move_money(planting: Planting) -> Accused:
    invoice = planting.world.open
    method = planting.session.scalars(select(PaymentMethod).where(PaymentMethod.profile_id == invoice.profile_id)).one()
    planting.run("DROP INDEX billing.uq_payment_intent_live")
    builders.payment_intent(planting.session, invoice, method, generation=2)
    return "invoice", str(invoice.id)


@seed("P2")
def two_intents_of_an_invoice_are_processing_at_the_provider(planting: Planting) -> Accused:
    payment, intent = payments_of(planting, planting.world.open)[0]
    rows, account = planting.witness.intent_rows, planting.witness.account_ref
    place = next(place for place, row in enumerate(rows) if row.intent_ref == intent.intent_ref)
    rows[place] = replace(rows[place], status="processing")
    rows.append(intent_of(payment, intent, account, intent_ref="pi_second", status="processing"))
    return "invoice", str(payment.invoice_id)


@seed("P3")
def a_step_has_a_key_that_is_not_its_own(planting: Planting) -> Accused:
    payment, _ = payments_of(planting, planting.world.paid)[0]
    builders.provider_write(planting.session, payment, step="update", key="made-up")
    return "payment", str(payment.id)


@seed("P3")
def two_attempts_share_a_key(planting: Planting) -> Accused:
    payment, _ = payments_of(planting, planting.world.paid)[0]
    other, _ = payments_of(planting, planting.world.open)[0]
    planting.drop("provider_write", "uq_provider_write_key")
    planting.run(
        "UPDATE billing.provider_write SET key = :key WHERE payment_id = :id", key=str(payment.id), id=other.id
    )
    return "payment", str(other.id)


@seed("P3")
def an_attempt_was_sent_without_a_key_on_record(planting: Planting) -> Accused:
    payment, _ = payments_of(planting, planting.world.open)[0]
    planting.run("DELETE FROM billing.provider_write WHERE payment_id = :id", id=payment.id)
    return "payment", str(payment.id)


@seed("P3")
def the_provider_did_the_same_key_twice(planting: Planting) -> Accused:
    sent = planting.witness.request_rows[0]
    planting.witness.request_rows.append(replace(sent, seq=900))
    return "key", str(sent.key)


@seed("P3", "P8")
def a_key_came_again_with_other_parameters(planting: Planting) -> Accused:
    sent = planting.witness.request_rows[0]
    changed = {**sent.params, "payment_method": "pm_other"}
    planting.witness.request_rows.append(replace(sent, seq=900, params=changed, status=400, outcome="refused"))
    return "key", str(sent.key)


@seed("P3")
def a_charge_was_asked_for_under_a_key_that_we_never_wrote_down(planting: Planting) -> Accused:
    payment, _ = payments_of(planting, planting.world.paid)[0]
    row = planting.witness.asked(
        "/v1/payment_intents", key="stray", at=planting.world.now, customer=payment.customer_ref
    )
    return "request", row.request_ref


@seed("P4")
def an_attempt_ended_after_the_next_was_opened(planting: Planting) -> Accused:
    (first, _), (second, _) = payments_of(planting, planting.world.recovered)
    planting.run(
        "UPDATE billing.payment SET closed_at = :late WHERE id = :id",
        late=second.opened_at + timedelta(hours=1),
        id=first.id,
    )
    return "payment", str(first.id)


@seed("P4")
def an_attempt_was_closed_without_evidence(planting: Planting) -> Accused:
    payment, _ = payments_of(planting, planting.world.open)[0]
    planting.run("UPDATE billing.payment SET evidence = NULL WHERE id = :id", id=payment.id)
    return "payment", str(payment.id)


@seed("P4")
def an_invoice_has_two_open_attempts(planting: Planting) -> Accused:
    invoice = planting.world.open
    planting.run("DROP INDEX billing.uq_payment_open")
    for _ in range(2):
        builders.attempt(planting.session, invoice, at=planting.world.now, status="unknown")
    return "invoice", str(invoice.id)


@seed("P4")
def an_attempt_was_sent_again_after_the_next(planting: Planting) -> Accused:
    payment, _ = payments_of(planting, planting.world.recovered)[0]
    sent = next(row for row in planting.witness.request_rows if row.key == str(payment.id))
    planting.witness.request_rows.append(replace(sent, seq=900, outcome="replayed"))
    return "payment", str(payment.id)


@seed("P5")
def the_provider_has_a_charge_that_we_do_not_know(planting: Planting) -> Accused:
    payment, intent = payments_of(planting, planting.world.paid)[0]
    planting.witness.charge_rows.append(
        charge_of(
            payment,
            intent,
            planting.witness.account_ref,
            charge_ref="ch_stray",
            intent_ref="pi_stray",
            key=None,
            invoice_id=None,
            payment_id=None,
        )
    )
    return "charge", "ch_stray"


@seed("P5")
def we_booked_a_charge_that_the_provider_does_not_have(planting: Planting) -> Accused:
    payment, _ = payments_of(planting, planting.world.paid)[0]
    planting.witness.charge_rows.remove(planting.witness.charge(payment.charge_ref))
    return "charge", str(payment.charge_ref)


@seed("P5")
def the_charge_was_another_customers(planting: Planting) -> Accused:
    payment, _ = payments_of(planting, planting.world.paid)[0]
    planting.witness.put(planting.witness.charge(payment.charge_ref), customer_ref="cus_another")
    return "charge", str(payment.charge_ref)


@seed("P5", "L7")
def an_unapplied_payment_differs_from_its_attempt(planting: Planting) -> Accused:
    payment, _ = payments_of(planting, planting.world.paid)[0]
    builders.add(
        planting.session,
        UnappliedPayment(
            id=new_id(),
            seller_id=payment.seller_id,
            invoice_id=payment.invoice_id,
            provider_account_id=payment.provider_account_id,
            charge_ref=payment.charge_ref,
            amount_minor=payment.amount_minor - 1,
            currency=payment.currency,
        ),
    )
    return "charge", str(payment.charge_ref)


@seed("P5", "P10")
def two_attempts_claim_one_charge(planting: Planting) -> Accused:
    (first, _), (second, _) = payments_of(planting, planting.world.recovered)
    planting.run("DROP INDEX billing.uq_payment_charge_ref")
    planting.run("UPDATE billing.payment SET charge_ref = :ref WHERE id = :id", ref=second.charge_ref, id=first.id)
    return "charge", str(second.charge_ref)


@seed("P6")
def an_attempt_asked_for_less_than_was_due(planting: Planting) -> Accused:
    payment, _ = payments_of(planting, planting.world.open)[0]
    planting.witness.put(planting.witness.charge(payment.charge_ref), amount_minor=4000)
    planting.run("UPDATE billing.payment SET amount_minor = 4000 WHERE id = :id", id=payment.id)
    return "payment", str(payment.id)


@seed("P6")
def an_attempt_asked_for_a_part_in_whole_steps_where_the_provider_takes_all(planting: Planting) -> Accused:
    payment, _ = payments_of(planting, planting.world.open)[0]
    part = payment.amount_minor - payment.amount_minor % 10 - 10
    planting.witness.put(planting.witness.charge(payment.charge_ref), amount_minor=part)
    planting.run("UPDATE billing.payment SET amount_minor = :part WHERE id = :id", part=part, id=payment.id)
    return "payment", str(payment.id)


@seed("P6")
def the_provider_was_asked_for_another_amount(planting: Planting) -> Accused:
    payment, _ = payments_of(planting, planting.world.open)[0]
    planting.witness.put(planting.witness.charge(payment.charge_ref), amount_minor=1)
    return "payment", str(payment.id)


@seed("P7")
def an_attempt_was_first_sent_after_the_invoice_was_void(planting: Planting) -> Accused:
    invoice, at = planting.world.open, datetime(2026, 4, 1, 8, tzinfo=UTC)
    late = {"first_sent_at": at + timedelta(hours=2), "closed_at": at + timedelta(hours=2)}
    payment = builders.attempt(planting.session, invoice, at=at, status="declined", **late)
    document = builders.note(planting.session, invoice, at=at + timedelta(hours=1))
    builders.taken_back(planting.session, document, "issue", counter="receivable", net_minor=3500, at=at)
    invoice.next_attempt_at, invoice.status = None, "void"
    planting.session.flush()
    return "payment", str(payment.id)


@seed("P7")
def an_attempt_was_sent_for_a_draft(planting: Planting) -> Accused:
    unnumbered = dict.fromkeys(("series_id", "series_no", "number", "issued_at", "next_attempt_at"))
    draft = builders.bill(planting.session, planting.world.moved_in, 3, status="draft", **unnumbered)
    payment = builders.attempt(planting.session, draft, at=planting.world.now, status="declined")
    return "payment", str(payment.id)


@seed("P7", "P6")
def an_attempt_was_sent_after_an_earlier_one_had_brought_the_money(planting: Planting) -> Accused:
    payment = builders.attempt(
        planting.session,
        planting.world.paid,
        at=datetime(2026, 1, 31, 9, tzinfo=UTC),
        status="declined",
        amount_minor=4045,
    )
    return "payment", str(payment.id)


@seed("P7", "P4")
def the_provider_saw_an_attempt_after_the_money_had_moved(planting: Planting) -> Accused:
    (first, _), (_, _) = payments_of(planting, planting.world.recovered)
    rows = planting.witness.request_rows
    place = next(place for place, row in enumerate(rows) if row.key == str(first.id))
    rows[place] = replace(rows[place], seq=900)
    return "payment", str(first.id)
