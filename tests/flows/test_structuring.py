"""Documents that the law wants structured reach the host's transport, at least once, or become a person's work."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import select, text

from billing.documents.structured import NotAccepted, StructuredInvoice
from billing.flows import delivery, renewal, structuring, working
from billing.flows.correcting import void
from billing.flows.order import Order
from billing.models import EInvoice, Seller
from billing.queries.operations.health import stranded_e_invoices
from billing.queries.operations.invoices import show_invoice
from tests.flows.company import Company

ORDER = Order(actor="anna", reason="the network takes it now")
START = datetime(2027, 1, 1, tzinfo=UTC)


class Network:
    """A simple transport: keeps what it takes, by id."""

    taken: dict[str, StructuredInvoice] = {}  # noqa: RUF012 (one for all, as a network is)
    raises: Exception | None = None
    says: object = None

    def __call__(self, invoice: StructuredInvoice) -> object:
        if Network.raises is not None:
            raise Network.raises
        Network.taken[str(invoice.id)] = invoice
        return Network.says or f"N-{invoice.number}"


@pytest.fixture
def berlin(acme: Company) -> Iterator[Company]:
    """Domestic sales of January 2027 to a business, by a seller that the law calls large."""
    Network.taken, Network.raises, Network.says = {}, None, None
    named = {"billing_e_invoice_transports": f"DE:{__name__}:Network"}
    acme.parts = replace(acme.parts, settings=acme.parts.settings.model_copy(update=named))
    with acme.parts.begin() as session:
        session.scalars(select(Seller)).one().e_invoices = "large"
    acme.customer("a1", method=None)
    acme.subscribe("a1", "s1", start=START)
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.profile SET buyer_kind = 'business'"))
    acme.set_clock(START)
    renewal.plan(acme.parts)
    acme.run_messages()
    yield acme
    Network.taken, Network.raises, Network.says = {}, None, None


def handed(acme: Company) -> int:
    delivery.sweep(acme.parts)
    return structuring.send_structured(acme.parts)


def rows(acme: Company) -> list[tuple[str, str | None, str | None]]:
    with acme.begin() as session:
        found = session.scalars(select(EInvoice).order_by(EInvoice.id))
        return [(row.status, row.reference, row.reason) for row in found]


def in_time(acme: Company) -> None:
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.e_invoice SET next_try_at = clock_timestamp() WHERE status = 'waiting'"))


def test_an_invoice_and_its_cancellation_reach_the_transport_once(berlin: Company) -> None:
    assert (handed(berlin), handed(berlin)) == (1, 0)
    (taken,) = Network.taken.values()
    assert taken.facts.number == taken.number
    assert taken.facts.buyer["name"]
    assert taken.pdf.startswith(b"%PDF")
    assert "UStG" in taken.law
    void(berlin.parts, taken.id, order=ORDER)
    assert handed(berlin) == 1
    assert [status for status, *_ in rows(berlin)] == ["sent", "sent"]
    assert rows(berlin)[0][1] == f"N-{taken.number}"
    with berlin.parts.begin() as session:
        (told,) = show_invoice(session, taken.id)["e_invoices"]
    assert (told["status"], told["reference"]) == ("sent", f"N-{taken.number}")


def test_what_is_not_taken_is_tried_again_and_what_is_refused_is_a_persons_work(berlin: Company) -> None:
    Network.raises = TimeoutError("Herr Müller's line")
    assert (handed(berlin), handed(berlin)) == (1, 0)
    assert rows(berlin) == [("waiting", None, "raised_TimeoutError")]
    with berlin.parts.begin() as session:
        # Whoever takes the transport away hears of it.
        assert stranded_e_invoices(session, ["DE"]) == []
        assert stranded_e_invoices(session, ["IT"]) == [{"country": "DE", "documents": 1}]
    Network.raises = NotAccepted("unknown_recipient")
    in_time(berlin)
    handed(berlin)
    (item,) = [item for item in berlin.work_items() if item.kind == "e_invoice_not_sent"]
    assert (item.error, item.amount_minor) == ("unknown_recipient", 1190)
    Network.raises = None
    working.act(berlin.parts, item.id, action=working.Action.RETRY, order=ORDER)
    assert handed(berlin) == 1
    assert [status for status, *_ in rows(berlin)] == ["sent"]
    assert {item.status for item in berlin.work_items()} == {"resolved"}


def test_after_three_days_of_tries_it_is_given_up(berlin: Company) -> None:
    Network.raises = OSError()
    handed(berlin)
    with berlin.parts.begin() as session:
        session.execute(text("UPDATE billing.e_invoice SET tries = :most - 1"), {"most": structuring.MOST_TRIES})
    in_time(berlin)
    handed(berlin)
    assert rows(berlin) == [("failed", None, "raised_OSError")]


def test_whatever_a_transport_says_of_what_it_took_the_document_has_left(berlin: Company) -> None:
    Network.says = "N-1\0" + "9" * 10_000
    assert (handed(berlin), handed(berlin)) == (1, 0)
    assert rows(berlin) == [("sent", "N-1" + "9" * 197, None)]


def test_a_refusal_is_kept_without_what_is_personal_or_can_not_be_stored(berlin: Company) -> None:
    Network.raises = NotAccepted("unknown\0 mueller@example.com")
    handed(berlin)
    assert rows(berlin) == [("failed", None, "unknown [redacted]")]


def test_a_document_that_ends_each_process_that_hands_it_over_is_a_persons_work(berlin: Company) -> None:
    delivery.sweep(berlin.parts)
    with berlin.parts.begin() as session:
        session.execute(text("UPDATE billing.e_invoice SET tries = :most"), {"most": structuring.MOST_TRIES + 1})
    structuring.send_structured(berlin.parts)
    assert rows(berlin) == [("failed", None, "its_process_died")]
    assert Network.taken == {}
