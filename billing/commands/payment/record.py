"""Record what came of attempts: the usual ends of many at once, and one path for each rare one (`record_one`)."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.invoice.dun import Dunned, dun, policy_of
from billing.commands.invoice.settle import Settled, settle
from billing.commands.payment.record_one import Recording, evidence_of, record_one
from billing.commands.work_item.close import close_all_for
from billing.db.rows import change, fetch
from billing.events.bulk import emit_many, payload
from billing.events.topics import Topic
from billing.kernel.errors import Stale
from billing.kernel.moves import require_move
from billing.kernel.status import InvoiceStatus, PaymentKind, PaymentStatus
from billing.providers.port import ChargeOutcome, Outcome
from billing.queries.collecting import SELLER_DUNNING, Answered, SellerDunning
from billing.queries.collection import lock_attempts
from billing.queries.debits import failed_debits
from billing.queries.other_methods import untried_others
from billing.queries.subscription import lock_subscriptions
from billing.rules.debit import is_debit, meaning
from billing.rules.dunning import DeclineClass, DunningPolicy

Answer = tuple[Answered, ChargeOutcome]


def record(
    session: Session, answers: Sequence[Answer], *, now: datetime, wall: datetime, back_off_s: tuple[float, ...]
) -> None:
    """Write the outcomes. The caller has locked the rows (`lock_answered`) and checked their tokens.

    `now` is business time, `wall` the database's; `back_off_s` are the pauses before an open attempt is asked about
    again. Raises `Stale` where a row is not as it was locked.
    """
    taken = [each for each in answers if _is_usual(each, Outcome.SUCCEEDED)]
    declined = [each for each in answers if _is_usual(each, Outcome.DECLINED)]
    usual = taken + declined
    _close(session, usual, now)
    _note_intents(session, usual)
    if taken and declined:
        # What recovers and what fails are locked together, since each of the two locks its own.
        lock_subscriptions(session, {id_ for each, _ in usual if (id_ := each.invoice.subscription_id) is not None})
    settle(session, [_settled(each) for each in taken], now=now)
    dun(session, _dunned(session, declined, now), now=now)
    _tell(session, Topic.PAYMENT_SUCCEEDED, taken, now)
    _tell(session, Topic.PAYMENT_DECLINED, declined, now)
    close_all_for(session, [item for attempt, _ in usual for item in _answered_for(attempt)], now=now)
    done = {attempt.payment_id for attempt, _ in usual}
    rare = {attempt.payment_id: outcome for attempt, outcome in answers if attempt.payment_id not in done}
    if rare:
        for payment_id, (payment, invoice, intent) in lock_attempts(session, list(rare)).items():
            record_one(Recording(session, payment, invoice, intent, rare[payment_id], now, wall, back_off_s))


def _is_usual(answer: Answer, outcome: Outcome) -> bool:
    """Money for an open invoice, or a decline of it that the schedule goes by."""
    attempt, given = answer
    if outcome is Outcome.DECLINED and attempt.kind == PaymentKind.ON_SESSION:
        return False
    return given.outcome is outcome and attempt.invoice.status == InvoiceStatus.OPEN


def _answered_for(attempt: Answered) -> tuple[tuple[str, UUID], ...]:
    """Only what was held up before can be somebody's work: others cost nothing. The account takes charges again."""
    if not attempt.checks:
        return ()
    return ("payment_unknown", attempt.payment_id), ("provider_refuses_account", attempt.provider_account_id)


_CLOSE = """
    UPDATE billing.payment p
    SET status = ended.status, reason = ended.reason, evidence = ended.evidence, charge_ref = ended.charge_ref,
        decline_code = ended.decline_code, advice_code = ended.advice_code, lease_until = NULL, next_check_at = NULL,
        closed_at = %(now)s, version = p.version + 1, updated_at = clock_timestamp()
    FROM unnest(%(ids)s::uuid[], %(tokens)s::int[], %(before)s::text[], %(statuses)s::text[], %(reasons)s::text[],
                %(evidence)s::jsonb[], %(charges)s::text[], %(declines)s::text[], %(advice)s::text[])
         AS ended(id, token, before, status, reason, evidence, charge_ref, decline_code, advice_code)
    WHERE p.id = ended.id AND p.token = ended.token AND p.status = ended.before
"""


def _close(session: Session, answers: Sequence[Answer], now: datetime) -> None:
    if not answers:
        return
    for attempt, outcome in answers:
        require_move(PaymentStatus(attempt.status), PaymentStatus(outcome.outcome))
    outcomes = [outcome for _, outcome in answers]
    written = change(
        session,
        _CLOSE,
        now=now,
        ids=[attempt.payment_id for attempt, _ in answers],
        tokens=[attempt.token for attempt, _ in answers],
        before=[attempt.status for attempt, _ in answers],
        statuses=[str(outcome.outcome) for outcome in outcomes],
        reasons=[outcome.reason or None for outcome in outcomes],
        evidence=[json.dumps(evidence_of(outcome)) for outcome in outcomes],
        charges=[outcome.charge_ref for outcome in outcomes],
        declines=[outcome.decline_code for outcome in outcomes],
        advice=[outcome.advice_code for outcome in outcomes],
    )
    if written != len(answers):
        raise Stale("an attempt is in other hands")


