"""Recent: what changed since an instant, with all that belongs to it, in temporary tables that stand in for the whole.

The same checks then run over few rows. New rows are found by their time-ordered ids; what became of older ones by what
every change leaves behind: outbox, ledger entries, attempts; what still waits by the partial indexes of the sweeps.
Whole neighbourhoods are taken, because checks compare what belongs together: all of a document's lines, attempts and
entries, the documents of its subscription's last periods, all documents of a customer whose credit moved.
A row that was changed past the engine, without a trace, is only found by a whole audit.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.db.rows import carry_out
from billing.kernel.status import OPEN_PAYMENT

_OPEN = ", ".join(f"'{status}'" for status in sorted(OPEN_PAYMENT))
_OLDER = timedelta(minutes=15)
"""Partners of a new row may have been made by the same transaction a little before it."""

_CHANGED = """
CREATE TEMPORARY TABLE changed_invoice (id uuid PRIMARY KEY);
CREATE TEMPORARY TABLE changed_subscription (id uuid PRIMARY KEY);
CREATE TEMPORARY TABLE changed_credit (id uuid PRIMARY KEY);
CREATE TEMPORARY TABLE numbered (id uuid, seller_id uuid, series_id uuid, series_no integer, number text,
                                 issued_at timestamptz)
"""

_FIND = (
    f"""
INSERT INTO pg_temp.changed_invoice
SELECT id FROM (
    SELECT id FROM billing.invoice WHERE id > :since_id
    UNION SELECT object_id FROM billing.outbox WHERE id > :since_id AND object_type = 'invoice'
    UNION SELECT p.invoice_id FROM billing.outbox o JOIN billing.payment p ON p.id = o.object_id
          WHERE o.id > :since_id AND o.object_type = 'payment'
    UNION SELECT w.subject_id FROM billing.outbox o JOIN billing.work_item w ON w.id = o.object_id
          WHERE o.id > :since_id AND o.object_type = 'work_item' AND w.subject_type = 'invoice'
    UNION SELECT invoice_id FROM billing.ledger_entry WHERE id > :since_id AND invoice_id IS NOT NULL
    UNION SELECT invoice_id FROM billing.payment WHERE id > :since_id
    UNION SELECT invoice_id FROM billing.payment WHERE status IN ({_OPEN})
    UNION SELECT d.invoice_id FROM billing.outbox o JOIN billing.dispute d ON d.id = o.object_id
          WHERE o.id > :since_id AND o.object_type = 'dispute'
    UNION SELECT r.invoice_id FROM billing.outbox o JOIN billing.refund r ON r.id = o.object_id
          WHERE o.id > :since_id AND o.object_type = 'refund'
    UNION SELECT invoice_id FROM billing.refund WHERE id > :since_id
    UNION SELECT invoice_id FROM billing.refund WHERE status IN ('pending', 'requires_action')
    UNION SELECT invoice_id FROM billing.unapplied_payment WHERE id > :since_id AND invoice_id IS NOT NULL) found
""",  # noqa: S608 (our own names)
    """
INSERT INTO pg_temp.changed_subscription
SELECT id FROM (
    SELECT id FROM billing.subscription WHERE id > :since_id
    UNION SELECT object_id FROM billing.outbox WHERE id > :since_id AND object_type = 'subscription'
    UNION SELECT subscription_id FROM billing.billing_period WHERE id > :since_id
    UNION SELECT id FROM billing.subscription WHERE next_due_at <= :due_before AND hold_id IS NULL
    UNION SELECT w.subject_id FROM billing.outbox o JOIN billing.work_item w ON w.id = o.object_id
          WHERE o.id > :since_id AND o.object_type = 'work_item' AND w.subject_type = 'subscription'
    UNION SELECT i.subscription_id FROM pg_temp.changed_invoice c JOIN billing.invoice i ON i.id = c.id
          WHERE i.subscription_id IS NOT NULL) found
