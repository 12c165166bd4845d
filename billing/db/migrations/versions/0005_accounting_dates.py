"""Entries have an accounting date; a closed month takes no further postings."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE billing.seller ADD COLUMN account_codes JSONB DEFAULT '{}'::jsonb NOT NULL")
    op.execute("ALTER TABLE billing.seller ADD COLUMN books_open_from DATE")

    op.execute("ALTER TABLE billing.ledger_entry ADD COLUMN booked_on DATE")
    op.execute("ALTER TABLE billing.ledger_entry DISABLE TRIGGER ledger_entry_append_only")
    op.execute(
        """
UPDATE billing.ledger_entry e SET booked_on = (e.effective_at AT TIME ZONE s.timezone)::date
FROM billing.seller s WHERE s.id = e.seller_id
"""
    )
    op.execute("ALTER TABLE billing.ledger_entry ENABLE TRIGGER ledger_entry_append_only")
    op.execute("ALTER TABLE billing.ledger_entry ALTER COLUMN booked_on SET NOT NULL")
    op.execute("ALTER TABLE billing.ledger_entry ALTER COLUMN profile_id DROP NOT NULL")
    op.execute("CREATE INDEX ix_ledger_entry_booked_on ON billing.ledger_entry USING brin (booked_on)")

    op.execute(
        """
CREATE FUNCTION billing.date_entry() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE zone text; open_from date;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(3104, hashtext(NEW.seller_id::text));
    SELECT timezone, books_open_from INTO zone, open_from FROM billing.seller WHERE id = NEW.seller_id;
    NEW.booked_on := greatest(coalesce(NEW.booked_on, (NEW.effective_at AT TIME ZONE zone)::date), open_from);
    RETURN NEW;
END
$$
"""
    )
    op.execute(
        """
CREATE TRIGGER ledger_entry_dated BEFORE INSERT ON billing.ledger_entry FOR EACH ROW EXECUTE FUNCTION billing.date_entry()
"""
    )
    op.execute(
        """
CREATE FUNCTION billing.refuse_closed_month() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM written w
               JOIN billing.ledger_entry e ON e.id = w.entry_id AND e.seller_id = w.seller_id
               JOIN billing.seller s ON s.id = e.seller_id
               WHERE e.booked_on < s.books_open_from) THEN
        RAISE EXCEPTION 'a closed month takes no postings' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END
$$
"""
    )
    op.execute(
        """
CREATE TRIGGER posting_in_open_month AFTER INSERT ON billing.posting
REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION billing.refuse_closed_month()
"""
    )
