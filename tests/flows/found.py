"""What tests of accepted findings share: a true finding that nothing undoes, and an audit of everything."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import select, text

from billing.flows import audit, auditing
from billing.flows.audit_report import Report
from billing.models import Invoice, WorkItem
from tests.flows.company import Company

_ADD = text("UPDATE billing.invoice SET amount_remaining_minor = amount_remaining_minor + :minor WHERE id = :id")


def untrue_invoice(acme: Company, *, account: str = "one") -> UUID:
    """An open invoice of which less is still to be paid than the books say, by a hand past the engine."""
    profile_id = acme.customer(account, method=None)
    acme.subscribe(account, f"{account}-basic")
    acme.settle()
    with acme.begin() as session:
        id_ = session.scalars(select(Invoice.id).where(Invoice.profile_id == profile_id)).one()
    add_to(acme, id_, -1)
    return id_


def add_to(acme: Company, invoice_id: UUID, minor: int) -> None:
    """Change by hand what it says is still to be paid."""
    with acme.parts.begin() as session:
        session.execute(_ADD, {"id": invoice_id, "minor": minor})


def audited(acme: Company) -> Report:
    """As the day's audit of everything."""
    report = audit.run(acme.parts, shown=auditing.SHOWN, with_acceptances=True)
    auditing.keep(acme.parts, report)
    return report


def finding(acme: Company) -> WorkItem:
    """The newest work item of an audit."""
    with acme.begin() as session:
        wanted = select(WorkItem).where(WorkItem.kind == auditing.FINDING).order_by(WorkItem.id.desc())
        return session.scalars(wanted).first() or _none()


def _none() -> WorkItem:
    raise AssertionError("no audit has found anything")
