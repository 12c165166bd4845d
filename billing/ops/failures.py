"""One rule for every failure of every command: its exit status, and one clear sentence without a secret.

| status | means |
| --- | --- |
| 0 | fine |
| 1 | a finding: something checked is not as it should be |
| 2 | usage |
| 3 | refused: a rule forbids it, or somebody else wrote first |
| 4 | unavailable: database, broker or provider can't be reached; nothing is known to be wrong with the order |
| 70 | a fault of this program; `BILLING_LOG_LEVEL=DEBUG` shows where |
| 130 | interrupted (Ctrl-C) |
| 141 | whoever read what it prints has gone, as `head` does: the shell's number for SIGPIPE |
"""

from __future__ import annotations

import os
import re
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, Any

import click

from billing.kernel.errors import (
    BillingError,
    Fault,
    ProviderRefused,
    ProviderUnavailable,
    ProviderUncertain,
    Refused,
    Stale,
    Unavailable,
)
from billing.ops.ends import not_written

FINDING, REFUSED, UNAVAILABLE, FAULT, INTERRUPTED, UNREAD = 1, 3, 4, 70, 130, 141
Down = Callable[[], Mapping[str, str]]
"""Of `database` and `broker` those of the embedded stack that are down, each with what to do."""
DOWN = "billing.down"
"""Where the console keeps it in click's context."""
_CAPITAL = re.compile("(?<!^)(?=[A-Z])")


class Failed(click.ClickException):
    """A failure as it is told: sentences on standard error, and a status."""

    def __init__(self, sentences: Sequence[str], status: int) -> None:
        super().__init__("; ".join(sentences))
        self.sentences = list(sentences)
        # Click declares it as the class's and reads it from the instance.
        vars(self)["exit_code"] = status

    def show(self, file: IO[Any] | None = None) -> None:
        for sentence in self.sentences:
            click.echo(f"billing: {sentence}", err=True, file=file)


def told(error: Exception) -> Failed:
    """What to say of an error, and with which status to end."""
    if isinstance(error, Refused):
        # Fields and codes are words of ours; beside each other they may look like a name and its secret.
        return Failed([f"{fault.field}: {fault.code} — {_clean(fault.mend)}" for fault in error.faults], REFUSED)
    if away := unavailable(error):
        return Failed([f"{away.field}: {away.code} — {_clean(away.mend)}"], UNAVAILABLE)
    if isinstance(error, BillingError):
        return Failed([_told_by_its_kind(error)], REFUSED)
    return Failed([_clean(f"this should not have happened: {_first_line(error)}"), *_where(error)], FAULT)


@contextmanager
def in_a_sentence(*, bugs: bool = False) -> Iterator[None]:
    """End the process on a failure as a command ends, where whoever loads us would print a traceback.

    `bugs`: on a fault of this program too, where whoever calls us would log it and go on.
    """
    try:
        yield
    except Exception as error:
        failed = told(error)
        if failed.exit_code == FAULT and not bugs:
            raise
        failed.show()
        raise SystemExit(failed.exit_code) from error


def _told_by_its_kind(error: BillingError) -> str:
    """As the HTTP API tells them: the first two by the same field and code."""
    match error:
        case Stale():
            field, code, mend = "version", "stale", f"{error}"
        case ProviderRefused(account_wide=True):
            field, code = "provider", "provider_refused"
            mend = f"{error}; mend the account's key or what it may do there, until `billing check` finds nothing"
        case ProviderRefused():
            field, code = "provider", "provider_refused"
            mend = f"{error}; the same again is refused again: look at what it names, at the provider"
        case _:
            field, code = "order", _CAPITAL.sub("_", type(error).__name__).lower()
            mend = f"{error}"
    return f"{field}: {code} — {_clean(mend)}"


def unavailable(error: Exception) -> Fault | None:
    """What can't be used now, by a stable code, and a sentence; None of any other failure."""
    # Imported here: they are slow to load, and a command that fails has loaded them already.
    import psycopg  # noqa: PLC0415
    from sqlalchemy.exc import DBAPIError, OperationalError  # noqa: PLC0415

    if fault := not_written(error):
        return fault
    if isinstance(error, Unavailable):
        beside = f" ({told})" if (told := down().get("broker")) else ""
        return Fault("server", "unavailable", f"{error}{beside}")
    if isinstance(error, ProviderUnavailable | ProviderUncertain):
        mend = f"the provider can't be asked now ({error}); try again later"
        return Fault("provider", "provider_unavailable", mend)
    if isinstance(error, OperationalError) or (isinstance(error, DBAPIError) and error.connection_invalidated):
        return _database_away(error.orig, lost=error.connection_invalidated)
    if isinstance(error, psycopg.OperationalError):  # of a connection that is not SQLAlchemy's
        return _database_away(error)
    return None


def down() -> Mapping[str, str]:
    """What the console that runs now knows to be down of the embedded stack."""
    # By a name of ours: a worker's context is that of Celery's own command.
    context = click.get_current_context(silent=True)
    told: Mapping[str, str] = context.meta[DOWN]() if context and DOWN in context.meta else {}
    return told


def _database_away(error: BaseException | None, *, lost: bool = False) -> Fault:
    if told := down().get("database"):
        return Fault("database", "database_unavailable", told)
    # What the server itself refuses has a code of SQL's; without one there was no connection.
    mend = "try again later" if getattr(error, "sqlstate", None) and not lost else "start it, or mend DATABASE_URL"
    return Fault("database", "database_unavailable", f"the database can't be used now: {_first_line(error)}; {mend}")


def _first_line(error: BaseException | None) -> str:
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def _where(error: Exception) -> list[str]:
    if os.environ.get("BILLING_LOG_LEVEL", "").upper() != "DEBUG":
        return []
    return [_clean("".join(traceback.format_tb(error.__traceback__)))]


def told_of(away: Fault, verdict: str) -> str:
    """The line of something that can't be used now, with what that means for the order."""
    return f"{away.field}: {away.code} — {_clean(f'{verdict}: {away.mend}')}"


def _clean(text: str) -> str:
    from billing.privacy.redaction import redact_text  # noqa: PLC0415 (only a failure needs it)

    return redact_text(text)
