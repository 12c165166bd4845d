"""Values that no database holds, or no arithmetic compares, are faults of their field, whatever the host hands over."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal

import pytest

import billing
from billing.kernel.ids import new_id
from tests.flows.company import START, Company, company


@pytest.fixture
def acme(database_url: str) -> Iterator[Company]:
    with company(database_url, patience_s=30) as made:
        yield made


def _new(account: str = "a1", price: str = "basic") -> billing.NewSubscription:
    return billing.NewSubscription(code="s1", account_id=account, items=(billing.NewItem(price, 1),), start=START)


def _used(subscription: str = "s1", price: str = "calls", quantity: str = "1") -> list[billing.NewUsage]:
    return [billing.NewUsage(subscription, price, str(new_id()), Decimal(quantity))]


CASES: list[tuple[str, str, Callable[[billing.Billing, str], object]]] = [
    ("account_id", "control_character", lambda shop, bad: shop.subscribe(_new(account=bad))),
    ("items.1.price", "not_a_code", lambda shop, bad: shop.subscribe(_new(price=bad))),
    ("records.1.subscription", "control_character", lambda shop, bad: shop.record_usage(_used(bad))),
    ("records.1.price", "control_character", lambda shop, bad: shop.record_usage(_used(price=bad))),
    ("account_id", "control_character", lambda shop, bad: shop.profile_of(bad)),
    ("token", "token_invalid", lambda shop, bad: shop.apply_preview(bad)),
]


@pytest.mark.parametrize("bad", ["a\0b", "a\ud800"])
@pytest.mark.parametrize(("field", "code", "act"), CASES)
def test_a_text_that_no_database_holds_is_a_fault_of_its_field(
    acme: Company, field: str, code: str, act: Callable[[billing.Billing, str], object], bad: str
) -> None:
    acme.customer("a1", method=None)
    with pytest.raises(billing.Refused) as caught:
        act(billing.Billing(acme.parts, acme.seller_id), bad)
    assert (caught.value.faults[0].field, caught.value.code) == (field, code)


def test_so_is_one_that_names_a_coupon_or_a_tax_rate(acme: Company) -> None:
    profile = acme.customer("a1", method=None)
    subscription = acme.subscribe("a1", "s1")
    shop = billing.Billing(acme.parts, acme.seller_id)
    with pytest.raises(billing.Refused) as caught:
        shop.apply_coupon(subscription, "a\0b")
    assert caught.value.faults[0].field == "coupon"
    with pytest.raises(billing.Refused) as caught:
        shop.charge(profile, amount_minor=1, currency="eur", description="A thing", tax_rate="a\0b")
    assert caught.value.faults[0].field == "tax_rate"


def test_a_number_that_compares_with_none_is_no_percent(acme: Company) -> None:
    shop = billing.Billing(acme.parts, acme.seller_id)
    with pytest.raises(billing.Refused) as caught:
        shop.create_coupon(billing.NewCoupon("c", percent=Decimal("sNaN")))
    assert caught.value.code == "not_a_number"
