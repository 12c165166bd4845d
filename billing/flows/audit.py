"""Audit: check every invariant over one snapshot of the database, and over the witness where there is one.

The witness is read first and the snapshot taken after it, so a charge that the witness shows has its attempt in the
snapshot; what our books gained in between is not held against the witness. Nothing is written but temporary tables:
`flows.auditing` keeps what was found.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import chain

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.db.clock import wall_now
from billing.db.rows import carry_out
from billing.flows.audit_report import NO_WITNESS, WITNESS_AWAY, Accepted, Checked, Report, Violation
from billing.flows.handlers import HANDLERS
from billing.flows.parts import Parts
from billing.kernel.errors import Fault, ProviderUnavailable, Refused
from billing.queries.acceptances import Acceptance, FindingKey, in_force
from billing.queries.audit import INVARIANTS, Invariant
from billing.queries.audit.invariant import Grace, Reading, Text, page_of
from billing.queries.audit.recent import fill, make_room
from billing.queries.audit.witness import Source, load_witness
from billing.settings import Settings

SHOWN = 20
"""Violations kept for one invariant; all are counted."""


def grace_for(settings: Settings) -> Grace:
    """How late is still on time. The sandbox is audited when it is quiet, so what is due there is done."""
    if settings.billing_sandbox:
        return Grace(due=timedelta(0), handled=timedelta(seconds=60), picked_up=timedelta(seconds=30))
    return Grace(due=timedelta(hours=1), handled=timedelta(hours=24), picked_up=timedelta(minutes=15))


def run(
    parts: Parts,
    *,
    witness: Source | None = None,
    where_reachable: bool = False,
    codes: Sequence[str] | None = None,
    texts: Callable[[], Iterable[Text]] = tuple,
    grace: Grace | None = None,
    shown: int = SHOWN,
    since: datetime | None = None,
    with_acceptances: bool = False,
    progress: Callable[[str, int, int], None] = lambda _stage, _done, _total: None,
) -> Report:
    """Check the invariants named by `codes` (all by default). `texts` gives what else is searched for secrets.

    `grace` says how late is still on time, by default as `grace_for` the settings. `since` (wall time) looks only at
    what changed from then on, and at what belongs to it. `with_acceptances`: what people have accepted is told as such,
    and is no violation; it is for audits of a company's own books, and whoever proves something leaves it out.
    `progress` hears how many invariants are checked, of how many.

    Raises `Refused` (`unknown_invariant`), and `ProviderUnavailable` where a witness was named and can't be read. With
    `where_reachable` all that needs none is checked then, and the report says so.
    """
    chosen = _chosen(codes)
    witness_from: datetime | None = None
    away: str | None = None
    with _one_connection(parts) as session:
        if witness is not None:
            try:
                witness_from = _read(session, witness)
            except ProviderUnavailable as error:
                if not where_reachable:
                    raise
                away = str(error)
        if since is not None:
            with session.begin():
                make_room(session)
        with session.begin():
            carry_out(session, *_SNAPSHOT)
            reading = Reading(
                session=session,
                now=parts.clock.now(session),
                wall=wall_now(session),
                grace=grace or grace_for(parts.settings),
                keyring=parts.keyring,
                witness_from=witness_from,
                texts=texts,
                since=since,
                event_types=tuple(HANDLERS),
                page=page_of(session),
            )
            if since is not None:
                fill(session, since=since, due_before=reading.now - reading.grace.due)
            known = in_force(session) if with_acceptances else {}
            results = list[tuple[Checked, list[Violation], list[Accepted]]]()
            for invariant in chosen:
                progress("invariants", len(results), len(chosen))
                results.append(_check(invariant, reading, known, shown=shown, away=away is not None))
            progress("invariants", len(results), len(chosen))
    return Report(
        began_at=reading.wall,
        since=since,
        checked=tuple(checked for checked, _, _ in results),
        violations=tuple(chain.from_iterable(violations for _, violations, _ in results)),
        accepted=tuple(chain.from_iterable(accepted for _, _, accepted in results)),
        witness_away=away,
    )


def _read(session: Session, witness: Source) -> datetime:
    """Load the witness; wall time before it was asked for anything. One that fails midway leaves nothing."""
    with session.begin():
        began = wall_now(session)
        session.execute(text("SET LOCAL statement_timeout = 0"))
        load_witness(session, witness)
    return began


# A cursor is planned for its first rows unless told otherwise; here all of them are read. The audit has no hurry that a
# flow's time-outs would know of.
_SNAPSHOT = (
    "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY",
    "SET LOCAL cursor_tuple_fraction = 1",
    "SET LOCAL work_mem = '64MB'",
    "SET LOCAL jit = off",
    "SET LOCAL statement_timeout = 0",
    "SET LOCAL idle_in_transaction_session_timeout = 0",
    "SET LOCAL timezone = 'UTC'",
)


@contextmanager
def _one_connection(parts: Parts) -> Iterator[Session]:
    """For temporary tables are a connection's own. They are given back at the end, so that a pooled one keeps none."""
    with parts.sessions.kw["bind"].connect() as connection, Session(bind=connection) as session:
        try:
            yield session
        finally:
            with session.begin():
                session.execute(text("DISCARD TEMP"))


def _chosen(codes: Sequence[str] | None) -> tuple[Invariant, ...]:
    if not codes:
        return INVARIANTS
    unknown = sorted(set(codes) - {invariant.code for invariant in INVARIANTS})
    if unknown:
        known = ", ".join(invariant.code for invariant in INVARIANTS)
        raise Refused(Fault("code", "unknown_invariant", f"{', '.join(unknown)} is none of {known}"))
    return tuple(invariant for invariant in INVARIANTS if invariant.code in codes)


def _check(
    invariant: Invariant, reading: Reading, known: Mapping[FindingKey, Acceptance], *, shown: int, away: bool
) -> tuple[Checked, list[Violation], list[Accepted]]:
    began = time.monotonic()
    witnessed = reading.witness_from is not None
    checks = [(check, False) for check in invariant.checks]
    checks += [(check, True) for check in invariant.witnessed if witnessed]
    kept: list[Violation] = []
    accepted: list[Accepted] = []
    found = 0
    for check, by_witness in checks:
        for each in check(reading):
            violation = Violation(invariant.code, each.subject_type, each.subject_id, each.detail, by_witness)
            acceptance = known.get(violation.key)
            if acceptance is not None:
                accepted.append(Accepted(violation, acceptance))
                continue
            found += 1
            if len(kept) < shown:
                kept.append(violation)
    checked = Checked(
        code=invariant.code,
        meaning=invariant.meaning,
        rows=reading.count(invariant.counted),
        violations=found,
        accepted=len(accepted),
        seconds=time.monotonic() - began,
        skipped_reason=None if witnessed or not invariant.witnessed else WITNESS_AWAY if away else NO_WITNESS,
    )
    return checked, kept, accepted
