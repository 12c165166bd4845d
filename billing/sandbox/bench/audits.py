"""`./run bench audit`: the whole audit beside that of what changed, over many paid invoices."""

from __future__ import annotations

import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Engine, select, text

from billing.commands.slice.cut import cut
from billing.db.clock import wall_now
from billing.flows import audit, renewal
from billing.flows.audit_report import Report as Audit
from billing.flows.parts import Parts
from billing.kernel import garbage
from billing.models import Profile
from billing.sandbox.bench.company import DUE, seed, set_clock, settle
from billing.sandbox.bench.figures import Json, Report
from billing.sandbox.bench.multiplying import TABLES, multiply
from billing.sandbox.bench.scratch import Scratch, parts_of, scratch
from billing.sandbox.embedded import start
from billing.sandbox.environment import place_of

_TABLES = (
    "billing_period", "invoice", "invoice_line", "ledger_entry", "outbox", "payment", "payment_intent",
    "payment_method", "posting", "provider_customer", "provider_write", "subscription",
)  # fmt: skip

# A new id of this moment.
_ID = (
    "(lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0')"
    " || '7' || substr(replace(gen_random_uuid()::text, '-', ''), 14))::uuid"
)

_PAY = (
    """
INSERT INTO billing.provider_account (id, provider, code, livemode, account_ref)
VALUES (gen_random_uuid(), 'stripe', 'default', false, 'acct_bench') ON CONFLICT DO NOTHING
""",
    f"""
CREATE TEMP TABLE due AS
SELECT i.*, a.id AS account_id, {_ID} AS payment_id, {_ID} AS intent_id, {_ID} AS entry_id, {_ID} AS method_id,
    {_ID} AS customer_id, {_ID} AS write_id, {_ID} AS told_id
FROM billing.invoice i CROSS JOIN billing.provider_account a WHERE i.status = 'open'
""",  # noqa: S608 (our own text)
    """
INSERT INTO billing.provider_customer (id, seller_id, profile_id, provider_account_id, customer_ref)
SELECT customer_id, seller_id, profile_id, account_id, 'cus_' || profile_id FROM due
""",
    """
INSERT INTO billing.payment_method (id, seller_id, profile_id, provider_account_id, kind, status, is_default,
    method_ref, consent_text_version, consent_at, consent_channel, version)
SELECT method_id, seller_id, profile_id, account_id, 'card', 'active', true, 'pm_' || profile_id, '1', issued_at,
    'import', 1 FROM due
""",
    """
INSERT INTO billing.payment_intent (id, seller_id, invoice_id, provider_account_id, generation, intent_ref, status,
    version)
SELECT intent_id, seller_id, id, account_id, 1, 'pi_' || id, 'succeeded', 1 FROM due
""",
    """
INSERT INTO billing.payment (id, seller_id, invoice_id, profile_id, attempt_no, kind, scheduled, provider_account_id,
    payment_method_id, payment_intent_id, customer_ref, method_ref, amount_minor, currency, opened_at, status, token,
    first_sent_at, checks, absent_lists, charge_ref, evidence, closed_at, version)
SELECT payment_id, seller_id, id, profile_id, 1, 'off_session', true, account_id, method_id, intent_id,
    'cus_' || profile_id, 'pm_' || profile_id, amount_due_minor, currency, issued_at, 'succeeded', 1, issued_at, 0, 0,
    'ch_' || id, '{"outcome": "succeeded"}', issued_at, 1 FROM due
""",
    """
INSERT INTO billing.provider_write (id, seller_id, payment_id, step, key, parameter_hash)
SELECT write_id, seller_id, payment_id, 'charge', payment_id::text, 'x' FROM due
""",
    """
INSERT INTO billing.ledger_entry (id, seller_id, kind, effective_at, profile_id, invoice_id, payment_id, charge_ref)
SELECT entry_id, seller_id, 'payment', issued_at, profile_id, id, payment_id, 'ch_' || id FROM due
""",
    """
INSERT INTO billing.posting (entry_id, position, seller_id, account, currency, amount_minor)
SELECT entry_id, 1, seller_id, 'provider_clearing', currency, amount_due_minor FROM due
UNION ALL SELECT entry_id, 2, seller_id, 'receivable', currency, -amount_due_minor FROM due
""",
    """
INSERT INTO billing.outbox (id, seller_id, topic, object_type, object_id, occurred_at, payload)
SELECT told_id, seller_id, 'invoice.paid', 'invoice', id, issued_at, '{}' FROM due
""",
    """
UPDATE billing.invoice i SET status = 'paid', amount_paid_minor = i.amount_due_minor, amount_remaining_minor = 0,
    next_attempt_at = NULL, paid_at = i.issued_at, version = i.version + 1
FROM due WHERE due.id = i.id
""",
    "DROP TABLE due",
    "UPDATE billing.slice SET status = 'done' WHERE kind = 'charges'",
)


