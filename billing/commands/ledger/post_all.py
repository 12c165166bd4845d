"""Post many entries of one kind at once, by COPY: each of at least two sides that sum to zero, in one currency."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from billing.db.copy import NULL, copy_rows, field
from billing.kernel.ids import new_ids
from billing.models import Account
from billing.queries.books.dating import datings

_ENTRIES = (
    *("id", "seller_id", "kind", "effective_at", "booked_on"),
    *("profile_id", "invoice_id", "payment_id", "charge_ref"),
)
_POSTINGS = ("entry_id", "position", "seller_id", "account", "currency", "amount_minor")


@dataclass(frozen=True, slots=True)
class Entry:
    """One fact to book: (account, minor units), debit positive, credit negative."""

    seller_id: UUID
    profile_id: UUID
    invoice_id: UUID
    currency: str
    sides: tuple[tuple[Account, int], ...]
    payment_id: UUID | None = None
    charge_ref: str | None = None


def post_all(session: Session, *, kind: str, entries: Sequence[Entry], now: datetime) -> None:
    """Write them, in the order given; the database proves each sum at commit. What they point at is written before."""
    by_seller = datings(session, {entry.seller_id for entry in entries})
    at = {seller_id: f"{now.isoformat()}\t{dating.day(now)}" for seller_id, dating in by_seller.items()}
    rows: list[str] = []
    postings: list[str] = []
    for id_, entry in zip(new_ids(len(entries)), entries, strict=True):
        rows.append(
            f"{id_.hex}\t{entry.seller_id.hex}\t{kind}\t{at[entry.seller_id]}\t{entry.profile_id.hex}"
            f"\t{entry.invoice_id.hex}\t{entry.payment_id or NULL}\t{field(entry.charge_ref)}"
        )
        postings.extend(
            f"{id_.hex}\t{position}\t{entry.seller_id.hex}\t{account}\t{entry.currency}\t{amount}"
            for position, (account, amount) in enumerate(entry.sides, start=1)
        )
    copy_rows(session, "ledger_entry", _ENTRIES, rows)
    copy_rows(session, "posting", _POSTINGS, postings)
