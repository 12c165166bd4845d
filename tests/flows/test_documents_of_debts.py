"""What a document says of its debt, as charging goes on."""

from __future__ import annotations

from collections.abc import Callable

from billing.flows import braking, sellers
from billing.flows.documents import document_html
from billing.flows.order import Order
from billing.queries.brakes import BrakeKind
from billing.validators.seller import NewSeller, SellerChange
from billing.validators.subscription import NewItem
from tests.flows.company import Company, company

ORDER = Order(actor="ada", reason="the first of the month")


def said(acme: Company) -> tuple[str, bool, bool]:
    (invoice,) = acme.invoices()
    told = document_html(acme.parts, invoice.id, language="en").content.decode()
    return invoice.status, "there is nothing that you need to do" in told, "Please pay" in told


def test_a_document_says_that_nothing_need_be_done_only_while_nothing_was_declined(database_url: str) -> None:
    with company(database_url) as acme:
        braking.stop(acme.parts, BrakeKind.COLLECT, order=ORDER)
        acme.customer("a1", method="pm_card_visa_chargeDeclinedInsufficientFunds")
        acme.subscribe("a1", "s1")
        acme.settle_under_a_brake()
        assert said(acme) == ("open", True, False)
        braking.start(acme.parts, BrakeKind.COLLECT, order=ORDER)
        acme.settle()
        assert said(acme) == ("open", False, True)


def test_how_to_pay_and_what_the_law_asks_for_besides_are_frozen_with_the_document(database_url: str) -> None:
    with company(database_url) as acme:
        acme.customer("a1")
        for code, bank in (("s1", "Altbank, DE89370400440532013000"), ("s2", "Neubank, DE16500105170000000004")):
            said_so = _saying(f"{bank}\nAcme GmbH", f"HRB {code}")
            sellers.change(acme.parts, acme.seller_id, order=ORDER, wanted=said_so)
            acme.begin_subscription("a1", code, NewItem("basic", 1), collection="send_invoice", days_until_due=14)
        acme.settle()
        first, second = (document_html(acme.parts, each.id, language="en") for each in acme.invoices())
    for printed, there, other in (
        (first, ("Altbank", "HRB s1"), "Neubank"),
        (second, ("Neubank", "HRB s2"), "Altbank"),
    ):
        told = printed.content.decode()
        assert all(each in told for each in (*there, "Please quote ACME-"))
        assert other not in told


def _saying(payment_instructions: str, document_footer: str) -> Callable[[NewSeller], SellerChange]:
    def change(before: NewSeller) -> SellerChange:
        entity = (before.legal_name, before.timezone, before.address, before.tax_id, before.policy)
        return SellerChange(*entity, payment_instructions, document_footer)

    return change
