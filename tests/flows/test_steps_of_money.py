"""Currencies that a provider moves in larger steps than their own smallest unit: Stripe's dinars in tens."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from billing.commands.subscription.cancel import CancelWhen, Unused
from billing.flows import changing, refunding
from billing.flows.crediting import credit
from billing.flows.order import Order
from billing.flows.paying_out import order_payout
from billing.kernel.errors import Refused
from billing.models import Invoice
from billing.validators.subscription import NewItem
from tests.flows.company import START, Company
from tests.flows.refunds import at_provider

ORDER = Order(actor="mara", reason="agreed on the telephone")


@pytest.fixture
def paid(acme: Company) -> Invoice:
    """119.000 KWD = 100.000 and 19 %, paid by card."""
    acme.price("dinar", 100_000, currency="kwd")
    acme.customer("a1")
    acme.begin_subscription("a1", "s1", NewItem("dinar", 1))
    acme.settle()
    (invoice,) = acme.invoices()
    assert invoice.status == "paid"
    return invoice


def _pay_out(acme: Company, profile_id: UUID, amount_minor: int | None) -> str:
    return order_payout(acme.parts, profile_id, currency="kwd", amount_minor=amount_minor, order=ORDER).told


def _sent(acme: Company) -> list[int]:
    acme.settle()
    return sorted(each.amount_minor for each in at_provider(acme))


def test_a_refund_that_the_provider_cant_send_is_refused_before_its_note(acme: Company, paid: Invoice) -> None:
    with pytest.raises(Refused, match=r"1\.000 KWD can go back") as refused:
        refunding.refund(acme.parts, paid.id, amount_minor=1005)
    assert refused.value.code == "amount_not_representable"
    assert (len(acme.invoices()), acme.refunds()) == (1, [])
    refunding.refund(acme.parts, paid.id, amount_minor=1010)
    refunding.refund(acme.parts, paid.id)
    assert _sent(acme) == [1010, 117_990]
    assert acme.violations() == ()


def test_of_a_balance_what_the_provider_cant_send_stays(acme: Company, paid: Invoice) -> None:
    credit(acme.parts, paid.id, amount_minor=1005, order=ORDER)
    assert _pay_out(acme, paid.profile_id, None) == "1.000 KWD go back from the balance"
    for amount_minor in (5, None):
        with pytest.raises(Refused) as refused:
            _pay_out(acme, paid.profile_id, amount_minor)
        assert refused.value.code == "amount_not_representable"
    assert (_sent(acme), acme.credit(paid.profile_id, "kwd")) == ([1000], 5)
    assert acme.violations() == ()


def test_of_what_is_unused_what_the_provider_cant_send_stays_in_the_balance(acme: Company, paid: Invoice) -> None:
    acme.set_clock(START + timedelta(days=14, hours=5))
    assert paid.subscription_id is not None
    with acme.parts.begin() as session:
        changing.cancel(
            acme.parts, session, paid.subscription_id, when=CancelWhen.NOW, prorate=True, unused=Unused.REFUND
        )
    note = next(each for each in acme.invoices() if each.kind == "credit_note")
    left = note.total_minor % 10
    assert left, "the story is of an amount that is no multiple of ten"
    assert (_sent(acme), acme.credit(paid.profile_id, "kwd")) == ([note.total_minor - left], left)
    assert acme.violations() == ()


def test_one_that_was_ordered_all_the_same_is_a_persons_work_and_holds_up_no_other(
    acme: Company, paid: Invoice
) -> None:
    refunding.refund(acme.parts, paid.id, amount_minor=1010)
    refunding.refund(acme.parts, paid.id, amount_minor=1000)
    with acme.parts.begin() as session:
        odd = session.merge(acme.refunds()[0])
        odd.amount_minor = 1005
    refunding.sweep(acme.parts)
    assert [each.status for each in acme.refunds()] == ["pending", "succeeded"]
    assert [(each.kind, each.error) for each in acme.work_items()] == [("refund_not_sent", "amount_not_representable")]
