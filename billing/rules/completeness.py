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


_SELLER = "change the seller: import its row again with this field"
_BUYER = "change the customer: import the row again with this field, or change the profile"
REQUIREMENTS = (
    Requirement("seller", "tax_id", "art. 226 (3)", _SELLER),
    Requirement("seller", "legal_name", "art. 226 (5)", _SELLER),
    Requirement("seller", "line1", "art. 226 (5)", _SELLER),
    Requirement("seller", "city", "art. 226 (5)", _SELLER),
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

    `large`: from that day for the sellers that the law calls so; `small`: for all.
    """

    country: str
    large: date
    small: date
    consumers: bool
    """Whether sales to consumers are meant, too."""
    source: str


MANDATES = (
    Mandate("IT", date(2019, 1, 1), date(2019, 1, 1), True, "Legge 205/2017 art. 1 c. 909; D.Lgs. 127/2015 (SdI)"),
    Mandate("RO", date(2024, 7, 1), date(2024, 7, 1), False, "OUG 120/2021, Legea 296/2023 (RO e-Factura)"),
    Mandate("BE", date(2026, 1, 1), date(2026, 1, 1), False, "Wet/Loi 6.2.2024, M.B. 20.2.2024 (Peppol)"),
    Mandate("HR", date(2026, 1, 1), date(2026, 1, 1), False, "Zakon o fiskalizaciji, NN 89/2025"),
    Mandate("PL", date(2026, 2, 1), date(2026, 4, 1), False, "Ustawa z 5.8.2025, Dz.U. 2025 poz. 1203 (KSeF)"),
    Mandate("FR", date(2026, 9, 1), date(2027, 9, 1), False, "CGI art. 289 bis; Loi 2023-1322 art. 91"),
    Mandate("DE", date(2027, 1, 1), date(2028, 1, 1), False, "UStG § 14, § 27 Abs. 38 (Wachstumschancengesetz)"),
)
"""In the order in which they began. Spain, Greece, Latvia and Slovakia prepare one; their days were not certain."""


@lru_cache(maxsize=1024)
def mandate(seller_country: str, buyer_country: str, buyer_kind: str, size: str, day: date) -> Mandate | None:
    """The law that asks for a structured invoice. `size`: small | large, as the law of the seller's country says it."""
    if seller_country != buyer_country:
        return None
    for each in MANDATES:
        if each.country == seller_country and (each.consumers or buyer_kind == "business"):
            begins = each.large if size == "large" else each.small
            return each if day >= begins else None
    return None


def told(missing: Iterator[Requirement] | tuple[Requirement, ...]) -> str:
    """Which facts are missing, and where each is entered, in one line without any value."""
    return "; ".join(f"{each.party}.{each.field} ({each.source}): {each.where}" for each in missing)