@dataclass(frozen=True, slots=True)
class Timed:
    """One audit and how long it took, in seconds of wall time."""

    report: Audit
    seconds: float


def run(*, invoices: int, recent: int, copies: int, report: Report) -> None:
    """Seed, then time the whole audit, that of nothing new, and that of `recent` new invoices, each paid.

    With `copies` the invoices are first multiplied by one more than that, and what is recent is timed alone.
    """
    servers = start(place_of("bench").root)
    try:
        with scratch(servers) as made:
            report.progress(f"seeding {invoices + recent:,} subscriptions ...")
            seed(made.engine, made.keyring, due=invoices + recent, total=invoices + recent)
            figures = _measure(made, invoices=invoices, recent=recent, copies=copies, report=report)
    finally:
        servers.remove()
    report.end(figures)


def _measure(made: Scratch, *, invoices: int, recent: int, copies: int, report: Report) -> Json:
    set_clock(made.engine, DUE)
    with parts_of(made) as parts:
        garbage.settle()  # As every worker does.
        with parts.begin() as session:
            members = list(session.scalars(select(Profile.id).order_by(Profile.id)))
        report.progress(f"billing and paying {invoices:,} of them ...")
        _bill_and_pay(parts, made.engine, members[:invoices])
        if copies:
            report.progress(f"and {copies} times as many by copying ...")
            multiply(made.engine, times=copies)
        settle(made.engine, TABLES if copies else _TABLES)
        since = _now(parts)
        _bill_and_pay(parts, made.engine, members[invoices:])
        new = _timed(parts, since=since)
        nothing = _timed(parts, since=_now(parts))
        whole = None if copies else _timed(parts, since=None)
    there = invoices * (copies + 1) + recent
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rows = (
        *(((f"everything: {there:,} invoices", whole),) if whole else ()),
        (f"{recent:,} new invoices among {there:,}, billed and paid", new),
        (f"nothing new among {there:,}", nothing),
    )
    report.table(
        "The audit",
        ("what is looked at", "seconds", "violations"),
        [(name, f"{each.seconds:.2f}", str(each.report.found)) for name, each in rows],
    )
    first = whole or new
    for each in first.report.violations[:3]:
        report.line(f"{each.code} {each.subject_type} {each.subject_id}: {each.detail}")
    slowest = sorted(first.report.checked, key=lambda each: -each.seconds)[:5]
    report.line("slowest of the first: " + ", ".join(f"{each.code} {each.seconds:.1f} s" for each in slowest))
    report.line(f"peak memory of the process: {peak_mb:.0f} MB")
    named = {"whole": whole, "recent_invoices": new, "nothing_new": nothing}
    return {
        "invoices": there,
        "recent": recent,
        "peak_mb": round(peak_mb),
        **{
            name: {"seconds": round(each.seconds, 2), "violations": each.report.found}
            for name, each in named.items()
            if each is not None
        },
    }


def _bill_and_pay(parts: Parts, engine: Engine, members: Sequence[UUID]) -> None:
    """Bill these customers by the engine's own flow; pay them by plain SQL."""
    with parts.begin() as session:
        slices = cut(session, kind="renewals", members=members, size=parts.settings.billing_slice_size)
    for slice_id in slices:
        renewal.bill(parts, slice_id)
    with engine.begin() as connection:
        for statement in _PAY:
            connection.execute(text(statement))


def _timed(parts: Parts, *, since: datetime | None) -> Timed:
    began = time.monotonic()
    report = audit.run(parts, since=since)
    return Timed(report, time.monotonic() - began)


def _now(parts: Parts) -> datetime:
    with parts.begin() as session:
        return wall_now(session)
