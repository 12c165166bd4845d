"""Usage is revenue of the month in which it was used, also where its invoice comes in the next."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import pytest
from sqlalchemy import select, text

from billing.commands.accrual.accrue import accrue_usage
from billing.commands.tax_rate.put import put_tax_rate
from billing.flows import accrual, drafts, renewal
from billing.flows.bookkeeping import close
from billing.flows.correcting import void
from billing.flows.order import Order
from billing.flows.replacing import replace_invoice
from billing.models import UsageAccrual
from billing.queries.accruing import unbilled
from billing.validators.subscription import NewItem
from billing.validators.tax_rate import NewTaxRate
from billing.validators.usage import NewUsage
from tests.flows.company import Company
from tests.flows.test_lock_order import ends, waiting

ORDER = Order(actor="mara", reason="the address was wrong")


@pytest.fixture
def metered(acme: Company) -> Company:
    """One customer with calls at 0.10 from the moment of the company's beginning, 31 January."""
    acme.customer("a1")
    acme.price("calls", 10, usage="sum")
    return acme


def _use(acme: Company, record: str, quantity: int, at: datetime) -> None:
    acme.use(NewUsage("s1", "calls", record, Decimal(quantity), at))


def _months(acme: Company, account: str) -> dict[str, int]:
    query = """
        SELECT to_char(e.booked_on, 'YYYY-MM-DD') AS day, sum(p.amount_minor)::int AS amount
        FROM billing.posting p JOIN billing.ledger_entry e ON e.id = p.entry_id
        WHERE p.account = :account GROUP BY 1 HAVING sum(p.amount_minor) <> 0 ORDER BY 1"""
    with acme.begin() as session:
        return {row.day: row.amount for row in session.execute(text(query), {"account": account})}


def test_usage_of_a_running_period_is_accrued_for_one_night(metered: Company) -> None:
    metered.begin_subscription("a1", "s1", NewItem("calls"))
    metered.set_clock(datetime(2026, 2, 1, 0, 5, tzinfo=UTC))
    _use(metered, "r1", 30, datetime(2026, 1, 31, 10, tzinfo=UTC))
    _use(metered, "r2", 50, datetime(2026, 2, 1, 0, 1, tzinfo=UTC))
    assert accrual.accrue_due(metered.parts) == 1
    assert _months(metered, "revenue") == {"2026-01-31": -300, "2026-02-01": 300}
    assert _months(metered, "unbilled_receivable") == {"2026-01-31": 300, "2026-02-01": -300}
    metered.set_clock(datetime(2026, 2, 28, tzinfo=UTC))
    metered.settle()
    assert _months(metered, "revenue") == {"2026-01-31": -300, "2026-02-01": 300, "2026-02-28": -800}
    assert metered.violations() == ()


def test_subscriptions_are_locked_in_the_order_of_all_who_lock_them(metered: Company) -> None:
    """By customer and name, so that who bills them and who counts them can't wait for each other."""
    made = {code: metered.begin_subscription("a1", code, NewItem("calls")) for code in ("s2", "s1", "s3")}
    metered.set_clock(datetime(2026, 2, 1, 0, 5, tzinfo=UTC))
    at = datetime(2026, 1, 31, 10, tzinfo=UTC)
    metered.use(*(NewUsage(code, "calls", code, Decimal(1), at) for code in made))
    end = datetime(2026, 2, 1, tzinfo=UTC)
    seller, month = metered.seller_id, date(2026, 1, 1)
    with metered.begin() as session:
        found = unbilled(session, seller_id=seller, month=month, end=end, after=UUID(int=0), most=10)
        first = unbilled(session, seller_id=seller, month=month, end=end, after=UUID(int=0), most=1)
    assert found is not None
    assert list(found.whose) == [made["s1"], made["s2"], made["s3"]]
    assert first is not None
    assert list(first.whose) == [made["s2"]], "pages go by id: the next one begins after it"


@pytest.mark.parametrize(("periods", "accrued"), [(2, 150), (1, 300)])
def test_a_coupons_percent_is_off_what_is_accrued_where_it_is_off_the_invoice_to_come(
    metered: Company, periods: int, accrued: int
) -> None:
    """The first invoice has used one of its periods."""
    metered.coupon("half", 50, duration="repeating", periods=periods)
    metered.begin_subscription("a1", "s1", NewItem("calls"), NewItem("basic"), coupon_code="half")
    metered.settle()
    metered.set_clock(datetime(2026, 2, 1, tzinfo=UTC))
    _use(metered, "r1", 30, datetime(2026, 1, 31, 10, tzinfo=UTC))
    accrual.accrue_due(metered.parts)
    assert _months(metered, "unbilled_receivable") == {"2026-01-31": accrued, "2026-02-01": -accrued}


