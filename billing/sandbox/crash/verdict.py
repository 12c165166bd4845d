"""What must hold in the end, whatever was done to the processes: the audit, and each customer's own story."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from sqlalchemy import text

from billing.flows import audit
from billing.queries.audit.invariant import Text
from billing.sandbox.crash.stage import Stage

_INVOICES = text(
    """
    SELECT i.id, i.number, i.status, i.total_minor, p.account_id
    FROM billing.invoice i JOIN billing.profile p ON p.id = i.profile_id
    WHERE i.kind = 'invoice'
    """
)
_PAID = text("SELECT charge_ref, invoice_id FROM billing.payment WHERE status = 'succeeded'")
_ITEMS = text("SELECT kind, count(*) FROM billing.work_item WHERE status = 'open' GROUP BY kind")


def verdict(stage: Stage) -> list[str]:
    """Everything that is wrong, in short sentences; empty is what is wanted."""
    return [*stage.problems, *_audited(stage), *_billed_once(stage), *_nothing_parked(stage)]


def _audited(stage: Stage) -> Iterator[str]:
    report = audit.run(stage.parts, witness=stage.witness, texts=lambda: _logs(stage))
    for each in report.violations:
        yield f"{each.code}: {each.subject_type} {each.subject_id}: {each.detail}"


def _logs(stage: Stage) -> Iterator[Text]:
    for name, living in stage.living.items():
        yield from (Text(f"{name}.log", line) for line in living.log.read_text(errors="replace").splitlines())


def _billed_once(stage: Stage) -> Iterator[str]:
    """Each subscription has its documents, each good card paid each of them exactly once, no other card anything."""
    world = stage.world
    with stage.parts.begin() as session:
        invoices = session.execute(_INVOICES).all()
        paid_for = {row.charge_ref: str(row.invoice_id) for row in session.execute(_PAID)}
    if len(invoices) != world.documents:
        yield f"{len(invoices)} documents where {world.documents} were due"
    # After a restore another invoice stands in the place of the one that the provider names.
    charges = Counter(
        paid_for.get(charge.charge_ref, charge.invoice_id)
        for charge in stage.witness.charges()
        if charge.status == "succeeded"
    )
    pays = {customer.account: customer.pays for customer in world.customers}
    for invoice in invoices:
        wanted = 1 if pays[invoice.account_id] else 0
        if charges[str(invoice.id)] != wanted:
            yield f"{invoice.number} was charged {charges[str(invoice.id)]} times, not {wanted}"
        if (invoice.status == "paid") != pays[invoice.account_id]:
            yield f"{invoice.number} is {invoice.status}"
        if invoice.total_minor != world.amount_minor:
            yield f"{invoice.number} says {invoice.total_minor}, not {world.amount_minor}"


def _nothing_parked(stage: Stage) -> Iterator[str]:
    """No crash is a person's work."""
    with stage.parts.begin() as session:
        for kind, count in session.execute(_ITEMS):
            yield f"{count} open work items: {kind}"
