"""Compose a document: lines become amounts with discount, tax, credit, and both parties. Pure; `issue` writes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

from billing.commands.invoice.planned import Held, PlannedInvoice, PlannedLine
from billing.kernel.ids import new_id
from billing.models import Seller
from billing.rules.discount import Discount, base_of, discount_shares
from billing.rules.totals import LineAmount, Totals, totals
from billing.rules.walk import Span


@dataclass(slots=True)
class Wallet:
    """Credit in store of the customers at hand, and their debts that were carried forward, as the documents planned so
    far leave them, in minor units.

    `moves` and `brought` collect what must be written of each, by (seller, profile, currency).
    """

    balances: dict[tuple[UUID, str], int] = field(default_factory=dict)
    carried_forward: dict[tuple[UUID, str], int] = field(default_factory=dict)
    moves: dict[tuple[UUID, UUID, str], int] = field(default_factory=dict)
    brought: dict[tuple[UUID, UUID, str], int] = field(default_factory=dict)

    def of(self, profile_id: UUID, currency: str) -> tuple[int, int]:
        """Credit, and debt carried forward."""
        key = (profile_id, currency)
        return self.balances.get(key, 0), self.carried_forward.get(key, 0)

    def add(
        self, seller_id: UUID, profile_id: UUID, currency: str, credit_minor: int, *, carried_forward_minor: int = 0
    ) -> None:
        """Put in (or, below 0, take out). Moving nothing leaves no trace."""
        key = (seller_id, profile_id, currency)
        if credit_minor:
            self.balances[key[1:]] = self.balances.get(key[1:], 0) + credit_minor
            self.moves[key] = self.moves.get(key, 0) + credit_minor
        if carried_forward_minor:
            self.carried_forward[key[1:]] = self.carried_forward.get(key[1:], 0) + carried_forward_minor
            self.brought[key] = self.brought.get(key, 0) + carried_forward_minor


class Frame(NamedTuple):
    """What a document says beside its lines. `profile` is a row of `queries.standing`; `parties` is JSON."""

    seller: Seller
    profile: Any
    parties: bytes
    currency: str
    subscription_id: UUID | None = None
    span: Span | None = None
    collection: str = "automatic"
    days_until_due: int = 0
    charged: bool = True
    hold_id: UUID | None = None
    held: Held | None = None
    """A draft takes no credit: that which is there at its issue is used, or of one to be paid at first, none. So it is
    with what was carried forward."""


def in_base(line: PlannedLine) -> bool:
    """Whether a line belongs to the base of a discount: all but credits for lines that stood on a document before."""
    return not (line.kind == "proration_credit" and line.credits_issued)


def discountable(lines: Sequence[PlannedLine]) -> bool:
    """Whether a document of these lines has a positive base, and so counts for a coupon."""
    return base_of([(line.amount_minor, in_base(line)) for line in lines]) > 0


def discounted(lines: Sequence[PlannedLine], discount: Discount) -> list[PlannedLine]:
    """The lines with their shares of the discount."""
    shares = discount_shares(discount, [(line.amount_minor, in_base(line)) for line in lines])
    return [line._replace(discount_minor=part) if part else line for line, part in zip(lines, shares, strict=True)]


def compose(frame: Frame, lines: Sequence[PlannedLine], *, wallet: Wallet) -> PlannedInvoice:
    """The document of these lines: an invoice that uses credit, or where the total is below 0 a note that gives it.

    The wallet is used and fed at once, so documents are composed in the order in which they are issued.
    """
    profile, currency = frame.profile, frame.currency
    amounts = tuple([LineAmount(line.amount_minor, line.treatment, line.discount_minor) for line in lines])
    of_wallet = (0, 0) if frame.held else wallet.of(profile.id, currency)
    summed = _totals(amounts, *of_wallet)
    held = None if summed.credit_note or not summed.amount_due_minor else frame.held
    if summed.credit_note:
        lines = [line._replace(amount_minor=-line.amount_minor, discount_minor=-line.discount_minor) for line in lines]
        wallet.add(frame.seller.id, profile.id, currency, summed.total_minor)
    else:
        used, brought = summed.credit_applied_minor, summed.brought_forward_minor
        wallet.add(frame.seller.id, profile.id, currency, -used, carried_forward_minor=-brought)
    return PlannedInvoice(
        id=new_id(),
        seller_id=frame.seller.id,
        profile_id=profile.id,
        subscription_id=frame.subscription_id,
        currency=currency,
        period_start=frame.span.start if frame.span else None,
        period_end=frame.span.end if frame.span else None,
        lines=tuple(lines),
        totals=summed,
        collection=frame.collection,
        days_until_due=frame.days_until_due,
        charged=frame.charged,
        buyer_country=profile.country,
        buyer_kind=profile.buyer_kind,
        parties_json=frame.parties,
        kind="credit_note" if summed.credit_note else "invoice",
        held=held,
        hold_id=frame.hold_id if held is Held.GUARD else None,
    )


@lru_cache(maxsize=8192)
def _totals(lines: tuple[LineAmount, ...], balance_minor: int, carried_forward_minor: int) -> Totals:
    """Most documents of a seller add up to one of few sums."""
    return totals(lines, balance_minor=balance_minor, carried_forward_minor=carried_forward_minor)
