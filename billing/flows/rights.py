"""A person's rights: a copy of all that is kept about them, and to be forgotten as far as the law lets us."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any
from uuid import UUID

from sqlalchemy import select

from billing.commands.profile.erase import erase_profile
from billing.flows.detaching import detach_all_of
from billing.flows.order import Done, Order, carry_out, note
from billing.flows.parts import Parts
from billing.kernel.errors import Fault, Refused
from billing.models import DataKey, Profile
from billing.queries.document import document_snapshot
from billing.queries.kept import kept_of
from billing.queries.profile import lock_to_forget, open_personal


def export(parts: Parts, profile_id: UUID, *, order: Order) -> dict[str, Any]:
    """All that is kept about a customer, opened: their own part, and both parties of every document.

    Written down like every look. Raises `Refused` (`profile_not_found`), `SealBroken`.
    """
    with carry_out(parts, order) as session:
        profile = session.get(Profile, profile_id)
        if profile is None:
            raise Refused(Fault("profile", "profile_not_found", "give the account of the host application, or an id"))
        kept: dict[str, Any] = kept_of(session, profile_id)
        for document in kept["documents"]:
            facts = document_snapshot(session, parts.keyring, document["id"]).facts
            document["buyer"] = facts.buyer
            document["lines"] = [asdict(line) for line in facts.lines]
        row = session.scalars(
            select(DataKey).where(DataKey.purpose == "profile", DataKey.owner_id == profile_id)
        ).one_or_none()
        personal = None
        if row is not None:
            key = parts.keyring.unwrap(master_id=row.master_id, wrapped=row.wrapped, row=row.id)
            personal = asdict(open_personal(profile.personal, key=key, profile_id=profile_id))
        about = {
            "account_id": profile.account_id,
            "anonymous_id": str(profile.anonymous_id),
            "country": profile.country,
            "timezone": profile.timezone,
            "buyer_kind": profile.buyer_kind,
            "tax_id_check": profile.tax_id_check,
            "created_at": profile.created_at,
            "erased_at": profile.erased_at,
        }
        note(
            parts,
            session,
            order,
            action="profile.export",
            subject_type="profile",
            subject_id=profile_id,
            seller_id=profile.seller_id,
            before={},
            after={"opened": ["personal", "documents"]},
        )
    return {"profile": about, "personal": personal, **kept}


def erase(parts: Parts, profile_id: UUID, *, order: Order) -> Done:
    """Forget a customer, their payment methods too, in one transaction; then the provider is told to forget those.

    Who is not forgotten keeps their card. A repeat changes nothing here, and tells the provider of what it could not be
    told before. Raises `Refused`, as `commands.profile.erase` does.
    """
    with carry_out(parts, order) as session:
        profile = lock_to_forget(session, profile_id)
        changed = erase_profile(session, profile=profile, now=parts.clock.now(session))
        if changed:
            note(
                parts,
                session,
                order,
                action="profile.erase",
                subject_type="profile",
                subject_id=profile_id,
                seller_id=profile.seller_id,
                before={},
                after={"erased": True},
            )
    told = "the person is forgotten; issued documents stay" if changed else "they were forgotten before"
    if not order.dry_run and not detach_all_of(parts, profile_id):
        told += "; a payment method is still stored at the provider, which is told again by itself"
    return Done(profile_id, str(profile_id), changed=changed, told=told)
