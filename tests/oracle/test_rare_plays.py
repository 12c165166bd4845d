"""Turns that few lives take, played by the engine and the oracle: they agree, and the audit accuses nobody."""

from __future__ import annotations

import pytest

from tests.oracle.compare import differences
from tests.oracle.play import play as oracle
from tests.oracle.short import spec
from tests.oracle.test_engine import played

BOTH = "01-01 subscribe items=a,u"
WEEKLY = "01-01 subscribe items=w,v"

PERIODS_THAT_BEGIN_AT_ONE_MOMENT = {
    "there, and back without credit": ["01-01 change items=y", "01-01 change items=a proration=none"],
    "both without credit": ["01-01 change items=y proration=none", "01-01 change items=a proration=none"],
    "at a later boundary": ["02-01 change items=y proration=none", "02-01 change items=a proration=none"],
    "there and back twice": [
        *["01-01 change items=y proration=none", "01-01 change items=a proration=none"] * 2,
        "01-01 change items=y",
    ],
}


@pytest.mark.parametrize("method", ["visa", "declined"])
@pytest.mark.parametrize("name", PERIODS_THAT_BEGIN_AT_ONE_MOMENT)
def test_periods_that_begin_at_one_moment(name: str, method: str, database_url: str) -> None:
    steps = PERIODS_THAT_BEGIN_AT_ONE_MOMENT[name]
    body = spec("01-01 subscribe items=a", *steps, until="02-02", method=method)
    assert differences(oracle(body), played(body, database_url)) == []


METERED_ITEMS = {
    "used before it came": [
        "01-01 subscribe items=a",
        "01-15 change items=a,u",
        "01-16 usage price=u quantity=4 id=1 timestamp=01-05",
    ],
    "the last was before it came": [
        "01-01 subscribe items=a",
        "01-15 change items=a,l",
        "01-16 usage price=l quantity=4 id=1 timestamp=01-05",
    ],
    "went, came and went within a period": [
        BOTH,
        "01-02 usage price=u quantity=100 id=1",
        "01-05 change items=a",
        "01-10 change items=a,u",
        "01-12 usage price=u quantity=7 id=2",
        "01-20 change items=a",
    ],
    "came and went, used before": [
        "01-01 subscribe items=a",
        "01-10 change items=a,u",
        "01-12 usage price=u quantity=9 id=1 timestamp=01-05",
        "01-12 usage price=u quantity=7 id=2",
        "01-20 change items=a",
    ],
    "used between two stays": [
        BOTH,
        "01-02 usage price=u quantity=100 id=1",
        "01-05 change items=a",
        "01-10 change items=a,u",
        "01-12 usage price=u quantity=9 id=2 timestamp=01-07",
        "01-12 usage price=u quantity=1 id=3 timestamp=01-03",
    ],
    "went, came and canceled at once": [
        BOTH,
        "01-12 usage price=u quantity=7 id=1",
        "01-20 change items=a",
        "01-20 change items=a,u",
        "01-20 cancel",
    ],
    "went and came, closed in a pause": [
        BOTH,
        "01-02 usage price=u quantity=100 id=1",
        "01-05 change items=a",
        "01-10 change items=a,u",
        "01-12 usage price=u quantity=7 id=2",
        "01-20 pause",
        "02-10 resume",
    ],
    "used after it went, in an outage": [
        BOTH,
        "01-05 change items=a when=period_end",
        "01-20 outage until=02-10",
        "02-06 usage price=u quantity=5 id=1",
    ],
    "used at the moment at which it came and went": [
        WEEKLY,
        "01-01 usage price=v quantity=5 id=1",
        "01-01 change items=w",
    ],
    "came too late, at the moment at which it went": [
        WEEKLY,
        "01-08 usage price=v quantity=5 id=1 timestamp=01-03",
        "01-08 change items=w",
    ],
    "came back, and is told of before it went": [
        BOTH,
        "01-05 change items=a proration=invoice_now",
        "01-10 charge amount=100 description=x",
        "01-10 change items=a,u",
        "01-11 usage price=u quantity=9 id=1 timestamp=01-03",
    ],
    "came back twice, and is told of before": [
        "01-01 subscribe items=a,u,l",
        "01-05 change items=a proration=invoice_now",
        "01-10 change items=a,u,l",
        "01-15 change items=a",
        "01-20 change items=a,u,l",
        "01-21 usage price=u quantity=9 id=1 timestamp=01-03",
        "01-21 usage price=u quantity=20 id=2 timestamp=01-12",
        "01-21 usage price=l quantity=9 id=3 timestamp=01-03",
        "01-21 usage price=l quantity=20 id=4 timestamp=01-12",
    ],
    "the last before a pause is none": [
        "01-01 subscribe items=a,l",
        "01-15 usage price=l quantity=0 id=1",
        "01-20 pause",
        "02-02 usage price=l quantity=26 id=2 timestamp=01-10",
        "02-10 resume",
    ],
    "came too late, at the moment of the cancel": [
        WEEKLY,
        "01-08 usage price=v quantity=5 id=1 timestamp=01-03",
        "01-08 cancel",
    ],
}


