"""Same database: whether these rows still live where they were pinned, or were brought back from a backup."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from billing.kernel.errors import Fault, Refused

FINGERPRINT = """(extract(epoch FROM pg_postmaster_start_time())::text || '/'
    || (SELECT oid FROM pg_database WHERE datname = current_database())::text)"""
"""Another server, a server that was started again, or another database there: in each the rows may be older ones."""

_FILENODE = "pg_relation_filenode('billing.database_pin')"
_SAME_FILES = f"coalesce(filenode = {_FILENODE}, true)"
"""False where a dump was put back over our tables. Pins of before this was noted don't tell."""

SAME = f"coalesce((SELECT fingerprint = {FINGERPRINT} AND {_SAME_FILES} FROM billing.database_pin), true)"  # noqa: S608 (our own words)
"""An SQL condition. What was never pinned (no process has started yet) counts as the same."""

_IS_SAME = text(f"SELECT {SAME}")

_TIMELINE = text("SELECT substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)")

_PIN = text(
    f"""
    UPDATE billing.database_pin
    SET fingerprint = noticed, filenode = {_FILENODE}, timeline = :timeline, noticed = NULL, noticed_at = NULL,
        pinned_at = clock_timestamp()
    WHERE noticed = {FINGERPRINT}
    """  # noqa: S608 (our own words)
)

_PIN_FIRST = text(
    f"""
    INSERT INTO billing.database_pin (one, fingerprint, filenode, timeline)
    VALUES (1, {FINGERPRINT}, {_FILENODE}, :timeline)
    ON CONFLICT (one) DO UPDATE SET filenode = excluded.filenode, timeline = excluded.timeline
    WHERE (database_pin.timeline IS NULL OR database_pin.filenode IS NULL)
      AND database_pin.fingerprint = excluded.fingerprint
    """  # noqa: S608 (our own words)
)

_NOTICE = text(
    f"""
    UPDATE billing.database_pin SET noticed = {FINGERPRINT}, noticed_at = clock_timestamp()
    WHERE noticed IS DISTINCT FROM {FINGERPRINT}
    """  # noqa: S608 (our own words)
)

_IS_QUIET = text(
    f"""
    SELECT coalesce(timeline = :timeline, false) AND {_SAME_FILES}
        OR noticed_at + make_interval(secs => :for_s) <= clock_timestamp()
    FROM billing.database_pin
    """  # noqa: S608 (our own words)
)

_NOTICED_FOR = text(
    f"""
    SELECT CASE WHEN noticed = {FINGERPRINT} THEN extract(epoch FROM clock_timestamp() - noticed_at)::float8 ELSE 0 END
    FROM billing.database_pin WHERE NOT {SAME}
    """  # noqa: S608 (our own words)
)

_LOST = text(
    """
    SELECT DISTINCT listed.payment_id
    FROM unnest(CAST(:payments AS uuid[]), CAST(:invoices AS uuid[]), CAST(:customers AS text[]),
                CAST(:charges AS text[])) AS listed(payment_id, invoice_id, customer_ref, charge_ref)
    LEFT JOIN billing.payment p ON p.id = listed.payment_id
    LEFT JOIN billing.invoice i ON i.id = listed.invoice_id
    LEFT JOIN billing.provider_customer k
      ON k.provider_account_id = :account AND k.customer_ref = listed.customer_ref
    WHERE p.id IS NULL AND (i.id IS NOT NULL OR k.id IS NOT NULL)
      AND (listed.payment_id >= :healed
           OR (listed.charge_ref IS NOT NULL
               AND NOT EXISTS (SELECT FROM billing.difference d
                               WHERE d.provider_account_id = :account AND d.object_ref = listed.charge_ref)))
    """
)

_LOST_REFUNDS = text(
    """
    SELECT DISTINCT listed.refund_id
    FROM unnest(CAST(:refunds AS uuid[]), CAST(:refs AS text[]), CAST(:charges AS text[]), CAST(:moved AS boolean[]))
         AS listed(refund_id, refund_ref, charge_ref, moved)
    LEFT JOIN billing.refund r ON r.id = listed.refund_id
    WHERE r.id IS NULL AND NOT EXISTS (SELECT FROM billing.payment o WHERE o.id = listed.refund_id)
      AND (EXISTS (SELECT FROM billing.payment p
                   WHERE p.provider_account_id = :account AND p.charge_ref = listed.charge_ref)
           OR EXISTS (SELECT FROM billing.unapplied_payment u
                      WHERE u.provider_account_id = :account AND u.charge_ref = listed.charge_ref))
      AND (listed.refund_id >= :healed
           OR (listed.moved
               AND NOT EXISTS (SELECT FROM billing.difference d
                               WHERE d.provider_account_id = :account AND d.object_ref = listed.refund_ref)))
    """
)


