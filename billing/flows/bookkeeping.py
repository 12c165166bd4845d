"""Keeping the books: what finance people order about a seller's ledger."""

from __future__ import annotations

from uuid import UUID

from billing.commands.seller.map_account import map_account
from billing.flows.order import Done, Order, carry_out, note
from billing.flows.parts import Parts


def name_account(parts: Parts, seller_id: UUID, *, account: str, code: str | None, order: Order) -> Done:
    """Set or forget an account's number in the seller's own chart. Raises as `map_account` does."""
    with carry_out(parts, order) as session:
        before, after = map_account(session, seller_id=seller_id, account=account, code=code)
        if before != after:
            note(
                parts,
                session,
                order,
                action="seller.map_account",
                subject_type="seller",
                subject_id=seller_id,
                seller_id=seller_id,
                before={account: before},
                after={account: after},
            )
    told = f"is {after}" if after else "has no number of its own"
    return Done(seller_id, account, changed=before != after, told=told)
