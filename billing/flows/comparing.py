"""Comparing: one window of a run: the provider's lists beside our rows, set-wise, and what differs becomes work."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

import structlog
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from billing.commands.difference.note import note_difference
from billing.commands.difference.resolve import resolve_difference
from billing.commands.movement.keep import keep_movements
from billing.commands.reconciliation.run import Run, move_run
from billing.flows import restoring
from billing.flows.dispute_events import adopt_dispute
from billing.flows.parts import Parts
from billing.flows.refund_events import reread_refund
from billing.flows.windows import not_before
from billing.kernel.errors import ProviderRefused, ProviderUnavailable, ProviderUncertain, ProviderUnreadable, Stale
from billing.kernel.failpoints import failpoint
from billing.kernel.ids import lowest_id_at
from billing.providers.listed import ListedDispute
from billing.providers.port import Provider
from billing.queries import reconciling
from billing.queries.differences import noted, unclaimed, undiscarded
from billing.queries.operations.reconciliation import earliest_attempt
from billing.queries.reconciling import Found
from billing.queries.reconciling_disputes import disputes_to_read, show_dispute
from billing.queries.reconciling_refunds import refunds_to_read

_log = structlog.get_logger(__name__)

FEE_DUE = timedelta(hours=24)
"""A charge's balance transaction is a difference only after this."""
SLACK = timedelta(minutes=5)
"""The provider's lists are read so much wider than the window, for clocks and calls that straddle its ends."""
NOTED_AT_ONCE = 100

T = TypeVar("T")


@dataclass(slots=True)
class Window:
    """What was created in [reached, until): taken into the temporary tables, then compared."""

    parts: Parts
    provider: Provider
    session: Session
    run: Run
    counts: dict[str, int] = field(default_factory=dict)

    def take(self, reached: datetime, until: datetime) -> Iterator[int]:
        """How many objects the provider shows, page by page."""
        low, high = reached - SLACK, until + SLACK
        reconciling.empty_lists(self.session)
        self.session.commit()
        self.counts = dict.fromkeys(("charges", "refunds", "disputes", "movements"), 0)
        provider, disputes = self.provider, _dispute_pages(self.parts, self.provider, low, high)
        yield from self._load(
            "charges", provider.charge_pages(created_from=low, created_to=high), reconciling.load_charges
        )
        yield from self._load(
            "refunds", provider.refund_pages(created_from=low, created_to=high), reconciling.load_refunds
        )
        yield from self._load("disputes", disputes, reconciling.load_disputes)
        yield from self._load(
            "movements", provider.movement_pages(created_from=low, created_to=high), reconciling.load_movements
        )

    def _load(
        self, list_: str, pages: Iterator[list[T]], load: Callable[[Session, Sequence[T]], None]
    ) -> Iterator[int]:
        for page in pages:
            if page:
                load(self.session, page)
                self.session.commit()
            with self.parts.begin() as living:
                move_run(living, self.run, reached_at=self.run.reached_at, counts={})
            failpoint("reconcile.page")
            self.counts[list_] += len(page)
            yield len(page)

    def whole(self, _reached: datetime, until: datetime) -> None:
        """Compare what was taken, and note that."""
        _adopt_disputes(self.parts, self.session, self.run)
        _reread_refunds(self.parts, self.session, self.run)
        _keep_late(self.parts, self.session, self.run)
        differences = _compare(self.parts, self.provider, self.session, self.run, until)
        with self.parts.begin() as moving:
            move_run(moving, self.run, reached_at=until, counts=self.counts | {"differences": differences})
        failpoint("reconcile.window")


def _dispute_pages(parts: Parts, provider: Provider, low: datetime, high: datetime) -> Iterator[list[ListedDispute]]:
    """What the provider still lists of them; those that are open for longer are asked for one by one."""
    with parts.begin() as session:
        now = parts.clock.now(session)
    low = not_before(low, now=now, back_s=provider.disputes_back_s)
    return provider.dispute_pages(created_from=low, created_to=high) if low < high else iter(())


def _adopt_disputes(parts: Parts, session: Session, run: Run) -> None:
    """Take over what we don't have so. The day's run also asks of those that are open for longer than it looks back."""
    daily = run.cause == "daily" and run.reached_at == run.from_at
    refs = disputes_to_read(session, account_id=run.provider_account_id, opened_before=run.from_at if daily else None)
    session.commit()
    for ref in refs:
        try:
            facts = adopt_dispute(parts, run.provider_account_id, ref)
        except ProviderUnreadable as odd:
            _log.warning("dispute_not_adopted", dispute=ref, error=str(odd))
            continue
        except (ProviderUnavailable, ProviderUncertain, Stale, OperationalError):
            raise
        except Exception as error:  # noqa: BLE001 (whatever it is, the others are compared; this one is a difference)
            _log.warning("dispute_not_adopted", dispute=ref, error=type(error).__name__)
            continue
        show_dispute(session, facts, account_id=run.provider_account_id)
        session.commit()
        with parts.begin() as living:
            move_run(living, run, reached_at=run.reached_at, counts={})


