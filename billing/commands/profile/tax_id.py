"""What a profile's tax id means for its tax, and the record of how that was found out."""

from __future__ import annotations

from datetime import datetime

from billing.db.base import Json
from billing.kernel.clock import format_instant
from billing.rules.tax import EU
from billing.validators.tax_id import read_tax_id


def tax_id_facts(value: str | None, *, country: str, seller_country: str, now: datetime) -> tuple[bool, Json | None]:
    """Whether sales to this customer may be reverse-charged, and the check that says so, without the number.

    They may where the number is valid in form and check digit and of a member state other than the seller's (Directive
    2006/112/EC art. 138 and 196). A number of a country outside the EU proves a business, and changes no tax.
    """
    if not value:
        return False, None
    found = read_tax_id(value, country=country)
    elsewhere = found.country in EU and found.country != seller_country
    check: Json = {
        "valid": found.valid,
        "method": found.method,
        "issuer": found.country,
        "at": format_instant(now),
    }
    return found.valid and elsewhere, check
