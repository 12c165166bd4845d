"""Coming in at the console: by password and one-time code, or by a proxy that says who it is. All in wall time.

A try is counted, and committed, before the password is looked at, so that parallel guesses are all counted. One that is
refused for that was no guess: it goes on counting for its network, and no more for the name. The answer to a wrong
name, password or code is one and the same, and takes as long.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import text, update
from sqlalchemy.orm import Session

from billing.commands.audit_trail.record import record
from billing.commands.key.obtain import operator_key
from billing.commands.operator.open_session import hash_of, open_session
from billing.db.clock import wall_now
from billing.flows.parts import Parts
from billing.kernel.errors import Fault, Refused
from billing.kernel.ids import lowest_id_at, new_id
from billing.models import LoginTry, Operator, OperatorSession
from billing.privacy.blind_index import blind_index
from billing.privacy.one_time_code import step_of
from billing.privacy.password import NOBODYS, matches
from billing.privacy.sealed import unseal
from billing.queries.operator import Entered, find_operator, session_of

WINDOW = timedelta(minutes=15)
"""Failed tries are counted over so long."""
MOST_TOGETHER, MOST_OF_A_NETWORK, MOST_OF_A_NAME = 5, 20, 50
"""Failed tries: of one name from one network, of one network (refused ones too), of one name from anywhere."""
_SEEN_EVERY = timedelta(minutes=1)

KEPT_TRIES, KEPT_SESSIONS = timedelta(days=1), timedelta(days=30)
_PURGED = 1000

_OLD_TRIES = """
DELETE FROM billing.login_try
WHERE id IN (SELECT id FROM billing.login_try WHERE id < :before ORDER BY id LIMIT :most) RETURNING id
"""
_OLD_SESSIONS = """
DELETE FROM billing.operator_session
WHERE id IN (SELECT id FROM billing.operator_session WHERE id < :before ORDER BY id LIMIT :most) RETURNING id
"""

_COUNTS = """
SELECT (SELECT count(*) FROM billing.login_try
        WHERE name_index = :name AND network = :network AND NOT succeeded AND created_at > :since),
       (SELECT count(*) FROM billing.login_try WHERE network = :network AND NOT succeeded AND created_at > :since),
       (SELECT count(*) FROM billing.login_try WHERE name_index = :name AND NOT succeeded AND created_at > :since)
"""


@dataclass(frozen=True, slots=True)
class Given:
    """What somebody typed. It shows nothing of itself in a log."""

    name: str
    password: str
    code: str

    def __repr__(self) -> str:
        return "Given(...)"


def enter(parts: Parts, given: Given, *, network: str) -> str:
    """The token of a new session. Raises `Refused`: `too_many_logins`, `login_wrong`."""
    try_id = _count(parts, given.name, network)
    with parts.begin() as session:
        found = find_operator(session, given.name)
        operator = found if found and found.status == "on" and found.password_hash else None
        phc = operator.password_hash if operator and operator.password_hash else NOBODYS
    # Outside of a transaction: it is slow by intent.
    if not matches(given.password, phc) or operator is None:
        raise _wrong()
    with parts.begin() as session:
        wall = wall_now(session)
        if not _takes_code(parts, session, operator, given.code, wall):
            raise _wrong()
        session.execute(update(LoginTry).where(LoginTry.id == try_id).values(succeeded=True))
        return _let_in(parts, session, operator, reason="password and one-time code", wall=wall)


def enter_by_proxy(parts: Parts, name: str) -> str:
    """The token of a new session for whom the proxy has let in. Raises `Refused` (`operator_unknown`)."""
    with parts.begin() as session:
        operator = find_operator(session, name)
        if operator is None or operator.status != "on":
            mend = "an administrator lets you in with `billing operator add`"
            raise Refused(Fault("operator", "operator_unknown", mend))
        return _let_in(parts, session, operator, reason="named by the proxy", wall=wall_now(session))


def entered(parts: Parts, token: str, *, active: bool) -> Entered | None:
    """Whose browser this is; None where the session ended, was idle too long, or is too old.

    `active`: somebody asked, and not a page by itself, so the session is not idle.
    """
    settings = parts.settings
    with parts.begin() as session:
        found = session_of(session, hash_of(token))
        if found is None:
            return None
        wall = wall_now(session)
        if wall - found.seen_at >= timedelta(minutes=settings.billing_console_idle_minutes):
            return None
        if wall - found.opened_at >= timedelta(hours=settings.billing_console_session_hours):
            return None
        if (active and wall - found.seen_at >= _SEEN_EVERY) or (active and found.told):
            change = update(OperatorSession).where(OperatorSession.id == found.session_id)
            session.execute(change.values(seen_at=wall, told=None))
    return found


def tell_next(parts: Parts, session_id: UUID, told: str) -> None:
    """The next page of this session says so, once."""
    with parts.begin() as session:
        session.execute(update(OperatorSession).where(OperatorSession.id == session_id).values(told=told))


def leave(parts: Parts, token: str) -> None:
    """End this browser's session. A repeat changes nothing."""
    with parts.begin() as session:
        ended = update(OperatorSession).where(
            OperatorSession.token_hash == hash_of(token), OperatorSession.ended_at.is_(None)
        )
        session.execute(ended.values(ended_at=wall_now(session)))