_NOTE = """
    UPDATE billing.payment_intent n
    SET intent_ref = noted.intent_ref, status = noted.status, version = n.version + 1, updated_at = clock_timestamp()
    FROM unnest(%(ids)s::uuid[], %(refs)s::text[], %(statuses)s::text[]) AS noted(id, intent_ref, status)
    WHERE n.id = noted.id
"""


def _note_intents(session: Session, answers: Sequence[Answer]) -> None:
    """The intent's id, once the provider told it, and its end. One that was refused before it was made is absent."""
    noted = []
    for attempt, outcome in answers:
        ref, status = attempt.intent_ref or outcome.intent_ref, attempt.intent_status
        if outcome.outcome is Outcome.SUCCEEDED:
            status = "succeeded"
        elif ref is None:
            status = "absent"
        elif outcome.intent_over:
            status = "canceled"
        if (ref, status) != (attempt.intent_ref, attempt.intent_status):
            noted.append((attempt.intent_id, ref, status))
    if noted:
        ids, refs, statuses = zip(*noted, strict=True)
        change(session, _NOTE, ids=list(ids), refs=list(refs), statuses=list(statuses))


def _settled(answer: Answer) -> Settled:
    attempt, outcome = answer
    assert outcome.charge_ref is not None
    return Settled(
        invoice=attempt.invoice,
        payment_id=attempt.payment_id,
        attempt_no=attempt.attempt_no,
        opened_at=attempt.opened_at,
        amount_minor=attempt.amount_minor,
        charge_ref=outcome.charge_ref,
    )


_POLICIES = f"SELECT s.id, {SELLER_DUNNING} FROM billing.seller s WHERE s.id = ANY(%(sellers)s)"  # noqa: S608
_DEFAULTS = "SELECT profile_id, id FROM billing.payment_method WHERE profile_id = ANY(%(profiles)s) AND is_default"


def _dunned(session: Session, answers: Sequence[Answer], now: datetime) -> list[Dunned]:
    if not answers:
        return []
    sellers = {attempt.invoice.seller_id for attempt, _ in answers}
    policies = _policies(session, sellers)
    profiles = {attempt.invoice.profile_id for attempt, _ in answers}
    default = {row.profile_id: row.id for row in fetch(session, _DEFAULTS, profiles=list(profiles))}
    failed = failed_debits(session, [each.invoice.id for each, _ in answers if is_debit(each.method_kind)])
    falling = [each.invoice.id for each, _ in answers if policies[each.invoice.seller_id].fall_back]
    others = untried_others(session, falling) if falling else {}
    return [
        _no_money(
            answer,
            policies[answer[0].invoice.seller_id],
            default=default,
            others=others,
            failed=failed.get((answer[0].invoice.id, answer[0].payment_method_id), 0),
            now=now,
        )
        for answer in answers
    ]


def _no_money(
    answer: Answer,
    policy: DunningPolicy,
    *,
    default: Mapping[UUID, UUID],
    others: Mapping[UUID, UUID],
    failed: int,
    now: datetime,
) -> Dunned:
    """What a decline leads to. Of a method that was tried in the default's place the default's own decline decides.

    A bank tells of a debit days after it was asked: from then on the next delay counts.
    """
    attempt, outcome = answer
    invoice, method_id = attempt.invoice, attempt.payment_method_id
    decline = meaning(attempt.method_kind, outcome.decline_code, outcome.advice_code, failed=failed)
    if is_debit(attempt.method_kind) and invoice.dunning_at is not None:
        invoice.dunning_at = now
    in_its_place = invoice.falls_back_to == method_id
    if in_its_place:
        decline = DeclineClass.HARD if invoice.waits_for_method else DeclineClass.SOFT
    # A default that was made while this attempt was open has not been tried yet.
    untried = not in_its_place and default.get(invoice.profile_id, method_id) != method_id
    return Dunned(
        invoice=invoice,
        policy=policy,
        decline=decline,
        untried_method=untried,
        falls_back_to=None if untried else others.get(invoice.id),
        payment_id=attempt.payment_id,
        method_id=method_id,
    )


def _policies(session: Session, sellers: Collection[UUID]) -> dict[UUID, DunningPolicy]:
    rows = fetch(session, _POLICIES, sellers=list(sellers))
    return {id_: policy_of(SellerDunning(*dunning)) for id_, *dunning in rows}


def _tell(session: Session, topic: Topic, answers: Sequence[Answer], now: datetime) -> None:
    emit_many(
        session,
        topic=topic,
        object_type="payment",
        now=now,
        events=[
            (attempt.invoice.seller_id, attempt.payment_id, _told(attempt, topic, outcome))
            for attempt, outcome in answers
        ],
    )


def _told(attempt: Answered, topic: Topic, outcome: ChargeOutcome) -> str:
    more = {"decline_code": outcome.decline_code}
    if topic is Topic.PAYMENT_SUCCEEDED:
        more = {"charge_ref": outcome.charge_ref}
    return payload(
        payment_id=attempt.payment_id,
        invoice_id=attempt.invoice.id,
        amount_minor=attempt.amount_minor,
        currency=attempt.invoice.currency,
        **more,
    )
