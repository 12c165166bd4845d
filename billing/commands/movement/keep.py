"""Keep the movements of a provider's balance as it lists them, each once."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.orm import Session

from billing.db.bulk import insert_rows
from billing.kernel.ids import new_ids
from billing.models import ProviderMovement
from billing.providers.listed import ListedMovement


def keep_movements(session: Session, *, account_id: UUID, listed: Sequence[ListedMovement]) -> None:
    """Write those that are not here yet."""
    rows = [
        {
            "id": id_,
            "provider_account_id": account_id,
            "balance_ref": each.balance_ref,
            "type": each.type,
            "source_ref": each.source_ref,
            "amount_minor": each.amount_minor,
            "fee_minor": each.fee_minor,
            "currency": each.currency,
            "occurred_at": each.created,
        }
        for id_, each in zip(new_ids(len(listed)), listed, strict=True)
    ]
    unique = ("provider_account_id", "balance_ref")
    insert_rows(session, ProviderMovement, rows, unless_taken=unique)
