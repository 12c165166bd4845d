"""What a second person has approved is what is done, also where the amount changes while it is being carried out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from billing.commands.subscription.change import Proration
from billing.flows import (
    changing,
    disputing,
    external_money,
    on_session,
    operating,
    operating_profiles,
    operating_subscriptions,
    previewing,
)
from billing.flows.ordering import CARRIED_OUT, Wanted
from billing.kernel.errors import Refused
from billing.kernel.ids import new_id
from billing.models import Invoice
from billing.validators.subscription import NewItem
from tests.flows.cents import ORDER, forwarded, small
from tests.flows.company import START, Company
from tests.flows.disputes import end, open_dispute, the_dispute


def refused_where(
    acme: Company,
    monkeypatch: pytest.MonkeyPatch,
    wanted: Wanted,
    flow: tuple[Any, str],
    meanwhile: Callable[[], object],
) -> None:
    """The order finds its amount; then something happens, and its flow begins."""
    module, name = flow
    real = getattr(module, name)

    def then(*given: Any, **named: Any) -> Any:
        meanwhile()
        return real(*given, **named)

    monkeypatch.setattr(module, name, then)
    with pytest.raises(Refused) as refused:
        CARRIED_OUT[wanted.action](acme.parts, wanted, ORDER)
    assert refused.value.code == "order_changed"
    assert acme.violations() == ()


def test_no_more_is_given_up_than_was_carried_forward_then(acme: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    profile_id = small(acme)

    def another() -> None:
        acme.begin_subscription("a1", "s2", NewItem("small"), collection="send_invoice", days_until_due=14)
        with pytest.raises(Refused):
            on_session.pay(acme.parts, profile_id=profile_id)

    wanted = Wanted(new_id(), "carried_forward_write_off", "profile", profile_id, {"eur": 24}, {})
    refused_where(acme, monkeypatch, wanted, (operating_profiles, "write_off"), another)
    assert forwarded(acme) == 48


def _open(acme: Company) -> Invoice:
    acme.customer("a1", method=None)
    acme.subscribe("a1", "s1")
    acme.settle()
    return acme.invoices()[0]


def test_what_was_paid_meanwhile_is_not_written_off(acme: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    invoice = _open(acme)
    wanted = Wanted(new_id(), "write_off", "invoice", invoice.id, {"eur": 1190}, {})

    def pay() -> None:
        external_money.mark_paid(acme.parts, invoice.id, amount_minor=190, reference="bank")

    refused_where(acme, monkeypatch, wanted, (operating, "mark_uncollectible"), pay)
    (still,) = acme.invoices()
    assert (still.status, still.amount_remaining_minor) == ("open", 1000)


def test_a_loss_that_was_paid_in_part_meanwhile_is_decided_anew(acme: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    acme.customer("a1")
    acme.subscribe("a1", "s1")
    acme.settle()
    end(acme, open_dispute(acme), "lost")
    dispute, (invoice, *_) = the_dispute(acme), acme.invoices()
    wanted = Wanted(new_id(), "dispute_write_off", "dispute", dispute.id, {"eur": 1190}, {})

    def pay() -> None:
        external_money.mark_paid(acme.parts, invoice.id, amount_minor=190, reference="bank")

    refused_where(acme, monkeypatch, wanted, (disputing, "write_off_loss"), pay)
    assert (the_dispute(acme).decision, the_dispute(acme).owed_minor) == (None, 1000)


def test_no_more_goes_back_by_a_cancel_than_was_to_then(acme: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    acme.customer("a1")
    id_ = acme.begin_subscription("a1", "s1", NewItem("basic"))
    acme.settle()
    acme.set_clock(START + timedelta(days=1))
    with acme.parts.begin() as session:
        seen = previewing.preview_cancel(acme.parts, session, id_, when=changing.CancelWhen.NOW, prorate=True)
    wanted = Wanted(new_id(), "cancel_refund", "subscription", id_, {"eur": seen.given_back_minor}, {})

    def more() -> None:
        with acme.parts.begin() as session:
            items = [NewItem("basic", 3)]
            changing.change(acme.parts, session, id_, items=items, proration=Proration.INVOICE_NOW)
        acme.settle()

    refused_where(acme, monkeypatch, wanted, (operating_subscriptions, "cancel"), more)
    assert acme.refunds() == []
