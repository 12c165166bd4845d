"""What a command needs before it can do anything: parts by the environment, on a database that is ours to use."""

from __future__ import annotations

from billing import wiring
from billing.db.migrate import require_current
from billing.flows.parts import Parts
from billing.privacy.logging import configure_logging


def opened() -> Parts:
    """This process's parts. Raises `Refused` where a setting is missing or wrong, or the database isn't migrated."""
    configure_logging(json=False, level="WARNING")
    parts = wiring.current()
    with parts.begin() as session:
        require_current(session.connection())
    return parts
