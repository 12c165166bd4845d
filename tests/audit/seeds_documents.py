"""Seeds for the documents: N1 to N3, N6, and the moment of their periods, R2."""

from __future__ import annotations

from datetime import UTC, datetime

from billing.models import Invoice
from tests import builders
from tests.audit.seeds import Accused, Planting, seed


@seed("N1", "N4")
def a_number_is_missing(planting: Planting) -> Accused:
    planting.run("UPDATE billing.invoice SET series_no = series_no + 1 WHERE id = :id", id=planting.world.open.id)
    planting.run("UPDATE billing.series SET next_no = next_no + 1 WHERE id = :id", id=planting.world.series.id)
    return "series", str(planting.world.series.id)


@seed("N1")
def the_counter_ran_ahead(planting: Planting) -> Accused:
    planting.run("UPDATE billing.series SET next_no = next_no + 5 WHERE id = :id", id=planting.world.series.id)
    return "series", str(planting.world.series.id)


@seed("N2", "N4")
def a_number_was_given_twice(planting: Planting) -> Accused:
    planting.drop("invoice", "uq_invoice_series_id_series_no")
    planting.run("UPDATE billing.invoice SET series_no = series_no - 1 WHERE id = :id", id=planting.world.open.id)
    planting.run("UPDATE billing.series SET next_no = next_no - 1 WHERE id = :id", id=planting.world.series.id)
    return "series", str(planting.world.series.id)


@seed("N2", "N4")
def two_documents_bear_the_same_text(planting: Planting) -> Accused:
    planting.run(
        "UPDATE billing.invoice SET number = :number WHERE id = :id",
        number=planting.world.paid.number,
        id=planting.world.open.id,
    )
    return "seller", str(planting.world.seller.id)


@seed("N3", "N4")
def a_lower_number_was_issued_later(planting: Planting) -> Accused:
    planting.run(
        "UPDATE billing.invoice SET issued_at = :late WHERE subscription_id = :id",
        late=planting.world.now,
        id=planting.world.moved_in.id,
    )
    return "invoice", str(planting.world.open.id)


@seed("N6", "N4")
def the_tax_is_not_what_the_lines_bear(planting: Planting) -> Accused:
    planting.run("UPDATE billing.invoice SET tax_minor = tax_minor + 1 WHERE id = :id", id=planting.world.paid.id)
    return "invoice", str(planting.world.paid.id)


@seed("N6", "N4")
def a_tax_group_says_another_base(planting: Planting) -> Accused:
    planting.run(
        "UPDATE billing.invoice SET tax_groups = jsonb_set(tax_groups, '{1,base_minor}', '1001') WHERE id = :id",
        id=planting.world.paid.id,
    )
    return "invoice", str(planting.world.paid.id)


@seed("N6", "N4", "R4")
def a_line_is_not_quantity_times_price(planting: Planting) -> Accused:
    planting.run(
        "UPDATE billing.invoice_line SET unit_amount = unit_amount + 1 WHERE invoice_id = :id AND position = 1",
        id=planting.world.paid.id,
    )
    return "invoice", str(planting.world.paid.id)


@seed("N6")
def a_line_is_not_what_its_account_gives(planting: Planting) -> Accused:
    planting.run(
        """UPDATE billing.invoice_line SET how = how || '{"numerator": "5001", "denominator": "2"}'
           WHERE invoice_id = :id AND position = 1""",
        id=planting.world.paid.id,
    )
    return "invoice", str(planting.world.paid.id)


def _void(planting: Planting) -> Invoice:
    """The open invoice, void in the books by an entry that no document stands for."""
    invoice = planting.world.open
    builders.taken_back(planting.session, invoice, "void", counter="receivable", net_minor=3500, at=planting.world.now)
    invoice.next_attempt_at, invoice.status = None, "void"
    planting.session.flush()
    return invoice


@seed("N6")
def a_void_invoice_has_no_cancellation(planting: Planting) -> Accused:
    return "invoice", str(_void(planting).id)


@seed("N6")
def a_cancellation_takes_back_less_than_the_invoice(planting: Planting) -> Accused:
    invoice = _void(planting)
    less = {"subtotal_minor": invoice.subtotal_minor - 1, "total_minor": invoice.total_minor - 1}
    document = builders.note(planting.session, invoice, at=planting.world.now, **less)
    return "invoice", str(document.id)


@seed("N6")
def an_invoice_is_refunded_without_a_note(planting: Planting) -> Accused:
    planting.run("UPDATE billing.invoice SET amount_refunded_minor = 1 WHERE id = :id", id=planting.world.paid.id)
    return "invoice", str(planting.world.paid.id)


@seed("N6", "N4", "L6", "P5")
def the_taxes_of_refund_notes_do_not_add_up(planting: Planting) -> Accused:
    invoice = planting.world.paid
    for tax_minor in (135, 134):  # 134.73 and 269.47 in all
        builders.refunded(planting.session, invoice, amount_minor=1000, tax_minor=tax_minor, at=planting.world.now)
    planting.run("UPDATE billing.invoice SET tax_minor = tax_minor + 1 WHERE status = 'refunded' AND tax_minor = 134")
    return "invoice", str(invoice.id)


@seed("R2", "N4")
def a_period_was_billed_before_it_began(planting: Planting) -> Accused:
    early = datetime(2026, 1, 30, tzinfo=UTC)
    planting.run("UPDATE billing.invoice SET issued_at = :early WHERE id = :id", early=early, id=planting.world.paid.id)
    found = planting.session.connection().exec_driver_sql(
        "SELECT id FROM billing.billing_period WHERE invoice_id = %s", (planting.world.paid.id,)
    )
    return "billing_period", str(found.scalar_one())
