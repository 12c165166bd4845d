"""Sending: many attempts at once, marked just before the call, recorded soon after; no transaction spans a call."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from contextvars import Context, copy_context
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import ParamSpec, TypeVar
from uuid import UUID

import structlog
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from billing.commands.invoice.correct import forward_rest
from billing.commands.payment.put_back import put_back
from billing.commands.payment.record import record
from billing.commands.payment.send import mark_sent
from billing.db.clock import wall_now
from billing.flows.forwarding import leaves_rest, lock_whose
from billing.flows.incomplete import complete
from billing.flows.metered import Metered
from billing.flows.parts import Parts
from billing.flows.permits import Permit
from billing.flows.turns import Turns, no_permit
from billing.kernel.errors import NoPermit, Refused
from billing.kernel.failpoints import failpoint
from billing.kernel.hold import Hold
from billing.kernel.status import OPEN_PAYMENT, InvoiceStatus, PaymentKind
from billing.models import Payment
from billing.providers.port import ChargeOutcome, ChargeRequest, Outcome
from billing.queries.collecting import Answered, lock_answered
from billing.queries.collection import Attempted
from billing.rules.rate import Rank

_log = structlog.get_logger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

GATHER = 32
GATHER_S = 0.05
"""So many answers, or those of so many seconds, are recorded together while others are awaited."""
RECORD_TRIES = 3
"""A deadlock or a lock time-out repeats the recording transaction, never the call."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt in this worker's hands, with everything that its call needs."""

    payment_id: UUID
    token: int
    provider_account_id: UUID
    request: ChargeRequest
    first_sent_at: datetime | None
    sent_before: bool
    """True where this key may have reached the provider already: then only an answer ends it."""
    hold: Hold = field(compare=False)
    """Once it is over, others may have sent it and gone on: nothing is sent any more."""

    @classmethod
    def of(cls, payment: Payment | Attempted, *, sent_before: bool, lease_s: float) -> Attempt:
        """From its row, which was taken for `lease_s` just now; the request says exactly what the row froze."""
        return cls(
            payment_id=payment.id,
            token=payment.token,
            provider_account_id=payment.provider_account_id,
            request=ChargeRequest(
                payment_id=payment.id,
                invoice_id=payment.invoice_id,
                customer_ref=payment.customer_ref,
                method_ref=payment.method_ref,
                kind=payment.method_kind,
                amount_minor=payment.amount_minor,
                currency=payment.currency,
                intent_ref=payment.confirms_ref,
                on_session=payment.kind == PaymentKind.ON_SESSION,
                spent_before=payment.spent_before,
            ),
            first_sent_at=payment.first_sent_at,
            sent_before=sent_before,
            hold=Hold(lease_s),
        )


Answer = tuple[Attempt, ChargeOutcome]


def send_all(
    parts: Parts, attempts: Sequence[Attempt], *, rank: Rank, more: Callable[[], Sequence[Attempt]] | None = None
) -> None:
    """Send every attempt once, at most `billing_charges_in_flight` at a time, and record each answer.

    Each waits for its permit; one that doesn't get it in time is given back unsent, to be tried later under its own
    key. `more`: further attempts, asked for while the last ones are on their way, until there are none.
    """
    if not attempts:
        return
    most = parts.settings.billing_charges_in_flight
    turns = Turns(parts, attempts, rank=rank, more=more)
    running: dict[Future[ChargeOutcome], Attempt] = {}
    answers: list[Answer] = []
    write_at = 0.0
    with calling(parts, most=most) as pool:
        while turns.left or running or answers:
            due = turns.due(room=most - len(running))
            lines = {attempt.payment_id: (provider, permit) for attempt, provider, permit in due}
            for attempt, now in _mark(parts, [attempt for attempt, _, _ in due]):
                running[pool.submit(_call_of, copy_context(), *lines[attempt.payment_id], attempt, now)] = attempt
            ended = _wait(running, until=write_at if answers else None, pause_s=turns.pause_s(room=most - len(running)))
            if not answers:
                write_at = time.monotonic() + GATHER_S
            answers += turns.take_unsent()
            answers += [(running.pop(future), future.result()) for future in ended]
            if answers and (len(answers) >= GATHER or not running or time.monotonic() >= write_at):
                failpoint("charge.answered")
                _record(parts, answers, running)
                answers = []


def _record(parts: Parts, answers: Sequence[Answer], running: Mapping[Future[ChargeOutcome], Attempt]) -> None:
    """Record answers. Where one can't be, no more is sent, and what is on its way is recorded all the same."""
    try:
        write_answers(parts, answers)
    except OperationalError:
        raise
    except Exception as error:
        try:
            if running:
                write_answers(parts, [(attempt, future.result()) for future, attempt in running.items()])
        except Exception as another:  # noqa: BLE001 (one is enough to end with)
            error.add_note(f"and of those on their way: {type(another).__name__}")
        raise


def _wait(
    running: Collection[Future[ChargeOutcome]], *, until: float | None, pause_s: float | None
) -> set[Future[ChargeOutcome]]:
    """Until a call ends, or the next may be sent, or answers have been gathered for long enough."""
    limits = [] if pause_s is None else [pause_s]
    if until is not None:
        limits.append(max(0.0, until - time.monotonic()))
    if running:
        return wait(running, timeout=min(limits, default=None), return_when=FIRST_COMPLETED).done
    time.sleep(min(limits, default=0.0))
    return set()


