"""Open attempts: rows with frozen parameters, committed before the provider hears of them (DECISIONS 19 to 21)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.invoice.announce import Announced, announce, before_debit, failed_before
from billing.commands.invoice.dun import Dunned, dun, pass_moment, policy_of
from billing.commands.invoice.move import write_collecting
from billing.commands.invoice.postpone import Postponed, over_limit, postpone
from billing.db.copy import copy_rows
from billing.db.copy import field as escaped
from billing.db.rows import change
from billing.kernel.errors import Stale
from billing.kernel.ids import new_id, new_ids
from billing.kernel.status import OPEN_PAYMENT, PaymentKind, PaymentStatus
from billing.models import Invoice, Payment, PaymentIntent
from billing.privacy.logging import correlation
from billing.queries.collecting import Collecting
from billing.queries.collection import Attempted, Due, Intent, Method
from billing.rules.debit import MOST_TRIES, is_debit
from billing.rules.dunning import DeclineClass, DunningPolicy
from billing.rules.told_kind import told_kind

ON_SESSION_S = 3600
"""The customer's hold (wall seconds): so long nothing else is tried, and after it their attempt is given up."""


ELSEWHERE_S = 30
"""An invoice whose intent at another provider could not be canceled yet is looked at again after so long (wall)."""


@dataclass(slots=True)
class Opened:
    """Attempts ready to be sent, and invoices whose moment passed without one."""

    payments: list[Attempted] = field(default_factory=list)
    passed: list[UUID] = field(default_factory=list)


@dataclass(slots=True)
class _Writes:
    """What is gathered for one statement a table."""

    touched: list[Collecting] = field(default_factory=list)
    left: list[Collecting] = field(default_factory=list)
    """Never tried, of a subscription that is unpaid."""
    dunned: list[Dunned] = field(default_factory=list)
    postponed: list[Postponed] = field(default_factory=list)
    announced: list[Announced] = field(default_factory=list)
    reopened: list[Attempted] = field(default_factory=list)
    opened: list[tuple[Attempted, UUID, str | None]] = field(default_factory=list)
    """With the profile, and the charge that the intent showed before."""
    intents: list[tuple[Intent, Attempted, int]] = field(default_factory=list)
    """New ones, each with its first attempt and its generation."""


def open_payments(session: Session, due: Sequence[Due], *, now: datetime, wall: datetime, lease_s: float) -> Opened:
    """Open one attempt for each due invoice, or let its moment pass where there is nothing to charge.

    An attempt that surely was not sent is reopened under its own key where its parameters still hold. The partial
    unique index refuses a second open attempt, whoever races.
    """
    writes = _Writes()
    for each in due:
        _plan(each, writes, now=now, wall=wall)
    write_collecting(session, [*writes.touched, *writes.left])
    dun(session, writes.dunned, now=now)
    postpone(session, writes.postponed, now=now)
    announce(session, writes.announced, now=now)
    until = wall + timedelta(seconds=lease_s)
    _reopen(session, writes.reopened, until)
    _write_intents(session, writes.intents)
    _write_payments(session, writes.opened, now, until)
    attempts = [*writes.reopened, *(attempt for attempt, _, _ in writes.opened)]
    waiting = [each.invoice.id for each in writes.announced if each.debit_at > now]
    passed = [each.id for each in writes.left]
    passed += [each.invoice.id for each in writes.dunned] + [each.invoice.id for each in writes.postponed]
    return Opened(attempts, passed + waiting)


def _plan(due: Due, writes: _Writes, *, now: datetime, wall: datetime) -> None:
    invoice, method = due.invoice, due.method
    last = due.attempts[-1] if due.attempts else None
    if any(attempt.status in OPEN_PAYMENT for attempt in due.attempts):
        if due.attempts[-1].kind == PaymentKind.ON_SESSION:
            hold_for_customer(invoice, wall=wall)
        else:
            # The open attempt decides; its record sets the next moment.
            invoice.next_attempt_at = None
        writes.touched.append(invoice)
        return
    if method is not None and _lives_elsewhere(due.intents, method):
        # It is canceled there first, outside this transaction (`flows.elsewhere`).
        put_off(invoice, now=now, wall=wall)
        writes.touched.append(invoice)
        return
    if due.unpaid and not due.attempts and invoice.dunning_at is None and not invoice.extra_try:
        # Others of its subscription, which is unpaid again, come first: it is tried once that has recovered.
        invoice.next_attempt_at, invoice.on_schedule = None, False
        writes.left.append(invoice)
        return
    policy = policy_of(due.seller)
    if method is not None and _holds_back(due, method, policy, writes, now=now):
        return
    if last is not None and method is not None and _reopens(last, due, method):
        invoice.next_attempt_at, invoice.extra_try = None, False
        writes.touched.append(invoice)
        reopened = replace(last, token=last.token + 1, status=PaymentStatus.PREPARED, first_sent_at=None)
        writes.reopened.append(reopened)
        return
    scheduled = pass_moment(invoice, policy, now=now) or _unanswered(due.attempts)
    if invoice.falls_back_to is not None and last is not None:
        scheduled = last.scheduled
    if method is None or (invoice.waits_for_method and invoice.falls_back_to is None):
        method_id = method.id if method else None
        # Where the other method is gone by now, it is as if only the default had been tried.
        again = invoice.falls_back_to is not None and not invoice.waits_for_method
        decline = DeclineClass.SOFT if again else DeclineClass.HARD
        writes.dunned.append(Dunned(invoice, policy, decline, method_id=method_id))
        return
    if scheduled and due.unpaid:
        writes.dunned.append(Dunned(invoice, policy, DeclineClass.SOFT, method_id=method.id))
        return
    invoice.next_attempt_at = None
    writes.touched.append(invoice)
    _plan_attempt(due, method, writes, scheduled=scheduled)


