"""Collection: find invoices whose next try is due, open attempts, send them, record what came of them."""

from __future__ import annotations

import time
import traceback
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

import structlog
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session

from billing.commands.invoice.hold import hold_invoice
from billing.commands.invoice.retry import has_attempt_in_flight
from billing.commands.payment.open import open_payments
from billing.commands.slice.claim import ClaimedSlice, claim, claim_next, end, hold_token
from billing.commands.slice.cut import cut
from billing.db.clock import wall_now
from billing.flows.carrying import may_open, rooms
from billing.flows.elsewhere import leave_elsewhere
from billing.flows.forwarding import carry_forward, chargeable
from billing.flows.parts import Parts
from billing.flows.quarantine import park_unsound
from billing.flows.restoring import recognise
from billing.flows.sending import Attempt, send_all
from billing.flows.slices import STARTS_ALONE, give_back
from billing.kernel.errors import Stale
from billing.kernel.failpoints import failpoint
from billing.kernel.status import COLLECTABLE, OPEN_PAYMENT, SliceStatus
from billing.privacy.redaction import redact_error
from billing.queries.collecting import Collecting
from billing.queries.collection import Due, load_due
from billing.queries.due import invoices_to_charge
from billing.queries.invoice import lock_invoice
from billing.rules.rate import Rank

_log = structlog.get_logger(__name__)
_THERE_ALREADY = "23505"
"""PostgreSQL's `unique_violation`: two workers open an attempt, or an intent, of one invoice."""


def plan(parts: Parts) -> int:
    """Cut invoices that are due for a try into slices and nudge a worker for each. Returns their number.

    No more than their provider account can take in the near future; the rest stays due.
    """
    if not recognise(parts):
        return 0
    with parts.begin() as session:
        if not session.scalar(text("SELECT pg_try_advisory_xact_lock(hashtext('billing.collections.plan'))")):
            return 0
        by_account = {room.account: room for room in rooms(parts, session)}
        most = {account: room.invoices for account, room in by_account.items()}
        due = invoices_to_charge(session, now=parts.clock.now(session), most=most)
        if not due:
            return 0
        for account, invoices in due.items():
            cut(session, kind="charges", members=invoices, size=by_account[account].slice_size, account=account)
        failpoint("charge.planned")
    return sum(map(len, due.values()))


def charge(parts: Parts, slice_id: UUID) -> int:
    """Charge one slice, and those that wait behind it, for a while: calls never pause between two slices.

    Returns the number of attempts opened; 0 where the slice is done or in other hands.

    The slice ends when its attempts are committed: from then on each attempt is its own job, with its own lease. What
    is too little to be tried is carried forward after they are sent: ending what the provider has of it takes calls.
    """
    with parts.begin() as session:
        claimed = claim(session, slice_id=slice_id, lease_s=parts.settings.lease_s)
    if claimed is None:
        return 0
    small: list[Collecting] = []
    first = _opened(parts, claimed, small)
    sent, until = len(first), time.monotonic() + parts.settings.stream_s

    def more() -> list[Attempt]:
        """While the last calls are on their way: the attempts of the next slice that nobody has begun."""
        nonlocal sent
        while time.monotonic() < until:
            with parts.begin() as session:
                following = claim_next(session, kind="charges", lease_s=parts.settings.lease_s)
            if following is None:
                break
            attempts = _opened(parts, following, small)
            if attempts:
                sent += len(attempts)
                return attempts
        return []

    send_all(parts, first, rank=Rank.CHARGES, more=more if parts.settings.stream_s else None)
    _carry_forward(parts, small)
    return sent


def _opened(parts: Parts, claimed: ClaimedSlice, small: list[Collecting]) -> list[Attempt]:
    """The slice's attempts, committed; none where its opening failed, which is then dealt with. `small` is added to.

    A worker that died while opening one left nothing: what killed it is in one half, or is the last invoice left.
    """
    failpoint("charge.pre_freeze")
    if claimed.tries > (1 if len(claimed.member_ids) > 1 else STARTS_ALONE):
        _divide(parts, claimed, error="its worker died each time", trace=None)
        return []
    try:
        attempts = _open(parts, claimed, small)
    except Exception as error:  # noqa: BLE001 (whatever it is, the good ones of the slice must still be charged)
        if _passes(error):
            # Another worker opened one of these first, or the database is away: look again at the next sweep.
            _log.info("charge_slice_given_back", slice=str(claimed.id), reason=type(error).__name__)
            give_back(parts, claimed, error=type(error).__name__)
        else:
            _log.warning("charge_slice_failed", slice=str(claimed.id), error=type(error).__name__)
            trace = "".join(traceback.format_tb(error.__traceback__))[-4000:]
            _divide(parts, claimed, error=redact_error(error), trace=trace)
        return []
    failpoint("charge.frozen")
    return attempts


