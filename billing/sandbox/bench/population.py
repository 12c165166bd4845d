"""A population for `./run bench simulate`: many subscriptions over years, with usage, changes and declines."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from billing.sandbox.scenario import steps
from billing.sandbox.scenario.model import CustomerSpec, PriceSpec, Scenario, SellerSpec, TaxRateSpec
from billing.sandbox.scenario.steps import ItemSpec

START = datetime(2026, 1, 1, tzinfo=UTC)
_SEED = 7
_BASIC = (ItemSpec(price="basic", quantity=2), ItemSpec(price="api", quantity=None))
_PRO = (ItemSpec(price="pro", quantity=1), ItemSpec(price="api", quantity=None))


def population(subscriptions: int, years: int) -> Scenario:
    """Monthly subscriptions that begin on 28 days, each with usage every quarter; one in five changes each year."""
    names = [f"s{number:05d}" for number in range(subscriptions)]
    happening = sorted(_steps(names, years), key=lambda step: (step.at, step.number))
    return Scenario(
        about="a population",
        seller=SellerSpec(
            country="DE",
            currency="eur",
            timezone="UTC",
            tax_rates={"standard": TaxRateSpec(percent=Decimal(19), inclusive=False, countries={})},
            proration="second",
            catch_up="bill_each",
            retries=(timedelta(days=3), timedelta(days=5)),
            final="keep",
        ),
        prices={
            price.code: price for price in (_price("basic", "1000"), _price("pro", "2500"), _price("api", "0.5", "sum"))
        },
        coupons={},
        customers={name: _customer(name, place) for place, name in enumerate(names)},
        steps=tuple(happening),
        until=START.replace(year=START.year + years),
    )


def _customer(name: str, place: int) -> CustomerSpec:
    method = "insufficient_funds" if place % 50 == 49 else "visa"
    return CustomerSpec(code=name, country="DE", timezone="UTC", tax_id=None, payment_method=method)


def _price(code: str, amount: str, usage: str | None = None) -> PriceSpec:
    return PriceSpec(
        code=code,
        product=code,
        currency="eur",
        interval_unit="month",
        interval_count=1,
        model="per_unit",
        unit_amount=Decimal(amount),
        tiers=(),
        package_size=None,
        usage=usage,
        tax_rate="standard",
    )


def _steps(names: list[str], years: int) -> Iterator[steps.Step]:
    chance = random.Random(_SEED)  # noqa: S311 (a repeatable population, not a secret)
    number = 0
    for place, name in enumerate(names):
        begins = START + timedelta(days=place % 28)
        number += 1
        yield steps.Subscribe(
            number=number,
            at=begins,
            do="subscribe",
            expect_error=None,
            name=name,
            customer=name,
            items=_BASIC,
            trial_days=None,
            anchor=None,
            coupon=None,
            collection="automatic",
            days_until_due=30,
        )
        for quarter in range(4 * years):
            number += 1
            at = begins + timedelta(days=91 * quarter + 10)
            yield steps.Usage(
                number=number,
                at=at,
                do="usage",
                expect_error=None,
                subscription=name,
                price="api",
                quantity=Decimal(chance.randint(1, 5000)),
                id=f"u{quarter}",
                timestamp=at,
            )
        for year in range(years) if place % 5 == 0 else ():
            number += 1
            yield steps.Change(
                number=number,
                at=begins + timedelta(days=365 * year + 100),
                do="change",
                expect_error=None,
                subscription=name,
                items=_PRO if year % 2 == 0 else _BASIC,
                when="now",
                proration="prorate",
            )
