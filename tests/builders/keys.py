"""Keys and what is sealed under them: the same in every run, so that a built world opens where it is read."""

from __future__ import annotations

import base64
import hashlib
from datetime import datetime
from uuid import UUID

from billing.models import Invoice, InvoiceLine
from billing.privacy.blind_index import content_hash
from billing.privacy.keyring import Keyring
from billing.privacy.sealed import seal

SECRET_KEY = base64.b64encode(hashlib.sha256(b"the keyring of built worlds").digest()).decode()
"""What `BILLING_SECRET_KEY` must be to open a built world."""
KEYRING = Keyring.from_setting(SECRET_KEY)


def data_key_of(id_: UUID) -> bytes:
    """The data key in the `data_key` row of this id."""
    return hashlib.sha256(id_.bytes).digest()


def freeze(document: Invoice, lines: list[InvoiceLine]) -> None:
    """Seal a document's parties and take its hash, as at issue. A draft has none."""
    key = data_key_of(document.document_key_id)
    parties = b'{"buyer": {"name": "Example"}}'
    document.parties = seal(key, parties, table="invoice", row=document.id, column="parties")
    if document.number is None:
        document.content_hash = bytes(32)
        return
    said = "\n".join("\t".join(map(str, _line(line))) for line in lines)
    document.content_hash = content_hash(
        key, b"\n".join(("\t".join(map(str, _head(document))).encode(), parties, said.encode()))
    )


def _head(of: Invoice) -> tuple[object, ...]:
    groups = ",".join(
        f'{{"percent":"{each["percent"]}","inclusive":{str(each["inclusive"]).lower()},'
        f'"base_minor":{each["base_minor"]},"tax_minor":{each["tax_minor"]},"code":"{each["code"]}"}}'
        for each in of.tax_groups
    )
    assert of.series_id is not None
    subscription = of.subscription_id.hex if of.subscription_id else r"\N"
    return (
        *(
            of.profile_id.hex,
            subscription,
            of.kind,
            of.series_id.hex,
            of.series_no,
            of.number,
        ),
        *(_at(of.issued_at), of.currency, _at(of.period_start), _at(of.period_end)),
        *(of.subtotal_minor, of.discount_minor, of.tax_minor, of.total_minor),
        *(of.credit_applied_minor, of.amount_due_minor, f"[{groups}]", of.reverse_charge),
        *("{" + ",".join(of.legal_notes) + "}", of.buyer_country, of.buyer_kind),
    )


def _line(of: InvoiceLine) -> tuple[object, ...]:
    return (
        *(of.kind, of.description, of.quantity, of.unit_amount, of.amount_minor, of.discount_minor),
        *(of.tax_percent, of.tax_code, _at(of.period_start), _at(of.period_end)),
    )


def _at(instant: datetime | None) -> str:
    return r"\N" if instant is None else instant.isoformat()
