"""`./run bench recognition`: lines whose revenue is recognised in a second, beside a bare update of the same rows."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from sqlalchemy import Engine, text

from billing.commands.revenue.recognise import recognise
from billing.flows.parts import Parts
from billing.flows.recognition import BATCH
from billing.sandbox.bench.figures import Json, Report
from billing.sandbox.bench.scratch import parts_of, scratch
from billing.sandbox.embedded import start
from billing.sandbox.environment import place_of

_NOW = datetime(2026, 2, 1, tzinfo=UTC)

# Documents are left out: what is measured reads none of them.
_SEED = (
    "SET LOCAL session_replication_role = replica",
    """
    INSERT INTO billing.seller (id, code, legal_name, country, address, currency, timezone, catch_up, catch_up_limit,
                                dunning_retry_s, dunning_final, proration, oss, draft_review_h)
    VALUES (gen_random_uuid(), 'ACME', 'Acme', 'DE', '{}', 'eur', 'UTC', 'bill_each', 12, '{}', 'cancel', 'second',
            'none', 0)
    """,
    """
    INSERT INTO billing.revenue_schedule (id, seller_id, invoice_id, currency, net_minor, issued_on, starts_on, ends_on,
                                          base_on, open_on, next_on, next_at)
    SELECT gen_random_uuid(), s.id, gen_random_uuid(), 'eur', 1000 + n, '2026-01-15', '2026-01-15', '2026-02-15',
           '2026-01-15', '2026-01-15', CASE WHEN n <= :due THEN date '2026-01-31' ELSE date '2026-02-14' END,
           CASE WHEN n <= :due THEN timestamptz '2026-02-01 00:00Z' ELSE timestamptz '2026-02-15 00:00Z' END
    FROM billing.seller s CROSS JOIN generate_series(1, :lines) AS n
    """,
)


def run(*, due: int, others: int, report: Report) -> None:
    """Measure and tell. Everything is made in a stack of its own and removed at the end."""
    servers = start(place_of("bench").root)
    try:
        with scratch(servers) as made, parts_of(made) as parts:
            report.progress(f"seeding {due + others:,} lines ...")
            seed(made.engine, due=due, others=others)
            figures = measure(parts, made.engine)
    finally:
        servers.remove()
    report.table(
        f"Recognition: {due:,} lines due among {due + others:,}, batches of {BATCH:,}, one process",
        ("what", "lines a second", "against the engine"),
        [
            ("the engine", f"{figures['lines_a_second']:,}", "1.0"),
            ("a bare update of these rows", f"{figures['bare_a_second']:,}", f"{figures['bare_ratio']}"),
        ],
    )
    report.end(figures)


def seed(engine: Engine, *, due: int, others: int) -> None:
    """Lines of one seller, of which `due` wait for their January."""
    with engine.begin() as connection:
        for statement in _SEED:
            connection.execute(text(statement), {"due": due, "lines": due + others} if ":due" in statement else {})
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE billing.revenue_schedule"))


def measure(parts: Parts, engine: Engine) -> Json:
    """Recognise all that is due, a transaction a batch; then write the same rows once more with nothing beside."""
    began, lines = time.perf_counter(), 0
    while True:
        with parts.begin() as session:
            step = recognise(session, now=_NOW, most=BATCH)
        if not step:
            break
        lines += step
    took = time.perf_counter() - began
    began = time.perf_counter()
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE billing.revenue_schedule SET next_at = next_at + interval '1 day' WHERE recognised_minor > 0")
        )
    bare = time.perf_counter() - began
    return {
        "lines": lines,
        "lines_a_second": round(lines / took),
        "bare_a_second": round(lines / bare),
        "bare_ratio": round(took / bare, 1),
    }