@pytest.mark.parametrize("name", METERED_ITEMS)
def test_metered_items_that_come_and_go(name: str, database_url: str) -> None:
    body = spec(*METERED_ITEMS[name], until="04-01")
    assert differences(oracle(body), played(body, database_url)) == []


@pytest.mark.parametrize("method", ["processing_error", "timeout_after_charge", "timeout_before_charge"])
def test_many_payments_of_one_moment_that_all_fail_in_passing(method: str, database_url: str) -> None:
    steps = [f"01-01 subscribe items=a as=s{number}" for number in range(25)]
    body = spec(*steps, until="02-02", method=method)
    assert differences(oracle(body), played(body, database_url)) == []


@pytest.mark.parametrize("final", ["keep", "unpaid", "cancel"])
@pytest.mark.parametrize("method", ["declined", "lost_card", "visa"])
def test_a_new_method_in_an_outage_is_tried_though_retries_are_overdue(
    method: str, final: str, database_url: str
) -> None:
    body = spec(
        "06-01 subscribe items=a as=s1",
        "06-02 subscribe items=a as=s2",
        "06-10 outage until=06-20",
        f"06-15 set_payment_method payment_method={method}",
        until="06-29",
        method=None,
        dunning={"retries": ["10d"], "final": final},
    )
    told = played(body, database_url)
    assert differences(oracle(body), told) == []
    assert [each["at"][5:10] for each in told["payments"]][:2] == ["06-15", "06-15"]


@pytest.mark.parametrize("method", ["visa", "paypal", "timeout_after_charge"])
def test_amounts_of_fifteen_digits(method: str, database_url: str) -> None:
    body = spec(
        "01-01 subscribe items=a*1000000000",
        "01-09 change items=b*900000000",
        "01-20 change items=b*999999999 proration=invoice_now",
        "01-21 charge amount=999999999999999 description=x",
        "02-02 refund invoice=3 amount=77777777777777",
        "02-11 cancel prorate=true",
        until="03-01",
        method=method,
        tax="19",
    )
    body["prices"] = {name: body["prices"][name] | {"amount": 999_999} for name in "ab"}
    told = played(body, database_url)
    assert differences(oracle(body), told) == []
    assert told["provider"]["net_charged"]["eur"] > 10**15


@pytest.mark.parametrize("method", ["visa", "paypal"])
@pytest.mark.parametrize("currency", ["isk", "ugx", "mga", "jpy", "kwd", "bhd"])
def test_currencies_whose_units_a_provider_counts_in_its_own_way(currency: str, method: str, database_url: str) -> None:
    body = spec(
        "01-01 subscribe items=a*2",
        "01-20 charge amount=700 description=x",
        "02-02 refund invoice=2 amount=300",
        until="02-03",
        method=method,
        currency=currency,
    )
    told = played(body, database_url)
    assert differences(oracle(body), told) == []
    assert told["provider"]["net_charged"] == {currency: 2 * 6000 + 700 - 300}


