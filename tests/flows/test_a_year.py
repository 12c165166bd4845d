"""A subscription's life from the first invoice on, through the real parts."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.flows.company import Company


def test_a_monthly_subscription_is_billed_and_paid_at_every_boundary_of_its_anchor(acme: Company) -> None:
    acme.customer("a1")
    acme.subscribe("a1", "s1")
    acme.settle()
    for month, day in ((2, 28), (3, 31), (4, 30)):
        acme.set_clock(datetime(2026, month, day, tzinfo=UTC))
        acme.settle()
    invoices = acme.invoices()
    assert [invoice.number for invoice in invoices] == [f"ACME-{n:06d}" for n in (1, 2, 3, 4)]
    assert [(invoice.status, invoice.total_minor, invoice.amount_paid_minor) for invoice in invoices] == [
        ("paid", 1190, 1190)
    ] * 4
    assert [invoice.period_start.date().isoformat() for invoice in invoices if invoice.period_start] == [
        "2026-01-31",
        "2026-02-28",
        "2026-03-31",
        "2026-04-30",
    ]
    assert sum(charge.amount_minor for charge in acme.witness.charges() if charge.status == "succeeded") == 4 * 1190
