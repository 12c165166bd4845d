"""What waits for the next document at a month's end is revenue of that month: as if it had been issued at once."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from sqlalchemy import text

from billing.commands.accrual.accrue_lines import accrue_lines
from billing.commands.subscription.cancel import CancelWhen
from billing.commands.subscription.change import Proration
from billing.commands.tax_rate.put import put_tax_rate
from billing.flows import accrual, changing, recognition
from billing.flows.bookkeeping import close
from billing.flows.order import Order
from billing.queries.accruing_lines import untold
from billing.validators.subscription import NewItem
from billing.validators.tax_rate import NewTaxRate
from tests.flows.accrued import accruals, change, months, pass_to
from tests.flows.company import Company
from tests.flows.test_lock_order import ends, waiting

ORDER = Order(actor="ada", reason="the month is over")
JUNE = datetime(2026, 6, 1, tzinfo=UTC)


@pytest.fixture
def yearly(acme: Company) -> UUID:
    """One of a price of 365.00 a year from 1 April, paid; two of them are 730.00."""
    acme.price("yearly", 36_500, interval_unit="year")
    acme.customer("a1")
    acme.set_clock(datetime(2026, 4, 1, tzinfo=UTC))
    id_ = acme.begin_subscription("a1", "s1", NewItem("yearly", 1))
    acme.settle()
    return id_


def test_what_is_over_of_a_charge_that_waits_is_revenue_of_the_month(acme: Company, yearly: UUID) -> None:
    """Ten days of May and thirty of June at 1.00 a day more, though no invoice says so before April."""
    pass_to(acme, datetime(2026, 5, 22, tzinfo=UTC))
    change(acme, yearly, 2, price="yearly")
    pass_to(acme, JUNE + timedelta(hours=1))
    assert accruals(acme) == [(date(2026, 5, 1), -1000), (date(2026, 5, 1), 2000)]
    assert months(acme) == {"2026-04": 3000, "2026-05": 3100 + 1000, "2026-06": -1000}
    assert months(acme, "unbilled_receivable") == {"2026-05": -1000, "2026-06": 1000}
    pass_to(acme, datetime(2026, 7, 2, tzinfo=UTC))
    assert {month: months(acme)[month] for month in ("2026-05", "2026-06")} == {"2026-05": 4100, "2026-06": 6000}
    assert acme.violations() == ()
    pass_to(acme, datetime(2027, 6, 1, 1, tzinfo=UTC))
    found = months(acme)
    assert (found["2026-12"], found["2027-03"], found["2027-04"]) == (6200, 6200, 5984)
    assert sum(months(acme, "unbilled_receivable").values()) == 0
    assert acme.violations() == ()


def test_a_month_is_accrued_once_whatever_waits_later(acme: Company, yearly: UUID) -> None:
    acme.set_clock(datetime(2026, 5, 22, tzinfo=UTC))
    change(acme, yearly, 2, price="yearly")
    acme.set_clock(JUNE)
    assert [accrual.accrue_due(acme.parts) for _ in range(2)] == [1, 0]
    before = accruals(acme)
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.seller SET usage_accrued_to = NULL"))
    change(acme, yearly, 3, price="yearly")
    assert accrual.accrue_due(acme.parts) == 1
    assert accruals(acme) == before


def test_what_changes_after_the_months_end_is_of_the_next(acme: Company, yearly: UUID) -> None:
    acme.set_clock(JUNE)
    change(acme, yearly, 2, price="yearly")
    accrual.accrue_due(acme.parts)
    assert accruals(acme) == []


def test_a_close_accrues_first(acme: Company, yearly: UUID) -> None:
    acme.set_clock(datetime(2026, 5, 22, tzinfo=UTC))
    change(acme, yearly, 2, price="yearly")
    acme.set_clock(JUNE + timedelta(days=3))
    close(acme.parts, acme.seller_id, month=date(2026, 5, 1), order=ORDER)
    assert months(acme)["2026-05"] == 4100
    assert acme.violations() == ()


def test_a_month_that_is_closed_stays_as_it_is(acme: Company, yearly: UUID) -> None:
    acme.set_clock(datetime(2026, 5, 22, tzinfo=UTC))
    change(acme, yearly, 2, price="yearly")
    acme.set_clock(JUNE)
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.seller SET books_open_from = '2026-06-01'"))
    assert accrual.accrue_due(acme.parts) == 1
    assert accruals(acme) == []


def test_a_month_that_was_missed_is_left_out_and_the_last_one_is_whole(acme: Company, yearly: UUID) -> None:
    """What would have been accrued of May is accrued with June: a month tells all that is over."""
    acme.set_clock(datetime(2026, 5, 22, tzinfo=UTC))
    change(acme, yearly, 2, price="yearly")
    acme.set_clock(datetime(2026, 7, 3, tzinfo=UTC))
    acme.settle()
    accrual.accrue_due(acme.parts)
    assert {month for month, _ in accruals(acme)} == {date(2026, 6, 1)}
    assert months(acme)["2026-06"] == 3000 + 1000 + 3000
    assert acme.violations() == ()


def test_a_lower_price_takes_back_what_its_line_earns_until_it_is_told(acme: Company, yearly: UUID) -> None:
    pass_to(acme, datetime(2026, 5, 22, tzinfo=UTC))
    change(acme, yearly, 2, price="yearly")
    pass_to(acme, datetime(2026, 6, 11, tzinfo=UTC))
    change(acme, yearly, 1, price="yearly")
    pass_to(acme, datetime(2026, 7, 1, 1, tzinfo=UTC))
    assert {month: months(acme)[month] for month in ("2026-05", "2026-06")} == {"2026-05": 4100, "2026-06": 4000}
    assert acme.violations() == ()


def test_so_it_does_where_another_worker_has_still_to_book_what_the_line_earned(acme: Company, yearly: UUID) -> None:
    """Recognition leaves lines in other hands alone; what it will book of the month is known."""
    pass_to(acme, datetime(2026, 5, 22, tzinfo=UTC))
    change(acme, yearly, 2, price="yearly")
    acme.set_clock(JUNE + timedelta(minutes=5))
    with acme.begin() as session:
        session.execute(text("SELECT FROM billing.revenue_schedule FOR UPDATE"))
        accrual.accrue_due(acme.parts)
        assert months(acme)["2026-05"] == 1000
    acme.settle()
    assert months(acme)["2026-05"] == 4100
    assert acme.violations() == ()


def test_what_the_next_month_has_booked_already_is_none_of_it(acme: Company, yearly: UUID) -> None:
    """Day by day recognition is three days into June when May is accrued."""
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.seller SET revenue_recognition = 'day'"))
    pass_to(acme, datetime(2026, 5, 22, tzinfo=UTC))
    change(acme, yearly, 2, price="yearly")
    acme.set_clock(JUNE + timedelta(days=3))
    acme.settle()
    recognition.recognise_due(acme.parts)
    accrual.accrue_due(acme.parts)
    assert months(acme)["2026-05"] == 4100
    assert acme.violations() == ()


def test_nothing_is_left_of_it_when_a_subscription_ends_at_once(acme: Company, yearly: UUID) -> None:
    """All that waited is told by the note of the cancel."""
    pass_to(acme, datetime(2026, 5, 22, tzinfo=UTC))
    change(acme, yearly, 2, price="yearly")
    pass_to(acme, datetime(2026, 7, 11, tzinfo=UTC))
    with acme.parts.begin() as session:
        changing.cancel(acme.parts, session, yearly, when=CancelWhen.NOW, prorate=True)
    acme.settle()
    pass_to(acme, datetime(2026, 9, 1, 1, tzinfo=UTC))
    assert months(acme) == {"2026-04": 3000, "2026-05": 4100, "2026-06": 6000, "2026-07": 2000}
    assert acme.violations() == ()


def test_what_was_told_after_the_months_end_counts_as_it_stood_then(acme: Company, yearly: UUID) -> None:
    pass_to(acme, datetime(2026, 5, 22, tzinfo=UTC))
    change(acme, yearly, 2, price="yearly")
    acme.set_clock(JUNE + timedelta(minutes=1))
    change(acme, yearly, 3, price="yearly", proration=Proration.INVOICE_NOW)
    acme.settle()
    accrual.accrue_due(acme.parts)
    assert months(acme)["2026-05"] == 4100
    pass_to(acme, datetime(2026, 7, 1, 1, tzinfo=UTC))
    assert months(acme)["2026-06"] == 9000
    assert acme.violations() == ()


def test_so_it_does_where_a_note_told_it(acme: Company, yearly: UUID) -> None:
    """What was given back came to more than what was charged."""
    change(acme, yearly, 3, price="yearly", proration=Proration.INVOICE_NOW)
    acme.settle()
    pass_to(acme, datetime(2026, 5, 22, tzinfo=UTC))
    change(acme, yearly, 2, price="yearly")
    acme.set_clock(JUNE + timedelta(minutes=1))
    change(acme, yearly, 1, price="yearly", proration=Proration.INVOICE_NOW)
    acme.settle()
    assert "credit_note" in {each.kind for each in acme.invoices()}
    accrual.accrue_due(acme.parts)
    pass_to(acme, datetime(2026, 7, 1, 1, tzinfo=UTC))
    assert months(acme) == {"2026-04": 9000, "2026-05": 9300 - 1000, "2026-06": 3000}
    assert acme.violations() == ()


def test_subscriptions_are_locked_in_the_order_of_all_who_lock_them(acme: Company) -> None:
    """By customer and name, so that who bills them and who counts what waits can't wait for each other."""
    acme.customer("a1")
    acme.set_clock(datetime(2026, 5, 20, tzinfo=UTC))
    made = {code: acme.begin_subscription("a1", code, NewItem("basic", 1)) for code in ("s2", "s1", "s3")}
    acme.settle()
    acme.set_clock(datetime(2026, 5, 22, tzinfo=UTC))
    for id_ in made.values():
        change(acme, id_, 2)
    given = {"seller_id": acme.seller_id, "month": date(2026, 5, 1), "first_after": JUNE.date(), "end": JUNE}
    with acme.begin() as session:
        found, first = (untold(session, after=UUID(int=0), most=most, **given) for most in (10, 1))
    assert found is not None
    assert list(found.currencies) == [made["s1"], made["s2"], made["s3"]]
    assert first is not None
    assert list(first.currencies) == [made["s2"]], "pages go by id: the next one begins after it"


