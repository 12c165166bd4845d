"""What is due: found by time stored in rows, whatever message, tick or worker was lost."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.queries.brakes import BrakeKind, moves
from billing.queries.dispute import undisputed

_PROFILES = text(
    f"""
    SELECT s.profile_id
    FROM billing.subscription s
    WHERE s.next_due_at <= :now AND s.next_due_at IS NOT NULL AND s.hold_id IS NULL
      AND NOT EXISTS (SELECT FROM billing.profile p WHERE p.id = s.profile_id AND p.hold_id IS NOT NULL)
      AND s.profile_id NOT IN (
        SELECT unnest(member_ids) FROM billing.slice WHERE kind = 'renewals' AND status IN ('pending', 'running'))
      AND {moves(BrakeKind.ISSUE, "s")}
    GROUP BY s.profile_id
    ORDER BY min(s.next_due_at), s.profile_id
    LIMIT :most
    """  # noqa: S608 (our own words)
)


def profiles_to_renew(session: Session, *, now: datetime, most: int) -> list[UUID]:
    """Profiles with a due subscription that no hold, brake or live slice covers, longest due first.

    Reads the partial index on `next_due_at`: its cost follows what is due, not what exists.
    """
    return list(session.execute(_PROFILES, {"now": now, "most": most}).scalars())


def collected(i: str) -> str:
    """A condition on the invoice of this name: it is charged by itself, and nothing but its moment is waited for.

    It is for few that are named. So spelt, it is never answered from the index of all that is due, whose size the
    planner doesn't know when many became due since statistics were taken.
    """
    return f"""{i}.status IN ('open', 'draft') AND {i}.collection = 'automatic' AND num_nulls({i}.hold_id) = 1
          AND {i}.amount_remaining_minor > 0"""


def has_come(i: str, now: str) -> str:
    """A condition on the invoice of this name: the moment of its next try is there.

    `now` is how the statement that it becomes a part of spells its parameter.
    """
    return f"""{i}.next_attempt_at <= {now}
          AND ({i}.charge_not_before IS NULL OR {i}.charge_not_before <= clock_timestamp())"""


# The statuses stand there twice: a condition on a joined value alone would not let the partial index be used.
_INVOICES = text(
    f"""
    SELECT wanted.account_id, due.profile_id, due.id
    FROM unnest(CAST(:accounts AS uuid[]), CAST(:most AS int[])) AS wanted(account_id, most)
    CROSS JOIN (VALUES (1, 'draft'), (2, 'open')) AS kind(place, status)
    CROSS JOIN LATERAL (
    SELECT i.id, i.profile_id, i.next_attempt_at
    FROM billing.invoice i
    LEFT JOIN billing.payment_method m ON m.profile_id = i.profile_id AND m.is_default
    WHERE i.status = kind.status AND i.status IN ('draft', 'open') AND i.hold_id IS NULL
      AND m.provider_account_id IS NOT DISTINCT FROM wanted.account_id
      AND i.next_attempt_at IS NOT NULL AND {has_come("i", ":now")}
      AND NOT EXISTS (SELECT FROM billing.profile p WHERE p.id = i.profile_id AND p.hold_id IS NOT NULL)
      AND i.id NOT IN (
        SELECT unnest(member_ids) FROM billing.slice WHERE kind = 'charges' AND status IN ('pending', 'running'))
      AND {moves(BrakeKind.COLLECT, "i")}
      AND {undisputed("i")}
    ORDER BY i.next_attempt_at, i.id
    LIMIT wanted.most) AS due
    ORDER BY CASE WHEN wanted.most > 1 THEN kind.place END, due.next_attempt_at, due.id
    """  # noqa: S608 (our own words)
)
# What goes before the others of its customer, as whoever opens attempts sees it; looked up as there, by customer
# (`queries.collection`).
_OLDEST = text(
    f"""
    SELECT asked.profile_id, oldest.id
    FROM unnest(CAST(:profiles AS uuid[])) AS asked(profile_id)
    CROSS JOIN LATERAL (
        SELECT theirs.id
        FROM (SELECT * FROM billing.invoice
              WHERE profile_id = asked.profile_id AND status IN ('open', 'draft') OFFSET 0) AS theirs
        WHERE {collected("theirs")} AND {has_come("theirs", ":now")}
        ORDER BY coalesce(issued_at, created_at), id LIMIT 1) AS oldest
    WHERE oldest.id NOT IN (
        SELECT unnest(member_ids) FROM billing.slice WHERE kind = 'charges' AND status IN ('pending', 'running'))
    """  # noqa: S608 (our own words)
)


def invoices_to_charge(
    session: Session, *, now: datetime, most: dict[UUID | None, int]
) -> dict[UUID | None, list[UUID]]:
    """Open invoices whose next try is due and that no hold, brake, dispute or live slice covers, so many an account.

    Of a customer's the oldest that is due: whoever opens attempts takes none before it, and what has been due for
    longest would keep its place for ever. By the account of the default method; under None those of customers without
    one. Whoever waits to begin (a draft until its first payment) comes first, then what has been due for longest; where
    there is one place, as when an account is only probed, they take turns, for one that can't be tried would keep it.
    Reads the partial index of what is due, in its order: its cost follows what is due, not what exists.
    """
    wanted = {account: number for account, number in most.items() if number > 0}
    due: dict[UUID | None, list[UUID]] = {account: [] for account in wanted}
    found = session.execute(_INVOICES, {"now": now, "accounts": list(wanted), "most": list(wanted.values())}).all()
    if not found:
        return {}
    profiles = list({row.profile_id for row in found})
    oldest = {row.profile_id: row.id for row in session.execute(_OLDEST, {"now": now, "profiles": profiles})}
    for account, profile, _ in found:
        # Each once, in the place of the first of its customer.
        invoice = oldest.pop(profile, None)
        if invoice is not None and len(due[account]) < wanted[account]:
            due[account].append(invoice)
    return {account: invoices for account, invoices in due.items() if invoices}
