"""Frozen: an issued document is what it was at issue. Its hash is computed anew from row, parties and lines.

The computation stands on its own: it shares no code with the one that made the hash. Documents are streamed in the
order of the unique index (series_id, series_no), their lines aggregated by `uq_invoice_line_invoice_id_position`.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Row

from billing.privacy.blind_index import content_hash
from billing.privacy.sealed import SealBroken, unseal
from billing.queries.audit.invariant import Finding, Invariant, Reading, finds
from billing.queries.audit.triggers import guarded

_ISSUED = """
SELECT i.*, l.lines
FROM billing.invoice i
LEFT JOIN LATERAL (
    SELECT array_agg(ARRAY[kind, description, quantity::text, coalesce(unit_amount::text, 'None'), amount_minor::text,
                           discount_minor::text, tax_percent::text, tax_code,
                           extract(epoch FROM period_start)::text, extract(epoch FROM period_end)::text]
                     ORDER BY position) AS lines
    FROM billing.invoice_line WHERE invoice_id = i.id) l ON true
WHERE i.number IS NOT NULL
"""

_NULL = "\\N"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def altered_documents(reading: Reading) -> Iterator[Finding]:
    """Stream every issued document and accuse those whose hash is not that of what they say."""
    for row in reading.rows(_ISSUED):
        fault = _fault(reading, row)
        if fault:
            yield Finding("invoice", str(row.id), f"{row.number}: {fault}")


def _fault(reading: Reading, row: Row[Any]) -> str | None:
    key = reading.data_key(row.document_key_id)
    if key is None:
        return f"its document key can't be opened ({_sealed_digest(row)})"
    try:
        parties = unseal(key, row.parties, table="invoice", row=row.id, column="parties")
    except SealBroken:
        return f"its parties don't open with its document key ({_sealed_digest(row)})"
    found = content_hash(key, _said(row, parties))
    return None if hmac.compare_digest(found, row.content_hash) else f"it is not what it was at issue ({found.hex()})"


def _sealed_digest(row: Row[Any]) -> str:
    # Whoever changes it once more is told of in other words.
    return hashlib.sha256(_said(row, row.parties)).hexdigest()


def _said(row: Row[Any], parties: bytes) -> bytes:
    said = b"\n".join((_head(row).encode(), parties, "\n".join(_line(each) for each in row.lines or ()).encode()))
    return said if row.seller_tax is None else said + b"\n" + _national(row.seller_tax).encode()


def _head(row: Row[Any]) -> str:
    groups = ",".join(
        f'{{"percent":"{each["percent"]}","inclusive":{"true" if each["inclusive"] else "false"},'
        f'"base_minor":{each["base_minor"]},"tax_minor":{each["tax_minor"]},"code":"{each["code"]}"}}'
        for each in row.tax_groups
    )
    return "\t".join(
        (
            row.profile_id.hex,
            row.subscription_id.hex if row.subscription_id else _NULL,
            row.kind,
            row.series_id.hex,
            str(row.series_no),
            row.number,
            _at(row.issued_at),
            row.currency,
            _at(row.period_start),
            _at(row.period_end),
            str(row.subtotal_minor),
            str(row.discount_minor),
            str(row.tax_minor),
            str(row.total_minor),
            str(row.credit_applied_minor),
            str(row.amount_due_minor),
            f"[{groups}]",
            str(row.reverse_charge),
            f"{{{','.join(row.legal_notes)}}}",
            row.buyer_country,
            row.buyer_kind,
        )
    )


def _national(tax: dict[str, Any]) -> str:
    rates = ",".join(f"{name}={tax['per_eur'][name]}" for name in sorted(tax["per_eur"]))
    said = "\t".join(str(tax[name]) for name in ("tax_minor", "currency", "rate", "source", "date"))
    return f"{said}\t{rates}"


def _line(fields: list[str | None]) -> str:
    *said, start, end = fields
    return "\t".join((*map(str, said), _moment(start), _moment(end)))


def _moment(epoch: str | None) -> str:
    """An instant that travelled as seconds with six decimals."""
    if epoch is None:
        return _NULL
    seconds, _, micros = epoch.partition(".")
    return (_EPOCH + timedelta(microseconds=int(seconds + micros.ljust(6, "0")))).isoformat()


def _at(instant: datetime | None) -> str:
    return _NULL if instant is None else instant.astimezone(UTC).isoformat()


_NAMELESS_NOTES = """
SELECT 'invoice', n.id, format('%s corrects %s', n.number, coalesce(i.number, 'no invoice of the same customer'))
FROM billing.invoice n
LEFT JOIN billing.invoice i
  ON i.id = n.corrects_id AND i.kind = 'invoice' AND i.number IS NOT NULL AND i.profile_id = n.profile_id
     AND i.seller_id = n.seller_id AND i.currency = n.currency
WHERE (n.kind = 'cancellation' OR n.status = 'refunded' OR n.corrects_id IS NOT NULL) AND i.id IS NULL
"""

FROZEN = Invariant(
    code="N4",
    meaning="An issued document is what it was at issue; what corrects it names it.",
    counted="SELECT count(*) FROM billing.invoice WHERE number IS NOT NULL",
    checks=(
        altered_documents,
        finds(_NAMELESS_NOTES),
        guarded({"invoice": ("invoice_frozen", "invoice_kept"), "invoice_line": ("invoice_line_frozen",)}),
    ),
)