def _holds_back(due: Due, method: Method, policy: DunningPolicy, writes: _Writes, *, now: datetime) -> bool:
    """Whether a network's limit, or a notice that must come first, keeps the due try for later."""
    held = over_limit(due, method, policy, now=now)
    if isinstance(held, Postponed):
        writes.postponed.append(held)
        return True
    if held is not None:
        writes.dunned.append(held)
        return True
    if failed_before(due, method) >= MOST_TRIES and due.invoice.falls_back_to is None:
        # Whoever asks for another try: the account was debited for this invoice as often as it may be.
        due.invoice.waits_for_method = True
    announced = before_debit(due, method, now=now)
    if announced is None:
        return False
    writes.announced.append(announced)
    return announced.debit_at > now


def _lives_elsewhere(intents: Sequence[Intent], method: Method) -> bool:
    """Whether money may still move for the invoice at another account than the method's (DECISIONS 20)."""
    return any(
        intent.status == "open" and intent.provider_account_id != method.provider_account_id for intent in intents
    )


def _unanswered(attempts: Sequence[Attempted]) -> bool:
    """Whether the last scheduled moment that came brought no answer: what is tried now, whoever asked, takes its place.

    Else that moment, which the schedule counts as passed, would never be decided.
    """
    scheduled = [attempt for attempt in attempts if attempt.scheduled]
    return bool(scheduled) and scheduled[-1].status in (PaymentStatus.NOT_SENT, PaymentStatus.CANCELED)


def put_off(invoice: Collecting | Invoice, *, now: datetime, wall: datetime) -> None:
    """What can't be tried now is looked at again a little later.

    Due from now on, it lets others of its account go first: due for longest, it would keep its place at each sweep.
    """
    if invoice.next_attempt_at is not None:
        invoice.next_attempt_at = max(invoice.next_attempt_at, now)
    invoice.charge_not_before = wall + timedelta(seconds=ELSEWHERE_S)


def hold_for_customer(invoice: Collecting | Invoice, *, wall: datetime) -> None:
    """The customer is paying. The schedule stays as it is and waits, also where one of its moments comes meanwhile."""
    invoice.charge_not_before = wall + timedelta(seconds=ON_SESSION_S)


def _plan_attempt(due: Due, method: Method, writes: _Writes, *, scheduled: bool) -> None:
    """On the invoice's one live intent, or its successor once every earlier one is canceled or proven absent."""
    invoice = due.invoice
    live = next((intent for intent in due.intents if intent.status == "open"), None)
    intent = live or Intent(new_id(), method.provider_account_id, None, "open")
    charges = [each.charge_ref for each in due.attempts if each.payment_intent_id == intent.id and each.charge_ref]
    told = [each.method_kind for each in due.attempts if each.payment_intent_id == intent.id]
    attempt = Attempted(
        id=new_id(),
        seller_id=invoice.seller_id,
        invoice_id=invoice.id,
        attempt_no=len(due.attempts) + 1,
        kind=PaymentKind.OFF_SESSION,
        status=PaymentStatus.PREPARED,
        scheduled=scheduled,
        provider_account_id=method.provider_account_id,
        payment_method_id=method.id,
        payment_intent_id=intent.id,
        customer_ref=method.customer_ref,
        method_ref=method.method_ref,
        method_kind=told_kind(method.kind, told_before=told),
        # Card networks count by it; a bank account is none of theirs.
        card_fingerprint=None if is_debit(method.kind) else method.fingerprint,
        amount_minor=due.amount_minor,
        currency=invoice.currency,
        confirms_ref=intent.intent_ref,
        charge_ref=None,
        first_sent_at=None,
        token=1,
        spent_before=spent_at(due.intents, method.provider_account_id),
    )
    if live is None:
        writes.intents.append((intent, attempt, len(due.intents) + 1))
    writes.opened.append((attempt, invoice.profile_id, charges[-1] if charges else None))


