"""Whether this process's master keys are those of this database, and what each of them wraps."""

from __future__ import annotations

from sqlalchemy import func, select, union_all
from sqlalchemy.orm import Session

from billing.kernel.errors import Fault, MasterKeyMissing
from billing.models import DataKey
from billing.privacy.keyring import Keyring
from billing.privacy.sealed import SealBroken


def require_master_key(session: Session, keyring: Keyring) -> None:
    """With a key of nobody's it would seal on: lost with that key, and nothing from before could be read.

    Raises `MasterKeyMissing` (`wrong_secret_key`).
    """
    if masters := unopened(session, keyring):
        mend = f"what is sealed here is under the master key with the id {', '.join(masters)}: give that one"
        raise MasterKeyMissing(Fault("BILLING_SECRET_KEY", "wrong_secret_key", mend))


def unopened(session: Session, keyring: Keyring) -> list[str]:
    """Ids of the masters of the oldest and the newest data key where neither opens; while a key is rotated, one may."""
    ends = (select(DataKey.id).order_by(order).limit(1) for order in (DataKey.id.asc(), DataKey.id.desc()))
    found = session.scalars(select(DataKey).where(DataKey.id.in_(union_all(*ends)))).all()
    opens = any(_opens(keyring, each) for each in found)
    return [] if opens else sorted({each.master_id for each in found})


def data_keys_by_master(session: Session) -> dict[str, int]:
    """How many data keys each master key wraps, by its id, of all there are: reads every one."""
    rows = session.execute(select(DataKey.master_id, func.count().label("number")).group_by(DataKey.master_id))
    return {row.master_id: row.number for row in rows}


def _opens(keyring: Keyring, key: DataKey) -> bool:
    try:
        keyring.unwrap(master_id=key.master_id, wrapped=key.wrapped, row=key.id)
    except (MasterKeyMissing, SealBroken):
        return False
    return True
