"""What an invoice must say, and where a structured one is due: the table row by row."""

from __future__ import annotations

from datetime import date

import pytest

from billing.rules.completeness import MANDATES, Mandate, mandate, required


def fields(seller: str, kind: str, *, reverse: bool = False) -> set[str]:
    return {f"{each.party}.{each.field}" for each in required(seller, kind, reverse)}


def test_sellers_in_the_union_name_themselves_and_businesses_are_named_in_full() -> None:
    own = {"seller.tax_id", "seller.legal_name", "seller.line1", "seller.city"}
    assert fields("DE", "consumer") == own
    assert fields("DE", "business") == own | {"buyer.name", "buyer.line1", "buyer.city"}
    assert fields("DE", "business", reverse=True) - fields("DE", "business") == {"buyer.tax_id"}


def test_outside_the_union_nothing_is_asked() -> None:
    assert fields("US", "business", reverse=True) == set()


@pytest.mark.parametrize("each", MANDATES, ids=lambda each: each.country)
def test_a_mandate_begins_on_its_day_for_the_sellers_it_means(each: Mandate) -> None:
    country = each.country
    for size, day in (("large", each.large), ("small", each.small)):
        assert mandate(country, country, "business", size, day) == each
        assert mandate(country, country, "business", size, date.fromordinal(day.toordinal() - 1)) is None
    assert mandate(country, "NL", "business", "small", date(2040, 1, 1)) is None
    asked = each.consumers or date(2040, 1, 1)
    assert (mandate(country, country, "consumer", "small", asked) == each) is (each.consumers is not None)
    assert mandate(country, country, "consumer", "small", date.fromordinal(asked.toordinal() - 1)) is None
