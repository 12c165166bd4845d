"""Resolution: ask the provider what became of attempts that wait; conclude from evidence alone (DECISIONS 22)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from billing.commands.payment.cancel import MOST, note_cancel
from billing.commands.payment.open import ON_SESSION_S
from billing.commands.payment.record_one import CANCEL_SPENT
from billing.db.clock import wall_now
from billing.flows.evidence import Question, ask
from billing.flows.in_turn import each_in_turn
from billing.flows.metered import Metered
from billing.flows.parts import Parts
from billing.flows.sending import Answer, Attempt, calling, send_all, write_answers
from billing.kernel.errors import Refused
from billing.kernel.failpoints import failpoint
from billing.kernel.status import PaymentKind, PaymentStatus
from billing.models import Payment
from billing.providers.port import ChargeOutcome, Outcome
from billing.queries.brakes import BrakeKind, moving
from billing.queries.dispute import undisputed_of
from billing.queries.waiting import charges_claimed, held_of, take_waiting, waiting_attempts
from billing.rules.rate import Rank

_log = structlog.get_logger(__name__)


def resolve(parts: Parts) -> int:
    """Take up to a slice of attempts whose answer is due and settle what can be settled. Returns how many were taken.

    A prepared one was never sent: it is sent now. All others are asked about; none is overtaken by a new attempt.
    """
    with parts.begin() as session:
        most = parts.settings.billing_charge_slice
        questions = read_questions(parts, session, take_waiting(session, lease_s=parts.settings.lease_s, most=most))
    if not questions:
        return 0
    failpoint("resolve.claimed")
    settle_all(parts, questions)
    return len(questions)


def settle_all(parts: Parts, questions: Sequence[Question], *, rank: Rank = Rank.RESOLVER) -> None:
    """Ask about attempts that this worker has claimed, and write what is proven. No transaction spans a call.

    What was never sent is sent. Where that can't be recorded, the others are asked about all the same; it is raised
    when they were.
    """
    unsent = [each for each in questions if each.status is PaymentStatus.PREPARED]
    asked = [each for each in questions if each.status is not PaymentStatus.PREPARED]
    never = ChargeOutcome(Outcome.NOT_SENT, reason="invoice_closed")
    turns = (
        lambda: send_all(parts, [each.attempt for each in unsent if each.collectable], rank=rank),
        lambda: _write(parts, [(each.attempt, never) for each in unsent if not each.collectable]),
        lambda: _write(parts, _ask_all(parts, asked, rank)),
    )
    each_in_turn(turns, failed="attempts were not settled")


def read_questions(parts: Parts, session: Session, taken: Sequence[UUID], *, give_up: bool = False) -> list[Question]:
    """What to ask about attempts that this transaction has claimed.

    One that waits for its customer is given up after `ON_SESSION_S`, or at once by `give_up`.
    """
    now, wall = parts.clock.now(session), wall_now(session)
    rows = waiting_attempts(session, taken)
    claimed = charges_claimed(session, {payment.invoice_id for payment, _, _ in rows})
    free = set(moving(session, BrakeKind.COLLECT, [payment.profile_id for payment, _, _ in rows]))
    calm, held = undisputed_of(session, free), held_of(session, taken)
    # The same key is not sent again while charging is stopped or a person is to look, nor of what the customer does not
    # pay themselves in a dispute.
    again = {
        payment.id
        for payment, _, _ in rows
        if payment.id not in held and payment.profile_id in (free if payment.kind == PaymentKind.ON_SESSION else calm)
    }
    keys = {
        payment.id: _give_up_key(session, payment, intent_ref, wall=wall, at_once=give_up)
        for payment, _, intent_ref in rows
    }
    return [
        Question(
            attempt=Attempt.of(
                payment, sent_before=payment.status != PaymentStatus.PREPARED, lease_s=parts.settings.lease_s
            ),
            status=PaymentStatus(payment.status),
            intent_ref=intent_ref,
            claimed=frozenset(claimed.get(payment.invoice_id, ())),
            # What was never sent is put back before sending.
            collectable=collectable and (payment.status == PaymentStatus.PREPARED or payment.id in again),
            absent_lists=payment.absent_lists,
            now=now,
            no_other_key=keys[payment.id][0] == MOST,
            give_up_key=keys[payment.id][1],
        )
        for payment, collectable, intent_ref in rows
    ]


def _give_up_key(
    session: Session, payment: Payment, intent_ref: str | None, *, wall: datetime, at_once: bool
) -> tuple[int, str | None]:
    """Number and key of the cancellation, on record before the provider hears of it; 0, None where it is to wait on."""
    if payment.status != PaymentStatus.REQUIRES_ACTION or intent_ref is None:
        return 0, None
    if not at_once and wall < payment.created_at + timedelta(seconds=ON_SESSION_S):
        return 0, None
    note = partial(note_cancel, session, payment_id=payment.id, seller_id=payment.seller_id, intent_ref=intent_ref)
    number, key = note()
    if payment.reason == CANCEL_SPENT and number < MOST:
        number, key = note(spent=number)
    return number, key


def _ask_all(parts: Parts, questions: Sequence[Question], rank: Rank) -> list[Answer]:
    if not questions:
        return []
    providers, without = _lines_of(parts, {each.attempt.provider_account_id for each in questions}, rank)
    waiting = [each for each in questions if each.attempt.provider_account_id in without]
    questions = [each for each in questions if each.attempt.provider_account_id in providers]
    most = max(1, min(parts.settings.billing_charges_in_flight, len(questions)))
    with calling(parts, most=most) as pool:
        outcomes = pool.map(lambda each: _asked(providers[each.attempt.provider_account_id], each), questions)
        answers = [(each.attempt, outcome) for each, outcome in zip(questions, outcomes, strict=True)]
    answers += [(each.attempt, _not_asked(each, without[each.attempt.provider_account_id])) for each in waiting]
    failpoint("resolve.asked")
    return answers


def _asked(provider: Metered, question: Question) -> ChargeOutcome:
    try:
        return ask(provider, question)
    except SQLAlchemyError:
        raise
    except Exception as error:  # noqa: BLE001 (whatever it is, the others' answers are written; this one is a person's)
        _log.warning("attempt_not_asked_about", payment=str(question.attempt.payment_id), error=type(error).__name__)
        return _not_asked(question, type(error).__name__)


def _lines_of(parts: Parts, accounts: Collection[UUID], rank: Rank) -> tuple[dict[UUID, Metered], dict[UUID, str]]:
    """The adapter of each account; the code of its refusal, where its key is not there (any more)."""
    providers: dict[UUID, Metered] = {}
    without: dict[UUID, str] = {}
    for account in accounts:
        try:
            providers[account] = parts.provider(account, rank=rank)
        except Refused as refused:
            without[account] = refused.code
    return providers, without


def _not_asked(question: Question, code: str) -> ChargeOutcome:
    """It stays as it is: what the bank or the customer is at does not become unknown by our having no key."""
    return ChargeOutcome(Outcome(question.status), reason=code, needs_person=True)


def _write(parts: Parts, answers: Sequence[Answer]) -> None:
    if answers:
        write_answers(parts, answers)
