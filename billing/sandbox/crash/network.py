"""A transport of structured invoices, as a host application has one: it writes down what it takes."""

from __future__ import annotations

import os
from pathlib import Path

from billing.documents.structured import StructuredInvoice

BOOK = "CRASH_NETWORK_BOOK"
"""Names the file: a line for each time that a document was handed over."""


def take(invoice: StructuredInvoice) -> str:
    """The network's number of it: the same, however often it is handed over."""
    with Path(os.environ[BOOK]).open("a", encoding="utf-8") as book:
        book.write(f"{invoice.id}\n")
    return f"N-{invoice.number}"
