"""Sending: many attempts at once, marked just before the call, recorded soon after; no transaction spans a call."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

import structlog
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from billing.commands.payment.put_back import put_back
from billing.commands.payment.record import Recording, record
from billing.commands.payment.send import mark_sent
from billing.db.clock import wall_now
from billing.flows.incomplete import complete
from billing.flows.parts import Parts
from billing.kernel.failpoints import failpoint
from billing.kernel.status import OPEN_PAYMENT, InvoiceStatus, PaymentKind
from billing.models import Payment
from billing.providers.port import ChargeOutcome, ChargeRequest, Outcome, Provider
from billing.queries.collection import lock_attempts

_log = structlog.get_logger(__name__)

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

    @classmethod
    def of(cls, payment: Payment, *, sent_before: bool) -> Attempt:
        """From its row; the request says exactly what the row froze."""
        return cls(
            payment_id=payment.id,
            token=payment.token,
            provider_account_id=payment.provider_account_id,
            request=ChargeRequest(
                payment_id=payment.id,
                invoice_id=payment.invoice_id,
                customer_ref=payment.customer_ref,
                method_ref=payment.method_ref,
                amount_minor=payment.amount_minor,
                currency=payment.currency,
                intent_ref=payment.confirms_ref,
                on_session=payment.kind == PaymentKind.ON_SESSION,
            ),
            first_sent_at=payment.first_sent_at,
            sent_before=sent_before,
        )


Answer = tuple[Attempt, ChargeOutcome]


def send_all(parts: Parts, attempts: Sequence[Attempt]) -> None:
    """Send every attempt once, at most `billing_charges_in_flight` at a time, and record each answer."""
    if not attempts:
        return
    providers = {account: parts.provider(account) for account in {each.provider_account_id for each in attempts}}
    most = parts.settings.billing_charges_in_flight
    waiting = deque(attempts)
    running: dict[Future[ChargeOutcome], Attempt] = {}
    with ThreadPoolExecutor(max_workers=min(most, len(attempts))) as pool:
        while waiting or running:
            batch = [waiting.popleft() for _ in range(min(most - len(running), len(waiting)))]
            for attempt, now in _mark(parts, batch):
                running[pool.submit(call, providers[attempt.provider_account_id], attempt, now)] = attempt
            if running:
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                failpoint("charge.answered")
                write_answers(parts, [(running.pop(future), future.result()) for future in done])


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


def call(provider: Provider, attempt: Attempt, now: datetime) -> ChargeOutcome:
    """The call itself. Whatever breaks that the adapter did not foresee leaves the outcome unknown."""
    age_s = 0.0
    if attempt.sent_before and attempt.first_sent_at is not None:
        # The business clock may stand still in the sandbox; a repeat is never taken for the first sending.
        age_s = max(1.0, (now - attempt.first_sent_at).total_seconds())
    failpoint("charge.sending")
    try:
        outcome = provider.charge(attempt.request, key=str(attempt.payment_id), key_age_s=age_s)
    except Exception as error:  # noqa: BLE001 (an unforeseen fault after sending proves nothing)
        outcome = ChargeOutcome(Outcome.UNKNOWN, reason=type(error).__name__)
    if attempt.sent_before and outcome.outcome is Outcome.NOT_SENT:
        return replace(outcome, outcome=Outcome.UNKNOWN)
    return outcome


def write_answers(parts: Parts, answers: Sequence[Answer]) -> None:
    """Record answers in one transaction. An attempt in other hands, or closed meanwhile, is left as it is."""
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
    locked = lock_attempts(session, [attempt.payment_id for attempt, _ in answers])
    for attempt, outcome in answers:
        payment, invoice, intent = locked[attempt.payment_id]
        if payment.token != attempt.token or payment.status not in OPEN_PAYMENT:
            _log.info("late_answer_dropped", payment=str(payment.id), outcome=outcome.outcome)
            continue
        if invoice.status == InvoiceStatus.DRAFT and outcome.outcome is Outcome.SUCCEEDED:
            complete(parts, session, invoice, now=now)
        record(
            Recording(
                session=session,
                payment=payment,
                invoice=invoice,
                intent=intent,
                outcome=outcome,
                now=now,
                wall=wall,
                back_off_s=parts.settings.back_off_s,
            )
        )
