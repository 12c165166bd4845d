"""Owners: whoever looks after an endpoint is told by mail that it was switched off, where there is a mail server.

The work item `endpoint_off` stands whether or not a mail leaves. No transaction is open while one is sent.
"""

from __future__ import annotations

from typing import Any
from uuid import uuid5

import structlog
from sqlalchemy import Row
from sqlalchemy.orm import Session

from billing.commands.endpoint.contact import address_of, end_telling, take_owners_to_tell
from billing.flows.notices import mail_server
from billing.flows.parts import Parts
from billing.kernel.errors import Refused
from billing.mail.endpoint_off import endpoint_off
from billing.mail.server import MailLater, MailServer, Undeliverable
from billing.privacy.sealed import SealBroken

_log = structlog.get_logger(__name__)

BATCH = 10
LIFE_S = 3 * 86_400.0
"""Off for longer, an endpoint is no news any more."""


def tell_owners(parts: Parts) -> int:
    """Tell each owner once. Returns how many mails were taken; one that was not is tried again after a while."""
    server = mail_server(parts)
    with parts.begin() as session:
        rows = take_owners_to_tell(session, lease_s=parts.settings.mail_back_off_s[1], life_s=LIFE_S, most=BATCH)
        addresses = {row.id: _address(parts, session, row) for row in rows}
    taken = 0
    for row in rows:
        address = addresses[row.id]
        if server is not None and address is not None and not row.late:
            try:
                _send(server, row, address)
                taken += 1
            except Undeliverable as never:
                _log.warning("owner_not_told", endpoint=str(row.id), error=str(never))
            except MailLater as later:
                _log.warning("owner_not_told_yet", endpoint=str(row.id), error=str(later))
                continue
        with parts.begin() as session:
            end_telling(session, row)
    return taken


def _address(parts: Parts, session: Session, row: Row[Any]) -> str | None:
    """None where it can not be opened: a person sees the work item all the same."""
    try:
        return address_of(session, parts.keyring, row)
    except (SealBroken, Refused) as broken:
        _log.error("contact_not_opened", endpoint=str(row.id), error=type(broken).__name__)
        return None


def _send(server: MailServer, row: Row[Any], address: str) -> None:
    letter = endpoint_off(seller=row.seller, code=row.code, reason=row.off_reason, at=row.off_at)
    # A mail that was taken twice, because we died before we wrote it, has one Message-ID.
    id_ = uuid5(row.id, row.off_at.isoformat())
    server.send(letter, to=address, from_name=row.seller, id_=id_, at=row.off_at)