class _InTurn(Executor):
    """Calls one after another, in this thread."""

    def submit(self, call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Make the call; its future is done."""
        made: Future[T] = Future()
        made.set_result(call(*args, **kwargs))
        return made


def calling(parts: Parts, *, most: int) -> Executor:
    """Who makes the calls: a pool that waits for many answers at once, or nobody but us where none is waited for."""
    return ThreadPoolExecutor(max_workers=most) if parts.settings.calls_in_threads else _InTurn()


def _mark(parts: Parts, batch: Sequence[Attempt]) -> list[tuple[Attempt, datetime]]:
    if not batch:
        return []
    with parts.begin() as session:
        now = parts.clock.now(session)
        held = [(each.payment_id, each.token) for each in batch]
        ours = mark_sent(session, held, now=now)
        if len(ours) < len(held):
            put_back(session, [each for each in held if each[0] not in ours], now=now)
    failpoint("charge.marked")
    return [(each, now) for each in batch if each.payment_id in ours]


def _call_of(run: Context, provider: Metered, permit: Permit | None, attempt: Attempt, now: datetime) -> ChargeOutcome:
    """The call, in whichever thread, as a part of the run that makes it."""
    return run.run(call, provider, permit, attempt, now)


def call(provider: Metered, permit: Permit | None, attempt: Attempt, now: datetime) -> ChargeOutcome:
    """The call itself. Whatever breaks that the adapter did not foresee leaves the outcome unknown.

    `permit`: of a block; without one, it waits for one.
    """
    age_s = 0.0
    if attempt.sent_before and attempt.first_sent_at is not None:
        # The business clock may stand still in the sandbox; a repeat is never taken for the first sending.
        age_s = max(1.0, (now - attempt.first_sent_at).total_seconds())
    failpoint("charge.sending")
    try:
        outcome = provider.charge(
            attempt.request, key=str(attempt.payment_id), key_age_s=age_s, hold=attempt.hold, permit=permit
        )
    except NoPermit as none:
        outcome = no_permit(none.retry_after_s or 0.0)
    except Refused as refused:
        # A rule of ours, asked before anything is sent: an amount that the provider can't express, a key too old.
        outcome = ChargeOutcome(Outcome.NOT_SENT, reason=refused.code, needs_person=True)
    except Exception as error:  # noqa: BLE001 (an unforeseen fault after sending proves nothing)
        outcome = ChargeOutcome(Outcome.UNKNOWN, reason=type(error).__name__)
    if attempt.sent_before and outcome.outcome is Outcome.NOT_SENT:
        return replace(outcome, outcome=Outcome.UNKNOWN)
    return outcome


def write_answers(parts: Parts, answers: Sequence[Answer]) -> None:
    """Record answers in one transaction. An attempt in other hands, or closed meanwhile, is left as it is.

    An answer that can't be recorded keeps no other from it; what it raised comes out at the end.
    """
    try:
        _write_together(parts, answers)
    except OperationalError:
        raise
    except Exception:
        if len(answers) == 1:
            raise
        _log.exception("answers_recorded_one_by_one", answers=len(answers))
        failed: list[Exception] = []
        for answer in answers:
            try:
                _write_together(parts, [answer])
            except Exception as error:  # noqa: BLE001 (whatever it is, the others are recorded)
                failed.append(error)
        if failed:
            raise failed[0] from None


def _write_together(parts: Parts, answers: Sequence[Answer]) -> None:
    for last in range(RECORD_TRIES):
        try:
            with parts.begin() as session:
                _write(parts, session, answers)
                failpoint("charge.record")
        except OperationalError:
            if last == RECORD_TRIES - 1:
                raise
        else:
            failpoint("charge.recorded")
            return


def _write(parts: Parts, session: Session, answers: Sequence[Answer]) -> None:
    now, wall = parts.clock.now(session), wall_now(session)
    ids = [attempt.payment_id for attempt, _ in answers]
    paid = [attempt for attempt, outcome in answers if outcome.outcome is Outcome.SUCCEEDED]
    asked = [(each.request.invoice_id, each.provider_account_id, each.request.currency) for each in paid]
    lock_whose(parts, session, asked)
    locked = lock_answered(session, ids)
    ours = []
    for attempt, outcome in answers:
        row = locked[attempt.payment_id]
        if row.token != attempt.token or row.status not in OPEN_PAYMENT:
            _log.info("late_answer_dropped", payment=str(row.payment_id), outcome=outcome.outcome)
            continue
        ours.append((row, outcome))
    write_outcomes(parts, session, ours, now=now, wall=wall)


def write_outcomes(
    parts: Parts, session: Session, outcomes: Sequence[tuple[Answered, ChargeOutcome]], *, now: datetime, wall: datetime
) -> None:
    """Record what became of locked attempts that are ours. A first payment issues the draft that it is for.

    What the provider can't move of an invoice is carried forward. The caller holds whose they are (`lock_whose`), and
    did before it took the attempts.
    """
    drafts = {
        row.payment_id: row.invoice.id
        for row, outcome in outcomes
        if row.invoice.status == InvoiceStatus.DRAFT and outcome.outcome is Outcome.SUCCEEDED
    }
    if drafts:
        complete(parts, session, list(drafts.values()), now=now)
        session.flush()
        issued = lock_answered(session, drafts)
        outcomes = [(issued.get(row.payment_id, row), outcome) for row, outcome in outcomes]
    for row, outcome in outcomes:
        came = outcome.outcome is Outcome.SUCCEEDED and row.invoice.status == InvoiceStatus.OPEN
        if came and leaves_rest(parts, session, row.invoice, account=row.provider_account_id, paid=row.amount_minor):
            forward_rest(session, row.invoice, paid_minor=row.amount_minor, now=now)
    record(session, outcomes, now=now, wall=wall, back_off_s=parts.settings.back_off_s)