""",
)

# The last two periods of each, every new one, and the one before each new one.
_PERIODS = """
INSERT INTO pg_temp.billing_period
SELECT b.* FROM billing.billing_period b JOIN (
    SELECT l.id FROM pg_temp.changed_subscription c CROSS JOIN LATERAL (
        SELECT id FROM billing.billing_period WHERE subscription_id = c.id
        ORDER BY anchor_no DESC, period_no DESC LIMIT 2) l
    UNION SELECT id FROM billing.billing_period WHERE id > :since_id
    UNION SELECT before.id FROM billing.billing_period new JOIN billing.billing_period before
        ON before.subscription_id = new.subscription_id AND before.anchor_no = new.anchor_no
           AND before.period_no = new.period_no - 1
    WHERE new.id > :since_id) found ON found.id = b.id
"""

_OF_PERIODS = """
INSERT INTO pg_temp.changed_invoice
SELECT invoice_id FROM pg_temp.billing_period WHERE invoice_id IS NOT NULL
ON CONFLICT DO NOTHING
"""

# A document may be replaced time and again: money of the first is booked on the last, and each has notes of its own.
_NOTES = """
INSERT INTO pg_temp.changed_invoice
WITH RECURSIVE linked AS (
    SELECT id FROM pg_temp.changed_invoice
    UNION SELECT next.id FROM linked CROSS JOIN LATERAL (
        SELECT i.corrects_id AS id FROM billing.invoice i WHERE i.id = linked.id AND i.corrects_id IS NOT NULL
        UNION ALL SELECT i.id FROM billing.invoice i WHERE i.corrects_id = linked.id) next)
SELECT id FROM linked
ON CONFLICT DO NOTHING
"""

_SUBSCRIPTIONS = """
INSERT INTO pg_temp.changed_subscription
SELECT i.subscription_id FROM pg_temp.changed_invoice c JOIN billing.invoice i ON i.id = c.id
WHERE i.subscription_id IS NOT NULL
ON CONFLICT DO NOTHING
"""

_WIDEN = (
    # Documents whose period meets that of a changed one: a period is charged once.
    """
INSERT INTO pg_temp.changed_invoice
SELECT other.id FROM pg_temp.changed_invoice c
JOIN billing.invoice i ON i.id = c.id
JOIN billing.invoice other ON other.subscription_id = i.subscription_id
  AND other.period_start < i.period_end AND other.period_end > i.period_start
ON CONFLICT DO NOTHING
""",
    _SUBSCRIPTIONS,
    _PERIODS,
    _OF_PERIODS,
    _NOTES,
    # A balance is compared with all that the customer's account in the books holds.
    """
INSERT INTO pg_temp.changed_credit
SELECT e.profile_id FROM pg_temp.changed_invoice c
JOIN billing.ledger_entry e ON e.invoice_id = c.id
JOIN billing.posting p ON p.entry_id = e.id AND p.account IN ('customer_credit', 'carried_forward')
UNION SELECT e.profile_id FROM billing.ledger_entry e
JOIN billing.posting p ON p.entry_id = e.id AND p.account IN ('customer_credit', 'carried_forward')
WHERE e.id > :since_id
UNION SELECT profile_id FROM billing.credit_balance WHERE updated_at > :since
""",
    """
