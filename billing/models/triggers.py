"""Triggers: the rules that no constraint can say. Part of the metadata, so that migrations are compared with them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import DDL, event

import billing.models.revenue
import billing.models.subscription
import billing.models.usage_record  # noqa: F401 (a table stands before its trigger)
from billing.db.base import SCHEMA, Base

FROZEN_ON_ISSUE = (
    "seller_id", "profile_id", "subscription_id", "kind", "series_id", "series_no", "number", "issued_at", "currency",
    "period_start", "period_end", "subtotal_minor", "discount_minor", "tax_minor", "total_minor",
    "credit_applied_minor", "amount_due_minor", "tax_groups", "reverse_charge", "legal_notes", "buyer_country",
    "buyer_kind", "parties", "document_key_id", "content_hash", "due_at", "corrects_id", "seller_tax",
)  # fmt: skip
"""Columns of an invoice that never change once it has a number."""

APPEND_ONLY = (
    "ledger_entry", "posting", "audit_trail", "price", "coupon", "provider_write", "usage_record", "external_payment",
    "revenue_movement", "month_close", "usage_accrual", "audit_seal", "past_item",
    "line_accrual",
)  # fmt: skip


BOOKS_LOCK = 3104
"""First half of the advisory lock on a seller's books: shared by who writes entries, exclusive to closing a month."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """One function and the trigger that calls it."""

    table: str
    name: str
    function: str
    body: str
    fires: str

    @property
    def create(self) -> str:
        """SQL that makes the function and the trigger."""
        return (
            f"CREATE OR REPLACE FUNCTION {SCHEMA}.{self.function}() RETURNS trigger LANGUAGE plpgsql AS $$\n"
            f"{self.body}\n$$;\n{self.fires}"
        )


_APPEND_ONLY_BODY = """BEGIN
    RAISE EXCEPTION 'rows of % are never changed or deleted', TG_TABLE_NAME
        USING ERRCODE = 'integrity_constraint_violation';
END"""

_FROZEN_BODY = """BEGIN
    RAISE EXCEPTION 'invoice % is issued and frozen; corrections are credit notes', OLD.number
        USING ERRCODE = 'integrity_constraint_violation';
END"""

_LINE_BODY = f"""DECLARE issued text;
BEGIN
    SELECT number INTO issued FROM {SCHEMA}.invoice WHERE id = OLD.invoice_id;
    IF issued IS NOT NULL THEN
        RAISE EXCEPTION 'invoice % is issued; its lines are frozen', issued
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END"""

_BALANCE_BODY = f"""DECLARE sides integer; uneven integer;
BEGIN
    SELECT coalesce(sum(n), 0), count(*) FILTER (WHERE total <> 0) INTO sides, uneven
    FROM (SELECT count(*) AS n, sum(amount_minor) AS total
          FROM {SCHEMA}.posting WHERE entry_id = NEW.id GROUP BY currency) AS per_currency;
    IF sides < 2 OR uneven > 0 THEN
        RAISE EXCEPTION 'ledger entry % does not balance', NEW.id USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END"""

# Closing a month takes the same lock alone: it waits for what is being written, and what comes later sees it closed.
_DATE_BODY = f"""DECLARE zone text; open_from date;
BEGIN
    PERFORM pg_advisory_xact_lock_shared({BOOKS_LOCK}, hashtext(NEW.seller_id::text));
    SELECT timezone, books_open_from INTO zone, open_from FROM {SCHEMA}.seller WHERE id = NEW.seller_id;
    NEW.booked_on := greatest(coalesce(NEW.booked_on, (NEW.effective_at AT TIME ZONE zone)::date), open_from);
    RETURN NEW;
END"""

# What points at a row that is never changed or deleted is looked up when it is written, for all rows of a statement at
# once and each different one once; a foreign key would look each row up by itself (decision 0004).
_SIDE_BODY = f"""DECLARE strays integer; late integer;
BEGIN
    SELECT count(*) FILTER (WHERE e.id IS NULL), count(*) FILTER (WHERE e.booked_on < s.books_open_from)
    INTO strays, late
    FROM (SELECT DISTINCT entry_id, seller_id FROM written) w
    LEFT JOIN {SCHEMA}.ledger_entry e ON e.id = w.entry_id AND e.seller_id = w.seller_id
    LEFT JOIN {SCHEMA}.seller s ON s.id = e.seller_id;
    IF strays > 0 THEN
        RAISE EXCEPTION 'a posting is that of an entry of its seller' USING ERRCODE = 'foreign_key_violation';
    END IF;
    IF late > 0 THEN
        RAISE EXCEPTION 'a closed month takes no postings' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END"""

_PRICE_BODY = f"""BEGIN
    IF EXISTS (SELECT FROM (SELECT DISTINCT price_id, seller_id FROM written WHERE price_id IS NOT NULL) w
               LEFT JOIN {SCHEMA}.price p ON p.id = w.price_id AND p.seller_id = w.seller_id
               WHERE p.id IS NULL) THEN
        RAISE EXCEPTION 'a line is at a price of its seller' USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN NULL;
END"""

# Only lines of issued documents have schedules, and those stay as they are.
_SCHEDULE_BODY = f"""BEGIN
    IF EXISTS (SELECT FROM written w
               LEFT JOIN {SCHEMA}.invoice_line l
                   ON l.id = w.id AND l.seller_id = w.seller_id AND l.invoice_id = w.invoice_id
               WHERE l.id IS NULL) THEN
        RAISE EXCEPTION 'a schedule is that of a line of its invoice' USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN NULL;
END"""

