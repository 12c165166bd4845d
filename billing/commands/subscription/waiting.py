"""Waiting lines: written until an invoice takes them over, then deleted."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.commands.invoice.planned import PlannedLine
from billing.db.copy import NULL, copy_rows, field, id_array, instant, reference

_COLUMNS = (
    "id", "seller_id", "subscription_id", "kind", "price_id", "description", "quantity", "unit_amount", "amount_minor",
    "period_start", "period_end", "how", "tax_percent", "tax_inclusive", "tax_code", "credits_line_id",
    "credits_issued", "counts_from", "if_used",
)  # fmt: skip


def write_waiting(session: Session, lines: Sequence[tuple[UUID, UUID, PlannedLine]]) -> None:
    """Write (seller, subscription, line). Every line has its id; only a credit for an issued line keeps its tax."""
    copy_rows(session, "waiting_line", _COLUMNS, [_row(*each) for each in lines])


def take_waiting(session: Session, ids: Sequence[UUID]) -> None:
    """Delete lines that documents of this transaction took over."""
    if ids:
        session.execute(
            text("DELETE FROM billing.waiting_line WHERE id = ANY(CAST(:ids AS uuid[]))"), {"ids": id_array(ids)}
        )


def _row(seller_id: UUID, subscription_id: UUID, line: PlannedLine) -> str:
    assert line.id is not None
    how = line.treatment
    tax = f"{how.percent}\t{how.inclusive}\t{how.code}" if line.credits_issued else f"{NULL}\t{NULL}\t{NULL}"
    return (
        f"{line.id.hex}\t{seller_id.hex}\t{subscription_id.hex}\t{line.kind}\t{reference(line.price_id)}"
        f"\t{field(line.description)}\t{line.quantity}\t{line.unit_amount or NULL}\t{line.amount_minor}"
        f"\t{instant(line.period_start)}\t{instant(line.period_end)}\t{field(line.how_json)}\t{tax}"
        f"\t{reference(line.credits_line_id)}\t{line.credits_issued}\t{instant(line.counts_from)}\t{line.if_used}"
    )
