"""Explain: what a whole document says about itself, from its lines to what is due or given back."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from billing.rules.explain import DocumentAccount, explain
from billing.rules.tax import TaxCode, TaxGroup
from tests.rules.licensed import licensed
from tests.rules.told import JULY, JUNE, line


def document(**facts: Any) -> DocumentAccount:
    known: dict[str, Any] = {
        "kind": "invoice",
        "status": "paid",
        "number": "ACME-000007",
        "currency": "eur",
        "issued_at": JUNE + timedelta(hours=2),
        "period_start": JUNE,
        "period_end": JULY,
        "subtotal_minor": 3333,
        "discount_minor": 333,
        "total_minor": 3570,
        "credit_applied_minor": 570,
        "brought_forward_minor": 0,
        "amount_due_minor": 3000,
        "tax_groups": [TaxGroup(Decimal("19.0000"), False, 3000, 570, TaxCode.DOMESTIC)],
        "lines": [line(licensed(Decimal(3333), 1), kind="recurring", name="Basic", discount_minor=333)],
    }
    return DocumentAccount(**known | facts)


def test_a_whole_invoice() -> None:
    assert explain(document()) == [
        "Invoice ACME-000007, issued 2026-06-01T02:00:00Z, 2026-06-01 to 2026-07-01.",
        "",
        "1. Basic: paid in advance, 2026-06-01 to 2026-07-01",
        "   1 Basic: 1 at 33.33 EUR each = 33.33 EUR",
        "   less 3.33 EUR, its share of the discount = 30.00 EUR",
        "   tax: 19 % on top, sold in the seller's own country",
        "",
        "Subtotal: 33.33 EUR, the sum of the lines",
        "Discount: 3.33 EUR, the sum of the lines' shares",
        "Tax 19 % of 30.00 EUR = 5.70 EUR",
        "Total: 33.33 EUR - 3.33 EUR + 5.70 EUR = 35.70 EUR",
        "Credit used: 5.70 EUR",
        "Due: 35.70 EUR - 5.70 EUR = 30.00 EUR",
    ]


def test_what_is_brought_forward_is_due_besides_the_total() -> None:
    told = explain(document(brought_forward_minor=24, amount_due_minor=3024))
    assert told[-4:] == [
        "Total: 33.33 EUR - 3.33 EUR + 5.70 EUR = 35.70 EUR",
        "Brought forward: 0.24 EUR, which earlier invoices asked for and was too little to be charged",
        "Credit used: 5.70 EUR",
        "Due: 35.70 EUR + 0.24 EUR - 5.70 EUR = 30.24 EUR",
    ]


def test_tax_inside_the_prices_is_not_added_again() -> None:
    groups = [
        TaxGroup(Decimal(19), True, 840, 160, TaxCode.DOMESTIC),
        TaxGroup(Decimal(0), False, 500, 0, TaxCode.UNTAXED),
    ]
    told = explain(document(tax_groups=groups, subtotal_minor=1500, discount_minor=0, total_minor=1500))
    assert told[-5:-2] == [
        "Tax 19 % inside the prices: 19/119 of 10.00 EUR = 1.59663865… EUR, rounded half away from zero to 1.60 EUR",
        "Tax on 5.00 EUR: 0.00 EUR, the price has no tax rate",
        "Total: 15.00 EUR",
    ]


def test_notes_say_what_they_correct_and_where_the_money_goes() -> None:
    nothing: dict[str, Any] = {"lines": [], "discount_minor": 0, "credit_applied_minor": 0, "amount_due_minor": 0}
    whole = document(kind="credit_note", status="credited", **nothing | {"lines": document().lines})
    assert explain(whole)[0].endswith("more was given back than charged, so every sign is turned.")
    assert explain(whole)[-1] == "35.70 EUR goes into the customer's credit, which later invoices use first."
    refund = explain(document(kind="credit_note", status="refunded", corrects="ACME-000003", **nothing))
    assert refund[0].endswith("it gives back money paid on invoice ACME-000003.")
    assert "Tax 19 % on 30.00 EUR: 5.70 EUR, the invoice's tax in proportion" in refund
    assert refund[-1] == "35.70 EUR goes back to the payment method that paid invoice ACME-000003."
    part = partial(document, kind="credit_note", status="credited", corrects="ACME-000003", **nothing)
    assert [explain(part(into_credit_minor=minor))[-1] for minor in (0, 1000, 3570)] == [
        "35.70 EUR of invoice ACME-000003 is not owed any more.",
        "25.70 EUR of invoice ACME-000003 is not owed any more. 10.00 EUR goes into the customer's credit.",
        "35.70 EUR of invoice ACME-000003 goes into the customer's credit, which later invoices use first.",
    ]
    void = explain(document(kind="cancellation", status="credited", corrects="ACME-000003", **nothing))
    assert void[0].endswith("it takes back all of invoice ACME-000003.")
    assert void[-1] == "Nothing is owed on invoice ACME-000003 any more."
    assert explain(replace(document(), number=None, issued_at=None))[0].startswith("Invoice without a number, not")