_DEFAULT_BODY = f"""DECLARE active integer; defaults integer;
BEGIN
    SELECT count(*), count(*) FILTER (WHERE is_default) INTO active, defaults
    FROM {SCHEMA}.payment_method WHERE profile_id = coalesce(NEW.profile_id, OLD.profile_id) AND status = 'active';
    IF active > 0 AND defaults <> 1 THEN
        RAISE EXCEPTION 'a profile with active payment methods has exactly one default'
            USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    RETURN NULL;
END"""

_FROZEN_TEST = " OR ".join(f"OLD.{column} IS DISTINCT FROM NEW.{column}" for column in FROZEN_ON_ISSUE)

TRIGGERS = (
    *(
        Trigger(
            table=table,
            name=f"{table}_append_only",
            function="refuse_change",
            body=_APPEND_ONLY_BODY,
            fires=f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE ON {SCHEMA}.{table} "
            f"FOR EACH ROW EXECUTE FUNCTION {SCHEMA}.refuse_change()",
        )
        for table in APPEND_ONLY
    ),
    Trigger(
        table="invoice",
        name="invoice_frozen",
        function="refuse_frozen",
        body=_FROZEN_BODY,
        fires=f"CREATE TRIGGER invoice_frozen BEFORE UPDATE ON {SCHEMA}.invoice FOR EACH ROW "
        f"WHEN (OLD.number IS NOT NULL AND ({_FROZEN_TEST})) EXECUTE FUNCTION {SCHEMA}.refuse_frozen()",
    ),
    Trigger(
        table="invoice",
        name="invoice_kept",
        function="refuse_frozen",
        body=_FROZEN_BODY,
        fires=f"CREATE TRIGGER invoice_kept BEFORE DELETE ON {SCHEMA}.invoice FOR EACH ROW "
        f"WHEN (OLD.number IS NOT NULL) EXECUTE FUNCTION {SCHEMA}.refuse_frozen()",
    ),
    Trigger(
        table="invoice_line",
        name="invoice_line_frozen",
        function="refuse_line_change",
        body=_LINE_BODY,
        fires=f"CREATE TRIGGER invoice_line_frozen BEFORE UPDATE OR DELETE ON {SCHEMA}.invoice_line "
        f"FOR EACH ROW EXECUTE FUNCTION {SCHEMA}.refuse_line_change()",
    ),
    Trigger(
        table="ledger_entry",
        name="ledger_entry_balanced",
        function="check_balance",
        body=_BALANCE_BODY,
        fires=f"CREATE CONSTRAINT TRIGGER ledger_entry_balanced AFTER INSERT ON {SCHEMA}.ledger_entry "
        f"DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION {SCHEMA}.check_balance()",
    ),
    Trigger(
        table="ledger_entry",
        name="ledger_entry_dated",
        function="date_entry",
        body=_DATE_BODY,
        fires=f"CREATE TRIGGER ledger_entry_dated BEFORE INSERT ON {SCHEMA}.ledger_entry "
        f"FOR EACH ROW EXECUTE FUNCTION {SCHEMA}.date_entry()",
    ),
    Trigger(
        table="posting",
        name="posting_in_open_month",
        function="refuse_closed_month",
        body=_SIDE_BODY,
        fires=f"CREATE TRIGGER posting_in_open_month AFTER INSERT ON {SCHEMA}.posting "
        f"REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION {SCHEMA}.refuse_closed_month()",
    ),
    *(
        Trigger(
            table="invoice_line",
            name=f"invoice_line_at_a_price_{event_.lower()}",
            function="refuse_price_of_nobody",
            body=_PRICE_BODY,
            fires=f"CREATE TRIGGER invoice_line_at_a_price_{event_.lower()} AFTER {event_} ON {SCHEMA}.invoice_line "
            f"REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION {SCHEMA}.refuse_price_of_nobody()",
        )
        for event_ in ("INSERT", "UPDATE")
    ),
    Trigger(
        table="revenue_schedule",
        name="revenue_schedule_of_a_line",
        function="refuse_schedule_of_nothing",
        body=_SCHEDULE_BODY,
        fires=f"CREATE TRIGGER revenue_schedule_of_a_line AFTER INSERT ON {SCHEMA}.revenue_schedule "
        f"REFERENCING NEW TABLE AS written FOR EACH STATEMENT EXECUTE FUNCTION {SCHEMA}.refuse_schedule_of_nothing()",
    ),
    Trigger(
        table="payment_method",
        name="payment_method_one_default",
        function="check_default",
        body=_DEFAULT_BODY,
        fires=f"CREATE CONSTRAINT TRIGGER payment_method_one_default AFTER INSERT OR UPDATE OR DELETE "
        f"ON {SCHEMA}.payment_method DEFERRABLE INITIALLY DEFERRED "
        f"FOR EACH ROW EXECUTE FUNCTION {SCHEMA}.check_default()",
    ),
)

for _trigger in TRIGGERS:
    event.listen(
        Base.metadata.tables[f"{SCHEMA}.{_trigger.table}"],
        "after_create",
        DDL(_trigger.create.replace("%", "%%")),  # type: ignore[no-untyped-call]  # SQLAlchemy leaves it untyped
    )
