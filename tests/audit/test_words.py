"""The words of findings: what breaks an invariant anew is told in others, so that none is hidden by one accepted."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from sqlalchemy import select

from billing.flows.audit import run
from billing.flows.parts import Parts
from billing.kernel.ids import new_id
from billing.models import Dispute, PaymentMethod, Refund
from tests import builders
from tests.audit import seeds_books, seeds_history, seeds_methods, seeds_payments, seeds_returns
from tests.audit.seeds import Planting
from tests.audit.witness_rows import charge_of, dispute_of, intent_of, refund_of

Change = Callable[[Planting], object]
_CARD = "4242424242424242"


def _another_second_charge(planting: Planting) -> None:
    """The second one went back; a third came, for as much."""
    payment, intent = seeds_payments.payments_of(planting, planting.world.paid)[0]
    builders.unapplied(planting.session, planting.world.paid, at=payment.opened_at, charge_ref="ch_third")
    planting.run("UPDATE billing.unapplied_payment SET status = 'refunded' WHERE charge_ref = 'ch_second'")
    charges, account = planting.witness.charge_rows, planting.witness.account_ref
    charges[:] = [each for each in charges if each.charge_ref != "ch_second"]
    charges.append(charge_of(payment, intent, account, charge_ref="ch_third", key=None))


def _another_second_intent(planting: Planting) -> None:
    invoice = planting.world.open
    method = planting.session.scalars(select(PaymentMethod).where(PaymentMethod.profile_id == invoice.profile_id)).one()
    planting.run("UPDATE billing.payment_intent SET status = 'canceled' WHERE generation = 2")
    builders.payment_intent(planting.session, invoice, method, generation=3)


def _another_second_intent_at_the_provider(planting: Planting) -> None:
    payment, intent = seeds_payments.payments_of(planting, planting.world.open)[0]
    rows = planting.witness.intent_rows
    rows[-1] = intent_of(payment, intent, planting.witness.account_ref, intent_ref="pi_third", status="processing")


def _another_open_attempt(planting: Planting) -> None:
    invoice = planting.world.open
    builders.attempt(planting.session, invoice, at=planting.world.now, status="unknown")
    planting.run(
        "UPDATE billing.payment SET status = 'canceled', closed_at = opened_at, evidence = '{}'"
        " WHERE id = (SELECT min(id::text)::uuid FROM billing.payment WHERE invoice_id = :id AND status = 'unknown')",
        id=invoice.id,
    )


def _the_method_goes_to_a_third_customer(planting: Planting) -> None:
    payment, _ = seeds_payments.payments_of(planting, planting.world.paid)[0]
    planting.run(
        "UPDATE billing.payment_method SET profile_id = :other WHERE id = :id",
        other=new_id(),
        id=payment.payment_method_id,
    )


def _attempt_of_another_charge(charge_ref: str) -> Change:
    def change(planting: Planting) -> None:
        payment, _ = seeds_payments.payments_of(planting, planting.world.paid)[0]
        planting.run("UPDATE billing.payment SET charge_ref = :ref WHERE id = :id", ref=charge_ref, id=payment.id)

    return change


def _a_second_entry_of_that_charge(planting: Planting) -> None:
    planting.run(
        "INSERT INTO billing.ledger_entry (id, seller_id, kind, effective_at, booked_on, profile_id, charge_ref)"
        " SELECT :id, seller_id, kind, effective_at, booked_on, profile_id, charge_ref"
        " FROM billing.ledger_entry WHERE charge_ref = 'ch_nobody'",
        id=new_id(),
    )


def _dispute_at_the_provider_of(amount_minor: int) -> Change:
    def change(planting: Planting) -> None:
        row = planting.session.scalars(select(Dispute)).one_or_none()
        row = row or builders.dispute(planting.session, planting.world.paid, at=planting.world.now)
        shown = dispute_of(row, planting.witness.account_ref)
        planting.witness.dispute_rows[:] = [replace(shown, amount_minor=amount_minor)]

    return change


def _unknown_dispute_of_more(planting: Planting) -> None:
    rows = planting.witness.dispute_rows
    rows[-1] = replace(rows[-1], amount_minor=rows[-1].amount_minor + 1)


def _our_refund_of_more(planting: Planting) -> None:
    planting.run("UPDATE billing.refund SET amount_minor = amount_minor + 1")


def _another_second_refund(planting: Planting) -> None:
    row, rows = planting.session.scalars(select(Refund)).one(), planting.witness.refund_rows
    rows[-1] = refund_of(row, planting.witness.account_ref, refund_ref="re_thrice")


def _says_of(buyer_country: str) -> Change:
    def change(planting: Planting) -> None:
        planting.run(
            "UPDATE billing.invoice SET buyer_country = :said WHERE id = :id",
            said=buyer_country,
            id=planting.world.paid.id,
        )

    return change


def _no_key_opens(planting: Planting) -> None:
    planting.run("UPDATE billing.data_key SET wrapped = '\\x00' WHERE purpose = 'document'")


def _card_number_in(summary: str) -> Change:
    def change(planting: Planting) -> None:
        planting.run("UPDATE billing.product SET name = :said", said=summary)

    return change


AGAIN: dict[str, tuple[str, Change, Change]] = {
    "a second charge": ("P1", seeds_payments.a_second_charge_of_a_paid_invoice_is_held, _another_second_charge),
    "a second intent": (
        "P2",
        seeds_payments.an_invoice_has_two_intents_that_may_move_money,
        _another_second_intent,
    ),
    "a second intent at the provider": (
        "P2",
        seeds_payments.two_intents_of_an_invoice_are_processing_at_the_provider,
        _another_second_intent_at_the_provider,
    ),
    "two open attempts": ("P4", seeds_payments.an_invoice_has_two_open_attempts, _another_open_attempt),
    "another's method": (
        "P8",
        seeds_methods.a_method_of_another_customer_was_charged,
        _the_method_goes_to_a_third_customer,
    ),
    "an entry's attempt": ("L5", _attempt_of_another_charge("ch_one"), _attempt_of_another_charge("ch_two")),
    "an entry without a charge": (
        "L5",
        seeds_books.an_entry_of_money_names_a_charge_that_nobody_made,
        _a_second_entry_of_that_charge,
    ),
    "a dispute's amount": ("P5", _dispute_at_the_provider_of(1), _dispute_at_the_provider_of(2)),
    "an unknown dispute": (
        "P5",
        seeds_returns.the_provider_has_a_dispute_that_we_do_not_know,
        _unknown_dispute_of_more,
    ),
    "a refund that only we have": (
        "P5",
        seeds_returns.we_have_a_refund_that_the_provider_does_not,
        _our_refund_of_more,
    ),
    "a refund made twice": ("P9", seeds_returns.a_refund_was_made_twice, _another_second_refund),
    "a changed document": ("N4", seeds_history.an_issued_document_says_something_else, _says_of("FR")),
    "a document that nobody can open": ("N4", _no_key_opens, _says_of("FR")),
    "a card number": ("S1", _card_number_in(f"card {_CARD}"), _card_number_in(f"card {_CARD} or {_CARD}")),
}


@pytest.mark.parametrize("name", AGAIN)
def test_what_is_broken_anew_is_told_in_other_words(world_parts: Parts, planting: Planting, name: str) -> None:
    code, first, then = AGAIN[name]
    first(planting)
    planting.session.commit()
    before = {each.said for each in run(world_parts, codes=[code], witness=planting.witness).violations}
    assert before
    then(planting)
    planting.session.commit()
    after = {each.said for each in run(world_parts, codes=[code], witness=planting.witness).violations}
    of_the_same = {each for each in after if each.subject_id in {one.subject_id for one in before}}
    assert of_the_same - before, after


def test_the_digest_of_a_broken_seal_never_looks_like_a_card_number(world_parts: Parts, planting: Planting) -> None:
    """One in fifty did as a plain number: the audit's words stand in the trail for good, where S1 reads them."""
    accused = seeds_history.the_reason_in_the_audit_trail_was_changed(planting)
    planting.session.commit()
    (found,) = [each for each in run(world_parts, codes=["S4"]).violations if each.subject_id == accused[1]]
    assert re.search(r" \(-?0x[0-9a-f]+\)$", found.detail)
