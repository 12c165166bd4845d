"""Many invoices under collection, and attempts that are answered, as plain rows under lock: one statement a batch."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, fields
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from billing.db.rows import fetch


@dataclass(slots=True)
class Collecting:
    """An invoice as its collection sees it, under lock. What is changed here is written by `write_collecting`."""

    id: UUID
    seller_id: UUID
    profile_id: UUID
    subscription_id: UUID | None
    number: str | None
    currency: str
    status: str
    amount_paid_minor: int
    amount_carried_forward_minor: int
    amount_remaining_minor: int
    paid_at: datetime | None
    next_attempt_at: datetime | None
    charge_not_before: datetime | None
    dunning_step: int
    dunning_at: datetime | None
    on_schedule: bool
    extra_try: bool
    waits_for_method: bool
    falls_back_to: UUID | None
    card_limit_until: datetime | None
    final_decision: str | None

    @property
    def named(self) -> str:
        """What a person finds it by: its number, or the id of a draft."""
        return self.number or str(self.id)


_NAMES = [each.name for each in fields(Collecting)]
COLLECTING = ", ".join(f"i.{name}" for name in _NAMES)
"""The columns of `Collecting`, in its order."""


def collecting(row: tuple[object, ...]) -> Collecting:
    """The invoice at the head of a row that begins with `COLLECTING`."""
    return Collecting(*row[: len(_NAMES)])  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class SellerDunning:
    """What a seller says of retries, as it stands on its row."""

    dunning_retry_s: list[int]
    dunning_final: str
    retry_first_h: int | None
    retry_end_h: int | None
    card_limit: str
    fall_back: bool
    debit_notice_days: int
    creditor_id: str | None


SELLER_DUNNING = ", ".join(f"s.{each.name}" for each in fields(SellerDunning))


@dataclass(frozen=True, slots=True)
class Answered:
    """An attempt whose answer is to be written, with its invoice and its intent, all three under lock."""

    invoice: Collecting
    payment_id: UUID
    attempt_no: int
    opened_at: datetime
    token: int
    status: str
    kind: str
    amount_minor: int
    checks: int
    payment_method_id: UUID
    method_kind: str | None
    provider_account_id: UUID
    intent_id: UUID
    intent_ref: str | None
    intent_status: str


# Each invoice is locked before its attempt and its intent, and invoices in id order, as everywhere.
_ANSWERED = f"""
    SELECT {COLLECTING}, p.id AS payment_id, p.attempt_no, p.opened_at, p.token, p.status AS payment_status,
           p.kind AS payment_kind, p.amount_minor, p.checks, p.payment_method_id, p.method_kind,
           p.provider_account_id,
           n.id AS intent_id, n.intent_ref, n.status AS intent_status
    FROM billing.invoice i
    JOIN billing.payment p ON p.invoice_id = i.id AND p.seller_id = i.seller_id
    JOIN billing.payment_intent n ON n.id = p.payment_intent_id AND n.seller_id = p.seller_id
    WHERE p.id = ANY(%(payments)s)
    ORDER BY i.id
    FOR NO KEY UPDATE OF i, p, n
"""  # noqa: S608 (our own names)
_INVOICES = f"""
    SELECT {COLLECTING} FROM billing.invoice i WHERE i.id = ANY(%(invoices)s) ORDER BY i.id FOR NO KEY UPDATE
"""  # noqa: S608


def lock_answered(session: Session, payments: Collection[UUID]) -> dict[UUID, Answered]:
    """Lock attempts with their invoices and intents; by attempt, in the order of invoices."""
    found = (
        Answered(collecting(row), *row[len(_NAMES) :]) for row in fetch(session, _ANSWERED, payments=list(payments))
    )
    return {each.payment_id: each for each in found}


def lock_collecting(session: Session, invoices: Collection[UUID]) -> list[Collecting]:
    """Lock invoices in id order."""
    return [collecting(row) for row in fetch(session, _INVOICES, invoices=list(invoices))]
