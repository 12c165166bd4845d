"""What a document says of its debt, as charging goes on."""

from __future__ import annotations

from billing.flows import braking
from billing.flows.documents import document_html
from billing.flows.order import Order
from billing.queries.brakes import BrakeKind
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
