"""The door of documents: a link opens one document and nothing else, and no other link opens it."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient
from sqlalchemy import select

from billing.flows import links
from billing.models import Invoice, Profile
from billing.views.customer import customer_page
from billing.views.documents import documents_door
from billing.webhooks.app import create_app
from tests.flows.company import company


def test_a_link_opens_its_document_and_no_other_kind_of_link_does(database_url: str) -> None:
    with company(database_url) as acme:
        profile_id = acme.customer("a1")
        acme.subscribe("a1", "s1")
        acme.settle()
        app = create_app(acme.parts)
        app.register_blueprint(customer_page(acme.parts))
        app.register_blueprint(documents_door(acme.parts))
        browser: FlaskClient = app.test_client()
        with acme.parts.begin() as session:
            invoice = session.scalars(select(Invoice)).one()
            token = links.document_link(acme.parts, session, invoice.id).rpartition("/")[2]
            to_pay = links.invoice_link(acme.parts, session, invoice.id).rpartition("/")[2]
        page = browser.get(f"/documents/{token}?lang=fr")
        assert page.status_code == 200
        assert "Person a1" in page.text
        assert "Facture" in page.text
        assert "script-src" not in page.headers["Content-Security-Policy"]
        assert page.headers["Cache-Control"] == "no-store"
        file = browser.get(f"/documents/{token}.pdf")
        assert file.data.startswith(b"%PDF-")
        assert 'filename="ACME-000001.pdf"' in file.headers["Content-Disposition"]
        # Neither kind of link does what the other does.
        assert browser.get(f"/documents/{to_pay}").status_code == 404
        assert browser.get(f"/pay/{token}").status_code == 404
        with acme.parts.begin() as session:
            profile = session.get_one(Profile, profile_id)
            profile.link_epoch += 1
        assert browser.get(f"/documents/{token}").status_code == 410
        # It is a person who opened it: they get a page, in their language, that says what to do.
        for ending in ("", ".pdf"):
            told = browser.get(f"/documents/{token}{ending}?lang=fr")
            assert (told.status_code, told.mimetype) == (410, "text/html")
            assert "Veuillez en demander un nouveau." in told.text
            assert "style-src 'self'" in told.headers["Content-Security-Policy"]
            assert told.headers["Cache-Control"] == "no-store"


def test_a_fault_of_ours_is_told_without_the_link(
    database_url: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with company(database_url) as acme:
        acme.customer("a1")
        acme.subscribe("a1", "s1")
        acme.settle()
        app = create_app(acme.parts)
        app.register_blueprint(documents_door(acme.parts))
        with acme.parts.begin() as session:
            invoice = session.scalars(select(Invoice)).one()
            token = links.document_link(acme.parts, session, invoice.id).rpartition("/")[2]
        monkeypatch.setattr("billing.flows.documents.page", lambda _: 1 / 0)
        monkeypatch.setattr("billing.flows.documents.pdf", lambda *_, **__: 1 / 0)
        for address in (f"/documents/{token}", f"/documents/{token}.pdf"):
            answer = app.test_client().get(address)
            assert (answer.status_code, answer.mimetype) == (500, "text/html")
            assert "Please try again" in answer.text
            assert answer.headers["Cache-Control"] == "no-store"
        assert token not in caplog.text
