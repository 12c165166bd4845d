"""Tasks of what documents need besides paper."""

from __future__ import annotations

from billing.flows import rates, structuring, tax_ids
from billing.flows.parts import Parts
from billing.queue.names import DOCUMENTS_TICK
from billing.tasks.base import task


@task(DOCUMENTS_TICK)
def tick(parts: Parts) -> None:
    """Read exchange rates where it is time; ask about VAT numbers; hand over the structured invoices that wait."""
    try:
        rates.read_rates(parts)
    finally:
        try:
            tax_ids.ask_register(parts)
        finally:
            structuring.send_structured(parts)
