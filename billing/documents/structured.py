"""The port to a network for structured invoices (SdI, KSeF, Peppol…): what a transport is handed, and how it says no.

The format and the way are the host application's, by `BILLING_E_INVOICE_TRANSPORTS`; billing sees to it that each
document that the law wants so is handed over, at least once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol
from uuid import UUID

from billing.documents.facts import DocumentFacts


@dataclass(frozen=True, slots=True)
class StructuredInvoice:
    """An issued invoice or note, as it is frozen. Personal: log nothing of it but `id` and `number`."""

    id: UUID
    """The same at every try: the key by which a transport tells a repeat."""
    number: str
    country: str
    """Whose law asks for it (ISO 3166)."""
    law: str
    facts: DocumentFacts = field(repr=False)
    pdf: bytes = field(repr=False)
    """PDF/A-3b where every letter has a font, for formats that go inside one."""


class NotAccepted(Exception):
    """The network refuses this document for good: a person must look. The text is a code, without personal values."""


class Transport(Protocol):
    """A callable, or a class without arguments whose object is called."""

    def __call__(self, invoice: StructuredInvoice) -> str | None:
        """Hand it over; return the network's own number for it, if it has one.

        Raises `NotAccepted`. Any other exception means: not now. Must bear the same `id` twice.
        """
        ...
