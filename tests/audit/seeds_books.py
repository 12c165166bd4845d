"""Seeds for the books: L1, L2, L5 to L8."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import select

from billing.commands.ledger.close import close_month
from billing.commands.revenue.recognise import recognise
from billing.kernel.ids import new_id
from billing.models import CreditBalance, LedgerEntry, Payment, Posting
from tests import builders
from tests.audit.seeds import Accused, Planting, seed
from tests.builders import add
from tests.builders.breaks import difference


def _entry(planting: Planting, invoice_id: object, kind: str) -> LedgerEntry:
    return planting.session.scalars(
        select(LedgerEntry).where(LedgerEntry.invoice_id == invoice_id, LedgerEntry.kind == kind)
    ).one()


@seed("L1")
def two_entries_are_off_by_opposite_amounts(planting: Planting) -> Accused:
    one = _entry(planting, planting.world.paid.id, "issue")
    other = _entry(planting, planting.world.open.id, "issue")
    for entry, off in ((one, 1), (other, -1)):
        planting.run(
            "UPDATE billing.posting SET amount_minor = amount_minor + :off "
            "WHERE entry_id = :id AND account = 'tax_payable'",
            off=off,
            id=entry.id,
        )
    return "ledger_entry", str(one.id)


@seed("L1")
def an_entry_has_no_sides(planting: Planting) -> Accused:
    invoice = planting.world.open
    planting.run("SELECT 1")
    entry = LedgerEntry(
        id=new_id(),
        seller_id=invoice.seller_id,
        kind="issue",
        effective_at=planting.world.now,
        booked_on=planting.world.now.date(),
        profile_id=invoice.profile_id,
        invoice_id=invoice.id,
    )
    add(planting.session, entry)
    return "ledger_entry", str(entry.id)


@seed("L2")
def a_side_belongs_to_no_entry(planting: Planting) -> Accused:
    seller = planting.world.seller.id
    planting.run(
        "INSERT INTO billing.posting (entry_id, position, seller_id, account, currency, amount_minor) "
        "VALUES (:entry, 1, :seller, 'rounding', 'eur', 7)",
        entry=new_id(),
        seller=seller,
    )
    return "seller", str(seller)


@seed("L5", "L4")
def a_closed_invoice_is_still_owed(planting: Planting) -> Accused:
    invoice = planting.world.open
    planting.run(
        "UPDATE billing.invoice SET status = 'uncollectible', next_attempt_at = NULL WHERE id = :id", id=invoice.id
    )
    return "invoice", str(invoice.id)


@seed("L5")
def a_charge_has_no_entry(planting: Planting) -> Accused:
    entry = _entry(planting, planting.world.paid.id, "payment")
    planting.run(
        "UPDATE billing.ledger_entry SET kind = 'issue', payment_id = NULL, charge_ref = NULL WHERE id = :id",
        id=entry.id,
    )
    return "charge", str(entry.charge_ref)


@seed("L5")
def an_entry_of_money_names_a_charge_that_nobody_made(planting: Planting) -> Accused:
    entry = _entry(planting, planting.world.paid.id, "payment")
    planting.run("UPDATE billing.ledger_entry SET charge_ref = 'ch_nobody' WHERE id = :id", id=entry.id)
    return "ledger_entry", str(entry.id)


@seed("L7")
def a_balance_is_not_what_the_books_say(planting: Planting) -> Accused:
    planting.run("UPDATE billing.credit_balance SET amount_minor = amount_minor + 1")
    return "profile", str(planting.session.scalars(select(CreditBalance.profile_id)).one())


@seed("L7")
def credit_in_the_books_is_in_no_balance(planting: Planting) -> Accused:
    owner = str(planting.session.scalars(select(CreditBalance.profile_id)).one())
    planting.run("DELETE FROM billing.credit_balance")
    return "profile", owner


@seed("L7")
def more_is_carried_forward_than_the_books_say(planting: Planting) -> Accused:
    planting.run("UPDATE billing.credit_balance SET carried_forward_minor = carried_forward_minor + 1")
    return "profile", str(planting.session.scalars(select(CreditBalance.profile_id)).one())


@seed("L7")
def the_books_carry_forward_what_no_customer_is_going_to_be_asked_for(planting: Planting) -> Accused:
    of, at = planting.world.profile, planting.world.now
    kept = LedgerEntry(id=new_id(), seller_id=of.seller_id, kind="write_off", effective_at=at, profile_id=of.id)
    add(planting.session, kept)
    for position, (account, amount) in enumerate((("carried_forward", 5), ("write_off", -5)), start=1):
        side = {"entry_id": kept.id, "position": position, "seller_id": of.seller_id, "currency": "eur"}
        add(planting.session, Posting(account=account, amount_minor=amount, **side))
    return "profile", str(of.id)


@seed("L7", "N4")
def an_invoice_asks_for_what_no_earlier_one_left_over(planting: Planting) -> Accused:
    planting.run(
        "UPDATE billing.invoice SET brought_forward_minor = 5, credit_applied_minor = 5 WHERE id = :id",
        id=planting.world.paid.id,
    )
    return "invoice", str(planting.world.paid.id)


@seed("L7", "P5")
def money_kept_apart_has_left_its_row_and_not_the_books(planting: Planting) -> Accused:
    at, invoice = planting.world.now, planting.world.paid
    given = {"status": "refunded", "gone_minor": invoice.amount_due_minor}
    builders.unapplied(planting.session, invoice, at=at, charge_ref="ch_apart", **given)
    return "charge", "ch_apart"


@seed("L7", "L4", "L5")
def a_replaced_document_hands_over_more_than_the_next_one_takes(planting: Planting) -> Accused:
    at, old, new = planting.world.now, planting.world.paid, planting.world.open
    gave = (("receivable", 4045), ("unapplied_payments", -4045))
    builders.entry(planting.session, old, "carried_over", gave, at=at)
    planting.run("UPDATE billing.invoice SET corrects_id = :old WHERE id = :new", old=old.id, new=new.id)
    planting.run("UPDATE billing.invoice SET status = 'replaced' WHERE id = :old", old=old.id)
    return "invoice", str(new.id)


@seed("L7")
def less_is_deferred_line_by_line_than_in_the_books(planting: Planting) -> Accused:
    planting.run("DELETE FROM billing.revenue_schedule WHERE id = :id", id=planting.line(planting.world.paid).id)
    return "seller", str(planting.world.seller.id)


@seed("L7")
def more_of_a_line_is_recognised_than_its_entries_say(planting: Planting) -> Accused:
    line, other = planting.line(planting.world.paid), planting.line(planting.world.open)
    planting.drop("revenue_schedule", "ck_revenue_schedule_recognised_within_net")
    for each, off in ((line, 1), (other, -1)):
        planting.run(
            "UPDATE billing.revenue_schedule SET recognised_minor = recognised_minor + :off WHERE id = :id",
            off=off,
            id=each.id,
        )
    return "invoice_line", str(line.id)


@seed("L7")
def an_entry_recognises_what_none_of_its_lines_does(planting: Planting) -> Accused:
    """Two lines are recognised at once; what the one entry says too much, another entry says too little."""
    recognise(planting.session, now=planting.world.now, most=100)
    entries = planting.session.scalars(select(LedgerEntry.id).where(LedgerEntry.kind == "recognition")).all()
    for entry, off in ((entries[0], 1), (entries[1], -1)):
        for account, sign in (("deferred_revenue", 1), ("revenue", -1)):
            planting.run(
                "UPDATE billing.posting SET amount_minor = amount_minor + :off WHERE entry_id = :id AND account = :of",
                off=sign * off,
                id=entry,
                of=account,
            )
    return "ledger_entry", str(entries[0])


@seed("L7")
def a_closed_month_has_other_postings_than_it_had(planting: Planting) -> Accused:
    """A balanced entry, slipped in where nothing may be."""
    january = datetime(2026, 1, 1, tzinfo=UTC).date()
    session, seller = planting.session, planting.world.seller
    recognise(session, now=planting.world.now, most=100)
    closed = close_month(
        session, seller_id=seller.id, month=january, actor="ada", reason="over", now=planting.world.now
    )
    assert closed is not None
    entry = _entry(planting, planting.world.paid.id, "issue")
    for position, amount in ((8, 5), (9, -5)):
        planting.run(
            "INSERT INTO billing.posting (entry_id, position, seller_id, account, currency, amount_minor) "
            "VALUES (:entry, :position, :seller, 'bank', 'eur', :amount)",
            entry=entry.id,
            position=position,
            seller=seller.id,
            amount=amount,
        )
        planting.run(
            "UPDATE billing.posting SET account = 'rounding' WHERE position = 9 AND entry_id = :id", id=entry.id
        )
    return "month_close", str(closed.id)


@seed("L7")
def the_balance_shows_a_fee_that_nobody_booked(planting: Planting) -> Accused:
    seller, account = planting.world.seller, planting.world.account
    planting.run(
        """INSERT INTO billing.provider_movement
               (id, provider_account_id, balance_ref, type, amount_minor, fee_minor, currency, occurred_at, seller_id,
                booked_at)
           VALUES (:id, :account, 'txn_1', 'charge', 1000, 59, 'eur', :at, :seller, :at)""",
        id=new_id(),
        account=account.id,
        seller=seller.id,
        at=planting.world.now,
    )
    return "seller", str(seller.id)


@seed("L7")
def a_payout_is_in_no_account(planting: Planting) -> Accused:
    seller, account = planting.world.seller, planting.world.account
    planting.run(
        """INSERT INTO billing.payout
               (id, provider_account_id, payout_ref, status, amount_minor, currency, opened_at, shares)
           VALUES (:id, :account, 'po_1', 'paid', 900, 'eur', :at,
                   jsonb_build_array(jsonb_build_object('seller_id', CAST(:seller AS text), 'amount_minor', 900)))""",
        id=new_id(),
        account=account.id,
        seller=str(seller.id),
        at=planting.world.now,
    )
    return "seller", str(seller.id)


@seed("L8")
def a_line_is_credited_beyond_what_it_charged(planting: Planting) -> Accused:
    line = planting.line(planting.world.paid)
    builders.credited_line(planting.session, line, planting.world.running.id, amount_minor=-line.amount_minor - 1)
    return "invoice_line", str(line.id)


@seed("L8")
def a_line_is_credited_twice(planting: Planting) -> Accused:
    line = planting.line(planting.world.paid)
    for _ in range(2):
        builders.credited_line(planting.session, line, planting.world.running.id, amount_minor=-1)
    return "invoice_line", str(line.id)


@seed("L8", "L6", "P5")
def more_was_refunded_than_the_credits_had_left(planting: Planting) -> Accused:
    """The first line's share of the total, 28.33 of 40.45, is credited; then 13.00 are refunded."""
    invoice = planting.world.paid
    builders.credited_line(planting.session, planting.line(invoice), planting.world.running.id)
    builders.refunded(planting.session, invoice, amount_minor=1300, tax_minor=175, at=planting.world.now)
    return "invoice", str(invoice.id)


@seed("L8")
def what_was_paid_otherwise_was_refunded(planting: Planting) -> Accused:
    invoice = planting.world.open
    sides = (("external_money", 4045), ("receivable", -4045))
    builders.entry(planting.session, invoice, "external_payment", sides, at=planting.world.now)
    invoice.status, invoice.next_attempt_at = "paid", None
    invoice.amount_paid_minor, invoice.amount_remaining_minor = 4045, 0
    planting.session.flush()
    builders.refunded(planting.session, invoice, amount_minor=100, tax_minor=13, at=planting.world.now)
    return "invoice", str(invoice.id)


@seed("L6")
def a_difference_stands_that_nobody_looks_at(planting: Planting) -> Accused:
    row = difference(planting.session, planting.world.account, work_item_id=new_id())
    return "difference", str(row.id)


@seed("L6")
def the_provider_gave_back_what_the_books_still_hold(planting: Planting) -> Accused:
    payment = planting.session.scalars(
        select(Payment).where(Payment.invoice_id == planting.world.paid.id, Payment.status == "succeeded")
    ).one()
    planting.witness.put(planting.witness.charge(payment.charge_ref), refunded_minor=100)
    return "charge", str(payment.charge_ref)
