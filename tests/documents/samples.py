"""Documents as they are frozen, for tests that put them into words."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from billing.documents.facts import DocumentFacts, GroupFacts, LineFacts

START, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)
SELLER = {
    "legal_name": "Nordlicht Software GmbH",
    "country": "DE",
    "address": {"line1": "Kai 7", "city": "Hamburg", "postal_code": "20457"},
    "tax_id": "DE136695976",
}


def line(**given: Any) -> LineFacts:
    known = {
        "kind": "recurring",
        "description": "Team plan",
        "quantity": Decimal(3),
        "unit_amount": Decimal(1000),
        "amount_minor": 3000,
        "discount_minor": 0,
        "tax_percent": Decimal("19.0000"),
        "tax_inclusive": False,
        "tax_code": "domestic",
        "period_start": START,
        "period_end": END,
        "how": {},
    }
    return LineFacts(**known | given)


def group(base_minor: int, tax_minor: int, **given: Any) -> GroupFacts:
    known = {"percent": Decimal(19), "inclusive": False, "code": "domestic"}
    return GroupFacts(base_minor=base_minor, tax_minor=tax_minor, **known | given)


def document(lines: list[LineFacts], groups: list[GroupFacts], *, country: str = "DE", **given: Any) -> DocumentFacts:
    tax = sum(each.tax_minor for each in groups)
    total = tax + sum(each.base_minor for each in groups)
    buyer = {"name": "Käthe <b>Müller</b>", "address": {"line1": "Weg 1", "city": "Bonn", "country": country}}
    known = {
        "kind": "invoice",
        "status": "paid",
        "number": "ACME-000042",
        "issued_at": datetime(2026, 1, 1, 9, tzinfo=UTC),
        "due_at": None,
        "paid_at": datetime(2026, 1, 2, 23, 30, tzinfo=UTC),
        "period_start": START,
        "period_end": END,
        "zone": "Europe/Berlin",
        "periods_zone": "UTC",
        "currency": "eur",
        "subtotal_minor": total - tax,
        "discount_minor": 0,
        "tax_minor": tax,
        "total_minor": total,
        "credit_applied_minor": 0,
        "brought_forward_minor": 0,
        "amount_due_minor": total,
        "amount_paid_minor": total,
        "amount_carried_forward_minor": 0,
        "amount_remaining_minor": 0,
        "tax_groups": groups,
        "legal_notes": [],
        "collection": "automatic",
        "buyer_country": country,
        "seller": SELLER,
        "buyer": buyer,
        "lines": lines,
    }
    return DocumentFacts(**known | given)
