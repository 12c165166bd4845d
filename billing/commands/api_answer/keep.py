"""Keep an answer, in the transaction of what it tells."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from billing.kernel.ids import new_id
from billing.models import ApiAnswer
from billing.privacy.sealed import seal


def keep_answer(
    session: Session,
    *,
    seller_id: UUID,
    key: str,
    request_hash: bytes,
    master_id: str,
    status: int,
    body: str,
    sealing_key: bytes,
) -> None:
    """Write it, sealed; hash and seal are of the master key of that id. The key is claimed by this transaction."""
    id_ = new_id()
    sealed = seal(sealing_key, body.encode(), table="api_answer", row=id_, column="body")
    session.add(
        ApiAnswer(
            id=id_,
            seller_id=seller_id,
            key=key,
            request_hash=request_hash,
            master_id=master_id,
            status=status,
            body=sealed,
        )
    )
    session.flush()
