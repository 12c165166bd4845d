"""A try between the cancellation of an invoice's intents and its correction: what it left could move the old amount."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from uuid import UUID

import pytest

from billing.commands.credit.grant import grant_credit
from billing.flows import canceling, correcting, crediting, external_money, replacing
from billing.flows.order import Order
from billing.flows.parts import Parts
from billing.kernel.errors import Refused
from billing.models import Invoice
from tests.flows.company import START, Company, company

WHY = Order(actor="mara", reason="agreed on the telephone")


def _by_credit(parts: Parts, invoice_id: UUID) -> None:
    with parts.begin() as session:
        profile_id = session.get_one(Invoice, invoice_id).profile_id
        grant_credit(session, profile_id=profile_id, amount_minor=300, currency="eur", now=START)
    crediting.apply_credit(parts, invoice_id, amount_minor=300, order=WHY)


CORRECTIONS: dict[str, Callable[[Parts, UUID], object]] = {
    "credit": lambda parts, id_: crediting.credit(parts, id_, amount_minor=300, order=WHY),
    "by_credit": _by_credit,
    "part": lambda parts, id_: external_money.mark_paid(parts, id_, amount_minor=300, reference="bank", order=WHY),
    "void": lambda parts, id_: correcting.void(parts, id_, order=WHY),
    "write_off": lambda parts, id_: correcting.mark_uncollectible(parts, id_, order=WHY),
    "replace": lambda parts, id_: replacing.replace_invoice(parts, id_, order=WHY),
}


@pytest.fixture
def acme(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Company]:
    """Its one invoice was declined; the next retry falls between a cancellation and what follows, once."""
    with company(database_url) as fresh:
        fresh.customer("a1", method="pm_card_chargeCustomerFail")
        fresh.subscribe("a1", "s1")
        fresh.settle()

        def cancel_then_tried(parts: Parts, invoices: list[UUID]) -> bool:
            done = canceling.cancel_intents(parts, invoices)
            for flow in (correcting, replacing):
                monkeypatch.setattr(flow, "cancel_intents", canceling.cancel_intents)
            fresh.set_clock(START + timedelta(days=3))
            fresh.settle()
            return done

        for flow in (correcting, replacing):
            monkeypatch.setattr(flow, "cancel_intents", cancel_then_tried)
        yield fresh


def first(acme: Company) -> Invoice:
    return acme.invoices()[0]


def intents(acme: Company) -> list[str]:
    return [each.status for each in acme.witness.intents()]


@pytest.mark.parametrize("correction", CORRECTIONS)
def test_it_is_refused_and_done_when_it_is_ordered_again(acme: Company, correction: str) -> None:
    with pytest.raises(Refused) as refused:
        CORRECTIONS[correction](acme.parts, first(acme).id)
    assert refused.value.code == "payment_in_flight"
    assert (first(acme).status, first(acme).amount_remaining_minor) == ("open", 1190)
    assert intents(acme) == ["canceled", "requires_payment_method"]
    CORRECTIONS[correction](acme.parts, first(acme).id)
    assert intents(acme) == ["canceled", "canceled"]
    assert acme.violations() == ()


def test_no_more_is_charged_than_is_left(acme: Company) -> None:
    with pytest.raises(Refused):
        CORRECTIONS["credit"](acme.parts, first(acme).id)
    CORRECTIONS["credit"](acme.parts, first(acme).id)
    acme.give_method(first(acme).profile_id, "pm_card_visa")
    acme.settle()
    assert [each.amount_minor for each in acme.witness.charges() if each.status == "succeeded"] == [890]
    assert (first(acme).status, acme.violations()) == ("paid", ())
