"""What both sides don't agree about."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from billing.kernel.ids import new_id
from billing.models import Difference, ProviderAccount
from tests.builders.rows import add


def difference(session: Session, account: ProviderAccount, *, work_item_id: UUID, **given: Any) -> Difference:
    """One charge about which both sides don't agree."""
    known = {"kind": "charge_differs", "object_ref": f"ch_{new_id().hex[-12:]}", "detail": "it is of another amount"}
    return add(
        session,
        Difference(id=new_id(), provider_account_id=account.id, work_item_id=work_item_id, **known | given),
    )
