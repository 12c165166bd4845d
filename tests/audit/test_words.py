"""The words of findings: what breaks an invariant anew is told in others, so that none is hidden by one accepted."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from uuid import UUID

import pytest
from sqlalchemy import select

from billing.flows.audit import run
from billing.flows.parts import Parts
from billing.kernel.ids import new_id
from billing.models import Dispute, Payment, PaymentMethod, Refund
from billing.privacy.scan import find_card_numbers
from billing.queries.acceptances import FindingKey
from tests import builders
from tests.audit import seeds_books, seeds_history, seeds_methods, seeds_outbound, seeds_payments, seeds_returns
from tests.audit.seeds import Planting
from tests.audit.witness_rows import charge_of, dispute_of, intent_of, refund_of

Change = Callable[[Planting], object]


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


def _entry_like(planting: Planting, charge_ref: str, id_: UUID) -> None:
    """Another entry of money, of this charge."""
    planting.run(
        "INSERT INTO billing.ledger_entry (id, seller_id, kind, effective_at, booked_on, profile_id, charge_ref)"
        " SELECT :id, seller_id, kind, effective_at, booked_on, profile_id, :ref"
        " FROM billing.ledger_entry WHERE kind = 'payment' AND profile_id IS NOT NULL LIMIT 1",
        id=id_,
        ref=charge_ref,
    )


def _another_entry_of_that_charge(planting: Planting) -> None:
    _entry_like(planting, "ch_nobody", new_id())


def _entries_without_a_charge(*numbers: int) -> Change:
    """A first and a last one of no charge, and those of these numbers between."""

    def change(planting: Planting) -> None:
        planting.run("DELETE FROM billing.ledger_entry WHERE charge_ref = 'ch_nobody'")
        for number in (0, *numbers, 9):
            _entry_like(planting, "ch_nobody", UUID(int=_FIRST.int + number))

    return change


_FIRST = UUID("01990c2e-0000-7000-8000-000000000000")


def _entries_of_a_charge(number: int) -> Change:
    def change(planting: Planting) -> None:
        payment, _ = seeds_payments.payments_of(planting, planting.world.paid)[0]
        for _each in range(1, number):
            _entry_like(planting, payment.charge_ref or "", new_id())

    return change


def _another_entry_of_a_charge(planting: Planting) -> None:
    payment, _ = seeds_payments.payments_of(planting, planting.world.paid)[0]
    planting.run(
        "DELETE FROM billing.ledger_entry WHERE id = (SELECT max(id::text)::uuid FROM billing.ledger_entry"
        " WHERE charge_ref = :ref)",
        ref=payment.charge_ref,
    )
    _entry_like(planting, payment.charge_ref or "", new_id())


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


def _kept_apart(planting: Planting, charge_ref: str) -> None:
    invoice = planting.world.paid
    payment, _ = seeds_payments.payments_of(planting, invoice)[0]
    builders.unapplied(planting.session, invoice, at=payment.opened_at, charge_ref=charge_ref)


def _four_charges(planting: Planting) -> None:
    """By their names two lie at the ends."""
    for charge_ref in ("c_first", "ch_m", "cz_last"):
        _kept_apart(planting, charge_ref)


def _another_between(planting: Planting) -> None:
    planting.run("UPDATE billing.unapplied_payment SET status = 'refunded' WHERE charge_ref = 'ch_m'")
    planting.run("SET LOCAL session_replication_role = origin")
    _kept_apart(planting, "ch_n")


def _claimed_by(*attempts: int) -> Change:
    """One charge claimed by the first and the last of an invoice's attempts, and by these between."""

    def change(planting: Planting) -> None:
        invoice = planting.world.open
        planting.run("DROP INDEX IF EXISTS billing.uq_payment_charge_ref")
        rows = planting.session.scalars(select(Payment).where(Payment.invoice_id == invoice.id)).all()
        for _ in range(len(rows), 4):
            builders.attempt(planting.session, invoice, at=planting.world.now, status="declined")
        planting.run(
            "UPDATE billing.payment SET charge_ref = CASE WHEN place = ANY(:claiming) THEN 'ch_claimed' END FROM ("
            "SELECT id, row_number() OVER (ORDER BY id) AS place FROM billing.payment WHERE invoice_id = :id) each "
            "WHERE each.id = payment.id",
            claiming=[1, *attempts, 4],
            id=invoice.id,
        )

    return change


@dataclass(frozen=True, slots=True)
class Case:
    """A fault and the next one of the same thing. `told` is a part of what the one check says that tells of both."""

    code: str
    told: str
    first: Change
    then: Change
    by_witness: bool = False


