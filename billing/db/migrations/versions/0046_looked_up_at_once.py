"""Sides of entries, prices of lines, lines of schedules: looked up for all rows of a statement at once (decision 0004).

A schedule pointed at its line's invoice alone; now it is that of a line. Each trigger is there before its key goes.
"""

from __future__ import annotations

from billing.db.migrations.online import alone

revision = "0046"
down_revision = "0045"
branch_labels = None
depends_on = None

_WRITTEN = "REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION"


def upgrade() -> None:
    alone(
        """
CREATE OR REPLACE FUNCTION billing.refuse_closed_month() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE strays integer; late integer;
BEGIN
    SELECT count(*) FILTER (WHERE e.id IS NULL), count(*) FILTER (WHERE e.booked_on < s.books_open_from)
    INTO strays, late
    FROM (SELECT DISTINCT entry_id, seller_id FROM written) w
    LEFT JOIN billing.ledger_entry e ON e.id = w.entry_id AND e.seller_id = w.seller_id
    LEFT JOIN billing.seller s ON s.id = e.seller_id;
    IF strays > 0 THEN
        RAISE EXCEPTION 'a posting is that of an entry of its seller' USING ERRCODE = 'foreign_key_violation';
    END IF;
    IF late > 0 THEN
        RAISE EXCEPTION 'a closed month takes no postings' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END
$$
"""
    )
    alone(
        """
CREATE OR REPLACE FUNCTION billing.refuse_price_of_nobody() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM (SELECT DISTINCT price_id, seller_id FROM written WHERE price_id IS NOT NULL) w
               LEFT JOIN billing.price p ON p.id = w.price_id AND p.seller_id = w.seller_id
               WHERE p.id IS NULL) THEN
        RAISE EXCEPTION 'a line is at a price of its seller' USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN NULL;
END
$$
"""
    )
    alone(
        """
CREATE OR REPLACE FUNCTION billing.refuse_schedule_of_nothing() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM written w
               LEFT JOIN billing.invoice_line l
                   ON l.id = w.id AND l.seller_id = w.seller_id AND l.invoice_id = w.invoice_id
               WHERE l.id IS NULL) THEN
        RAISE EXCEPTION 'a schedule is that of a line of its invoice' USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN NULL;
END
$$
"""
    )
    for event in ("INSERT", "UPDATE"):
        alone(
            f"CREATE OR REPLACE TRIGGER invoice_line_at_a_price_{event.lower()} AFTER {event} ON billing.invoice_line "
            f"{_WRITTEN} billing.refuse_price_of_nobody()"
        )
    alone(
        "CREATE OR REPLACE TRIGGER revenue_schedule_of_a_line AFTER INSERT ON billing.revenue_schedule "
        f"{_WRITTEN} billing.refuse_schedule_of_nothing()"
    )
    alone("ALTER TABLE billing.revenue_schedule DROP CONSTRAINT IF EXISTS fk_revenue_schedule_invoice_id")
    alone("ALTER TABLE billing.invoice_line DROP CONSTRAINT IF EXISTS fk_invoice_line_price_id")
    alone("ALTER TABLE billing.posting DROP CONSTRAINT IF EXISTS fk_posting_entry_id")