def _passes(error: Exception) -> bool:
    """Whether nothing is wrong with the invoices. Of what a constraint refuses, only that a row is there already."""
    if isinstance(error, IntegrityError):
        return getattr(error.orig, "sqlstate", None) == _THERE_ALREADY
    return isinstance(error, (Stale, OperationalError))


def _open(parts: Parts, claimed: ClaimedSlice, small: list[Collecting]) -> list[Attempt]:
    leave_elsewhere(parts, claimed.member_ids)
    with parts.begin() as session:
        hold_token(session, claimed)
        now = parts.clock.now(session)
        members = claimed.member_ids[: may_open(session, claimed.provider_account_id)]
        park_unsound(session, claimed.member_ids, now=now)
        due = [_charged(parts, session, each) for each in load_due(session, invoices=members, now=now)]
        too_little = [each.invoice for each in due if _is_too_little(each)]
        tried = [each for each in due if each.invoice not in too_little] if too_little else due
        lease_s = parts.settings.lease_s
        opened = open_payments(session, tried, now=now, wall=wall_now(session), lease_s=lease_s)
        attempts = [Attempt.of(payment, sent_before=False, lease_s=lease_s) for payment in opened.payments]
        end(session, claimed, status=SliceStatus.DONE)
        failpoint("charge.freeze_commit")
    small += too_little
    return attempts


def _charged(parts: Parts, session: Session, due: Due) -> Due:
    """With what its method's account charges of it."""
    if due.method is None:
        return due
    amount = chargeable(parts, due.invoice, account=due.method.provider_account_id, session=session)
    return due if amount == due.amount_minor else replace(due, amount_minor=amount)


def _is_too_little(due: Due) -> bool:
    """Nothing is under way of it, and its method's account charges more."""
    return not due.amount_minor and not any(attempt.status in OPEN_PAYMENT for attempt in due.attempts)


def _carry_forward(parts: Parts, invoices: Sequence[Collecting]) -> None:
    """One by one: what fails here keeps no other from it."""
    for each in invoices:
        try:
            carry_forward(parts, each)
        except Exception as error:  # noqa: BLE001 (as of a slice: whatever it is, the others go on)
            if _passes(error):
                _log.info("invoice_not_carried_forward", invoice=str(each.id), reason=type(error).__name__)
                continue
            _log.warning("invoice_not_carried_forward", invoice=str(each.id), error=type(error).__name__)
            trace = "".join(traceback.format_tb(error.__traceback__))[-4000:]
            with parts.begin() as session:
                _hold(parts, session, each.id, error=redact_error(error), trace=trace)


def _divide(parts: Parts, claimed: ClaimedSlice, *, error: str, trace: str | None) -> None:
    """Halve a slice that failed; an invoice that fails alone is held for a person.

    Unless it needs no try any more: while its slice waited it was paid, taken back, held, or tried by the customer.
    """
    members = claimed.member_ids
    with parts.begin() as session:
        if len(members) > 1:
            end(session, claimed, status=SliceStatus.SPLIT, error=error)
            middle = len(members) // 2
            for half in (members[:middle], members[middle:]):
                cut(
                    session,
                    kind="charges",
                    members=half,
                    size=len(members),
                    parent=claimed.id,
                    account=claimed.provider_account_id,
                )
            return
        end(session, claimed, status=SliceStatus.DONE, error=error)
        _hold(parts, session, members[0], error=error, trace=trace)


def _hold(parts: Parts, session: Session, invoice_id: UUID, *, error: str, trace: str | None) -> None:
    invoice = lock_invoice(session, invoice_id)
    wanted = invoice.status in COLLECTABLE and invoice.next_attempt_at is not None and invoice.hold_id is None
    if not wanted or has_attempt_in_flight(session, invoice.id):
        return
    hold_invoice(
        session,
        invoice=invoice,
        summary=f"Invoice {invoice.named} could not be charged and is on hold; all others were tried.",
        error=error,
        trace=trace,
        now=parts.clock.now(session),
    )