AGAIN = {
    "a second charge": Case(
        "P1",
        "charges that succeeded",
        seeds_payments.a_second_charge_of_a_paid_invoice_is_held,
        _another_second_charge,
    ),
    "a second charge at the provider": Case(
        "P1",
        "charges at the provider",
        seeds_payments.a_second_charge_of_a_paid_invoice_is_held,
        _another_second_charge,
        by_witness=True,
    ),
    "one between the charges of an invoice": Case("P1", "charges that succeeded", _four_charges, _another_between),
    "a second intent": Case(
        "P2",
        "may move or have moved",
        seeds_payments.an_invoice_has_two_intents_that_may_move_money,
        _another_second_intent,
    ),
    "a second intent at the provider": Case(
        "P2",
        "at the provider",
        seeds_payments.two_intents_of_an_invoice_are_processing_at_the_provider,
        _another_second_intent_at_the_provider,
        by_witness=True,
    ),
    "two open attempts": Case(
        "P4", "open attempts", seeds_payments.an_invoice_has_two_open_attempts, _another_open_attempt
    ),
    "one between the attempts of a charge": Case("P5", "claimed by", _claimed_by(2), _claimed_by(3)),
    "another's method": Case(
        "P8",
        "charged method",
        seeds_methods.a_method_of_another_customer_was_charged,
        _the_method_goes_to_a_third_customer,
    ),
    "an entry's attempt": Case(
        "L5", "names attempt", _attempt_of_another_charge("ch_one"), _attempt_of_another_charge("ch_two")
    ),
    "an entry without a charge": Case(
        "L5",
        "of ch_nobody, which is no charge",
        seeds_books.an_entry_of_money_names_a_charge_that_nobody_made,
        _another_entry_of_that_charge,
    ),
    "one between the entries without a charge": Case(
        "L5", "of ch_nobody, which is no charge", _entries_without_a_charge(1), _entries_without_a_charge(2)
    ),
    "another entry of a charge": Case("L5", "a charge with", _entries_of_a_charge(2), _another_entry_of_a_charge),
    "a dispute's amount": Case(
        "P5", "the provider says", _dispute_at_the_provider_of(1), _dispute_at_the_provider_of(2), by_witness=True
    ),
    "an unknown dispute": Case(
        "P5",
        "we have none",
        seeds_returns.the_provider_has_a_dispute_that_we_do_not_know,
        _unknown_dispute_of_more,
        by_witness=True,
    ),
    "a refund that only we have": Case(
        "P5",
        "no such refund",
        seeds_returns.we_have_a_refund_that_the_provider_does_not,
        _our_refund_of_more,
        by_witness=True,
    ),
    "a refund made twice": Case(
        "P9",
        "refunds at the provider",
        seeds_returns.a_refund_was_made_twice,
        _another_second_refund,
        by_witness=True,
    ),
    "another delivery that was given up": Case(
        "J2",
        "were given up",
        seeds_outbound.nobody_was_told_that_a_delivery_was_given_up,
        seeds_outbound.nobody_was_told_that_a_delivery_was_given_up,
    ),
    "a changed document": Case(
        "N4",
        "not what it was at issue",
        seeds_history.an_issued_document_says_something_else,
        _says_of("FR"),
    ),
    "a document that nobody can open": Case("N4", "can't be opened", _no_key_opens, _says_of("FR")),
}


@pytest.mark.parametrize("name", AGAIN)
def test_what_is_broken_anew_is_told_in_other_words(world_parts: Parts, planting: Planting, name: str) -> None:
    """Nothing of what the same check said of it before is said again, by our own side or by the witness."""
    case = AGAIN[name]
    case.first(planting)
    before = _told(world_parts, planting, case)
    case.then(planting)
    after = _told(world_parts, planting, case)
    assert before
    assert {each.subject_id for each in after} & {each.subject_id for each in before}
    assert not before & after


def _told(parts: Parts, planting: Planting, case: Case) -> set[FindingKey]:
    """What this check says; of documents, of the one that cases change."""
    planting.session.commit()
    found = run(parts, codes=[case.code], witness=planting.witness if case.by_witness else None).violations
    of_all = {each.key for each in found if each.witnessed == case.by_witness and case.told in each.detail}
    return {each for each in of_all if case.code != "N4" or each.subject_id == str(planting.world.paid.id)}


def test_the_digest_of_a_broken_seal_never_looks_like_a_card_number(world_parts: Parts, planting: Planting) -> None:
    """One in fifty did as a plain number: the audit's words stand in the trail for good, where S1 reads them."""
    accused = seeds_history.the_reason_in_the_audit_trail_was_changed(planting)
    planting.session.commit()
    (found,) = [each for each in run(world_parts, codes=["S4"]).violations if each.subject_id == accused[1]]
    assert re.search(r" \(-?0x[0-9a-f]+\)$", found.detail)
    assert find_card_numbers(found.detail) == []
    as_a_card = re.sub(r"0x[0-9a-f]+", "{}", found.detail)
    assert find_card_numbers(as_a_card.format(int("4242424242424242"))), "as a plain number it would be found"
    assert find_card_numbers(as_a_card.format(f"{4242424242424242:#x}")) == []
