"""What an invoice must say before it may have a number, and where the law asks for a structured one instead. One table.

Facts: Directive 2006/112/EC art. 226, for sellers in the Union. What of art. 226 the engine itself writes on every
document (date, number, quantities, day of supply, rates, tax, legal texts) can't be missing and has no row here.
Outside the Union nothing is asked. This is no legal advice: a row is as good as its source.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from billing.rules.tax import EU


@dataclass(frozen=True, slots=True)
class Requirement:
    """A fact of one party. `where` says where to enter it."""

    party: str
    field: str
    source: str
    where: str
    only_business: bool = False
    """Asked of sales to businesses: art. 220 (1) makes invoices a duty between taxable persons."""
    only_reverse_charge: bool = False


_SELLER = "`billing seller change CODE --set {}=…`"
_BUYER = "your application changes the customer's profile"
"""An import changes neither of those who are there."""
REQUIREMENTS = (
    Requirement("seller", "tax_id", "art. 226 (3)", _SELLER.format("tax_id")),
    Requirement("seller", "legal_name", "art. 226 (5)", _SELLER.format("legal_name")),
    Requirement("seller", "line1", "art. 226 (5)", _SELLER.format("address.line1")),
    Requirement("seller", "city", "art. 226 (5)", _SELLER.format("address.city")),
    Requirement("buyer", "name", "art. 226 (5)", _BUYER, only_business=True),
    Requirement("buyer", "line1", "art. 226 (5)", _BUYER, only_business=True),
    Requirement("buyer", "city", "art. 226 (5)", _BUYER, only_business=True),
    Requirement("buyer", "tax_id", "art. 226 (4)", _BUYER, only_business=True, only_reverse_charge=True),
)


@lru_cache(maxsize=1024)
def required(seller_country: str, buyer_kind: str, reverse_charge: bool) -> tuple[Requirement, ...]:  # noqa: FBT001
    """The facts that a document of this kind needs. Cached: it is asked once a document."""
    if seller_country not in EU:
        return ()
    return tuple(
        each
        for each in REQUIREMENTS
        if (buyer_kind == "business" or not each.only_business) and (reverse_charge or not each.only_reverse_charge)
    )


@dataclass(frozen=True, slots=True)
class Mandate:
    """From when on an invoice must be a structured one, by law, between parties of one country.

    `large`: sales to businesses, by the sellers that the law calls so; `small`: by all.
    """

    country: str
    large: date
    small: date
    consumers: date | None
    """From when on sales to consumers are meant, too."""
    source: str


MANDATES = (
    Mandate("IT", date(2019, 1, 1), date(2019, 1, 1), date(2019, 1, 1), "L. 205/2017 art. 1 c. 909; D.Lgs. 127/2015"),
    Mandate("RO", date(2024, 7, 1), date(2024, 7, 1), date(2025, 1, 1), "OUG 120/2021, L. 296/2023, OUG 69/2024"),
    Mandate("BE", date(2026, 1, 1), date(2026, 1, 1), None, "Wet/Loi 6.2.2024, B.S./M.B. 20.2.2024; KB/AR 8.7.2025"),
    Mandate("HR", date(2026, 1, 1), date(2026, 1, 1), None, "Zakon o fiskalizaciji, NN 89/2025"),
    Mandate("PL", date(2026, 2, 1), date(2026, 4, 1), None, "Ustawa z 5.8.2025, Dz.U. 2025 poz. 1203 (KSeF)"),
    Mandate("GR", date(2026, 2, 2), date(2026, 10, 1), None, "ν. 4308/2014 art. 14 (ν. 5222/2025), Α.1128/2025"),
    Mandate("FR", date(2026, 9, 1), date(2027, 9, 1), None, "CGI art. 289 bis; Loi 2023-1322 art. 91"),
    Mandate("SK", date(2027, 1, 1), date(2027, 1, 1), None, "Zákon 222/2004 Z. z. (385/2025 Z. z.)"),
    Mandate("DE", date(2027, 1, 1), date(2028, 1, 1), None, "UStG § 14, § 27 Abs. 38 (BGBl. 2024 I Nr. 108)"),
)
"""In the order in which they began. docs/documents.md says where each was read, and what is left out."""


@lru_cache(maxsize=1024)
def mandate(seller_country: str, buyer_country: str, buyer_kind: str, size: str, day: date) -> Mandate | None:
    """The law that asks for a structured invoice. `size`: small | large, as the law of the seller's country says it."""
    if seller_country != buyer_country:
        return None
    for each in MANDATES:
        if each.country != seller_country:
            continue
        begins = each.consumers if buyer_kind != "business" else each.large if size == "large" else each.small
        return each if begins is not None and day >= begins else None
    return None


def told(missing: Iterator[Requirement] | tuple[Requirement, ...]) -> str:
    """Which facts are missing, and where each is entered, in one line without any value."""
    return "; ".join(f"{each.party}.{each.field} ({each.source}): {each.where}" for each in missing)