INSERT INTO pg_temp.changed_invoice
SELECT i.id FROM pg_temp.changed_credit c JOIN billing.invoice i ON i.profile_id = c.id
ON CONFLICT DO NOTHING
""",
    _NOTES,
    _SUBSCRIPTIONS,
    "DELETE FROM pg_temp.billing_period",
    _PERIODS,
    _OF_PERIODS,
)

_OF_INVOICES = "SELECT t.* FROM pg_temp.changed_invoice c JOIN billing.{name} t ON t.invoice_id = c.id"

TABLES: dict[str, str] = {
    "billing_period": "",
    "invoice": "SELECT t.* FROM pg_temp.changed_invoice c JOIN billing.invoice t ON t.id = c.id",
    # With the lines that credit one of these, or are credited by one, of whatever document.
    "invoice_line": """
        SELECT t.* FROM billing.invoice_line t JOIN (
            SELECT l.id FROM pg_temp.changed_invoice c JOIN billing.invoice_line l ON l.invoice_id = c.id
            UNION SELECT l.credits_line_id FROM pg_temp.changed_invoice c
                  JOIN billing.invoice_line l ON l.invoice_id = c.id WHERE l.credits_line_id IS NOT NULL
            UNION SELECT o.id FROM pg_temp.changed_invoice c JOIN billing.invoice_line l ON l.invoice_id = c.id
                  JOIN billing.invoice_line o ON o.credits_line_id = COALESCE(l.credits_line_id, l.id)
            UNION SELECT credits_line_id FROM billing.waiting_line WHERE id > :since_id AND credits_line_id IS NOT NULL
        ) found ON found.id = t.id""",
    "payment": _OF_INVOICES.format(name="payment"),
    "payment_intent": _OF_INVOICES.format(name="payment_intent"),
    "refund": _OF_INVOICES.format(name="refund"),
    "dispute": _OF_INVOICES.format(name="dispute"),
    "notice": _OF_INVOICES.format(name="notice"),
    "provider_write": "SELECT t.* FROM pg_temp.payment p JOIN billing.provider_write t ON t.payment_id = p.id",
    "ledger_entry": f"""
        {_OF_INVOICES.format(name="ledger_entry")}
        UNION ALL SELECT * FROM billing.ledger_entry WHERE invoice_id IS NULL AND id > :since_id
        UNION ALL SELECT t.* FROM pg_temp.changed_credit c JOIN billing.ledger_entry t ON t.profile_id = c.id
        WHERE t.invoice_id IS NULL AND t.id <= :since_id""",  # noqa: S608 (our own text)
    "revenue_schedule": "SELECT t.* FROM pg_temp.invoice_line l JOIN billing.revenue_schedule t ON t.id = l.id",
    "revenue_movement": """
        SELECT m.* FROM pg_temp.invoice_line l JOIN billing.revenue_movement m ON m.line_id = l.id
        UNION SELECT m.* FROM pg_temp.ledger_entry e JOIN billing.revenue_movement m ON m.entry_id = e.id""",
    "posting": """
        SELECT t.* FROM pg_temp.ledger_entry e JOIN billing.posting t ON t.entry_id = e.id
        UNION SELECT * FROM billing.posting WHERE entry_id > :since_id""",
    "unapplied_payment": f"""
        {_OF_INVOICES.format(name="unapplied_payment")}
        UNION ALL SELECT u.* FROM pg_temp.ledger_entry e CROSS JOIN billing.provider_account a
        JOIN billing.unapplied_payment u ON u.provider_account_id = a.id AND u.charge_ref = e.charge_ref
        WHERE e.kind = 'unapplied_payment' AND u.invoice_id IS NULL""",  # noqa: S608 (our own text)
    "subscription": "SELECT t.* FROM pg_temp.changed_subscription c JOIN billing.subscription t ON t.id = c.id",
    "profile": """
        SELECT t.* FROM billing.profile t JOIN (
            SELECT profile_id AS id FROM pg_temp.invoice UNION SELECT profile_id FROM pg_temp.subscription
            UNION SELECT id FROM billing.profile WHERE id > :since_id
            UNION SELECT object_id FROM billing.outbox WHERE id > :since_id AND object_type = 'profile'
        ) found ON found.id = t.id""",
    "data_key": """
        SELECT k.* FROM pg_temp.profile p JOIN billing.data_key k ON k.purpose = 'profile' AND k.owner_id = p.id
        UNION SELECT * FROM billing.data_key WHERE id > :since_id""",
    "credit_balance": "SELECT t.* FROM pg_temp.changed_credit c JOIN billing.credit_balance t ON t.profile_id = c.id",
    "payment_method": """
        SELECT t.* FROM billing.payment_method t JOIN (
            SELECT payment_method_id AS id FROM pg_temp.payment UNION
            SELECT id FROM billing.payment_method WHERE id > :since_id) found ON found.id = t.id""",
    "provider_customer": """
        SELECT t.* FROM billing.provider_customer t
        WHERE t.profile_id IN (SELECT profile_id FROM pg_temp.payment)""",
    "provider_event": """
        SELECT * FROM billing.provider_event WHERE id > :since_id
        UNION ALL SELECT * FROM billing.provider_event WHERE next_try_at IS NOT NULL AND id <= :since_id""",
    "slice": """
        SELECT * FROM billing.slice WHERE id > :since_id
        UNION SELECT * FROM billing.slice WHERE status IN ('pending', 'running')
        UNION SELECT p.* FROM billing.slice s JOIN billing.slice p ON p.id = s.parent_id WHERE s.id > :since_id
        UNION SELECT o.* FROM billing.slice s JOIN billing.slice o ON o.parent_id = s.parent_id AND o.id > :older_id
        WHERE s.id > :since_id""",
    "work_item": """
        SELECT * FROM billing.work_item WHERE id > :since_id
        UNION SELECT * FROM billing.work_item WHERE status IN ('open', 'parked')
        UNION SELECT w.* FROM billing.outbox o JOIN billing.work_item w ON w.id = o.object_id
        WHERE o.id > :since_id AND o.object_type = 'work_item'
        UNION SELECT w.* FROM pg_temp.provider_event e JOIN billing.work_item w
          ON w.kind = 'event_not_handled' AND w.subject_id = e.id WHERE e.status = 'dead'
        UNION SELECT w.* FROM billing.endpoint e JOIN billing.work_item w ON w.subject_id = e.id""",
    "outbox": "SELECT * FROM billing.outbox WHERE id > :since_id",
    "audit_trail": """
        SELECT * FROM billing.audit_trail WHERE id > :since_id
        UNION SELECT a.* FROM pg_temp.work_item w JOIN billing.audit_trail a ON a.subject_id = w.id
        UNION SELECT a.* FROM pg_temp.changed_invoice i JOIN billing.audit_trail a ON a.subject_id = i.id
        UNION SELECT a.* FROM billing.endpoint e JOIN billing.audit_trail a ON a.subject_id = e.id""",
}
"""How each table's part is found, in this order."""

