"""Seeds for the books and the documents: L1, L2, L5, N1 to N3, N6."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import select

from billing.kernel.ids import new_id
from billing.models import LedgerEntry
from tests.audit.seeds import Accused, Planting, seed
from tests.builders import add


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
        "VALUES (:entry, 1, :seller, 'bank', 'eur', 7)",
        entry=new_id(),
        seller=seller,
    )
    return "seller", str(seller)


@seed("L5")
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


@seed("N1")
def a_number_is_missing(planting: Planting) -> Accused:
    planting.run("UPDATE billing.invoice SET series_no = series_no + 1 WHERE id = :id", id=planting.world.open.id)
    planting.run("UPDATE billing.series SET next_no = next_no + 1")
    return "series", str(planting.world.series.id)


@seed("N1")
def the_counter_ran_ahead(planting: Planting) -> Accused:
    planting.run("UPDATE billing.series SET next_no = next_no + 5")
    return "series", str(planting.world.series.id)


@seed("N2")
def a_number_was_given_twice(planting: Planting) -> Accused:
    planting.drop("invoice", "uq_invoice_series_id_series_no")
    planting.run("UPDATE billing.invoice SET series_no = series_no - 1 WHERE id = :id", id=planting.world.open.id)
    planting.run("UPDATE billing.series SET next_no = next_no - 1")
    return "series", str(planting.world.series.id)


@seed("N2")
def two_documents_bear_the_same_text(planting: Planting) -> Accused:
    planting.run(
        "UPDATE billing.invoice SET number = :number WHERE id = :id",
        number=planting.world.paid.number,
        id=planting.world.open.id,
    )
    return "seller", str(planting.world.seller.id)


@seed("N3")
def a_lower_number_was_issued_later(planting: Planting) -> Accused:
    planting.run(
        "UPDATE billing.invoice SET issued_at = :late WHERE subscription_id = :id",
        late=planting.world.now,
        id=planting.world.moved_in.id,
    )
    return "invoice", str(planting.world.open.id)


@seed("N6")
def the_tax_is_not_what_the_lines_bear(planting: Planting) -> Accused:
    planting.run("UPDATE billing.invoice SET tax_minor = tax_minor + 1 WHERE id = :id", id=planting.world.paid.id)
    return "invoice", str(planting.world.paid.id)


@seed("N6")
def a_tax_group_says_another_base(planting: Planting) -> Accused:
    planting.run(
        "UPDATE billing.invoice SET tax_groups = jsonb_set(tax_groups, '{1,base_minor}', '1001') WHERE id = :id",
        id=planting.world.paid.id,
    )
    return "invoice", str(planting.world.paid.id)


@seed("N6")
def a_line_is_not_quantity_times_price(planting: Planting) -> Accused:
    planting.run(
        "UPDATE billing.invoice_line SET unit_amount = unit_amount + 1 WHERE invoice_id = :id AND position = 1",
        id=planting.world.paid.id,
    )
    return "invoice", str(planting.world.paid.id)


@seed("R2")
def a_period_was_billed_before_it_began(planting: Planting) -> Accused:
    early = datetime(2026, 1, 30, tzinfo=UTC)
    planting.run("UPDATE billing.invoice SET issued_at = :early WHERE id = :id", early=early, id=planting.world.paid.id)
    found = planting.session.connection().exec_driver_sql(
        "SELECT id FROM billing.billing_period WHERE invoice_id = %s", (planting.world.paid.id,)
    )
    return "billing_period", str(found.scalar_one())
