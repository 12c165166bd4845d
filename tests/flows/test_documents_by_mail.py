"""Documents leave by mail with their PDF, each once, and their events say where the customer opens them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import select, text

from billing.commands.credit.grant import grant_credit
from billing.flows import delivery, endpoints, notices, working
from billing.flows.correcting import void
from billing.flows.crediting import apply_credit, credit
from billing.flows.order import Order
from billing.models import Notice, Seller
from billing.sandbox.earpiece import earpiece
from billing.sandbox.postbox import Postbox
from billing.validators.endpoint import NewEndpoint
from billing.validators.subscription import NewItem
from tests.flows.company import Company
from tests.flows.listening import due, go, listening, settle_on

ORDER = Order(actor="anna", reason="agreed")
MAIL = {"smtp_from": "billing@acme.example", "billing_public_url": "https://pay.acme.example"}


def with_mail(acme: Company, box: Postbox) -> None:
    settings = acme.parts.settings.model_copy(update=MAIL | {"smtp_url": box.url})
    acme.parts = replace(acme.parts, settings=settings)


def mailed(acme: Company, box: Postbox) -> list[Any]:
    """What arrives once all that was told of is handed on, and handed on again."""
    for _ in range(2):
        delivery.sweep(acme.parts)
        notices.send(acme.parts)
    arrived, box.messages = box.messages, []
    return arrived


def states(acme: Company) -> list[tuple[str, str, str | None]]:
    with acme.begin() as session:
        return [(row.kind, row.status, row.reason) for row in session.scalars(select(Notice).order_by(Notice.id))]


def bought(acme: Company, *, collection: str = "automatic", country: str = "DE") -> Any:
    acme.customer("a1", country=country)
    acme.begin_subscription("a1", "s1", NewItem("basic"), collection=collection)
    acme.settle()
    (invoice,) = acme.invoices()
    return invoice


def test_what_a_note_has_taken_off_is_no_receipt(acme: Company, box: Postbox) -> None:
    with_mail(acme, box)
    invoice = bought(acme, collection="send_invoice")
    credit(acme.parts, invoice.id, order=ORDER)
    assert acme.invoices()[0].status == "paid"
    assert len(mailed(acme, box)) == 2
    assert [kind for kind, _, _ in states(acme)] == ["invoice_issued", "note_issued"]


def test_an_invoice_and_its_receipt_arrive_once_with_the_pdf_and_a_link(acme: Company, box: Postbox) -> None:
    with_mail(acme, box)
    invoice = bought(acme)
    first, receipt = mailed(acme, box)
    assert first["Subject"] == f"Rechnung {invoice.number} von Acme GmbH"
    assert receipt["Subject"].startswith(f"Zahlungsbeleg zur Rechnung {invoice.number}: 11,90")
    for message in (first, receipt):
        (file,) = message.iter_attachments()
        assert (file.get_content_type(), file.get_filename()) == ("application/pdf", f"{invoice.number}.pdf")
        assert file.get_content().startswith(b"%PDF-1.")
        body = message.get_body(("plain",)).get_content()
        assert "https://pay.acme.example/documents/" in body
    credit(acme.parts, invoice.id, order=ORDER, amount_minor=200)
    (note,) = mailed(acme, box)
    assert note["Subject"].startswith("Rechnungskorrektur ACME-CN-000001")
    assert states(acme) == [(kind, "sent", None) for kind in ("invoice_issued", "receipt", "note_issued")]
    assert acme.violations() == ()


def test_one_that_the_customer_pays_says_where_and_so_does_its_cancellation(acme: Company, box: Postbox) -> None:
    with_mail(acme, box)
    invoice = bought(acme, collection="send_invoice", country="FR")
    (message,) = mailed(acme, box)
    assert message["Subject"].startswith(f"Facture {invoice.number} de Acme GmbH : merci de payer 12,00")
    assert "https://pay.acme.example/pay/" in message.get_body(("plain",)).get_content()
    void(acme.parts, invoice.id, order=ORDER)
    (cancellation,) = mailed(acme, box)
    assert cancellation["Subject"].startswith("Annulation ACME-CN-000001")
    assert len(list(cancellation.iter_attachments())) == 1


def test_it_names_what_is_due_with_what_is_carried_forward_and_less_credit(acme: Company, box: Postbox) -> None:
    """Else less, or more, would come than is owed."""
    with_mail(acme, box)
    acme.price("small", 20)
    profile_id = acme.customer("a1")
    acme.begin_subscription("a1", "s1", NewItem("small"))
    acme.settle()
    mailed(acme, box)
    with acme.parts.begin() as session:
        grant_credit(session, profile_id=profile_id, amount_minor=300, currency="eur", now=acme.now())
    acme.begin_subscription("a1", "s2", NewItem("basic"), collection="send_invoice")
    (message,) = mailed(acme, box)
    assert acme.invoices()[1].amount_due_minor == 1190 + 24 - 300
    assert "9,14" in message["Subject"]


def test_the_receipt_of_what_the_balance_has_paid_says_nothing_of_money_that_came(acme: Company, box: Postbox) -> None:
    with_mail(acme, box)
    invoice = bought(acme, collection="send_invoice")
    with acme.parts.begin() as session:
        grant_credit(session, profile_id=invoice.profile_id, amount_minor=1190, currency="eur", now=acme.now())
    apply_credit(acme.parts, invoice.id, order=ORDER)
    _, receipt = mailed(acme, box)
    body = receipt.get_body(("plain",)).get_content()
    assert f"Die Rechnung {invoice.number} ist bezahlt, insgesamt 11,90" in " ".join(body.split())
    assert "erhalten" not in body


@pytest.mark.parametrize(("wanted", "kinds"), [("documents", ["invoice_issued"]), ("off", [])])
def test_a_seller_says_which_documents_are_mailed(acme: Company, box: Postbox, wanted: str, kinds: list[str]) -> None:
    with_mail(acme, box)
    with acme.parts.begin() as session:
        session.scalars(select(Seller)).one().mail_documents = wanted
    bought(acme)
    assert len(mailed(acme, box)) == len(kinds)
    assert [kind for kind, *_ in states(acme)] == kinds


def test_a_document_with_a_letter_that_no_font_has_is_not_mailed_as_boxes(acme: Company, box: Postbox) -> None:
    with_mail(acme, box)
    acme.customer("a1")
    acme.subscribe("a1", "s1")
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.product SET name = 'ગુજરાત 😀'"))
    acme.settle()
    assert mailed(acme, box) == []
    items = [item for item in acme.work_items() if item.kind == "notice_not_sent"]
    assert {item.error for item in items} == {"no font for Gujarati, emoji: put one into BILLING_FONTS_DIR"}
    working.act(acme.parts, items[0].id, action=working.Action.RETRY, order=ORDER)


def test_a_server_that_refuses_the_address_for_good_is_work_and_one_that_is_away_is_asked_again(
    acme: Company, box: Postbox
) -> None:
    with_mail(acme, box)
    bought(acme)
    box.answers["RCPT"] = "451 later"
    assert mailed(acme, box) == []
    assert {(status, reason) for _, status, reason in states(acme)} == {("waiting", "smtp_451")}
    box.answers["RCPT"] = "550 unknown"
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.notice SET next_try_at = clock_timestamp()"))
    assert mailed(acme, box) == []
    assert [item.kind for item in acme.work_items()] == ["notice_not_sent"] * 2


def test_an_endpoint_that_is_to_know_no_names_gets_no_links_to_documents(acme: Company) -> None:
    settle_on(acme, billing_public_url="https://pay.acme.example", billing_endpoint_networks="127.0.0.0/8")
    with earpiece() as ear:
        new = NewEndpoint("counter", ear.url, ("invoice.issued", "invoice.paid"), document_links=False)
        id_ = endpoints.add(acme.parts, seller_id=acme.seller_id, new=new, order=ORDER).done.subject_id
        bought(acme)
        go(acme, id_)
        assert {each.event["type"] for each in ear.heard} == {"invoice.issued", "invoice.paid"}
        assert all("document_url" not in each.event["data"] for each in ear.heard)


def test_the_events_of_documents_say_where_they_are_opened_and_the_rows_do_not(acme: Company) -> None:
    settle_on(acme, billing_public_url="https://pay.acme.example")
    with earpiece() as ear:
        id_, _ = listening(acme, ear.url, "invoice.issued", "invoice.paid")
        bought(acme)
        ear.status = 500
        go(acme, id_)
        ear.status = 200
        for _ in range(2):
            due(acme)
            go(acme, id_)
        told = {each.event["type"]: each.event["data"]["document_url"] for each in ear.heard}
        assert set(told) == {"invoice.issued", "invoice.paid"}
        assert all(url.startswith("https://pay.acme.example/documents/") for url in told.values())
        # A second try of an event says the same.
        assert len({each.body for each in ear.heard}) == len(told)
    with acme.parts.begin() as session:
        assert session.scalar(text("SELECT count(*) FROM billing.outbox WHERE payload ? 'document_url'")) == 0
