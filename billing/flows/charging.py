"""Charging once: an invoice of one line that no subscription owes, issued at once and collected like any other."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.invoice.compose import Frame, Wallet, compose
from billing.commands.invoice.issue import Issued
from billing.commands.subscription.lines import agreed_line
from billing.flows.issuing import issue_documents, open_parties
from billing.flows.parts import Parts
from billing.kernel.errors import Fault, Refused
from billing.kernel.money import MOST_AMOUNT
from billing.queries.brakes import require_issuing
from billing.queries.catalog import rate_by_name
from billing.queries.profile import lock_person
from billing.queries.standing import load_standing
from billing.rules.tax import in_force, treatment
from billing.validators.checks import Checks


def charge_once(
    parts: Parts,
    session: Session,
    profile_id: UUID,
    *,
    amount_minor: int,
    currency: str,
    description: str,
    tax_rate: str | None = "standard",
) -> Issued:
    """Issue it within the caller's transaction; the charge is handed on after commit. Not idempotent.

    `amount_minor` is net, or gross of an inclusive rate. Raises `Refused`: the faults of the values,
    `profile_not_found`, `profile_erased`, `issuing_stopped`, `profile_on_hold`, `tax_rate_not_found`.
    """
    checks = Checks()
    checks.whole("amount", amount_minor, least=0, most=MOST_AMOUNT)
    checks.currency("currency", currency)
    checks.text("description", description, most=500)
    checks.storable("tax_rate", tax_rate or "")
    checks.done()
    lock_person(session, profile_id)
    require_issuing(session, profile_id)
    standing = load_standing(session, profiles=[profile_id], only=[])
    profile = standing.profiles.get(profile_id)
    if profile is None:
        raise Refused(Fault("profile", "profile_on_hold", "a work item holds it; see `billing work list`"))
    seller = standing.sellers[profile.seller_id]
    rate = rate_by_name(session, seller_id=seller.id, name=tax_rate)
    now = parts.clock.now(session)
    sold_at = in_force(rate, now, seller.timezone)
    how = treatment(seller.country, profile.country, profile.has_tax_id, sold_at, seller.oss)
    line = agreed_line(description, amount_minor, how)
    wallet = Wallet(standing.balances, standing.carried_forward)
    frame = Frame(seller=seller, profile=profile, parties=open_parties(parts, standing)[profile_id], currency=currency)
    document = compose(frame, [line], wallet=wallet)
    (issued,) = issue_documents(parts, session, [document], wallet=wallet, now=now)
    return issued