@dataclass(frozen=True, slots=True)
class NamedRefund:
    """A refund as the provider names it; `moved` where its money has gone back, or is about to."""

    refund_id: UUID
    refund_ref: str
    charge_ref: str | None
    moved: bool


@dataclass(frozen=True, slots=True)
class Named:
    """An attempt as the provider names it; `charge_ref` where it has moved money that we keep."""

    payment_id: UUID
    invoice_id: UUID | None
    customer_ref: str | None
    charge_ref: str | None


class NotReconciled(Refused):
    """It is open whether these rows are all that there are (`not_reconciled`). Nothing is wrong with what was asked."""

    def __init__(self) -> None:
        mend = "the database may be an older copy; the provider is asked about it, so try again in some minutes"
        super().__init__(Fault("database", "not_reconciled", mend))


def is_same(session: Session) -> bool:
    """Whether the rows live where they were pinned."""
    return bool(session.execute(_IS_SAME).scalar_one())


def pin_first(session: Session) -> None:
    """Pin them to this server and database, unless they are pinned."""
    session.execute(_PIN_FIRST, {"timeline": _timeline(session)})


def notice_server(session: Session) -> None:
    """Note since when the server is not the pinned one. A server that was noticed keeps its moment."""
    session.execute(_NOTICE)


def pin_anew(session: Session) -> None:
    """Pin them to the server that was noticed. Nothing happens where it is another one by now."""
    session.execute(_PIN, {"timeline": _timeline(session)})


def is_quiet(session: Session, *, for_s: float) -> bool:
    """Whether no call can be under way any more that these rows do not show, on the server that was noticed.

    A server that was started again has every row that a call was made by: nothing to wait for. Another one, promoted or
    recovered, may lack the last ones, as may a dump that was put back; what was begun to be sent before reaches the
    provider within the lease that it was sent under: so until `for_s` seconds after that was first noticed.
    """
    return bool(session.execute(_IS_QUIET, {"timeline": _timeline(session), "for_s": for_s}).scalar_one())


def noticed_for(session: Session) -> float | None:
    """Seconds since it was noticed that the server is not the pinned one; None where it is."""
    found: float | None = session.execute(_NOTICED_FOR).scalar_one_or_none()
    return found


def _timeline(session: Session) -> str | None:
    try:
        with session.begin_nested():
            return str(session.execute(_TIMELINE).scalar_one())
    except DBAPIError:
        return None  # PostgreSQL's look-alikes keep their log elsewhere.


def lost_attempts(session: Session, *, account_id: UUID, named: Sequence[Named], healed: UUID) -> list[UUID]:
    """Of attempts as the provider names them, those that we have no row of, though ours.

    An attempt is committed before the provider hears of it, so one without a row proves that rows were lost. One of
    another's customer and invoice is not ours: a test account may serve several databases. What an earlier healing has
    dealt with is left out: an attempt whose id is below `healed`, unless money by it was never seen.
    """
    values = {
        "account": account_id,
        "healed": healed,
        "payments": [each.payment_id for each in named],
        "invoices": [each.invoice_id for each in named],
        "customers": [each.customer_ref for each in named],
        "charges": [each.charge_ref for each in named],
    }
    return list(session.execute(_LOST, values).scalars())


def lost_refunds(session: Session, *, account_id: UUID, named: Sequence[NamedRefund], healed: UUID) -> list[UUID]:
    """Of refunds of charges of ours, those that name a refund which we have no row of: rows were lost.

    Its row too is committed before the provider hears of it. What an earlier healing has dealt with is left out, as by
    `lost_attempts`.
    """
    values = {
        "account": account_id,
        "healed": healed,
        "refunds": [each.refund_id for each in named],
        "refs": [each.refund_ref for each in named],
        "charges": [each.charge_ref for each in named],
        "moved": [each.moved for each in named],
    }
    return list(session.execute(_LOST_REFUNDS, values).scalars())
