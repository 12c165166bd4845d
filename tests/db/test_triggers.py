"""What the database itself refuses, whoever asks: frozen documents, append-only books, a second open attempt."""

from __future__ import annotations

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError

from tests.flows.company import Company


def _billed(acme: Company) -> None:
    acme.customer("a1")
    acme.subscribe("a1", "s1")
    acme.settle()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE billing.invoice SET total_minor = total_minor + 1, amount_due_minor = amount_due_minor + 1",
        "UPDATE billing.invoice SET issued_at = issued_at + interval '1 day'",
        "UPDATE billing.invoice SET parties = 'x'",
        "DELETE FROM billing.invoice",
        "UPDATE billing.invoice_line SET amount_minor = 1",
        "DELETE FROM billing.invoice_line",
        "UPDATE billing.posting SET amount_minor = amount_minor * 2",
        "DELETE FROM billing.ledger_entry",
        "UPDATE billing.price SET unit_amount = 1",
        "UPDATE billing.provider_write SET key = 'other'",
        "DELETE FROM billing.audit_trail",
        "UPDATE billing.payment_method SET is_default = false",
        "UPDATE billing.payment SET amount_minor = 0",
        "UPDATE billing.invoice SET status = 'lost'",
        "UPDATE billing.invoice SET currency = 'EURO'",
        "INSERT INTO billing.posting SELECT gen_random_uuid(), 1, id, 'bank', 'eur', 5 FROM billing.seller",
        "INSERT INTO billing.posting SELECT id, 9, gen_random_uuid(), 'bank', 'eur', 5 FROM billing.ledger_entry",
    ],
)
def test_the_database_refuses(acme: Company, statement: str) -> None:
    _billed(acme)
    with pytest.raises(DBAPIError), acme.parts.begin() as session:
        session.execute(text(statement))


def test_an_entry_that_does_not_balance_is_refused_at_commit(acme: Company) -> None:
    _billed(acme)
    with pytest.raises(DBAPIError, match="does not balance"), acme.parts.begin() as session:
        session.execute(
            text(
                """
                WITH entry AS (
                    INSERT INTO billing.ledger_entry (id, seller_id, kind, effective_at, profile_id)
                    SELECT gen_random_uuid(), seller_id, 'payment', now(), id FROM billing.profile
                    RETURNING id, seller_id)
                INSERT INTO billing.posting (entry_id, position, seller_id, account, currency, amount_minor)
                SELECT id, 1, seller_id, 'bank', 'eur', 5 FROM entry
                """
            )
        )


_LINE = (
    "kind, description, quantity, unit_amount, amount_minor, discount_minor, tax_percent, tax_inclusive, tax_code, how"
)
_ANOTHER_LINE = f"""
    INSERT INTO billing.invoice_line (id, seller_id, invoice_id, position, price_id, {_LINE})
    SELECT gen_random_uuid(), seller_id, invoice_id, 9, {{}}, {_LINE} FROM billing.invoice_line
"""


@pytest.mark.parametrize(
    "statement",
    [_ANOTHER_LINE.format("gen_random_uuid()"), "UPDATE billing.invoice_line SET price_id = gen_random_uuid()"],
    ids=["written", "changed"],
)
def test_a_line_is_at_a_price_of_its_seller(acme: Company, statement: str) -> None:
    _billed(acme)
    with acme.parts.begin() as session:
        session.execute(text("ALTER TABLE billing.invoice_line DISABLE TRIGGER invoice_line_frozen"))
    with pytest.raises(DBAPIError, match="a line is at a price of its seller"), acme.parts.begin() as session:
        session.execute(text(statement))
    with acme.parts.begin() as session:
        session.execute(text(_ANOTHER_LINE.format("price_id")))


@pytest.mark.parametrize(
    ("id_", "invoice_id", "seller_id"),
    [
        ("gen_random_uuid()", "invoice_id", "seller_id"),
        ("id", "gen_random_uuid()", "seller_id"),
        ("id", "invoice_id", "gen_random_uuid()"),
    ],
    ids=["of no line", "of another's line", "of another seller's line"],
)
def test_a_schedule_is_that_of_a_line_of_its_invoice(acme: Company, id_: str, invoice_id: str, seller_id: str) -> None:
    _billed(acme)
    others = "currency, issued_on, starts_on, ends_on, net_minor, base_on, open_on, next_on, next_at"
    with acme.parts.begin() as session:
        (row,) = session.execute(text(f"DELETE FROM billing.revenue_schedule RETURNING {others}")).all()
    again = f"""
        INSERT INTO billing.revenue_schedule (id, seller_id, invoice_id, {others})
        SELECT {{}}, {{}}, {{}}, {", ".join(f":{name}" for name in row._fields)} FROM billing.invoice_line
    """
    with pytest.raises(DBAPIError, match="a schedule is that of a line"), acme.parts.begin() as session:
        session.execute(text(again.format(id_, seller_id, invoice_id)), row._mapping)
    with acme.parts.begin() as session:
        session.execute(text(again.format("id", "seller_id", "invoice_id")), row._mapping)


def test_a_period_exists_once(acme: Company) -> None:
    _billed(acme)
    with pytest.raises(IntegrityError, match="uq_billing_period"), acme.parts.begin() as session:
        session.execute(
            text(
                """
                INSERT INTO billing.billing_period
                    (id, seller_id, subscription_id, anchor_no, period_no, starts_at, ends_at, disposition, invoice_id)
                SELECT gen_random_uuid(), seller_id, subscription_id, anchor_no, period_no, starts_at, ends_at,
                       disposition, invoice_id FROM billing.billing_period
                """
            )
        )


def test_an_invoice_has_at_most_one_open_attempt(acme: Company) -> None:
    acme.customer("a1", method="pm_sandbox_processing")
    acme.subscribe("a1", "s1")
    acme.settle()
    with pytest.raises(IntegrityError, match="uq_payment_open"), acme.parts.begin() as session:
        session.execute(
            text(
                """
                INSERT INTO billing.payment (id, seller_id, invoice_id, profile_id, attempt_no, kind, scheduled,
                    provider_account_id, payment_method_id, payment_intent_id, customer_ref, method_ref, amount_minor,
                    currency, opened_at, status, token, checks, absent_lists, version)
                SELECT gen_random_uuid(), seller_id, invoice_id, profile_id, 2, kind, scheduled, provider_account_id,
                    payment_method_id, payment_intent_id, customer_ref, method_ref, amount_minor, currency, opened_at,
                    'prepared', 1, 0, 0, 1 FROM billing.payment
                """
            )
        )
