"""Adopting: a charge that no row of ours has becomes the attempt that it was, and settles its invoice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.commands.difference.resolve import resolve_difference
from billing.commands.payment.revive import revive_attempt
from billing.commands.payment.unapplied import keep_charge
from billing.db.clock import wall_now
from billing.flows.forwarding import step_of
from billing.flows.parts import Parts
from billing.flows.payment_events import Ours, last_attempt, take_facts
from billing.flows.sending_back import kept_apart
from billing.kernel.errors import Fault, Refused
from billing.kernel.failpoints import failpoint
from billing.kernel.money import whole_steps
from billing.kernel.status import COLLECTABLE, OPEN_PAYMENT, InvoiceStatus
from billing.models import Difference, Invoice, Payment, PaymentIntent
from billing.providers.port import ChargeFacts, IntentFacts
from billing.queries.differences import the_difference
from billing.queries.invoice import lock_invoice
from billing.queries.profile import lock_profile
from billing.queries.reconciling import as_uuid
from billing.queries.subscription import lock_whose_drafts
from billing.rules.rate import Rank


def adopt(parts: Parts, difference_id: UUID, *, also: Callable[[Session], None] | None = None) -> str:
    """Settle what the charge was for, and resolve the difference. Returns what was done, in a sentence's rest.

    The invoice is the one that the provider names; where this database has lost it, the customer's oldest open one of
    which exactly that amount is charged, which stands in its place. Money that fits nothing is booked apart as an
    unapplied payment.
    `also` is done in the same transaction. Safe to repeat: a charge is claimed once. Raises `Refused`:
    `difference_missing`, `nothing_to_adopt_for` (no invoice asks for it yet); `Stale` where an attempt of the invoice
    went on meanwhile; what the provider raises.
    """
    with parts.begin() as session:
        difference = the_difference(session, difference_id)
        before = last_attempt(session, difference.invoice_id) if difference.invoice_id else None
        account_id, intent_ref = difference.provider_account_id, difference.intent_ref
        if difference.resolved_at is not None:
            return "it is settled already; nothing was changed"
    if intent_ref is None:
        raise Refused(Fault("charge", "nothing_to_adopt_for", "it has no intent; refund it at the provider"))
    provider = parts.provider(account_id, rank=Rank.RESOLVER)
    facts = provider.read_intent(intent_ref)
    charges = list(provider.list_charges(intent_ref=intent_ref))
    charge = next((each for each in charges if each.charge_ref == difference.object_ref), None)
    failpoint("adopt.read")
    with parts.begin() as session:
        step_minor = step_of(parts, account_id, facts.currency, session)
        if step_minor > 1 and difference.profile_id is not None:
            # A part of whatever it settles may be carried forward.
            lock_profile(session, difference.profile_id)
        lock_whose_drafts(session, [difference.invoice_id] if difference.invoice_id else [])
        invoice = _invoice(session, difference, step_minor)
        told = _settle(parts, session, invoice, Shown(difference, facts, charge, before, step_minor))
        resolve_difference(session, difference_id=difference_id, now=parts.clock.now(session))
        if also is not None:
            also(session)
        failpoint("adopt.commit")
    return told


def _invoice(session: Session, difference: Difference, step_minor: int) -> Invoice:
    if (
        difference.invoice_id is not None
        and session.scalars(select(Invoice.id).where(Invoice.id == difference.invoice_id)).first()
    ):
        return lock_invoice(session, difference.invoice_id)
    rest = Invoice.amount_remaining_minor
    stands_in = session.scalars(
        select(Invoice)
        .where(
            Invoice.profile_id == difference.profile_id,
            Invoice.status == InvoiceStatus.OPEN,
            Invoice.collection == "automatic",
            Invoice.currency == difference.currency,
            rest - rest % step_minor == difference.amount_minor,
            ~select(Payment.id).where(Payment.invoice_id == Invoice.id, Payment.status.in_(OPEN_PAYMENT)).exists(),
        )
        .order_by(Invoice.issued_at, Invoice.series_no)
        .limit(1)
        .with_for_update(key_share=True)
    ).one_or_none()
    if stands_in is None:
        mend = "no open invoice that is charged by itself asks for exactly this amount; adopt it once there is one"
        raise Refused(Fault("invoice", "nothing_to_adopt_for", mend))
    return stands_in


@dataclass(frozen=True, slots=True)
class Shown:
    """The difference, and what the provider shows of its intent and its charge now."""

    difference: Difference
    facts: IntentFacts
    charge: ChargeFacts | None
    before: Ours | None
    """The last attempt of the invoice that the provider names, before it was asked."""
    step_minor: int
    """The account charges whole multiples of it."""


def _settle(parts: Parts, session: Session, invoice: Invoice, shown: Shown) -> str:
    facts, charge = shown.facts, shown.charge
    known = session.scalars(
        select(PaymentIntent.id).where(
            PaymentIntent.invoice_id == invoice.id,
            (PaymentIntent.intent_ref == facts.intent_ref) | PaymentIntent.intent_ref.is_(None),
        )
    ).first()
    ours = shown.before
    if known is None:
        revived = _revive(session, invoice, shown) if _may_be_of(invoice, facts, shown.step_minor) else None
        if revived is None and charge is not None and charge.status == "succeeded":
            return _apart(parts, session, invoice, charge)
        ours = None
    if ours is None or ours.invoice_id != invoice.id:
        ours = last_attempt(session, invoice.id)
    if ours is None:
        raise Refused(Fault("charge", "nothing_to_adopt_for", "the customer has no method at this account"))
    take_facts(parts, session, ours, facts)
    if kept_apart(session, shown.difference.provider_account_id, shown.difference.object_ref) is not None:
        return _told_apart(invoice)
    return f"it is the payment of invoice {invoice.named}"


def _may_be_of(invoice: Invoice, facts: IntentFacts, step_minor: int) -> bool:
    """Whether its lost attempt can have been this: none asks for more than its invoice, and one of a draft for as much
    of it as is charged.

    What was done to a draft since the copy is lost: it is not issued as it stands because of money for another one.
    """
    if invoice.status not in COLLECTABLE:
        return True
    rest, asked = invoice.amount_remaining_minor, facts.amount_minor
    fits = asked == whole_steps(rest, step_minor) if invoice.status == InvoiceStatus.DRAFT else asked <= rest
    return fits and facts.currency == invoice.currency


def _revive(session: Session, invoice: Invoice, shown: Shown) -> Payment | None:
    facts = shown.facts
    named = as_uuid(facts.metadata_payment)
    taken = named is not None and session.scalars(select(Payment.id).where(Payment.id == named)).first() is not None
    return revive_attempt(
        session,
        invoice=invoice,
        provider_account_id=shown.difference.provider_account_id,
        facts=facts,
        payment_id=None if taken else named,
        charge=shown.charge or facts.latest_charge,
        wall=wall_now(session),
    )


def _apart(parts: Parts, session: Session, invoice: Invoice, charge: ChargeFacts) -> str:
    last = session.scalars(
        select(Payment).where(Payment.invoice_id == invoice.id).order_by(Payment.attempt_no.desc()).limit(1)
    ).first()
    if last is None:
        mend = "the invoice asks for another amount, or the customer has no method here; else refund it there"
        raise Refused(Fault("charge", "nothing_to_adopt_for", mend))
    keep_charge(session, invoice=invoice, payment=last, charge=charge, now=parts.clock.now(session))
    return _told_apart(invoice)


def _told_apart(invoice: Invoice) -> str:
    return f"it is booked apart; invoice {invoice.named} does not ask for it"