_NUMBERED = """
INSERT INTO pg_temp.numbered
SELECT i.id, i.seller_id, i.series_id, i.series_no, i.number, i.issued_at
FROM (SELECT n.series_id, min(n.series_no) AS first FROM billing.outbox o JOIN billing.invoice n ON n.id = o.object_id
      WHERE o.id > :since_id AND o.topic IN ('invoice.issued', 'credit_note.issued') GROUP BY n.series_id) new
JOIN billing.invoice i ON i.series_id = new.series_id AND i.series_no >= new.first - 1
"""

_NAME = re.compile(r'\bbilling\."?(\w+)"?')
_RUNS = "billing.invoice AS numbered"
"""How a check names the documents of a series that it needs without a gap."""


def id_at(moment: datetime) -> UUID:
    """The first time-ordered id of an instant (wall time)."""
    return UUID(int=int(moment.timestamp() * 1000) << 80)


def narrowed(sql: str) -> str:
    """The same question, asked of what is recent."""
    sql = sql.replace(_RUNS, "pg_temp.numbered AS numbered")
    return _NAME.sub(lambda found: f"pg_temp.{found[1]}" if found[1] in TABLES else found[0], sql)


def make_room(session: Session) -> None:
    """Create the temporary tables, empty: a snapshot that only reads may fill them, but not make them."""
    tables = (f"CREATE TEMPORARY TABLE {name} (LIKE billing.{name})" for name in TABLES)
    index = "CREATE INDEX ON pg_temp.invoice_line (invoice_id)"
    carry_out(session, _CHANGED, *tables, index)


def fill(session: Session, **values: object) -> None:
    """Fill them from the snapshot of this transaction. `values`: `since` (wall time) and the business `due_before`."""
    since = values["since"]
    known = values | {"since_id": id_at(since), "older_id": id_at(since - _OLDER)}  # type: ignore[arg-type,operator]
    for statement in (*_FIND, "ANALYZE pg_temp.changed_invoice", "ANALYZE pg_temp.changed_subscription", *_WIDEN):
        session.execute(text(statement), known)
    for name in ("changed_invoice", "changed_credit"):
        session.execute(text(f"ANALYZE pg_temp.{name}"))
    for name, sql in TABLES.items():
        if sql:
            session.execute(text(f"INSERT INTO pg_temp.{name} {sql}"), known)
        session.execute(text(f"ANALYZE pg_temp.{name}"))
    session.execute(text(_NUMBERED), known)