def spent_at(intents: Sequence[Intent | PaymentIntent], account_id: UUID) -> int:
    """How many of an invoice's intents at this account have moved money that is kept apart: proven, and over."""
    return sum(each.status == "spent" and each.provider_account_id == account_id for each in intents)


def _reopens(last: Attempted, due: Due, method: Method) -> bool:
    return (
        last.status == PaymentStatus.NOT_SENT
        and last.kind == PaymentKind.OFF_SESSION
        and last.payment_method_id == method.id
        and last.customer_ref == method.customer_ref
        and last.amount_minor == due.amount_minor
        and last.spent_before == spent_at(due.intents, method.provider_account_id)
    )


_REOPEN = """
    UPDATE billing.payment p
    SET status = 'prepared', closed_at = NULL, token = p.token + 1, lease_until = %(until)s,
        next_check_at = %(until)s, first_sent_at = NULL, absent_lists = 0,
        version = p.version + 1, updated_at = clock_timestamp()
    FROM unnest(%(ids)s::uuid[], %(tokens)s::int[]) AS ours(id, token)
    WHERE p.id = ours.id AND p.status = 'not_sent' AND p.token + 1 = ours.token
"""


def _reopen(session: Session, attempts: Sequence[Attempted], until: datetime) -> None:
    if not attempts:
        return
    ids, tokens = [attempt.id for attempt in attempts], [attempt.token for attempt in attempts]
    if change(session, _REOPEN, ids=ids, tokens=tokens, until=until) != len(attempts):
        raise Stale("an attempt is in other hands")


_INTENTS = ("id", "seller_id", "invoice_id", "provider_account_id", "generation", "status", "version")


def _write_intents(session: Session, intents: Sequence[tuple[Intent, Attempted, int]]) -> None:
    copy_rows(
        session,
        "payment_intent",
        _INTENTS,
        (
            f"{intent.id.hex}\t{first.seller_id.hex}\t{first.invoice_id.hex}\t{first.provider_account_id.hex}"
            f"\t{generation}\t{intent.status}\t1"
            for intent, first, generation in intents
        ),
    )


_PAYMENTS = (
    "id", "seller_id", "invoice_id", "profile_id", "attempt_no", "kind", "scheduled", "provider_account_id",
    "payment_method_id", "payment_intent_id", "customer_ref", "method_ref", "method_kind", "card_fingerprint",
    "amount_minor", "currency", "confirms_ref", "noted_charge_ref", "opened_at", "status", "token", "lease_until",
    "next_check_at", "checks", "absent_lists", "correlation_id", "spent_before", "version",
)  # fmt: skip
_STEPS = ("id", "seller_id", "payment_id", "step", "key", "parameter_hash")


def _write_payments(
    session: Session, opened: Sequence[tuple[Attempted, UUID, str | None]], now: datetime, until: datetime
) -> None:
    at, lease = now.isoformat(), until.isoformat()
    run = correlation()
    run_id = escaped(run.hex if run else None)
    copy_rows(
        session,
        "payment",
        _PAYMENTS,
        (
            f"{each.id.hex}\t{each.seller_id.hex}\t{each.invoice_id.hex}\t{profile_id.hex}\t{each.attempt_no}"
            f"\t{each.kind}\t{each.scheduled}\t{each.provider_account_id.hex}\t{each.payment_method_id.hex}"
            f"\t{each.payment_intent_id.hex}\t{escaped(each.customer_ref)}\t{escaped(each.method_ref)}"
            f"\t{escaped(each.method_kind)}\t{escaped(each.card_fingerprint)}"
            f"\t{each.amount_minor}\t{each.currency}\t{escaped(each.confirms_ref)}\t{escaped(noted)}\t{at}"
            f"\t{each.status}\t{each.token}\t{lease}\t{lease}\t0\t0\t{run_id}\t{each.spent_before}\t1"
            for each, profile_id, noted in opened
        ),
    )
    copy_rows(
        session,
        "provider_write",
        _STEPS,
        (
            f"{id_.hex}\t{each.seller_id.hex}\t{each.id.hex}\tcharge\t{each.id}\t{parameter_hash(each)}"
            for id_, (each, _, _) in zip(new_ids(len(opened)), opened, strict=True)
        ),
    )


def parameter_hash(payment: Attempted | Payment) -> str:
    """SHA-256 over what is sent under the attempt's key: the same key always carries the same hash."""
    frozen = (
        payment.invoice_id,
        payment.confirms_ref,
        payment.customer_ref,
        payment.method_ref,
        payment.amount_minor,
        payment.currency,
        *((payment.kind,) if payment.kind == PaymentKind.ON_SESSION else ()),
        *((payment.method_kind,) if payment.method_kind is not None else ()),
        *((f"spent {payment.spent_before}",) if payment.spent_before else ()),
    )
    return hashlib.sha256("\n".join(map(str, frozen)).encode()).hexdigest()
