"""CSV into rows: one line a subscription, with columns for its seller, catalog and customer.

What several lines share may be given on one of them and named by its code alone on the others.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping

from billing.flows.intake_input import LineFault
from billing.ops.import_rows import Cell, Row

_ADDRESS = ("line1", "line2", "city", "postal_code", "region")

_COLUMNS: Mapping[str, Mapping[str, str]] = {
    "sellers": {
        "seller": "code",
        "seller_name": "legal_name",
        "seller_country": "country",
        "seller_currency": "currency",
        "seller_timezone": "timezone",
        "seller_tax_id": "tax_id",
        "seller_payment_instructions": "payment_instructions",
        "seller_document_footer": "document_footer",
        "seller_number_prefix": "number_prefix",
        "seller_credit_note_prefix": "credit_note_prefix",
        "next_number": "next_number",
        "seller_proration": "proration",
        "seller_oss": "oss",
        "seller_draft_review_h": "draft_review_h",
        "seller_guard_volume": "guard_volume",
        "seller_guard_amount": "guard_amount",
        "seller_guard_catch_up": "guard_catch_up",
        "seller_upcoming_days": "upcoming_days",
        "seller_dunning_final": "dunning.final",
        "seller_dunning_hours": "dunning.hours",
        "seller_card_limit": "dunning.card_limit",
        "seller_revenue_recognition": "revenue_recognition",
        "seller_complete_documents": "complete_documents",
        "seller_e_invoices": "e_invoices",
        "seller_mail_documents": "mail_documents",
        "seller_dispute_stops_charging": "dispute_stops_charging",
        "seller_fall_back": "fall_back",
        "seller_method_kinds": "method_kinds",
        "seller_debit_notice_days": "debit_notice_days",
        "seller_creditor_id": "creditor_id",
        **{f"seller_{line}": f"address.{line}" for line in _ADDRESS},
    },
    "tax_rates": {
        "seller": "seller",
        "tax_rate": "name",
        "tax_percent": "percent",
        "tax_inclusive": "inclusive",
    },
    "products": {"seller": "seller", "product": "code", "product_name": "name"},
    "prices": {
        "seller": "seller",
        "price": "code",
        "product": "product",
        "tax_rate": "tax_rate",
        "unit_amount": "unit_amount",
        "currency": "currency",
        "interval": "interval",
        "interval_count": "interval_count",
        "model": "model",
        "package_size": "package_size",
        "usage": "usage",
    },
    "coupons": {
        "seller": "seller",
        "coupon": "code",
        "coupon_percent": "percent",
        "coupon_amount": "amount",
        "coupon_currency": "currency",
        "coupon_duration": "duration",
        "coupon_periods": "periods",
    },
    "customers": {
        "seller": "seller",
        "account_id": "account_id",
        "name": "name",
        "email": "email",
        "country": "country",
        "timezone": "timezone",
        "buyer_kind": "buyer_kind",
        "tax_id": "tax_id",
        **{line: f"address.{line}" for line in _ADDRESS},
        "provider": "provider",
        "provider_customer_id": "provider_customer_id",
        "provider_payment_method_id": "provider_payment_method_id",
        "consent_at": "consent_at",
        "consent_version": "consent_version",
    },
    "subscriptions": {
        "seller": "seller",
        "subscription": "code",
        "account_id": "customer",
        "price": "items.1.price",
        "quantity": "items.1.quantity",
        "start": "start",
        "anchor": "anchor",
        "trial_days": "trial_days",
        "coupon": "coupon",
        "paid_through": "paid_through",
        "collection": "collection",
        "days_until_due": "days_until_due",
    },
}
"""Column → name of the field, by section."""

_NAMING: Mapping[str, frozenset[str]] = {
    "sellers": frozenset({"seller"}),
    "tax_rates": frozenset({"seller", "tax_rate"}),
    "products": frozenset({"seller", "product"}),
    "prices": frozenset({"seller", "price", "product", "tax_rate"}),
    "coupons": frozenset({"seller", "coupon"}),
    "customers": frozenset({"seller", "account_id"}),
    "subscriptions": frozenset({"seller", "account_id", "price", "coupon"}),
}
"""Columns that only name a thing: a line with no other column of the section speaks of what is given elsewhere."""

_CALLED = {section: {name: column for column, name in columns.items()} for section, columns in _COLUMNS.items()}
_NEEDED = ("account_id", "subscription", "price")
COLUMNS = frozenset(column for columns in _COLUMNS.values() for column in columns)


def read_csv(text: str, faults: list[LineFault]) -> dict[str, list[Row]]:
    """Rows by section. What can't be read goes to `faults`."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    lines = csv_lines(reader, faults)
    _, header = next(lines, (1, []))
    if not _check_header(header, faults):
        return {}
    rows: dict[str, list[Row]] = {section: [] for section in _COLUMNS}
    seen: set[tuple[str, tuple[tuple[str, str], ...]]] = set()
    for line, values in lines:
        if len(values) != len(header):
            mend = f"the header has {len(header)} columns, this line {len(values)}; quote values that hold a comma"
            faults.append(LineFault(line, "line", "wrong_number_of_columns", mend))
            continue
        by_column = {column: value.strip() for column, value in zip(header, values, strict=True)}
        for section, columns in _COLUMNS.items():
            cells = {name: Cell(by_column[column], line) for column, name in columns.items() if by_column.get(column)}
            if not any(by_column.get(column) for column in columns.keys() - _NAMING[section]):
                continue
            # A thing that stands on many lines is one thing; where two lines differ, the intake says so.
            content = section, tuple((name, cell.text) for name, cell in cells.items())
            if section == "subscriptions" or content not in seen:
                seen.add(content)
                rows[section].append(Row(line, cells, faults, _CALLED[section]))
    return rows


def csv_lines(reader: Iterator[list[str]], faults: list[LineFault]) -> Iterator[tuple[int, list[str]]]:
    """Each record that is not blank, with the line on which it begins."""
    before = 0
    while True:
        try:
            values = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            faults.append(LineFault(before + 1, "line", "not_csv", f"{error}; check the quotes"))
            return
        line, before = before + 1, reader.line_num  # type: ignore[attr-defined]
        if any(value.strip() for value in values):
            yield line, values


def _check_header(header: list[str], faults: list[LineFault]) -> bool:
    found = len(faults)
    hint = "; separate columns by commas" if ";" in "".join(header) else ""
    mend = f"columns are {', '.join(sorted(COLUMNS))}{hint}"
    for column in header:
        if column not in COLUMNS:
            faults.append(LineFault(1, column[:40], "unknown_column", mend))
            mend = "it is none of those either"
        elif header.count(column) > 1:
            faults.append(LineFault(1, column, "column_twice", "give each column once"))
    faults += [
        LineFault(1, column, "column_missing", "add the column to the first line")
        for column in _NEEDED
        if column not in header
    ]
    return len(faults) == found
