"""The proof: every invariant of the audit, and our books beside the provider's own, counted here a second time."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import islice

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.flows import audit
from billing.flows.audit_report import Report
from billing.flows.parts import Parts
from billing.kernel.period import Interval, IntervalUnit, boundaries_between
from billing.providers.stripe.witness import Witness, WitnessedCharge
from billing.providers.witnesses import Witnesses, unlisted
from billing.sandbox.clock import stand_ins
from billing.sandbox.stack import Stack

_SHOWN = 5

Money = dict[str, int]
"""Minor units by currency."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that must hold, and what speaks against it; nothing where it holds."""

    holds: str
    against: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Proof:
    """All findings, and the money as three books have it."""

    audited: Report
    invariants: tuple[Finding, ...]
    comparison: tuple[Finding, ...]
    at_provider: Money
    in_clearing: Money
    on_invoices: Money

    @property
    def wrong(self) -> list[str]:
        """What is wrong, each in a sentence."""
        return [f"{each.holds} {what}" for each in (*self.invariants, *self.comparison) for what in each.against]


def prove(stack: Stack) -> Proof:
    """Audit everything, logs too, and compare with the witness. Call it when all is quiet.

    Raises `ProviderUnavailable`.
    """
    parts = stack.parts
    standing = stand_ins(parts)
    witness = Witnesses(lambda: standing)
    report = audit.run(parts, witness=witness, texts=stack.log_lines)
    invariants = []
    for checked in report.checked:
        shown = [
            f"{each.subject_type} {each.subject_id}: {each.detail}"
            for each in report.violations
            if each.code == checked.code
        ]
        against = tuple(shown[:_SHOWN]) if checked.violations else ()
        invariants.append(Finding(f"{checked.code}: {checked.meaning}", against))
    moved = [charge for charge in witness.charges() if charge.status == "succeeded"]
    with parts.begin() as session:
        at_provider = _sum((charge.currency, charge.amount_minor) for charge in moved)
        in_clearing = _sum((row[0], row[1]) for row in session.execute(_CLEARING))
        on_invoices = _sum((row[0], row[1]) for row in session.execute(_PAID))
        comparison = (
            Finding(
                "What the providers moved is what our books and our invoices say, by currency.",
                tuple(_differences(at_provider, in_clearing, on_invoices)),
            ),
            Finding("Each charge belongs to exactly one invoice.", tuple(_strays(session, moved))),
            Finding("No invoice was charged twice.", tuple(_doubles(moved))),
            Finding("The providers were told nothing but what is on their lists.", _unlisted(standing)),
            Finding("Every period that has begun is billed, and no other.", tuple(_missed(session, parts))),
        )
    return Proof(report, tuple(invariants), comparison, at_provider, in_clearing, on_invoices)


_CLEARING = text(
    """
    SELECT p.currency, sum(p.amount_minor)::bigint FROM billing.posting p
    JOIN billing.ledger_entry e ON e.id = p.entry_id AND e.seller_id = p.seller_id
    WHERE p.account = 'provider_clearing' AND e.kind IN ('payment', 'unapplied_payment') GROUP BY p.currency
    """
)
_PAID = text(
    "SELECT currency, sum(amount_paid_minor)::bigint FROM billing.invoice WHERE amount_paid_minor > 0 GROUP BY currency"
)
_INVOICES = text("SELECT id::text FROM billing.invoice WHERE kind = 'invoice'")
_SUBSCRIPTIONS = text(
    """
    SELECT s.code, s.anchor_at, s.timezone, s.interval_unit, s.interval_count, s.ended_at,
           greatest(s.started_at, s.paid_through) AS from_at,
           array(SELECT p.starts_at FROM billing.billing_period p
                 WHERE p.subscription_id = s.id AND p.disposition = 'billed' ORDER BY p.starts_at) AS billed
    FROM billing.subscription s ORDER BY s.code
    """
)


def _unlisted(standing: Iterable[Witness]) -> tuple[str, ...]:
    """One of each kind of breach: a path that is wrong once is wrong at each request."""
    told = {what for each in standing for what in unlisted(each.providers[0], each.requests())}
    return tuple(islice(sorted(told), _SHOWN))


def _sum(amounts: Iterable[tuple[str, int]]) -> Money:
    total: Counter[str] = Counter()
    for currency, amount in amounts:
        total[currency] += int(amount)
    return dict(sorted(total.items()))


def _differences(at_provider: Money, in_clearing: Money, on_invoices: Money) -> Iterable[str]:
    for currency in sorted({*at_provider, *in_clearing, *on_invoices}):
        three = tuple(book.get(currency, 0) for book in (at_provider, in_clearing, on_invoices))
        if len(set(three)) > 1:
            yield f"{currency}: the provider has {three[0]}, the ledger {three[1]}, the invoices {three[2]}"


def _strays(session: Session, moved: list[WitnessedCharge]) -> Iterable[str]:
    ours = set(session.execute(_INVOICES).scalars())
    for charge in moved:
        if charge.invoice_id not in ours:
            yield f"charge {charge.charge_ref} names {charge.invoice_id or 'no invoice'}, which is not ours"


def _doubles(moved: list[WitnessedCharge]) -> Iterable[str]:
    charges: dict[str, list[str]] = defaultdict(list)
    for charge in moved:
        charges[charge.invoice_id or ""].append(charge.charge_ref)
    for invoice, refs in charges.items():
        if len(refs) > 1:
            yield f"invoice {invoice}: {', '.join(refs)}"


def _missed(session: Session, parts: Parts) -> Iterable[str]:
    """By the calendar alone: the engine's own next due moments are not asked."""
    now = parts.clock.now(session)
    for row in session.execute(_SUBSCRIPTIONS):
        interval = Interval(IntervalUnit(row.interval_unit), row.interval_count)
        over = min(now, row.ended_at) if row.ended_at else now
        begun = boundaries_between(row.anchor_at, row.timezone, interval, start=row.from_at, end=over)
        due: set[datetime] = {at for _, at in begun}
        billed = set(row.billed)
        if missing := due - billed:
            yield f"{row.code}: not billed from {min(missing):%Y-%m-%d}"
        # A period that begins at this very moment, or at the very end, may stand on either side.
        if extra := billed - due - {over}:
            yield f"{row.code}: billed from {min(extra):%Y-%m-%d} without a reason"
        if len(billed) != len(row.billed):
            yield f"{row.code}: a period was billed twice"
