"""What a request's shape refuses is told in our words: every kind of fault that our shapes can have, with its mend."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from billing.api.mends import MENDS, PATTERNS
from billing.api.problems import CALLED
from billing.api.table import OPERATIONS
from tests.api.program import Program, anna

_KINDS = {
    "str": {"string_type", "string_unicode"},
    "int": {"int_type", "int_parsing", "int_parsing_size", "int_from_float"},
    "bool": {"bool_type", "bool_parsing"},
    "date": {"date_type", "date_parsing", "date_from_datetime_parsing", "date_from_datetime_inexact"},
    "datetime": {"datetime_type", "datetime_parsing", "datetime_from_date_parsing", "datetime_object_invalid"},
    "uuid": {"uuid_type", "uuid_parsing"},
    "enum": {"enum"},
    "literal": {"literal_error"},
    "list": {"list_type"},
    "dict": {"dict_type"},
    "model": {"model_type", "missing", "extra_forbidden"},
    "function-after": {"value_error"},
    "function-before": set(),
}
"""What pydantic can say of each kind of value."""
_BOUNDS = {
    ("str", "min_length"): "string_too_short",
    ("str", "max_length"): "string_too_long",
    ("str", "pattern"): "string_pattern_mismatch",
    ("datetime", "tz_constraint"): "timezone_aware",
    ("list", "min_length"): "too_short",
    ("list", "max_length"): "too_long",
    ("dict", "max_length"): "too_long",
} | {
    (kind, bound): said
    for kind in ("int", "date")
    for bound, said in (("ge", "greater_than_equal"), ("le", "less_than_equal"))
}
"""And of each of its bounds."""
_BARE = {"model-field", "model-fields", "nullable", "default", "no-info"}


def _values(schema: Any) -> Iterator[dict[str, Any]]:
    """Every kind of value in a shape, with its bounds."""
    if isinstance(schema, dict):
        if isinstance(schema.get("type"), str):
            yield schema
        for below in schema.values():
            yield from _values(below)
    elif isinstance(schema, list | tuple):
        for below in schema:
            yield from _values(below)


def _asked() -> list[dict[str, Any]]:
    shapes = {shape for each in OPERATIONS for shape in (each.body, each.query) if shape is not None}
    return [value for shape in shapes for value in _values(shape.__pydantic_core_schema__)]


def test_every_kind_of_fault_that_our_shapes_can_have_is_in_the_table() -> None:
    asked = _asked()
    assert {each["type"] for each in asked} <= _KINDS.keys() | _BARE, "a kind of value that is new"
    bounds = {(each["type"], name) for each in asked for name in ("ge", "le", "gt", "lt", "multiple_of", "min_length",
              "max_length", "pattern", "tz_constraint", "max_digits", "decimal_places") if name in each}  # fmt: skip
    assert bounds <= _BOUNDS.keys(), "a bound that is new"
    possible = {said for each in asked for said in _KINDS.get(each["type"], ())} | {_BOUNDS[each] for each in bounds}
    assert possible == MENDS.keys()
    assert {each["pattern"] for each in asked if each["type"] == "str" and "pattern" in each} == PATTERNS.keys()


def test_no_request_has_a_field_that_is_called_otherwise_where_it_breaks_a_rule() -> None:
    """Its fault would be told of a field that the request doesn't have."""
    fields = {name for each in _asked() if each["type"] == "model-fields" for name in each["fields"]}
    assert set(CALLED.values()) <= fields
    assert fields & CALLED.keys() == set()


_PRICE = {"code": "p", "product": "p", "currency": "eur", "interval": "month", "unit_amount": "2900"}
ID, AT = "01990c2e-0000-7000-8000-000000000000", "2026-01-31T00:00:00Z"
_CREDIT = f"/profiles/{ID}/credit"


@pytest.mark.parametrize(
    ("path", "given", "field", "mend"),
    [
        ("/profiles", {"country": "Germany"}, "country", "give an upper-case ISO 3166 code of two letters, such as DE"),
        ("/profiles", {"name": None}, "name", "give a text"),
        ("/profiles", {"name": ""}, "name", "give at least 1 character(s)"),
        ("/profiles", {"name": "x" * 201}, "name", "give at most 200 characters"),
        ("/profiles", {"address": []}, "address", "give an object, with fields of its own"),
        ("/profiles", {"address": {"postal_code": 10115}}, "address.postal_code", "give it as a string, in quotes"),
        ("/profiles", {"buyer_kind": "firm"}, "buyer_kind", "give one of consumer, business"),
        ("/prices", {"unit_amount": 29.0}, "unit_amount", 'give minor units as a string: "2900" is 29.00'),
        ("/prices", {"unit_amount": "29,00"}, "unit_amount", 'give an exact number, 0 or more, such as "0.25"'),
        ("/prices", {"currency": "EUR"}, "currency", "give a lower-case ISO 4217 code, such as eur"),
        ("/prices", {"code": None}, "code", "give a text"),
        (_CREDIT, {"amount_minor": 29.5}, "amount_minor", "give whole minor units as a number: 2900 is 29.00"),
        (_CREDIT, {"amount_minor": 0}, "amount_minor", "give 1 or more"),
        (_CREDIT, {"prepaid": "yes"}, "prepaid", "give true or false"),
        ("/subscriptions", {"items": "basic"}, "items", "give a list, also of one"),
        ("/subscriptions", {"items": []}, "items", "give at least 1 of them"),
        ("/subscriptions", {"start": "2026-01-31"}, "start", f"give a time with its offset, such as {AT}"),
        ("/subscriptions", {"items": [{}]}, "items.1.price", "give it; it is needed"),
        ("/payment-methods", {"profile_id": "nobody"}, "profile_id", f"give an id, such as {ID}"),
    ],
)  # fmt: skip
def test_a_fault_of_the_shape_says_how_it_is_mended(
    shop: Program, path: str, given: dict[str, Any], field: str, mend: str
) -> None:
    body = (anna() if path == "/profiles" else _PRICE if path == "/prices" else {}) | given
    answer = shop.ask("POST", path, body)
    assert answer.status_code == 422
    told = {each["field"]: each for each in answer.json["faults"]}
    assert told[field]["mend"] == mend
    assert told[field]["code"] in ("not_valid", "missing")


@pytest.mark.parametrize(
    ("query", "mend"),
    [
        ("/invoices?limit=many", "give a whole number, such as 3"),
        ("/invoices?limit=201", "give 200 or less"),
        ("/invoices?profile_id=acct-1", f"give an id, such as {ID}"),
        ("/reports/aging?as_of=today", "give a date, such as 2026-01-31"),
        ("/reports/aging?as_of=1800-01-01", "give 1900-01-01 or later"),
    ],
)
def test_a_fault_of_the_query_too(shop: Program, query: str, mend: str) -> None:
    assert shop.ask("GET", query).json["mend"] == mend
