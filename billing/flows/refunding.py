"""Refunding: the credit note and the reserved refund are one transaction; the provider is asked after it, and again.

A refund is sent under its own id as the key for as long as the provider keeps keys; after that only evidence counts.
It gets a second key only when the first one's sending is over and two complete lists of its charge's refunds, one after
the other, don't show it: no refund is ever made twice. While a restored database waits to be healed, nothing is sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.expected_version import require_version
from billing.commands.invoice.compose import Wallet
from billing.commands.invoice.issue import Issued
from billing.commands.invoice.note import refund_note
from billing.commands.refund.record import note_absent, note_facts, note_never, note_unclear
from billing.commands.refund.reserve import reserve_refunds, take_refundable
from billing.db.clock import wall_now
from billing.flows.evidence import ABSENT_AFTER_S
from billing.flows.in_turn import each_in_turn
from billing.flows.issuing import issue_documents, note_parties
from billing.flows.metered import Metered
from billing.flows.order import Order, carry_out
from billing.flows.order import note as write_down
from billing.flows.parts import Parts
from billing.flows.restoring import is_restored, require_all_known
from billing.kernel.errors import Fault, ProviderRefused, ProviderUnavailable, ProviderUncertain, Refused
from billing.kernel.failpoints import failpoint
from billing.kernel.hold import Hold
from billing.kernel.status import OPEN_REFUND
from billing.models import Invoice, Refund
from billing.providers.port import RefundFacts
from billing.queries.correction import notes_of, paid_by
from billing.queries.dispute import disputes_of
from billing.queries.invoice import lock_invoice
from billing.queries.profile import lock_profile
from billing.queries.refunding import lock_refund, take_refunds
from billing.queue.buffer import after_commit
from billing.queue.names import REFUNDS_SEND
from billing.rules.rate import Rank
from billing.validators.amount import require_amount

NOT_LISTED = "refund_not_found"
"""Reason of a refund whose key can do nothing more, and which the provider does not list."""

_TOO_LATE = frozenset(
    {"charge_not_refundable", "refund_time_limit_exceeded", "refund_time_exceeded_for_payment_source"}
)
"""Refusals for good: what is no card goes back within 180 days, at Stripe as at PayPal, or not at all."""


class _NeverMade(ProviderRefused):
    """The provider will not make it, and has not: a complete list of its charge's refunds doesn't show it."""


@dataclass(frozen=True, slots=True)
class Refunded:
    """The credit note, and the refunds that are on their way."""

    note: Issued
    amount_minor: int
    refund_ids: tuple[UUID, ...]


def refund(parts: Parts, invoice_id: UUID, *, amount_minor: int | None = None, order: Order | None = None) -> Refunded:
    """Give back `amount_minor` (None: all that is refundable) of what was paid through the provider. Not idempotent.

    An operator's `order` is noted beside it, and gets the refunds' ids; one that is only tried is taken back, with the
    nudge to send.

    Raises `Refused`: `out_of_range` (the amount), `invoice_not_found`, `refund_exceeds_paid`,
    `amount_not_representable`, `not_reconciled`.
    """
    require_amount(amount_minor)
    with carry_out(parts, order) if order else parts.begin() as session:
        require_all_known(session)
        found = session.get(Invoice, invoice_id)
        if found is None:
            raise Refused(Fault("invoice", "invoice_not_found", "give the number or the id of an invoice"))
        lock_profile(session, found.profile_id)
        invoice = lock_invoice(session, invoice_id)
        require_version(invoice, order.expected_version if order else None)
        now = parts.clock.now(session)
        paid = paid_by(session, invoice.id)
        earlier = notes_of(session, invoice.id)
        amount = take_refundable(session, invoice=invoice, amount_minor=amount_minor)
        parties = note_parties(parts, session, invoice)
        note = refund_note(invoice, amount_minor=amount, earlier=earlier, parties=parties)
        (issued,) = issue_documents(parts, session, [note], wallet=Wallet(), now=now)
        ids = reserve_refunds(
            session,
            invoice=invoice,
            credit_note_id=note.id,
            amount_minor=amount,
            paid=paid,
            step_of=lambda account_id: parts.provider(account_id).step_minor(invoice.currency),
            now=now,
            wall=wall_now(session),
        )
        for id_ in ids:
            after_commit(session, REFUNDS_SEND, id_)
        if order is not None:
            order.wrote[:] = ids
            write_down(
                parts,
                session,
                order,
                action="invoice.refund",
                subject_type="invoice",
                subject_id=invoice.id,
                seller_id=invoice.seller_id,
                before={"amount_refunded_minor": invoice.amount_refunded_minor - amount},
                after={"amount_refunded_minor": invoice.amount_refunded_minor, "credit_note": issued.number},
            )
        failpoint("refund.reserved")
    return Refunded(issued, amount, tuple(ids))


def send(parts: Parts, refund_id: UUID) -> int:
    """Send or ask about one refund, if it is due and in nobody's hands. Returns how many were taken."""
    return _settle(parts, only=refund_id)


