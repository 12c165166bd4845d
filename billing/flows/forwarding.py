"""Forwarding: what is less than the provider charges is asked for by the customer's next invoice (DECISIONS 24).

The invoice is paid by that, and nobody is dunned for cents. A draft that waits for its first payment is issued. Of more
than that, whole steps of the provider's are charged; what is left by that is carried forward with the payment.
"""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

import structlog
from sqlalchemy.orm import Session

from billing.commands.invoice import correct
from billing.commands.invoice.retry import has_attempt_in_flight
from billing.commands.payment.open import put_off
from billing.db.clock import wall_now
from billing.flows.canceling import all_canceled, cancel_intents, tell_stuck
from billing.flows.correcting import correct_open
from billing.flows.incomplete import complete
from billing.flows.parts import Parts
from billing.kernel.errors import Fault, ProviderRefused, ProviderUnavailable, ProviderUncertain, Refused
from billing.kernel.money import whole_steps
from billing.kernel.status import COLLECTABLE, InvoiceStatus
from billing.models import Invoice
from billing.queries.brakes import require_issuing
from billing.queries.collecting import Collecting
from billing.queries.invoice import lock_invoice
from billing.queries.subscription import lock_whose_drafts

_log = structlog.get_logger(__name__)


def is_too_little(
    parts: Parts, invoice: Collecting | Invoice, *, account: UUID, session: Session | None = None
) -> bool:
    """Whether it asks for less than this provider account charges. `session`: the transaction that asks, if any."""
    return chargeable(parts, invoice, account=account, session=session) == 0 < invoice.amount_remaining_minor


def chargeable(parts: Parts, invoice: Collecting | Invoice, *, account: UUID, session: Session | None = None) -> int:
    """What this provider account charges of what it asks for, in minor units: whole steps, 0 below its minimum."""
    step, least = (rule(parts, account, invoice.currency, session) for rule in (step_of, _least_charge))
    amount = whole_steps(invoice.amount_remaining_minor, step)
    return amount if amount >= least else 0


def step_of(parts: Parts, account: UUID, currency: str, session: Session | None) -> int:
    """Of what this provider account charges only whole multiples are charged; minor units, 1 where it isn't known."""
    try:
        return parts.provider(account, session=session).step_minor(currency)
    except Refused:  # no key of it is here, or it has no rule for that currency: what comes of a try is told there
        return 1


def _least_charge(parts: Parts, account: UUID, currency: str, session: Session | None) -> int:
    """In minor units; 0 where it isn't known."""
    named = parts.settings.least_charges.get(currency)
    if named is not None:
        return named
    try:
        return parts.provider(account, session=session).least_minor.get(currency, 0)
    except Refused:  # no key of it is here: what comes of a try is told there
        return 0


def leaves_rest(parts: Parts, session: Session, invoice: Collecting | Invoice, *, account: UUID, paid: int) -> bool:
    """Whether so much (minor units) is all that this account moves of what it asks for, though less than that."""
    rest = invoice.amount_remaining_minor - paid
    return 0 < rest < step_of(parts, account, invoice.currency, session)


def lock_whose(parts: Parts, session: Session, paid: Collection[tuple[UUID, UUID, str]]) -> None:
    """Before money for these is written (invoice, provider account, currency): whose they are, where it may issue a
    draft or leave a rest. The caller takes the invoices after that.
    """
    carrying = [invoice for invoice, account, currency in paid if step_of(parts, account, currency, session) > 1]
    lock_whose_drafts(session, [invoice for invoice, _, _ in paid], carrying=carrying)


def carry_forward(parts: Parts, invoice: Collecting | Invoice) -> None:
    """Carry forward what it still asks for. Whatever the provider has of it is ended before that.

    Where that can't be done now it stays due, and is looked at again a little later; a person is told where it won't
    pass. One that is in other hands stays due as well. Safe to repeat.
    """
    try:
        _forward_first(parts, invoice.id) if invoice.status == InvoiceStatus.DRAFT else _forward(parts, invoice.id)
    except Refused as refused:
        _log.info("invoice_not_carried_forward", invoice=str(invoice.id), reason=refused.code)
        _again_later(parts, invoice.id)
    except (ProviderUnavailable, ProviderUncertain, ProviderRefused) as error:
        _log.warning("invoice_not_carried_forward", invoice=str(invoice.id), error=type(error).__name__)
        tell_stuck(parts, [invoice.id], error)
        _again_later(parts, invoice.id)


def _again_later(parts: Parts, invoice_id: UUID) -> None:
    with parts.begin() as session:
        invoice = lock_invoice(session, invoice_id)
        if invoice.status in COLLECTABLE:
            put_off(invoice, now=parts.clock.now(session), wall=wall_now(session))


def _forward(parts: Parts, invoice_id: UUID) -> None:
    correct_open(parts, invoice_id, correct.carry_forward, action="carry_forward", order=None)


def _forward_first(parts: Parts, draft_id: UUID) -> None:
    """Nothing is charged to begin with: the draft is issued, and its subscription is active.

    No money has come for it, so it waits while issuing is stopped (`Refused`: `issuing_stopped`).
    """
    with parts.begin() as session:
        if has_attempt_in_flight(session, draft_id):
            return
    if not cancel_intents(parts, [draft_id]):
        raise Refused(Fault("invoice", "payment_in_flight", "the provider has money for it, or is about to"))
    with parts.begin() as session:
        lock_whose_drafts(session, [draft_id])
        draft = lock_invoice(session, draft_id)
        if draft.status != InvoiceStatus.DRAFT or has_attempt_in_flight(session, draft_id):
            return
        if not all_canceled(session, [draft_id]):
            return
        require_issuing(session, draft.profile_id)
        now = parts.clock.now(session)
        complete(parts, session, [draft_id], now=now)
        correct.carry_forward(session, draft, now)