def test_all_pages_of_subscriptions_are_accrued(acme: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accrual, "_BATCH", 1)
    acme.customer("a1")
    acme.set_clock(datetime(2026, 5, 20, tzinfo=UTC))
    made = [acme.begin_subscription("a1", code, NewItem("basic", 1)) for code in ("s2", "s1", "s3")]
    acme.settle()
    acme.set_clock(datetime(2026, 5, 22, tzinfo=UTC))
    for id_ in made:
        change(acme, id_, 2)
    acme.set_clock(JUNE)
    accrual.accrue_due(acme.parts)
    assert len(accruals(acme)) == 2 * len(made)
    assert acme.violations() == ()


def test_each_currency_has_entries_of_its_own_and_yen_no_part(acme: Company) -> None:
    for account, currency in (("a1", "jpy"), ("a2", "eur")):
        acme.price(f"in-{currency}", 36_500, currency=currency, interval_unit="year")
        acme.customer(account)
    acme.set_clock(datetime(2026, 4, 1, tzinfo=UTC))
    made = [acme.begin_subscription(f"a{n}", f"s{n}", NewItem(f"in-{of}", 1)) for n, of in ((1, "jpy"), (2, "eur"))]
    acme.settle()
    acme.set_clock(datetime(2026, 5, 22, tzinfo=UTC))
    for id_, price, quantity in ((made[0], "in-jpy", 3), (made[1], "in-eur", 2)):
        change(acme, id_, quantity, price=price)
    acme.set_clock(JUNE)
    accrual.accrue_due(acme.parts)
    with acme.begin() as session:
        found = session.execute(
            text(
                """SELECT p.currency, e.kind, sum(p.amount_minor)::int FROM billing.ledger_entry e
                   JOIN billing.posting p ON p.entry_id = e.id AND p.account = 'unbilled_receivable'
                   GROUP BY 1, 2 ORDER BY 1, 2"""
            )
        ).all()
    assert [tuple(row) for row in found] == [
        ("eur", "line_accrual", 1000), ("eur", "line_reversal", -1000),
        ("jpy", "line_accrual", 2000), ("jpy", "line_reversal", -2000),
    ]  # fmt: skip