def test_a_tax_inside_is_taken_out_of_what_is_accrued_as_where_the_customer_is(metered: Company) -> None:
    """20 % in France, where 19 % are of the seller's country."""
    with metered.parts.begin() as session:
        rate = NewTaxRate("gross", Decimal(19), inclusive=True, countries={"FR": Decimal(20)})
        put_tax_rate(session, seller_id=metered.seller_id, new=rate)
    metered.price("minutes", 120, usage="sum", tax_rate="gross")
    metered.customer("french", country="FR")
    metered.begin_subscription("french", "s1", NewItem("minutes"))
    metered.set_clock(datetime(2026, 2, 1, tzinfo=UTC))
    metered.use(NewUsage("s1", "minutes", "r1", Decimal(10), datetime(2026, 1, 31, 10, tzinfo=UTC)))
    accrual.accrue_due(metered.parts)
    assert _months(metered, "unbilled_receivable") == {"2026-01-31": 1000, "2026-02-01": -1000}


def test_usage_that_is_invoiced_at_midnight_belongs_to_the_month_before(metered: Company) -> None:
    metered.set_clock(datetime(2026, 2, 1, tzinfo=UTC))
    metered.begin_subscription("a1", "s1", NewItem("calls"))
    metered.set_clock(datetime(2026, 2, 20, tzinfo=UTC))
    _use(metered, "r1", 40, datetime(2026, 2, 10, tzinfo=UTC))
    metered.set_clock(datetime(2026, 3, 1, tzinfo=UTC))
    metered.settle()
    assert _months(metered, "revenue") == {"2026-03-01": -400}
    accrual.accrue_due(metered.parts)
    assert _months(metered, "revenue") == {"2026-02-28": -400}
    assert _months(metered, "deferred_revenue") == {}


def test_usage_of_a_period_that_was_over_long_before_its_invoice_is_revenue_once(metered: Company) -> None:
    """Its whole amount is of the month that it ended in: no more than all of it had passed."""
    metered.set_clock(datetime(2026, 2, 10, tzinfo=UTC))
    metered.begin_subscription("a1", "s1", NewItem("calls"))
    metered.set_clock(datetime(2026, 2, 20, tzinfo=UTC))
    _use(metered, "r1", 40, datetime(2026, 2, 20, tzinfo=UTC))
    metered.set_clock(datetime(2026, 4, 2, tzinfo=UTC))
    metered.settle()
    accrual.accrue_due(metered.parts)
    assert _months(metered, "revenue") == {"2026-03-31": -400, "2026-04-01": 400, "2026-04-02": -400}


@pytest.mark.parametrize("billed_first", [False, True])
def test_a_month_has_what_was_used_in_it_whether_the_renewal_or_the_accrual_comes_first(
    metered: Company, *, billed_first: bool
) -> None:
    """31 January to 28 February, 30 calls on the first day and 50 later: a coupon takes half, whichever comes first."""
    metered.coupon("half", 50, duration="forever")
    metered.begin_subscription("a1", "s1", NewItem("calls"), coupon_code="half")
    metered.set_clock(datetime(2026, 2, 27, tzinfo=UTC))
    _use(metered, "r1", 30, datetime(2026, 1, 31, 10, tzinfo=UTC))
    _use(metered, "r2", 50, datetime(2026, 2, 20, tzinfo=UTC))
    steps = [lambda: accrual.accrue_due(metered.parts), metered.settle]
    for step in reversed(steps) if billed_first else steps:
        metered.set_clock(datetime(2026, 2, 28, tzinfo=UTC))
        step()
    metered.settle()
    assert _months(metered, "revenue") == {"2026-01-31": -150, "2026-02-01": 150, "2026-02-28": -400}
    with metered.begin() as session:
        assert session.scalars(select(UsageAccrual.quantity)).all() == [Decimal(30)]
    assert metered.violations() == ()


def test_a_month_is_accrued_once_whatever_comes_later(metered: Company) -> None:
    metered.begin_subscription("a1", "s1", NewItem("calls"))
    metered.set_clock(datetime(2026, 2, 1, tzinfo=UTC))
    _use(metered, "r1", 30, datetime(2026, 1, 31, 10, tzinfo=UTC))
    assert [accrual.accrue_due(metered.parts) for _ in range(2)] == [1, 0]
    with metered.parts.begin() as session:
        session.execute(text("UPDATE billing.seller SET usage_accrued_to = NULL"))
    _use(metered, "r2", 70, datetime(2026, 1, 31, 11, tzinfo=UTC))
    accrual.accrue_due(metered.parts)
    with metered.begin() as session:
        rows = session.scalars(select(UsageAccrual)).all()
    assert [(row.quantity, row.amount_minor, row.month) for row in rows] == [(Decimal(30), 300, date(2026, 1, 1))]


def test_a_close_accrues_first(metered: Company) -> None:
    metered.begin_subscription("a1", "s1", NewItem("calls"))
    metered.set_clock(datetime(2026, 2, 3, tzinfo=UTC))
    _use(metered, "r1", 30, datetime(2026, 1, 31, 10, tzinfo=UTC))
    close(metered.parts, metered.seller_id, month=date(2026, 1, 1), order=Order(actor="ada", reason="over"))
    assert _months(metered, "unbilled_receivable") == {"2026-01-31": 300, "2026-02-01": -300}


