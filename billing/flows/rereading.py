"""Rereading: one difference is looked at again: our rows take over what the provider shows, then both are compared."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import select

from billing.commands.difference.resolve import resolve_difference
from billing.flows.comparing import stands
from billing.flows.dispute_events import adopt_dispute
from billing.flows.parts import Parts
from billing.flows.payment_events import last_attempt, take_facts
from billing.flows.reconciliation import recheck
from billing.flows.refund_events import reread_refund
from billing.flows.sending_back import take_over
from billing.kernel.errors import ProviderRefused, ProviderUnreadable
from billing.models import Difference, Refund
from billing.queries.differences import the_difference
from billing.queries.reconciling import Found

STILL = "it is still so; nothing was changed"
GONE = "both sides agree now; it is closed"


def reread(parts: Parts, difference_id: UUID) -> str:
    """Ask the provider anew and settle what is proven. Returns what is so now.

    Raises `Refused` (`difference_missing`), what the provider raises, and `Stale` where an attempt went on just now.
    """
    with parts.begin() as session:
        difference = the_difference(session, difference_id)
    if difference.resolved_at is not None:
        return GONE
    created = None
    if difference.kind.startswith("refund"):
        _refund(parts, difference)
    elif difference.kind.startswith("dispute"):
        created = _dispute(parts, difference)
    else:
        created = _charge(parts, difference)
    if created is not None:
        recheck(parts, difference.provider_account_id, at=created.replace(microsecond=0))
    elif difference.kind in ("attempt_without_charge", "refund_missing") and stands(
        parts.provider(difference.provider_account_id), _as_found(difference)
    ):
        with parts.begin() as session:
            resolve_difference(session, difference_id=difference_id, now=parts.clock.now(session))
    with parts.begin() as session:
        return STILL if session.get_one(Difference, difference_id).resolved_at is None else GONE


def _charge(parts: Parts, difference: Difference) -> datetime | None:
    """Settle what the charge's intent shows. When the charge was made; None where there is none."""
    if difference.intent_ref is None:
        return None
    provider = parts.provider(difference.provider_account_id)
    with parts.begin() as session:
        ours = last_attempt(session, difference.invoice_id) if difference.invoice_id else None
    try:
        facts = provider.read_intent(difference.intent_ref)
        charges = list(provider.list_charges(intent_ref=difference.intent_ref))
    except ProviderRefused:
        return None
    if ours is not None:
        with parts.begin() as session:
            take_facts(parts, session, ours, facts)
    return next((each.created for each in charges if each.charge_ref == difference.object_ref), None)


def _refund(parts: Parts, difference: Difference) -> None:
    """Take over the refund's state, where both sides have it; resolve the difference where they then agree."""
    try:
        facts = reread_refund(parts, difference.provider_account_id, difference.object_ref)
    except ProviderRefused:
        return
    with parts.begin() as session:
        ours = session.scalars(
            select(Refund)
            .where(
                Refund.provider_account_id == difference.provider_account_id,
                Refund.refund_ref == difference.object_ref,
            )
            .with_for_update()
        ).one_or_none()
        if ours is None:
            if take_over(parts, session, difference.provider_account_id, [facts]):
                resolve_difference(session, difference_id=difference.id, now=parts.clock.now(session))
            return
        shown = (facts.status, facts.amount_minor, facts.currency)
        if (ours.status, ours.amount_minor, ours.currency) == shown:
            resolve_difference(session, difference_id=difference.id, now=parts.clock.now(session))


def _dispute(parts: Parts, difference: Difference) -> datetime | None:
    """Take over the dispute's state. When it was opened; None where the provider shows none, or too little."""
    try:
        return adopt_dispute(parts, difference.provider_account_id, difference.object_ref).created
    except (ProviderRefused, ProviderUnreadable):
        return None


def _as_found(difference: Difference) -> Found:
    return Found(
        kind=difference.kind,
        object_ref=difference.object_ref,
        intent_ref=difference.intent_ref,
        seller_id=difference.seller_id,
        profile_id=difference.profile_id,
        invoice_id=difference.invoice_id,
        amount_minor=difference.amount_minor,
        currency=difference.currency,
        detail=difference.detail,
        lost=False,
    )
