"""A document in a foreign currency says its tax in its seller's own, at a published rate frozen with it, or waits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from sqlalchemy import select, text

from billing.documents.view import view
from billing.flows import drafts, renewal
from billing.flows.crediting import credit
from billing.flows.documents import document_facts
from billing.flows.order import Order
from billing.flows.rates import read_rates
from billing.flows.replacing import replace_invoice
from billing.models import ExchangeRate, Invoice
from billing.providers.road import Road
from billing.registers.rates import Ecb
from billing.sandbox.registers import Registers, registers
from tests.flows.company import Company

ORDER = Order(actor="anna", reason="agreed")


@pytest.fixture
def bank() -> Iterator[Registers]:
    with registers() as made:
        yield made


@pytest.fixture
def dollars(acme: Company, bank: Registers) -> Company:
    """A German seller with a price in US dollars, on the 31st of January 2026, a Saturday."""
    rates = Ecb(Road(connect_s=2, read_s=2).send, base=bank.url)
    acme.parts = replace(acme.parts, rates=rates)
    acme.price("dollars", 1000, currency="usd", tax_rate="standard")
    acme.customer("a1", method=None)
    acme.subscribe("a1", "s1", price="dollars")
    return acme


def bill(acme: Company) -> Invoice:
    renewal.plan(acme.parts)
    acme.run_messages()
    with acme.parts.begin() as session:
        return session.scalars(select(Invoice).where(Invoice.kind == "invoice")).one()


def test_without_a_rate_it_waits_and_once_it_was_read_it_is_issued_and_says_so(
    dollars: Company, bank: Registers
) -> None:
    bank.down = "away"
    assert read_rates(dollars.parts) == 0
    draft = bill(dollars)
    assert (draft.status, draft.seller_tax) == ("draft", None)
    (item,) = dollars.work_items()
    assert item.kind == "invoice_incomplete"
    assert "no exchange rate of USD" in str(item.error)
    bank.down = None
    bank.rates = {
        "2026-01-29": {"USD": "1.1", "JPY": "160"},
        "2026-01-30": {"USD": "1.0892"},
        "2026-02-02": {"USD": "2"},
    }
    # Not before its pause is over.
    assert read_rates(dollars.parts) == 0
    with dollars.parts.begin() as session:
        session.execute(text("UPDATE billing.rate_source SET next_read_at = clock_timestamp()"))
    assert read_rates(dollars.parts) == 4
    assert drafts.sweep(dollars.parts) == 1
    issued = bill(dollars)
    # The last day of publication before a Saturday.
    assert issued.seller_tax == {
        "tax_minor": 174, "currency": "eur", "rate": "0.91810503", "source": "ECB", "date": "2026-01-30",
        "per_eur": {"usd": "1.0892"},
    }  # fmt: skip
    told = view(document_facts(dollars.parts, issued.id), language="en").notes
    assert told == ("VAT in EUR: 1,74\xa0€, at 1 USD = 0,91810503 EUR (ECB, 2026-01-30).",)
    credit(dollars.parts, issued.id, order=ORDER, amount_minor=595)
    credit(replace(dollars.parts, rates=None), issued.id, order=ORDER, amount_minor=595)
    with dollars.parts.begin() as session:
        notes = session.scalars(select(Invoice.seller_tax).where(Invoice.kind == "credit_note"))
        # A note has the rate of its invoice, whatever was published since, and also when rates are read no more.
        assert [note and (note["tax_minor"], note["date"]) for note in notes] == [(87, "2026-01-30")] * 2
    assert dollars.violations() == ()


def test_notes_of_parts_add_up_to_what_their_invoice_said(dollars: Company, bank: Registers) -> None:
    """Of 1.90 USD, which are 1.74 EUR; rounded one by one five notes had said 1.75."""
    bank.rates = {"2026-01-30": {"USD": "1.0892"}}
    read_rates(dollars.parts)
    issued = bill(dollars)
    for _ in range(5):
        credit(dollars.parts, issued.id, order=ORDER, amount_minor=238)
    with dollars.parts.begin() as session:
        notes = session.scalars(select(Invoice.seller_tax).where(Invoice.kind == "credit_note")).all()
    assert sum(note["tax_minor"] for note in notes if note) == 174
    assert dollars.violations() == ()


def test_a_frozen_rate_that_was_altered_is_found(dollars: Company, bank: Registers) -> None:
    bank.rates = {"2026-01-30": {"USD": "1.0892"}}
    read_rates(dollars.parts)
    bill(dollars)
    with dollars.parts.begin() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(text("""UPDATE billing.invoice SET seller_tax = jsonb_set(seller_tax, '{tax_minor}', '1')"""))
    assert "N4" in {violation.code for violation in dollars.violations()}


def test_what_was_published_stays_as_it_was(dollars: Company, bank: Registers) -> None:
    for rate in ("1.0892", "9"):
        bank.rates = {"2026-01-30": {"USD": rate}}
        read_rates(dollars.parts)
        with dollars.parts.begin() as session:
            session.execute(text("UPDATE billing.rate_source SET next_read_at = clock_timestamp()"))
    with dollars.parts.begin() as session:
        assert str(session.scalars(select(ExchangeRate)).one().per_euro) == "1.0892"
    assert [path.rpartition("/")[2] for path in bank.asked] == ["eurofxref-hist-90d.xml", "eurofxref-daily.xml"]


def test_a_corrected_invoice_that_bears_tax_which_the_one_before_it_did_not_says_it_too(
    dollars: Company, bank: Registers
) -> None:
    bank.rates = {"2026-01-30": {"USD": "1.0892"}}
    read_rates(dollars.parts)
    with dollars.parts.begin() as session:
        session.execute(text("UPDATE billing.profile SET country = 'FR', has_tax_id = true, buyer_kind = 'business'"))
        session.execute(text("UPDATE billing.seller SET complete_documents = false"))
    old = bill(dollars)
    assert (old.tax_minor, old.seller_tax) == (0, None)
    with dollars.parts.begin() as session:
        session.execute(text("UPDATE billing.profile SET has_tax_id = false, buyer_kind = 'consumer'"))
        session.execute(text("UPDATE billing.seller SET complete_documents = true"))
    replace_invoice(dollars.parts, old.id, order=ORDER)
    (new,) = [each for each in dollars.invoices() if each.status == "open"]
    assert new.tax_minor == 200
    assert new.seller_tax is not None
    assert new.seller_tax["currency"] == "eur"