def purge(parts: Parts) -> int:
    """Delete tries of more than a day ago and sessions of more than a month ago, some at a time. Returns how many."""
    with parts.begin() as session:
        wall, deleted = wall_now(session), 0
        for statement, kept in ((_OLD_TRIES, KEPT_TRIES), (_OLD_SESSIONS, KEPT_SESSIONS)):
            gone = session.execute(text(statement), {"before": lowest_id_at(wall - kept), "most": _PURGED})
            deleted += len(gone.all())
    return deleted


def _count(parts: Parts, name: str, network: str) -> UUID:
    """Count this try and commit it; then look whether there were too many before.

    One that is refused forgets its name, so that whoever is slowed down can't use up the name's tries for all others.
    """
    index = blind_index(parts.keyring.derive("tries to come in"), name)
    try_id = new_id()
    with parts.begin() as session:
        session.add(LoginTry(id=try_id, name_index=index, network=network, succeeded=False))
    with parts.begin() as session:
        values = {"name": index, "network": network, "since": wall_now(session) - WINDOW}
        together, of_network, of_name = session.execute(text(_COUNTS), values).one()
    if together > MOST_TOGETHER or of_network > MOST_OF_A_NETWORK or of_name > MOST_OF_A_NAME:
        with parts.begin() as session:
            session.execute(update(LoginTry).where(LoginTry.id == try_id).values(name_index=b""))
        raise Refused(Fault("login", "too_many_logins", "wait a quarter of an hour"))
    return try_id


def _takes_code(parts: Parts, session: Session, operator: Operator, code: str, wall: datetime) -> bool:
    """Whether the code is right and was never taken. It is taken in the same statement that looks."""
    if operator.second_factor is None:
        return False
    key = operator_key(session, parts.keyring, operator_id=operator.id)
    secret = unseal(key, operator.second_factor, table="operator", row=operator.id, column="second_factor")
    step = step_of(secret, code, wall.timestamp())
    if step is None:
        return False
    taken = session.execute(
        text(
            "UPDATE billing.operator SET code_step = :step, version = version + 1, updated_at = clock_timestamp() "
            "WHERE id = :id AND status = 'on' AND password_hash = :hash AND (code_step IS NULL OR code_step < :step) "
            "RETURNING id"
        ),
        {"step": step, "id": operator.id, "hash": operator.password_hash},
    )
    return taken.one_or_none() is not None


def _let_in(parts: Parts, session: Session, operator: Operator, *, reason: str, wall: datetime) -> str:
    record(
        session,
        actor=operator.name,
        action="console.enter",
        reason=reason,
        subject_type="operator",
        subject_id=operator.id,
        now=parts.clock.now(session),
    )
    return open_session(session, operator_id=operator.id, wall=wall)


def _wrong() -> Refused:
    return Refused(Fault("login", "login_wrong", "name, password or code is wrong"))