@pytest.mark.parametrize("method", ["visa", "paypal", "timeout_after_charge"])
@pytest.mark.parametrize("currency", ["mga", "kwd", "huf"])
def test_amounts_are_exact_also_where_a_provider_moves_larger_steps(
    currency: str, method: str, database_url: str
) -> None:
    body = spec(
        "01-01 subscribe items=a",
        "01-10 change items=b proration=invoice_now",
        "01-20 charge amount=7 description=x",
        "01-21 refund invoice=1 amount=5",
        "01-22 refund invoice=3",
        "01-23 refund invoice=2",
        until="02-02",
        method=method,
        tax="19",
        currency=currency,
    )
    told = played(body, database_url)
    assert differences(oracle(body), told) == []
    assert told["refusals"] == []


@pytest.mark.parametrize("retries", [[], ["12h"]])
@pytest.mark.parametrize("method", ["declined", "lost_card", None])
def test_what_was_never_tried_is_tried_once_an_unpaid_subscription_recovers_for_good(
    method: str | None, retries: list[str], database_url: str
) -> None:
    body = spec(
        "01-01 subscribe items=d",
        "01-06 mark_uncollectible invoice=1",
        "01-07 void invoice=2",
        "01-09 void invoice=3",
        "01-10 set_payment_method payment_method=visa",
        until="01-12",
        method=method,
        dunning={"retries": retries, "final": "unpaid"},
    )
    body["prices"] = body["prices"] | {"d": {"product": "D", "amount": 100, "interval": "day"}}
    assert differences(oracle(body), played(body, database_url)) == []


@pytest.mark.parametrize("correction", ["refund invoice=2", "refund invoice=2 amount=610", "void invoice=2"])
@pytest.mark.parametrize("day", ["01-05", "01-31"])
def test_a_correction_of_a_document_that_only_its_tax_brings_above_nothing(
    day: str, correction: str, database_url: str
) -> None:
    body = spec(
        "01-01 subscribe items=free*3",
        f"01-03 set_payment_method payment_method={'declined' if correction.startswith('void') else 'visa'}",
        "01-04 change items=free",
        "01-04 change items=free,taxed*3 proration=invoice_now",
        f"{day} {correction}",
        until="03-02",
        tax_rates={"standard": {"percent": "19"}, "none": {"percent": "0"}},
    )
    body["prices"] = {
        "free": {"product": "F", "amount": 9750, "interval": "month", "tax_rate": "none"},
        "taxed": {"product": "T", "amount": 6000, "interval": "month"},
    }
    told = played(body, database_url)
    assert differences(oracle(body), told) == []
    assert min(each["subtotal"] for each in told["invoices"]) < 0 < min(each["total"] for each in told["invoices"])


TWO = ["01-01 subscribe items=a as=s1", "01-01 subscribe items=a as=s"]
MANY_RETRIES_OF_A_CUSTOMER_AT_ONE_MOMENT = {
    "before a step": [*TWO, "01-04 void invoice=2"],
    "before a step on what the last of them ends": [*TWO, "01-04 change items=b"],
    "before the boundaries": [f"01-01 subscribe items=d as=s{number}" for number in range(3)],
    "at the end of an outage": [*TWO, "01-02 outage until=01-05", "01-05 set_payment_method payment_method=visa"],
}


@pytest.mark.parametrize("final", ["keep", "cancel", "unpaid"])
@pytest.mark.parametrize("retries", [["3d"], ["3d", "3d"]])
@pytest.mark.parametrize("name", MANY_RETRIES_OF_A_CUSTOMER_AT_ONE_MOMENT)
def test_all_retries_of_a_customer_come_first_of_their_moment(
    name: str, retries: list[str], final: str, database_url: str
) -> None:
    steps = MANY_RETRIES_OF_A_CUSTOMER_AT_ONE_MOMENT[name]
    body = spec(*steps, until="01-11", method="declined", dunning={"retries": retries, "final": final})
    body["prices"] = body["prices"] | {"d": {"product": "D", "amount": 100, "interval": "day", "count": 3}}
    assert differences(oracle(body), played(body, database_url)) == []
