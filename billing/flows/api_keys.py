"""What an operator orders about keys of the HTTP API: create, rotate, revoke. Each stands in the trail."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.api_key.create import create_key
from billing.commands.api_key.end import end_key
from billing.db.base import Json
from billing.db.clock import wall_now
from billing.flows.order import Done, Order, carry_out, note
from billing.flows.parts import Parts
from billing.kernel.errors import Fault, Refused
from billing.models import ApiKey
from billing.queries.api_key import is_valid, lock_key


@dataclass(frozen=True, slots=True)
class KeyMade:
    """What was done, and a key that is told this once."""

    done: Done
    token: str = field(repr=False)


def create(parts: Parts, *, seller_id: UUID, name: str, scopes: Sequence[str], order: Order) -> KeyMade:
    """A new key. Raises `Refused`: the faults of `check_new_key`."""
    with carry_out(parts, order) as session:
        key, token = create_key(session, seller_id=seller_id, name=name, scopes=scopes)
        _note(parts, session, order, key, action="create", after={"name": name, "scopes": key.scopes})
        return KeyMade(Done(key.id, key.prefix, changed=True, told=f"made; it may {', '.join(key.scopes)}"), token)


def rotate(parts: Parts, prefix: str, *, keep_hours: int, order: Order) -> KeyMade:
    """A successor of the same name and scopes; the former opens too for so many hours, 0 ends it now.

    Raises `Refused`: `api_key_not_found`, `api_key_over`.
    """
    with carry_out(parts, order) as session:
        former, wall = lock_key(session, prefix), wall_now(session)
        if not is_valid(former, wall=wall):
            raise Refused(Fault("api_key", "api_key_over", "it opens nothing any more; create another"))
        key, token = create_key(session, seller_id=former.seller_id, name=former.name, scopes=former.scopes)
        end_key(session, key=former, at=wall + timedelta(hours=keep_hours))
        kept = {"former": prefix, "former_kept_hours": keep_hours}
        _note(parts, session, order, key, action="rotate", after=kept)
        return KeyMade(Done(key.id, key.prefix, changed=True, told=f"{prefix} opens too for {keep_hours} h"), token)


def revoke(parts: Parts, prefix: str, *, order: Order) -> Done:
    """It opens nothing from now on. One that is over is left alone. Raises `Refused` (`api_key_not_found`)."""
    with carry_out(parts, order) as session:
        key = lock_key(session, prefix)
        if not end_key(session, key=key, at=wall_now(session)):
            return Done(key.id, key.prefix, changed=False, told="it is over already; nothing was changed")
        _note(parts, session, order, key, action="revoke", after={"expires_at": str(key.expires_at)})
        return Done(key.id, key.prefix, changed=True, told="it opens nothing from now on")


def _note(parts: Parts, session: Session, order: Order, key: ApiKey, *, action: str, after: Json) -> None:
    note(
        parts,
        session,
        order,
        action=f"api_key.{action}",
        subject_type="api_key",
        subject_id=key.id,
        seller_id=key.seller_id,
        before={},
        after=after,
    )
