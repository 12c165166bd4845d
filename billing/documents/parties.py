"""Seller and buyer as documents show them: name, the lines of the address, tax id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from babel import Locale

from billing.writing.places import country_name


@dataclass(frozen=True, slots=True)
class Party:
    """One party's block. Personal where it is a buyer's: never logged."""

    label: str
    name: str = field(repr=False)
    lines: tuple[str, ...] = field(repr=False)
    tax_id: str | None = field(repr=False)
    country: str


def seller_party(party: Mapping[str, Any], words: Mapping[str, Any], locale: Locale) -> Party:
    """From the JSON that was frozen with the document."""
    address = {**(party.get("address") or {}), "country": party["country"]}
    return _party(words["seller"], party["legal_name"], address, _told(party, words), locale)


def buyer_party(party: Mapping[str, Any], words: Mapping[str, Any], locale: Locale) -> Party:
    """From the JSON that was frozen with the document."""
    return _party(words["buyer"], party["name"], party.get("address") or {}, _told(party, words), locale)


def _told(party: Mapping[str, Any], words: Mapping[str, Any]) -> str | None:
    tax_id = party.get("tax_id")
    return f"{words['tax_id']} {tax_id}" if tax_id else None


def _party(label: str, name: str, address: Mapping[str, str], tax_id: str | None, locale: Locale) -> Party:
    lines = tuple(line for line in _lines(address, locale) if line)
    return Party(label, name, lines, tax_id, address.get("country", ""))


def _lines(address: Mapping[str, str], locale: Locale) -> Iterator[str]:
    yield address.get("line1", "")
    yield address.get("line2", "")
    yield f"{address.get('postal_code', '')} {address.get('city', '')}".strip()
    yield address.get("region", "")
    if country := address.get("country"):
        yield country_name(country, locale)
