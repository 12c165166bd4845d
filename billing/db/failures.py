"""What an error of the database leaves certain."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import event, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session, sessionmaker

_WROTE = text("SELECT pg_current_xact_id_if_assigned() IS NOT NULL")


def nothing_written(error: DBAPIError) -> bool:
    """Whether the transaction in which it was raised has certainly written nothing.

    The server that answers with an error has undone it, and one that could not be reached never began it. A connection
    that was lost may have been lost after the commit.
    """
    return not error.connection_invalidated


@dataclass(slots=True)
class Writes:
    """Whether some transaction wrote, or locked a row, and was let go to its commit."""

    any: bool = False


def watch_writes(sessions: sessionmaker[Session]) -> tuple[sessionmaker[Session], Writes]:
    """The same factory, and what becomes of its transactions."""
    watched, writes = sessionmaker(class_=sessions.class_, **sessions.kw), Writes()

    def note(session: Session) -> None:
        session.flush()
        writes.any = writes.any or session.execute(_WROTE).scalar_one()

    event.listen(watched, "before_commit", note)
    return watched, writes
