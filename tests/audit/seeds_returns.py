"""Seeds for what goes back: refunds and disputes in P5, P9, L4, L5, L8, J3, J5, J8."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import select

from billing.kernel.ids import new_id
from billing.models import Refund
from billing.providers.stripe.witness import WitnessedDispute
from tests import builders
from tests.audit.seeds import Accused, Planting, seed
from tests.audit.witness_rows import dispute_of, refund_of


def _refund(planting: Planting) -> Refund:
    """The one of the world: 10.00 of 40.45."""
    return planting.session.scalars(select(Refund)).one()


@seed("P5")
def the_provider_has_a_refund_that_we_do_not_know(planting: Planting) -> Accused:
    row = refund_of(
        _refund(planting), planting.witness.account_ref, refund_ref="re_hand", refund_id=None, amount_minor=1
    )
    planting.witness.refund_rows.append(row)
    return "refund", "re_hand"


@seed("P5")
def we_have_a_refund_that_the_provider_does_not(planting: Planting) -> Accused:
    planting.witness.refund_rows.clear()
    return "refund", str(_refund(planting).id)


@seed("P5")
def a_refund_is_of_another_amount(planting: Planting) -> Accused:
    row = _refund(planting)
    planting.witness.refund_rows[:] = [refund_of(row, planting.witness.account_ref, amount_minor=999)]
    return "refund", str(row.id)


@seed("P5")
def the_provider_has_a_dispute_that_we_do_not_know(planting: Planting) -> Accused:
    (charge, *_) = [each for each in planting.witness.charge_rows if each.status == "succeeded"]
    row = WitnessedDispute(
        dispute_ref="du_unheard",
        charge_ref=charge.charge_ref,
        account_ref=charge.account_ref,
        amount_minor=charge.amount_minor,
        currency=charge.currency,
        status="needs_response",
        withdrawn_minor=charge.amount_minor,
        reinstated_minor=0,
    )
    planting.witness.dispute_rows.append(row)
    return "dispute", "du_unheard"


@seed("P5")
def the_provider_has_ended_a_dispute_that_is_open_with_us(planting: Planting) -> Accused:
    row = builders.dispute(planting.session, planting.world.paid, at=planting.world.now)
    planting.witness.dispute_rows.append(dispute_of(row, planting.witness.account_ref, status="lost"))
    return "dispute", str(row.id)


@seed("P9", "P5")
def a_refund_was_made_twice(planting: Planting) -> Accused:
    row = _refund(planting)
    planting.witness.refund_rows.append(refund_of(row, planting.witness.account_ref, refund_ref="re_twice"))
    return "refund", str(row.id)


@seed("P9")
def a_refund_was_asked_for_under_a_strange_key(planting: Planting) -> Accused:
    asked = planting.witness.asked("/v1/refunds", key=f"refund-{new_id()}", at=planting.world.now)
    return "request", asked.request_ref


def _of_a_lost_row(planting: Planting, *, sent_at: str) -> Accused:
    """The provider has our refund under an id that we have not, and was asked for it under that."""
    row, lost = _refund(planting), new_id()
    planting.run(f"UPDATE billing.refund SET first_sent_at = {sent_at}")
    planting.witness.refund_rows[:] = [refund_of(row, planting.witness.account_ref, refund_id=str(lost))]
    return "request", planting.witness.asked("/v1/refunds", key=f"refund-{lost}", at=planting.world.now).request_ref


def _restored(planting: Planting) -> None:
    builders.audit_record(planting.session, action="database.restored", subject_type="work_item", subject_id=new_id())


@seed("P9")
def a_refund_of_a_row_that_no_restore_has_lost_was_taken_over(planting: Planting) -> Accused:
    return _of_a_lost_row(planting, sent_at="NULL")


@seed("P9")
def a_refund_of_a_row_that_was_lost_after_the_restore_was_taken_over(planting: Planting) -> Accused:
    _restored(planting)
    return _of_a_lost_row(planting, sent_at="NULL")


@seed("P9")
def a_refund_that_we_sent_was_made_under_another_key_before_a_restore(planting: Planting) -> Accused:
    accused = _of_a_lost_row(planting, sent_at="opened_at")
    _restored(planting)
    return accused


@seed("P9")
def another_refund_was_asked_for_beside_the_lost_one_that_was_taken_over(planting: Planting) -> Accused:
    _of_a_lost_row(planting, sent_at="NULL")
    _restored(planting)
    return a_refund_was_asked_for_under_a_strange_key(planting)


@seed("L4")
def an_invoice_shows_less_to_pay_than_the_books(planting: Planting) -> Accused:
    invoice = planting.world.open
    planting.run("UPDATE billing.invoice SET amount_remaining_minor = 4044 WHERE id = :id", id=invoice.id)
    return "invoice", str(invoice.id)


@seed("L4")
def a_dispute_took_money_that_its_account_does_not_hold(planting: Planting) -> Accused:
    row = builders.dispute(planting.session, planting.world.paid, at=planting.world.now)
    planting.witness.dispute_rows.append(dispute_of(row, planting.witness.account_ref, withdrawn_minor=4044))
    planting.run("UPDATE billing.dispute SET withdrawn_minor = 4044")
    return "invoice", str(row.invoice_id)


@seed("L5", "L4")
def a_lost_dispute_is_decided_on_and_its_debt_still_stands(planting: Planting) -> Accused:
    world = planting.world
    lost = {"status": "lost", "closed_at": world.now, "reopened_minor": 4045, "due_by": None}
    decided = {"decision": "write_off", "decided_at": world.now}
    row = builders.dispute(planting.session, world.paid, at=world.now, **lost, **decided)
    planting.witness.dispute_rows.append(dispute_of(row, planting.witness.account_ref))
    sides = (("receivable", 4045), ("disputes", -4045))
    builders.entry(planting.session, world.paid, "dispute_lost", sides, at=world.now, charge_ref=row.charge_ref)
    return "invoice", str(world.paid.id)


@seed("L4")
def a_loss_is_given_up_and_no_entry_says_so(planting: Planting) -> Accused:
    world = planting.world
    lost = {"status": "lost", "closed_at": world.now, "reopened_minor": 4045, "due_by": None}
    decided = {"decision": "write_off", "decided_at": world.now, "given_up_minor": 4045}
    row = builders.dispute(planting.session, world.paid, at=world.now, **lost, **decided)
    planting.witness.dispute_rows.append(dispute_of(row, planting.witness.account_ref))
    sides = (("write_off", 4045), ("disputes", -4045))
    builders.entry(planting.session, world.paid, "dispute_lost", sides, at=world.now, charge_ref=row.charge_ref)
    return "invoice", str(world.paid.id)


@seed("L8", "L6")
def a_line_is_credited_as_if_nothing_had_been_refunded(planting: Planting) -> Accused:
    """Half of the document went back; the credit of a line is of all of it."""
    invoice = planting.world.paid
    note = builders.refunded(planting.session, invoice, amount_minor=2020, tax_minor=272, at=planting.world.now)
    row = planting.session.scalars(select(Refund).where(Refund.credit_note_id == note.id)).one()
    planting.witness.refund_rows.append(refund_of(row, planting.witness.account_ref))
    line = planting.line(invoice)
    builders.credited_line(planting.session, line, planting.world.running.id)
    return "invoice_line", str(line.id)


@seed("L8", "L7", "N6")
def more_was_taken_back_than_the_invoice_said(planting: Planting) -> Accused:
    invoice = planting.world.open
    note = builders.note(
        planting.session, invoice, at=planting.world.now, kind="credit_note", status="credited", total_minor=4046
    )
    sides = (("deferred_revenue", 4046), ("refunds_in_flight", -4046))
    builders.entry(planting.session, note, "issue", sides, at=planting.world.now)
    return "invoice", str(invoice.id)


@seed("L4")
def an_invoice_asks_for_what_was_paid(planting: Planting) -> Accused:
    planting.run("UPDATE billing.invoice SET amount_paid_minor = 1 WHERE id = :id", id=planting.world.open.id)
    return "invoice", str(planting.world.open.id)


@seed("J3")
def nobody_sends_a_refund(planting: Planting) -> Accused:
    row = _refund(planting)
    planting.run(
        "UPDATE billing.refund SET status = 'pending', closed_at = NULL, next_check_at = :long_ago",
        long_ago=datetime.now(UTC) - timedelta(hours=1),
    )
    return "refund", str(row.id)


@seed("J5")
def a_refund_is_in_a_state_that_nobody_knows(planting: Planting) -> Accused:
    row = _refund(planting)
    planting.drop("refund", "ck_refund_status_known")
    planting.run("UPDATE billing.refund SET status = 'lost'")
    return "refund", str(row.id)


@seed("J5")
def a_dispute_is_in_a_state_that_nobody_knows(planting: Planting) -> Accused:
    row = builders.dispute(planting.session, planting.world.paid, at=planting.world.now)
    planting.drop("dispute", "ck_dispute_status_known")
    planting.drop("dispute", "ck_dispute_closed_when_ended")
    planting.run("UPDATE billing.dispute SET status = 'settled'")
    planting.witness.dispute_rows.append(dispute_of(row, planting.witness.account_ref, status="settled"))
    return "dispute", str(row.id)


def _told(planting: Planting, noun: str, *states: str) -> Accused:
    invoice, subject = planting.world.paid, new_id()
    for status in states:
        builders.outbox(
            planting.session,
            invoice,
            topic=f"{noun}.updated",
            object_type=noun,
            object_id=subject,
            payload={"status": status},
        )
    return noun, str(subject)


@seed("J8")
def a_refund_that_had_failed_succeeded(planting: Planting) -> Accused:
    return _told(planting, "refund", "pending", "failed", "succeeded")


@seed("J8")
def a_dispute_that_was_won_was_opened_again(planting: Planting) -> Accused:
    return _told(planting, "dispute", "needs_response", "won", "under_review")
