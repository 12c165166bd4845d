"""What stands on a draft at a month's end is revenue of that month as well, whatever becomes of the draft."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

from sqlalchemy import text

from billing.commands.subscription.cancel import CancelWhen
from billing.flows import accrual, changing, drafts
from billing.flows.working import Action
from billing.validators.seller import SellerPolicy
from billing.validators.subscription import NewItem
from tests.flows.accrued import accruals, change, months, pass_to
from tests.flows.company import Company, company
from tests.flows.test_guarding import decide

JUNE = datetime(2026, 6, 1, tzinfo=UTC)


def _reviewed(acme: Company, price: str, since: datetime, *, hours: int) -> UUID:
    """A subscription whose documents, but for the first, are held so long before they are issued."""
    acme.customer("a1")
    acme.set_clock(since)
    id_ = acme.begin_subscription("a1", "s1", NewItem(price, 1))
    acme.settle()
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.seller SET draft_review_h = :hours"), {"hours": hours})
    return id_


def test_a_draft_under_review_waits_too(acme: Company) -> None:
    """The period of 29 May is on a draft at the month's end, with what a change left for it."""
    id_ = _reviewed(acme, "basic", datetime(2026, 4, 29, tzinfo=UTC), hours=120)
    acme.set_clock(datetime(2026, 5, 14, tzinfo=UTC))
    change(acme, id_, 2)
    pass_to(acme, datetime(2026, 5, 29, 1, tzinfo=UTC))
    (draft,) = [each for each in acme.invoices() if each.status == "draft"]
    assert [line.kind for line in acme.lines(draft)] == ["proration_credit", "proration_charge", "recurring"]
    pass_to(acme, JUNE + timedelta(hours=1))
    basic = 1000
    of_the_change, of_the_period = basic // 2, round(2 * basic * 3 / 31)
    assert months(acme)["2026-05"] == basic - round(basic * 2 / 30) + of_the_change + of_the_period
    acme.set_clock(datetime(2026, 6, 4, tzinfo=UTC))
    drafts.sweep(acme.parts)
    acme.set_clock(datetime(2026, 6, 29, 1, tzinfo=UTC))
    acme.settle()
    pass_to(acme, datetime(2026, 7, 1, 1, tzinfo=UTC))
    assert months(acme)["2026-06"] == 2 * basic - of_the_period + round(2 * basic * 2 / 30)
    assert acme.violations() == ()


def test_what_waits_for_a_first_payment_is_not_earned(acme: Company) -> None:
    acme.set_clock(datetime(2026, 5, 29, tzinfo=UTC))
    acme.customer("a1", method="pm_card_authenticationRequired")
    acme.begin_subscription("a1", "s1", NewItem("basic", 1), first_payment="required")
    acme.set_clock(JUNE)
    accrual.accrue_due(acme.parts)
    assert [each.status for each in acme.invoices()] == ["draft"]
    assert accruals(acme) == []


def test_a_draft_whose_line_a_note_gave_back_is_earned_with_the_note(acme: Company) -> None:
    """The service of its period ended in May; the draft is issued in June."""
    acme.price("big", 3000)
    id_ = _reviewed(acme, "big", datetime(2026, 4, 20, tzinfo=UTC), hours=480)
    pass_to(acme, datetime(2026, 5, 8, tzinfo=UTC))
    change(acme, id_, 1)
    pass_to(acme, datetime(2026, 5, 20, tzinfo=UTC))
    pass_to(acme, datetime(2026, 5, 25, tzinfo=UTC))
    with acme.parts.begin() as session:
        changing.cancel(acme.parts, session, id_, when=CancelWhen.NOW, prorate=True)
    acme.settle()
    found = {(each.kind, each.status) for each in acme.invoices()}
    assert found == {("invoice", "paid"), ("invoice", "draft"), ("credit_note", "credited")}
    pass_to(acme, datetime(2026, 6, 11, tzinfo=UTC))
    before = months(acme)
    assert before["2026-04"] + before["2026-05"] == 1800 + 400 + round(1000 * 5 / 31)
    drafts.sweep(acme.parts)
    assert {each.status for each in acme.invoices()}.isdisjoint({"draft"})
    pass_to(acme, datetime(2026, 8, 1, 1, tzinfo=UTC))
    assert months(acme) == {month: before[month] for month in ("2026-04", "2026-05")}
    assert acme.violations() == ()


def test_a_line_that_is_dropped_leaves_nothing_in_the_months_after(database_url: str) -> None:
    with company(database_url, policy=SellerPolicy(guard_amount=3)) as acme:
        acme.price("big", 31_000)
        acme.customer("a1")
        acme.set_clock(datetime(2026, 3, 29, tzinfo=UTC))
        id_ = acme.begin_subscription("a1", "s1", NewItem("basic", 1))
        acme.settle()
        with acme.parts.begin() as session:
            changing.change(acme.parts, session, id_, items=(NewItem("big"),), when=changing.ChangeWhen.PERIOD_END)
        acme.set_clock(datetime(2026, 4, 29, 1, tzinfo=UTC))
        acme.settle()
        assert [each.status for each in acme.invoices()] == ["paid", "draft"]
        pass_to(acme, datetime(2026, 5, 2, tzinfo=UTC))
        told = round(31_000 * 2 / 30)
        assert accruals(acme)[-1] == (date(2026, 4, 1), told)
        decide(acme, Action.DISCARD)
        pass_to(acme, datetime(2026, 5, 20, tzinfo=UTC))
        pass_to(acme, datetime(2026, 6, 2, tzinfo=UTC))
        assert months(acme)["2026-05"] == -told
        assert acme.violations() == ()
