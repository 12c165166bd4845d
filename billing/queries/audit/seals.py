"""Seals: a digest of an append-only table up to some row, kept from an earlier audit, must come out the same again.

A trigger keeps honest programs from changing history; a seal shows what was changed past it. The digest is a sum over
the rows, so it is computed in one pass in whatever order they lie.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.queries.audit.invariant import Finding, Reading

SEALED_TABLES = {
    "ledger_entry": "id, seller_id, kind, effective_at, profile_id, invoice_id, payment_id, charge_ref, booked_on",
    "posting": "entry_id, position, seller_id, account, currency, amount_minor",
    "audit_trail": "id, seller_id, actor, action, reason, subject_type, subject_id, happened_at, before, after",
}
"""Columns that a seal covers, by table; the first is the time-ordered id. A later column belongs to later seals."""


@dataclass(frozen=True, slots=True)
class Seal:
    """All rows of `table_name` whose id is at most `upto`: how many they are, and their digest."""

    table_name: str
    upto: UUID
    rows: int
    digest: str


def compute(session: Session, table: str, upto: UUID) -> Seal:
    """The seal of a table's rows up to an id, as they are now."""
    return compute_all(session, table, [upto])[0]


def compute_all(session: Session, table: str, uptos: Sequence[UUID]) -> list[Seal]:
    """The same up to each of these ids, in one pass over the table."""
    columns = SEALED_TABLES[table]
    id_ = columns.partition(",")[0]
    sums = ", ".join(
        f"count(*) FILTER (WHERE id <= :upto_{place}), coalesce(sum(hash) FILTER (WHERE id <= :upto_{place}), 0)::text"
        for place in range(len(uptos))
    )
    # A row is digested once, however many sums it is a part of; for one alone several processes may read.
    once = "OFFSET 0" if len(uptos) > 1 else ""
    hashed = f"SELECT {id_} AS id, hashtextextended(ROW({columns})::text, 0) AS hash"
    sql = f"SELECT {sums} FROM ({hashed} FROM billing.{table} WHERE {id_} <= :last {once}) digested"  # noqa: S608 (names of ours)
    values = {f"upto_{place}": upto for place, upto in enumerate(uptos)}
    row = session.execute(text(sql), values | {"last": max(uptos)}).one()
    return [Seal(table, upto, row[2 * place], row[2 * place + 1]) for place, upto in enumerate(uptos)]


# The latest, and those that a person ever accepted as broken: what is sealed anew after that doesn't hide them.
_KEPT = """
(SELECT id, upto, rows, digest FROM billing.audit_seal WHERE table_name = :name ORDER BY id DESC LIMIT 1)
UNION
SELECT s.id, s.upto, s.rows, s.digest FROM billing.audit_seal s
JOIN billing.audit_acceptance a ON a.subject_id = s.id::text
WHERE s.table_name = :name AND a.subject_type = 'audit_seal'
"""


def _hex(seal: Seal) -> str:
    # As a plain number it may look like one on a card, and what is accepted stands in the trail for good.
    return f"{int(seal.digest):#x}"


@dataclass(frozen=True, slots=True)
class Resealed:
    """A check that what an earlier audit sealed is still the same. It reads whole tables."""

    tables: tuple[str, ...]
    only_whole: bool = True

    def __call__(self, reading: Reading) -> Iterator[Finding]:
        if reading.since is not None:
            return
        for table in self.tables:
            seals = list(reading.read(_KEPT, name=table))
            if not seals:
                continue
            for seal, found in zip(
                seals, compute_all(reading.session, table, [each.upto for each in seals]), strict=True
            ):
                if (found.rows, found.digest) != (seal.rows, seal.digest):
                    told = f"rows of {table} up to {seal.upto}: {seal.rows} when they were sealed, {found.rows} now"
                    yield Finding("audit_seal", str(seal.id), f"{told}; they are not the same ({_hex(found)})")


def resealed(*tables: str) -> Resealed:
    """The check for these tables."""
    return Resealed(tables)
