"""Record what the register said of a customer's VAT number: with it the charge may be reversed, or not."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.work_item.close import close_for
from billing.commands.work_item.raise_item import raise_item
from billing.db.base import Json
from billing.events.outbox import emit
from billing.events.topics import Topic
from billing.kernel.clock import format_instant
from billing.kernel.errors import Stale
from billing.kernel.work import WorkKind
from billing.queries.profile import lock_profile


def confirm_tax_id(
    session: Session,
    *,
    profile_id: UUID,
    asked: Json,
    source: str,
    valid: bool,
    reference: str | None,
    code: str | None,
    now: datetime,
) -> None:
    """Write the answer beside the check that it answers (`asked`, as it was claimed).

    A number that is not registered reverses no charge from now on, and is a person's work; so is one that the register
    takes for none, with its `code` for that. Raises `Stale` where the customer was changed meanwhile: the new number is
    asked about by itself.
    """
    profile = lock_profile(session, profile_id)
    if profile.erased_at is not None or profile.tax_id_check != asked:
        raise Stale("the customer was changed meanwhile")
    answer: Json = {"valid": valid, "source": source, "reference": reference, "at": format_instant(now)}
    profile.tax_id_check = {**asked, "register": answer}
    profile.tax_id_ask_at = None
    profile.has_tax_id = valid
    session.flush()
    emit(
        session,
        topic=Topic.PROFILE_UPDATED,
        object_type="profile",
        object_id=profile_id,
        seller_id=profile.seller_id,
        now=now,
    )
    if valid:
        close_for(session, kind=WorkKind.TAX_ID_REFUSED, subject_id=profile_id, now=now)
        return
    knows = "knows no such VAT number" if code is None else "takes this for no VAT number"
    raise_item(
        session,
        kind=WorkKind.TAX_ID_REFUSED,
        subject_type="profile",
        subject_id=profile_id,
        seller_id=profile.seller_id,
        profile_id=profile_id,
        summary=f"{source} {knows}: sales to this customer are taxed from now on.",
        error=code,
        safe_actions=["park", "discard"],
        now=now,
    )
