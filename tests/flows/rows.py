"""What a test of flows sees of its company: rows as they are committed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from billing.db.clock import wall_now
from billing.flows.parts import Parts
from billing.models import (
    CreditBalance,
    Invoice,
    InvoiceLine,
    OutboxEvent,
    Payment,
    Posting,
    ProviderCustomer,
    Refund,
    Subscription,
    WorkItem,
)
from billing.sandbox.bench.counting import counting_statements


@dataclass(slots=True)
class Rows:
    """Reads through the parts that the flows use."""

    parts: Parts

    def from_now_on(self) -> datetime:
        """When an audit would begin that leaves out what was written so far (wall time; ids are of a millisecond)."""
        with self.begin() as session:
            return wall_now(session) + timedelta(milliseconds=2)

    def now(self) -> datetime:
        with self.begin() as session:
            return self.parts.clock.now(session)

    def lines(self, invoice: Invoice) -> list[InvoiceLine]:
        """A document's lines, in order."""
        with self.begin() as session:
            query = select(InvoiceLine).where(InvoiceLine.invoice_id == invoice.id)
            return list(session.scalars(query.order_by(InvoiceLine.position)))

    def refunds(self) -> list[Refund]:
        """All refunds, oldest first."""
        with self.begin() as session:
            return list(session.scalars(select(Refund).order_by(Refund.id)))

    def credit(self, profile_id: UUID, currency: str = "eur") -> int:
        """The customer's balance, in minor units."""
        with self.begin() as session:
            query = select(CreditBalance.amount_minor)
            found = query.where(CreditBalance.profile_id == profile_id, CreditBalance.currency == currency)
            return session.scalar(found) or 0

    def account(self, name: str) -> int:
        """What an account of the ledger stands at, in minor units: debit positive."""
        with self.begin() as session:
            query = select(func.coalesce(func.sum(Posting.amount_minor), 0)).where(Posting.account == name)
            return int(session.scalar(query) or 0)

    def told(self, *topics: str) -> list[tuple[str, dict[str, Any]]]:
        """The outbox's events of these topics (without any: of all), oldest first."""
        with self.begin() as session:
            rows = session.scalars(select(OutboxEvent).order_by(OutboxEvent.id))
            return [(row.topic, row.payload) for row in rows if not topics or row.topic in topics]

    def work_items(self) -> list[WorkItem]:
        """All work items, oldest first."""
        with self.begin() as session:
            return list(session.scalars(select(WorkItem).order_by(WorkItem.id)))

    def customer_ref(self, profile_id: UUID) -> str:
        """The provider's id of a profile."""
        with self.begin() as session:
            query = select(ProviderCustomer.customer_ref).where(ProviderCustomer.profile_id == profile_id)
            return session.scalars(query).one()

    def invoices(self) -> list[Invoice]:
        """All documents, by number."""
        with self.parts.begin() as session:
            return list(session.scalars(select(Invoice).order_by(Invoice.number)))

    def payments(self, invoice: Invoice | None = None) -> list[Payment]:
        """All attempts, of one invoice or of all, oldest first."""
        with self.parts.begin() as session:
            query = select(Payment).order_by(Payment.id)
            return list(session.scalars(query if invoice is None else query.where(Payment.invoice_id == invoice.id)))

    def subscription(self, id_: UUID) -> Subscription:
        with self.parts.begin() as session:
            return session.get_one(Subscription, id_)

    @contextmanager
    def counting_statements(self) -> Iterator[list[str]]:
        """Every statement that the block sends to the database, by whatever road; COPY too."""
        with counting_statements() as sent:
            yield sent

    def begin(self) -> Session:
        """A plain session for a test's own reading."""
        return self.parts.sessions()