def _reread_refunds(parts: Parts, session: Session, run: Run) -> None:
    """What came back to the balance is read, however old the refund is: an event of it may never have been made."""
    refs = refunds_to_read(session, account_id=run.provider_account_id)
    session.commit()
    for ref in refs:
        try:
            reread_refund(parts, run.provider_account_id, ref)
        except ProviderRefused as refused:
            _log.warning("refund_not_reread", refund=ref, error=refused.code)
        with parts.begin() as living:
            move_run(living, run, reached_at=run.reached_at, counts={})


def _keep_late(parts: Parts, session: Session, run: Run) -> None:
    """A movement that was listed later than the provider promises is in our rows from now on: the next reading books.

    Stripe promises those of a charge within an hour (docs.stripe.com/payments/payment-intents/asynchronous-capture).
    """
    late = reconciling.late_movements(session, account_id=run.provider_account_id)
    if late:
        # What is older than all of ours was never read, and is none of our business.
        begun = earliest_attempt(session, run.provider_account_id)
        late = [each for each in late if begun is not None and each.created >= begun - SLACK]
    session.commit()
    if late:
        with parts.begin() as keeping:
            keep_movements(keeping, account_id=run.provider_account_id, listed=late)
        _log.warning("movements_listed_late", count=len(late))


def _compare(parts: Parts, provider: Provider, session: Session, run: Run, until: datetime) -> int:
    with parts.begin() as reading:
        now = parts.clock.now(reading)
    known = reconciling.known_in_sight(session, account_id=run.provider_account_id)
    count, batch = 0, []
    for found in _found(parts, provider, session, run, Span(run.reached_at, until, now)):
        known.pop((found.kind, found.object_ref), None)
        batch.append(found)
        count += 1
        if len(batch) == NOTED_AT_ONCE:
            _note(parts, run, batch)
            batch = []
    _note(parts, run, batch)
    session.rollback()
    for difference_id in known.values():
        with parts.begin() as closing:
            resolve_difference(closing, difference_id=difference_id, now=parts.clock.now(closing))
    return count


def stands(provider: Provider, found: Found) -> bool:
    """Whether the provider has it after all: a succeeded charge of the intent, the refund, or the dispute."""
    try:
        if found.kind == "refund_missing":
            return provider.read_refund(found.object_ref).status == "succeeded"
        if found.kind == "dispute_missing":
            return provider.read_dispute(found.object_ref).dispute_ref == found.object_ref
        charges = provider.list_charges(intent_ref=found.intent_ref) if found.intent_ref else iter(())
        return any(each.charge_ref == found.object_ref and each.status == "succeeded" for each in charges)
    except ProviderRefused:
        return False


@dataclass(frozen=True, slots=True)
class Span:
    """A window [start, end), and now."""

    start: datetime
    end: datetime
    now: datetime


def _found(parts: Parts, provider: Provider, session: Session, run: Run, span: Span) -> Iterator[Found]:
    account_id, ids = run.provider_account_id, _ids(parts, span.start, span.end)
    yield from reconciling.differences(session, account_id=account_id, fee_before=span.now - FEE_DUE)
    missing = list(reconciling.not_listed(session, account_id=account_id, from_at=span.start, to_at=span.end, ids=ids))
    session.rollback()
    yield from (each for each in missing if not stands(provider, each))


def _ids(parts: Parts, from_at: datetime, to_at: datetime) -> tuple[UUID, UUID]:
    """Bounds of ids made in the window: they carry wall time, which in the sandbox is not business time."""
    if parts.settings.billing_sandbox:
        return UUID(int=0), UUID(int=2**128 - 1)
    return lowest_id_at(from_at - SLACK), lowest_id_at(to_at + SLACK)


def _note(parts: Parts, run: Run, batch: Sequence[Found]) -> None:
    if not batch:
        return
    lost = [found for found in batch if found.lost]
    if lost:
        with parts.begin() as session:
            known = noted(session, run.provider_account_id, [found.object_ref for found in lost])
        # What was noted before has been dealt with by a healing, as far as it could be.
        news = [found for found in lost if found.object_ref not in known]
        if news:
            restoring.pause(parts, evidence=news[0].detail)
    with parts.begin() as session:
        now = parts.clock.now(session)
        batch = unclaimed(session, run.provider_account_id, batch)
        batch = undiscarded(session, run.provider_account_id, batch)
        for found in sorted(batch, key=lambda each: each.object_ref):
            note_difference(session, found, provider_account_id=run.provider_account_id, now=now)
    if batch:
        _log.warning("differences_noted", count=len(batch))