def sweep(parts: Parts) -> int:
    """Send or ask about every refund that is due. Returns how many were taken."""
    return _settle(parts, only=None)


def _settle(parts: Parts, *, only: UUID | None) -> int:
    settings = parts.settings
    with parts.begin() as session:
        if is_restored(session):
            return 0
        now = parts.clock.now(session)
        most = settings.billing_charge_slice
        taken = take_refunds(session, now=now, lease_s=settings.lease_s, most=most, only=only)
        rows = [session.get_one(Refund, id_) for id_ in taken]
        hold = Hold(settings.lease_s)
    each_in_turn((partial(_ask, parts, row, now, hold) for row in rows), failed="some refunds were not asked about")
    return len(rows)


def _ask(parts: Parts, row: Refund, now: datetime, hold: Hold) -> None:
    found: RefundFacts | None = None
    absent, never, reason, needs_person = False, False, "", False
    failpoint("refund.sending")
    try:
        found = _sent(parts.provider(row.provider_account_id, rank=Rank.CHARGES), row, now, hold)
        absent = found is None
    except (ProviderRefused, Refused) as refused:
        reason, needs_person = refused.code, True
        never = isinstance(refused, _NeverMade)
    except (ProviderUnavailable, ProviderUncertain) as unclear:
        reason = type(unclear).__name__
    failpoint("refund.answered")
    with parts.begin() as session:
        locked, wall = lock_refund(session, row.id), wall_now(session)
        if locked.token != row.token or locked.status not in OPEN_REFUND:
            return
        at = parts.clock.now(session)
        if found is not None:
            note_facts(session, refund=locked, facts=found, now=at, wall=wall)
            return
        steps = parts.settings.back_off_s
        pause_s = steps[min(locked.checks, len(steps) - 1)]
        if needs_person and never and (reason in _TOO_LATE or _is_lost(session, locked)):
            note_never(session, refund=locked, reason=reason, now=at)
            return
        if absent:
            note_absent(session, refund=locked, wall=wall, pause_s=pause_s)
            return
        note_unclear(
            session,
            refund=locked,
            reason=reason,
            needs_person=needs_person,
            now=at,
            wall=wall,
            pause_s=max(pause_s, 3600.0) if needs_person else pause_s,
        )


def _sent(provider: Metered, row: Refund, now: datetime, hold: Hold) -> RefundFacts | None:
    """Its state; sent anew under its key where no answer came yet, or found among the charge's refunds.

    None: its sending is over, and a complete list of the charge's refunds doesn't show it. It is over when the provider
    answered with the failure kept under the key, or when nothing can be carried out under the key any more.
    """
    if row.refund_ref is not None:
        return provider.read_refund(row.refund_ref)
    age_s = (now - row.first_sent_at).total_seconds() if row.first_sent_at else 0.0
    over = row.absent_lists > 0 or age_s >= ABSENT_AFTER_S
    denied: ProviderRefused | None = None
    if age_s < provider.key_life_s:
        try:
            return provider.refund(
                refund_id=row.id,
                charge_ref=row.charge_ref,
                amount_minor=row.amount_minor,
                currency=row.currency,
                key=row.key,
                hold=hold,
            )
        except ProviderUncertain as unclear:
            if not unclear.key_spent:
                raise
            over = True
        except ProviderRefused as refused:
            if refused.account_wide:
                raise
            # An earlier sending, of which we heard nothing, may have made it all the same: its list tells.
            denied = refused
    found = _listed(provider, row)
    if found is None and denied is not None:
        raise _NeverMade(str(denied), code=denied.code)
    if found is None and not over:
        raise ProviderRefused("the refund is not among those of its charge", code=NOT_LISTED)
    return found


def _listed(provider: Metered, row: Refund) -> RefundFacts | None:
    """It, among all refunds of its charge, every page read to the end."""
    ours = [each for each in provider.list_refunds(charge_ref=row.charge_ref) if each.metadata_refund == str(row.id)]
    return ours[0] if ours else None


def _is_lost(session: Session, refund: Refund) -> bool:
    """A dispute of its charge was lost: what the provider has refused of it, it will always refuse."""
    account_id, charge_ref = refund.provider_account_id, refund.charge_ref
    return disputes_of(session, profile_id=refund.profile_id, account_id=account_id, charge_ref=charge_ref).lost
