"""Structuring: documents that the law wants in a network's form are handed to the host's transport, at least once.

The transport runs in this process, with no transaction open. A worker that dies meanwhile leaves a lease; the document
is handed over again under the same id.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from functools import cache
from typing import Any, cast

import structlog
from sqlalchemy import Row

from billing.commands.e_invoice.close import close_e_invoice, put_off
from billing.commands.e_invoice.take import take_e_invoices
from billing.db.clock import wall_now
from billing.documents.structured import NotAccepted, StructuredInvoice, Transport
from billing.flows.documents import document_facts, document_pdf
from billing.flows.parts import Parts
from billing.kernel.errors import Stale
from billing.kernel.failpoints import failpoint
from billing.kernel.status import EInvoiceStatus
from billing.privacy.redaction import redact_text
from billing.rules.delivery import pause_s

_log = structlog.get_logger(__name__)

BATCH = 20
"""Handed over in a round, one after the other; the next tick goes on."""
_LONGEST = 200
"""Characters that are kept of a network's number, or of a code."""
MOST_TRIES = 14
"""With the pauses of deliveries these are three days; then it is a person's work."""


def send_structured(parts: Parts) -> int:
    """Hand over what is due. Returns how many were taken."""
    transports = parts.settings.e_invoice_transports
    for place in range(BATCH):
        with parts.begin() as session:
            # One at a time: a lease covers one call, as long as the host's own code may take.
            lease_s = float(parts.settings.billing_task_limit_s)
            rows = take_e_invoices(session, countries=transports, lease_s=lease_s, most=1)
        if not rows:
            return place
        _send(parts, transports, rows[0])
    return BATCH


def _send(parts: Parts, transports: Mapping[str, str], row: Row[Any]) -> None:
    failpoint("e_invoice.taken")
    status, told = _handed(parts, transports[row.country], row)
    failpoint("e_invoice.answered")
    try:
        _write(parts, row, status, told)
    except Stale:
        _log.info("late_e_invoice_dropped", e_invoice=str(row.id))


def _handed(parts: Parts, path: str, row: Row[Any]) -> tuple[EInvoiceStatus, str | None]:
    """What became of it, with the network's number or a code. `WAITING`: not now."""
    if row.tries > MOST_TRIES + 1:
        # Each try before ended with its process, which could write nothing.
        return EInvoiceStatus.FAILED, "its_process_died"
    try:
        invoice = StructuredInvoice(
            row.invoice_id,
            row.number,
            row.country,
            row.law,
            document_facts(parts, row.invoice_id),
            document_pdf(parts, row.invoice_id).content,
        )
        return EInvoiceStatus.SENT, _storable(transport(path)(invoice))
    except NotAccepted as refused:
        return EInvoiceStatus.FAILED, _storable(str(refused))
    except Exception as error:  # noqa: BLE001 (whatever the host's own code raises: it is tried again)
        # Its words may be personal; the host application logs them itself.
        _log.warning("e_invoice_failed", e_invoice=str(row.id), error=type(error).__name__)
        return EInvoiceStatus.WAITING, f"raised_{type(error).__name__}"


def _storable(said: object) -> str | None:
    """What the host's own code said, so that it can be written down, whatever it is: the document has left."""
    return redact_text("".join(filter(str.isprintable, str(said))))[:_LONGEST] or None if said is not None else None


def _write(parts: Parts, row: Row[Any], status: EInvoiceStatus, told: str | None) -> None:
    with parts.begin() as session:
        now, wall = parts.clock.now(session), wall_now(session)
        mine = {"e_invoice_id": row.id, "token": row.token, "wall": wall}
        if status is EInvoiceStatus.WAITING and row.tries < MOST_TRIES:
            step_s = pause_s(parts.settings.delivery_back_off_s, row.tries)
            put_off(session, reason=told or "", pause_s=step_s, **mine)
        elif status is EInvoiceStatus.SENT:
            close_e_invoice(session, status=status, reference=told, now=now, **mine)
        else:
            close_e_invoice(session, status=EInvoiceStatus.FAILED, reason=told, now=now, **mine)


@cache
def transport(path: str) -> Transport:
    """The host's own, by `package.module:name`; a class is made once a process. Raises what importing it raises."""
    module, _, name = path.partition(":")
    found = getattr(importlib.import_module(module), name)
    return cast("Transport", found() if isinstance(found, type) else found)