@pytest.mark.parametrize(("duration", "earned"), [("forever", (3100 + 1000) // 2), ("once", 21 * 50 + 10 * 200)])
def test_of_a_coupon_what_is_left_is_known_before_the_document(acme: Company, duration: str, earned: int) -> None:
    """Until the change half of 1.00 a day; then half of 2.00 for the ten days that are left, or all of it."""
    acme.coupon("half", 50, duration=duration)
    acme.price("yearly", 36_500, interval_unit="year")
    acme.customer("a1")
    acme.set_clock(datetime(2026, 4, 1, tzinfo=UTC))
    id_ = acme.begin_subscription("a1", "s1", NewItem("yearly", 1), coupon_code="half")
    acme.settle()
    pass_to(acme, datetime(2026, 5, 22, tzinfo=UTC))
    change(acme, id_, 2, price="yearly")
    pass_to(acme, JUNE + timedelta(hours=1))
    assert months(acme)["2026-05"] == earned


def test_the_tax_inside_is_that_of_a_sale_to_the_customer_or_the_one_at_home(acme: Company) -> None:
    """20 % in France, 19 % at home: a rate that names none for France any more stops the document, not the books."""
    with acme.parts.begin() as session:
        rate = NewTaxRate("gross", Decimal(19), inclusive=True, countries={"FR": Decimal(20)})
        put_tax_rate(session, seller_id=acme.seller_id, new=rate)
    acme.price("yearly", 43_800, interval_unit="year", tax_rate="gross")
    acme.customer("a1", country="FR")
    acme.set_clock(datetime(2026, 4, 1, tzinfo=UTC))
    id_ = acme.begin_subscription("a1", "s1", NewItem("yearly", 1))
    acme.settle()
    pass_to(acme, datetime(2026, 5, 22, tzinfo=UTC))
    change(acme, id_, 2, price="yearly")
    pass_to(acme, JUNE + timedelta(hours=1))
    assert accruals(acme) == [(date(2026, 5, 1), -1000), (date(2026, 5, 1), 2000)]
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.tax_rate SET countries = '{}' WHERE name = 'gross'"))
        session.execute(text("UPDATE billing.seller SET oss = 'union'"))
    pass_to(acme, datetime(2026, 7, 1, 1, tzinfo=UTC))
    assert accruals(acme)[2:] == [(date(2026, 6, 1), -4000), (date(2026, 6, 1), round(8000 * 1.2 / 1.19))]


def test_of_two_who_accrue_at_once_the_second_finds_it_done(acme: Company, yearly: UUID) -> None:
    acme.set_clock(datetime(2026, 5, 22, tzinfo=UTC))
    change(acme, yearly, 2, price="yearly")
    acme.set_clock(JUNE + timedelta(minutes=5))
    with acme.parts.sessions() as session, session.begin() as first:
        accrue_lines(session, seller_id=acme.seller_id, month=date(2026, 5, 1), end=JUNE, after=UUID(int=0), most=10)
        with waiting(acme, accrual.accrue_due, acme.parts) as second:
            first.commit()
    assert ends(second) == 1
    assert len(accruals(acme)) == 2
    assert acme.violations() == ()
