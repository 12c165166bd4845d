"""Whatever a host hands over to a public method, in whatever place: one refusal that names the field, or it is fine."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import select

import billing
from billing.kernel.errors import BillingError
from billing.kernel.ids import new_id
from billing.models import PaymentMethod
from tests.flows.company import START, Company, company

WRONG: tuple[Any, ...] = (
    None, 5, -1, 10**30, 1.5, True, "x", "", b"x", [], [None], (5,), {}, {"a": 1}, object(), Decimal("NaN"),
    datetime(2026, 1, 1), START, new_id(), str(new_id()),
)  # fmt: skip
ORDER = billing.Order(actor="ada", reason="a mistake")
CONSENT = billing.Consent(text_version="1", given_at=START, channel="web")
PERSONAL = billing.Personal(name="Anna", email="a@example.com", address=billing.Address(city="Ulm"), tax_id=None)


@pytest.fixture
def acme(database_url: str) -> Iterator[Company]:
    with company(database_url, patience_s=30) as made:
        yield made


def _right(acme: Company) -> dict[str, Any]:
    """What each parameter may be."""
    profile, subscription = acme.customer("a1"), acme.subscribe("a1", "s1")
    acme.settle()
    with acme.begin() as session:
        method = session.scalars(select(PaymentMethod.id)).one()
    ids = {"profile": profile, "subscription": subscription, "invoice": acme.invoices()[0].id, "method": method}
    tier = billing.NewTier(up_to=None, unit=Decimal(1))
    return {
        "create_product.new": billing.NewProduct("p", "P"),
        "create_price.new": billing.NewPrice("q", "basic", "eur", None, "month", model="volume", tiers=(tier,)),
        "create_coupon.new": billing.NewCoupon("c", percent=Decimal(10)),
        "put_tax_rate.new": billing.NewTaxRate("r", Decimal(19), countries={"FR": Decimal(20)}),
        "create_profile.new": billing.NewProfile("b1", "DE", PERSONAL),
        "subscribe.new": billing.NewSubscription("s9", "nobody", (billing.NewItem("basic", 1),), START),
        "record_usage.new": [billing.NewUsage("s1", "none", "1", Decimal(1), START)],
        "move_price.old": "none",
        "move_price.new": "none",
        "change": billing.ProfileChange("DE", PERSONAL, "UTC", "consumer"),
        "consent": CONSENT,
        "order": ORDER,
        "items": [billing.NewItem("basic", 1)],
        "account_id": "nobody",
        "method_ref": "pm_card_visa",
        "token": "none",
        "code": "none",
        "amount_minor": 100,
        "currency": "eur",
        "description": "A thing",
        "connection": None,
        "on_commit": None,
    } | {f"{noun}_id": id_ for noun, id_ in ids.items()}


def _methods() -> dict[str, inspect.Signature]:
    return {
        name: inspect.signature(method)
        for name, method in inspect.getmembers(billing.Billing, inspect.isfunction)
        if not name.startswith("_")
    }


def _with_something_wrong(value: Any) -> Iterator[Any]:
    """Other values, and the same with something else at one place of it."""
    yield from WRONG
    if is_dataclass(value) and not isinstance(value, type):
        for each in fields(value):
            if each.name not in ("once", "wrote"):
                for other in _with_something_wrong(getattr(value, each.name)):
                    try:
                        yield replace(value, **{each.name: other})
                    except billing.Refused:
                        """An order looks by itself."""
    if isinstance(value, list | tuple):
        for each in value:
            yield from ([other] for other in _with_something_wrong(each))
    if isinstance(value, dict):
        for name, each in value.items():
            yield from ({name: other} for other in _with_something_wrong(each))
            yield from ({other: each} for other in WRONG if other.__hash__)


def _try(shop: Any, name: str, given: dict[str, Any], what: object) -> str | None:
    try:
        done = getattr(shop, name)(**given)
        if isinstance(done, Iterator):
            list(done)
    except BillingError:
        return None
    except Exception as error:  # noqa: BLE001 (which they are is what is asked)
        return f"{name}({what!r:.200}): {type(error).__name__}"
    return None


@pytest.mark.parametrize("name", sorted(_methods()))
def test_nothing_that_is_handed_over_ends_as_anything_but_a_refusal(acme: Company, name: str) -> None:
    shop = billing.Billing(acme.parts, acme.seller_id)
    right, asked = _right(acme), _methods()[name].parameters
    given = {
        each: right.get(f"{name}.{each}", right.get(each))
        for each, parameter in asked.items()
        if each != "self" and parameter.default is inspect.Parameter.empty
    }
    broken = [
        _try(shop, name, given | {each: other}, {each: other})
        for each, parameter in asked.items()
        if each != "self"
        for other in _with_something_wrong(given.get(each, parameter.default))
    ]
    assert [each for each in broken if each] == []


@pytest.mark.parametrize(
    ("name", "given", "field", "code"),
    [
        ("invoice", {"invoice_id": str(new_id())}, "invoice_id", "wrong_type"),
        ("invoice", {"invoice_id": None}, "invoice_id", "missing"),
        ("invoice", {"invoice_id": new_id(), "session": "mine"}, "session", "wrong_type"),
        ("invoices", {"profile_id": new_id(), "limit": -1}, "limit", "out_of_range"),
        ("record_usage", {"new": None}, "new", "missing"),
        ("record_usage", {"new": [billing.NewUsage("s", "p", "1", 1)]}, "records.1.quantity", "not_a_number"),  # type: ignore[arg-type]
        ("create_product", {"new": billing.NewProduct("p", None)}, "name", "missing"),  # type: ignore[arg-type]
        ("change", {"subscription_id": new_id(), "items": "basic"}, "items", "wrong_type"),
        ("change", {"subscription_id": new_id(), "items": [billing.NewItem(5)]}, "items.1.price", "wrong_type"),  # type: ignore[arg-type]
        ("mark_paid", {"invoice_id": new_id(), "order": ORDER, "received_at": datetime(2026, 1, 1)}, "received_at", "time_without_offset"),  # noqa: E501
        ("void", {"invoice_id": new_id(), "order": "a mistake"}, "order", "wrong_type"),
        ("grant_credit", {"profile_id": new_id(), "amount_minor": 1, "currency": "eur", "prepaid": "no"}, "prepaid", "wrong_type"),  # noqa: E501
    ],
)  # fmt: skip
def test_it_is_told_by_its_field_and_rule(
    acme: Company, name: str, given: dict[str, Any], field: str, code: str
) -> None:
    with pytest.raises(billing.Refused) as refused:
        getattr(billing.Billing(acme.parts, acme.seller_id), name)(**given)
    assert [(each.field, each.code) for each in refused.value.faults] == [(field, code)]


def test_a_list_does_where_a_tuple_is_declared(acme: Company) -> None:
    acme.customer("a1")
    shop, items = billing.Billing(acme.parts, acme.seller_id), [billing.NewItem("basic")]
    made = shop.subscribe(billing.NewSubscription("s1", "a1", items, shop.now()))  # type: ignore[arg-type]
    assert shop.subscription(made.subscription_id)["status"] == "active"


def test_who_and_why_are_texts() -> None:
    wrong: Any = None
    with pytest.raises(billing.Refused) as refused:
        billing.Order(actor=wrong, reason=5)  # type: ignore[arg-type]
    assert [(each.field, each.code) for each in refused.value.faults] == [
        ("actor", "actor_missing"),
        ("reason", "wrong_type"),
    ]


def test_a_seller_is_named_by_its_code() -> None:
    wrong: Any = 5
    with pytest.raises(billing.Refused) as refused:
        billing.connect(wrong)
    assert (refused.value.faults[0].field, refused.value.code) == ("seller", "wrong_type")