@pytest.mark.parametrize("undone", ["", "replaced", "void", "draft"])
def test_what_was_told_since_counts_once_whatever_became_of_its_document(metered: Company, undone: str) -> None:
    with metered.parts.begin() as session:
        review = 24 if undone == "draft" else 0
        session.execute(text("UPDATE billing.seller SET draft_review_h = :hours"), {"hours": review})
        session.execute(text("UPDATE billing.payment_method SET status = 'detached', is_default = false"))
    metered.set_clock(datetime(2026, 2, 1, tzinfo=UTC))
    metered.begin_subscription("a1", "s1", NewItem("calls"))
    metered.set_clock(datetime(2026, 2, 20, tzinfo=UTC))
    _use(metered, "r1", 40, datetime(2026, 2, 10, tzinfo=UTC))
    metered.set_clock(datetime(2026, 3, 1, tzinfo=UTC))
    renewal.plan(metered.parts)
    metered.run_messages()
    (invoice,) = metered.invoices()
    if undone == "replaced":
        replace_invoice(metered.parts, invoice.id, order=ORDER)
    elif undone == "void":
        void(metered.parts, invoice.id, order=ORDER)
    accrual.accrue_due(metered.parts)
    metered.set_clock(datetime(2026, 3, 3, tzinfo=UTC))
    drafts.sweep(metered.parts)
    metered.settle()
    by_month: dict[str, int] = {}
    for day, amount in _months(metered, "revenue").items():
        by_month[day[:7]] = by_month.get(day[:7], 0) + amount
    wanted = {} if undone == "void" else {"2026-02": -400}
    assert {month: amount for month, amount in by_month.items() if amount} == wanted
    assert metered.violations() == ()


def test_one_that_is_replaced_a_month_later_is_of_the_month_of_its_first_document(metered: Company) -> None:
    metered.begin_subscription("a1", "s1", NewItem("calls"))
    _use(metered, "r1", 40, datetime(2026, 1, 31, tzinfo=UTC))
    metered.set_clock(datetime(2026, 2, 28, tzinfo=UTC))
    metered.settle()
    (invoice,) = metered.invoices()
    metered.set_clock(datetime(2026, 3, 2, tzinfo=UTC))
    replace_invoice(metered.parts, invoice.id, order=ORDER)
    metered.settle()
    before = _months(metered, "revenue")
    accrual.accrue_due(metered.parts)
    assert _months(metered, "revenue") == before


def test_usage_after_a_period_that_is_not_billed_yet_is_accrued_too(metered: Company) -> None:
    """A subscription on hold, or one that the night's renewals have not come to."""
    metered.begin_subscription("a1", "s1", NewItem("calls"), start=datetime(2026, 1, 31, tzinfo=UTC))
    metered.settle()
    metered.set_clock(datetime(2026, 4, 1, tzinfo=UTC))
    _use(metered, "closed", 30, datetime(2026, 2, 10, tzinfo=UTC))
    _use(metered, "after", 50, datetime(2026, 3, 10, tzinfo=UTC))
    _use(metered, "april", 7, datetime(2026, 4, 1, tzinfo=UTC))
    accrual.accrue_due(metered.parts)
    assert _months(metered, "revenue") == {"2026-03-31": -800, "2026-04-01": 800}


def test_usage_of_a_period_of_years_is_accrued_to_its_end(metered: Company) -> None:
    metered.price("long", 10, usage="sum", interval_unit="year", interval_count=3)
    metered.begin_subscription("a1", "s1", NewItem("long"))
    metered.settle()
    metered.use(NewUsage("s1", "long", "early", Decimal(30), metered.now()))
    metered.set_clock(datetime(2027, 12, 1, tzinfo=UTC))
    accrual.accrue_due(metered.parts)
    assert _months(metered, "revenue") == {"2027-11-30": -300, "2027-12-01": 300}


def test_of_two_who_accrue_at_once_the_second_finds_it_done(metered: Company) -> None:
    metered.begin_subscription("a1", "s1", NewItem("calls"))
    metered.set_clock(datetime(2026, 2, 1, 0, 5, tzinfo=UTC))
    _use(metered, "r1", 30, datetime(2026, 1, 31, 10, tzinfo=UTC))
    month, end = date(2026, 1, 1), datetime(2026, 2, 1, tzinfo=UTC)
    with metered.parts.sessions() as session, session.begin() as first:
        accrue_usage(session, seller_id=metered.seller_id, month=month, end=end, after=UUID(int=0), most=10)
        with waiting(metered, accrual.accrue_due, metered.parts) as second:
            first.commit()
    assert ends(second) == 1
    assert _months(metered, "revenue") == {"2026-01-31": -300, "2026-02-01": 300}
    assert metered.violations() == ()
