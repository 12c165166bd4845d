"""Lists, things and search: everything is found, leads on, exports, and shows nothing personal."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from decimal import Decimal

import pytest
from sqlalchemy import text

from billing.commands.seller.create import create_seller
from billing.commands.tax_rate.put import put_tax_rate
from billing.flows import collection, endpoints
from billing.flows.charging import charge_once
from billing.flows.order import Order
from billing.queries.operations import paging
from billing.queries.operations.paging import Page
from billing.queries.operations.timeline import timeline
from billing.rules.permission import Role
from billing.validators.address import Address
from billing.validators.endpoint import NewEndpoint
from billing.validators.seller import NewSeller
from billing.validators.tax_rate import NewTaxRate
from billing.views.console import lists
from billing.views.console.lists import LISTINGS, exported
from tests.flows.company import START
from tests.flows.refunds import paid_invoice
from tests.flows.test_sweeps_read_by_index import _sent, _whole_reads
from tests.views.console.conftest import House, Person
from tests.views.console.test_today_and_work import trail

HOSTILE = "=HYPERLINK('http://evil')<b>"


@pytest.fixture
def lived(house: House) -> House:
    """A company with something in every list."""
    acme = house.acme
    endpoints.add(
        acme.parts,
        seller_id=acme.seller_id,
        new=NewEndpoint(code="shop", target="https://shop.example/hooks", topics=("invoice.*",)),
        order=Order("root", "the shop wants to hear"),
    )
    acme.customer("one")
    acme.subscribe("one", "one-basic")
    acme.customer("two", method="pm_card_chargeCustomerFail")
    acme.subscribe("two", "two-basic")
    acme.settle()
    with acme.parts.begin() as session:
        failing = "UPDATE billing.invoice SET dunning_step = 1, next_attempt_at = '2026-02-03Z' WHERE status = 'open'"
        session.execute(text(failing))
    return house


@pytest.fixture
def ada(lived: House) -> Person:
    return lived.person("ada", Role.ADMIN)


def test_every_list_shows_its_rows_each_leads_to_its_page_and_nothing_is_personal(lived: House, ada: Person) -> None:
    seen = {}
    for listing in LISTINGS:
        page = ada.reads(f"/{listing.place}")
        led = re.findall(rf'href="/console({f"/{listing.place}"}/[0-9a-f-]{{36}})"', page)
        seen[listing.place] = len(led)
        for path in led[:2]:
            page += ada.reads(path)
        for personal in ("Person one", "one@example.com", "Street 1"):
            assert personal not in page
    assert seen["customers"] == seen["subscriptions"] == seen["invoices"] == 2
    assert min(seen[place] for place in ("payments", "events", "outgoing", "endpoints")) >= 1
    assert "two" in ada.reads("/dunning")
    assert "endpoint.add" in ada.reads("/trail?actor=root")
    assert ada.get(f"/invoices/{lived.acme.seller_id}").status_code == 404
    assert ada.get(f"/outgoing/{lived.acme.seller_id}").status_code == 404


def test_filters_let_through_what_they_say(lived: House, ada: Person) -> None:
    for path, there, absent in (
        ("/invoices?status=paid", "ACME-000001", "ACME-000002"),
        ("/invoices?customer=two", "ACME-000002", "ACME-000001"),
        ("/payments?status=declined", ">two<", ">one<"),
        ("/subscriptions?customer=one", "one-basic", "two-basic"),
        ("/customers?customer=one", ">one<", ">two<"),
        ("/outgoing?topic=invoice.paid", "invoice.paid", "subscription.created</a>"),
        ("/trail?subject=nothing", "Nothing that these filters", "endpoint.add"),
        ("/invoices?customer=nobody", "Nothing that these filters", "ACME-"),
    ):
        page = ada.reads(path)
        main = page[page.index('<div id="list">') :]
        assert there in main, path
        assert absent not in main, path


def test_an_account_at_two_sellers_has_the_invoices_of_both(lived: House, ada: Person) -> None:
    acme = lived.acme
    place = Address("Street 2", city="Town", postal_code="10115")
    new = NewSeller("NORD", "Nordlicht GmbH", country="DE", currency="eur", address=place, tax_id="DE123456788")
    with acme.parts.begin() as session:
        seller = create_seller(session, new=new, actor="test", reason="a second one", now=START)
        session.flush()
        put_tax_rate(session, seller_id=seller.id, new=NewTaxRate("standard", Decimal(19)))
    profile_id = replace(acme, seller_id=seller.id).customer("two", method=None)
    with acme.parts.begin() as session:
        charge_once(acme.parts, session, profile_id, amount_minor=4200, currency="eur", description="Setting up")
    page = ada.reads("/invoices?customer=two")
    assert "ACME-000002" in page
    assert "NORD-000001" in page


def test_an_empty_list_says_whether_filters_are_why(house: House) -> None:
    vera = house.person("vera", Role.VIEWER)
    for place in ("dunning", "endpoints", "disputes"):
        page = vera.reads(f"/{place}")
        assert "There is none." in page
        assert "Nothing that these filters" not in page
    assert "Nothing that these filters" in vera.reads("/disputes?status=lost")


def test_a_date_that_is_none_is_told_beside_the_filters_which_stay(house: House) -> None:
    page = house.person("vera", Role.VIEWER).reads("/items?customer=two&kind=task_failed&since=yesterday")
    for kept in ('name="customer" value="two"', 'value="task_failed" selected', 'name="since" value="yesterday"'):
        assert kept in page
    assert re.search(r'role="alert">.*Not a time', page)


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/acceptances?state=forgotten", "Unknown choice"),
        ("/invoices?status=opened", "Unknown choice"),
        ("/dunning?tries=all", "Unknown choice"),
        ("/items?kind=nothing", "Unknown choice"),
        ("/items?status=closed", "Unknown choice"),
        ("/invoices?state=open", "Unknown filter"),
        ("/items?account=one", "Unknown filter"),
        ("/invoices?before=yesterday", "Not an id"),
        ("/items?before=yesterday", "Not an id"),
    ],
)
def test_what_no_list_knows_is_told_and_lets_nothing_through(lived: House, ada: Person, path: str, told: str) -> None:
    page = ada.reads(path)
    assert re.search(rf'role="alert"><strong>{told}', page)
    assert "<tbody>" not in page
    assert "Nothing that" not in page
    if "before" not in path:
        assert ada.get(f"{path}&format=csv").status_code == 409


def test_what_there_is_not_has_a_page_of_the_console(house: House) -> None:
    vera = house.person("vera", Role.VIEWER)
    for path in ("/nothing", "/invoices/nothing", f"/invoices/{house.acme.seller_id}", "/nothing/at/all"):
        answer = vera.get(path)
        assert answer.status_code == 404
        for told in ("There is no such page", "Audit trail"):
            assert told in answer.text
    assert house.stranger().get("/console/nothing").status_code == 303


def test_one_instant_of_a_customer_is_told_by_cause(lived: House) -> None:
    with lived.acme.parts.begin() as session:
        (profile,) = session.execute(text("SELECT id FROM billing.profile WHERE account_id = 'one'")).scalars()
        rows = timeline(session, profile)
    instant = next(row["at"] for row in rows if row["state"] == "paid")
    told = [(row["what"], row["state"]) for row in rows if row["at"] == instant]
    assert told == [
        ("invoice", "paid"), ("payment", "succeeded"), ("invoice", "issued"), ("subscription", "started"),
    ]  # fmt: skip


def test_a_thing_tells_its_whole_story(lived: House, ada: Person) -> None:
    with lived.acme.parts.begin() as session:
        (invoice,) = session.execute(text("SELECT id FROM billing.invoice WHERE status = 'open'")).scalars()
        (payment,) = session.execute(text("SELECT id FROM billing.payment WHERE status = 'declined'")).scalars()
        (profile,) = session.execute(text("SELECT id FROM billing.profile WHERE account_id = 'two'")).scalars()
    page = ada.reads(f"/invoices/{invoice}")
    for told in (
        "Lines",
        "Payment, every attempt",
        "Postings",
        "11.90 EUR",
        "generic decline",
        f"/console/payments/{payment}",
        "UTC",
    ):
        assert told in page
    assert "All attempts of the invoice" in ada.reads(f"/payments/{payment}")
    line = ada.reads(f"/customers/{profile}")
    for told in ("Timeline", "issued", "started", "declined", "payment method"):
        assert told in line


def attempts(house: House, account: str) -> list[str]:
    """Their attempts' pages, the oldest first."""
    of = (
        "SELECT p.id FROM billing.payment p JOIN billing.profile f ON f.id = p.profile_id WHERE f.account_id = :account"
    )
    with house.acme.parts.begin() as session:
        found = session.execute(text(f"{of} ORDER BY p.id"), {"account": account}).scalars().all()
    return [f"/payments/{each}" for each in found]


def test_an_attempt_says_whose_events_it_shows_and_what_is_known_while_it_is_open(lived: House, ada: Person) -> None:
    (only,) = attempts(lived, "two")
    assert "<h2>What the provider told us</h2>" in ada.reads(only)
    assert "Evidence of how it ended" in ada.reads(only)
    with lived.acme.parts.begin() as session:
        (profile,) = session.execute(text("SELECT id FROM billing.profile WHERE account_id = 'two'")).scalars()
    lived.acme.give_method(profile, "pm_card_visa")
    # Nothing happens there: no event can tell of its outcome before the page is read.
    lived.acme.witness.add_faults({"kind": "timeout_before", "rate": 1.0, "method": "POST", "ms": 0})
    collection.plan(lived.acme.parts)
    lived.acme.run_messages()
    first, second = attempts(lived, "two")
    shared = "<h2>What the provider told us of the invoice&#39;s intent, which all its attempts share</h2>"
    assert [shared in ada.reads(path) for path in (first, second)] == [True, True]
    page = ada.reads(second)
    assert ">unknown<" in page
    assert "Evidence of how it ended" not in page
    assert "What is known so far" in page


def test_an_invoice_tells_how_each_line_came_about_and_a_subscription_what_comes_next(
    lived: House, ada: Person
) -> None:
    with lived.acme.parts.begin() as session:
        (invoice,) = session.execute(text("SELECT id FROM billing.invoice WHERE status = 'paid'")).scalars()
        (subscription,) = session.execute(
            text("SELECT id FROM billing.subscription WHERE code = 'one-basic'")
        ).scalars()
    page = ada.reads(f"/invoices/{invoice}")
    for told in ("1 at 10.00 EUR each = 10.00 EUR", "Tax, 19 % of 10.00 EUR", "Still owed", "2026-01-31 – 2026-02-28"):
        assert told in page
    page = ada.reads(f"/subscriptions/{subscription}")
    assert "The next invoice as far as it is known" in page
    assert re.search(r"To pay</dt><dd[^>]*>11\.90 EUR", page)
    with lived.acme.parts.begin() as session:
        session.execute(text("UPDATE billing.subscription SET timezone = 'Nowhere/Town'"))
    assert "It can't be told: " in ada.reads(f"/subscriptions/{subscription}")


def test_a_document_is_opened_as_its_customer_has_it_and_the_look_recorded(lived: House, ada: Person) -> None:
    with lived.acme.parts.begin() as session:
        (invoice,) = session.execute(text("SELECT id FROM billing.invoice WHERE status = 'paid'")).scalars()
    path = f"/invoices/{invoice}/document"
    assert ada.post(path, form="html", reason=" ").status_code == 409
    assert lived.person("vera", Role.VIEWER).post(path, form="html", reason="curious").status_code == 403
    page = ada.post(path, form="html", reason="they ask for it")
    assert "Person one" in page.text
    assert "script-src" not in page.headers["Content-Security-Policy"]
    printed = ada.post(path, form="pdf", reason="they ask for it")
    assert (printed.mimetype, printed.data[:5]) == ("application/pdf", b"%PDF-")
    assert [action for action, _ in trail(lived, "ada")] == ["invoice.print"] * 2


def test_anything_is_found_by_what_it_is_called(lived: House, ada: Person) -> None:
    names = """
        SELECT 'invoices', number FROM billing.invoice UNION ALL SELECT 'customers', account_id FROM billing.profile
        UNION ALL SELECT 'customers', anonymous_id::text FROM billing.profile
        UNION ALL SELECT 'customers', customer_ref FROM billing.provider_customer
        UNION ALL SELECT 'subscriptions', code FROM billing.subscription
        UNION ALL SELECT 'payments', charge_ref FROM billing.payment WHERE charge_ref IS NOT NULL
        UNION ALL SELECT 'invoices', intent_ref FROM billing.payment_intent
        UNION ALL SELECT 'events', event_ref FROM billing.provider_event
        UNION ALL SELECT 'outgoing', id::text FROM billing.outbox
        UNION ALL SELECT 'payments', id::text FROM billing.payment"""
    with lived.acme.parts.begin() as session:
        every = session.execute(text(names)).all()
    assert len({place for place, _ in every}) == 6
    for place, name in every[:14]:
        answer = ada.get("/search", query_string={"q": f" {name} "})
        assert (answer.status_code, answer.headers["Location"].split("/")[2]) == (303, place), name
    page = ada.reads("/search?q=%3Cscript%3E")
    assert "Nothing is called exactly “&lt;script&gt;”" in page
    assert ada.get("/search", query_string={"q": "99999999999999999999"}).status_code == 200


def test_every_list_exports_as_csv_without_a_cell_that_a_spreadsheet_would_run(lived: House, ada: Person) -> None:
    with lived.acme.parts.begin() as session:
        session.execute(
            text("UPDATE billing.profile SET account_id = :name WHERE account_id = 'one'"), {"name": HOSTILE}
        )
    for listing in LISTINGS:
        answer = ada.get(f"/{listing.place}?format=csv")
        assert (answer.status_code, answer.mimetype) == (200, "text/csv")
        rows = list(csv.reader(io.StringIO(answer.text)))
        assert not any(re.match(r"[=+@]|-(?!\d)", value) for row in rows for value in row), listing.place
    customers = list(csv.DictReader(io.StringIO(ada.get("/customers?format=csv").text)))
    assert {row["account_id"] for row in customers} == {f"'{HOSTILE}", "two"}
    (paid,) = csv.DictReader(io.StringIO(ada.get("/invoices?status=paid&format=csv").text))
    assert (paid["total_minor"], paid["currency"], paid["issued_at"]) == ("1190", "eur", "2026-01-31T00:00:00Z")
    assert "&lt;b&gt;" in ada.reads("/customers")
    assert (
        exported("x", Page([{"a": "-5", "b": "-1+1", "c": "\t=1"}], None)).get_data(as_text=True)
        == "a,b,c\r\n-5,'-1+1,'\t=1\r\n"
    )


def test_an_export_of_a_part_is_called_so(lived: House, ada: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    assert 'filename="customers.csv"' in ada.get("/customers?format=csv").headers["Content-Disposition"]
    monkeypatch.setattr(lists, "_EXPORTED", 1)
    monkeypatch.setattr(lists, "_STEP", 1)
    part = ada.get("/customers?format=csv")
    assert (part.text.count("\r\n"), part.headers["Content-Disposition"]) == (
        2, 'attachment; filename="customers-newest-1.csv"',
    )  # fmt: skip


def test_settings_are_shown_without_their_secrets_to_who_may(lived: House, ada: Person) -> None:
    page = ada.reads("/settings")
    assert "BILLING_CONSOLE_IDLE_MINUTES" in page
    secret = lived.acme.parts.settings.billing_secret_key
    assert secret is not None
    assert secret.get_secret_value() not in page
    assert "sk_test" not in page
    vera = lived.person("vera", Role.VIEWER)
    assert vera.get("/settings").status_code == 403
    assert "/console/settings" not in vera.reads("/")


@pytest.mark.new_database
def test_lists_and_search_read_by_index(lived: House, ada: Person) -> None:
    asked = """/invoices?status=open /invoices?customer=two /payments?status=declined /payments?customer=two
        /subscriptions?status=active /dunning /trail?actor=root /events?status=dead /events?object=pi_1 /items
        /search?q=ACME-000002 /search?q=two /search?q=pi_1"""
    with _sent() as sent:
        for path in asked.split():
            assert ada.get(path).status_code in (200, 303)
    found = {table for statement, values in sent for table in _whole_reads(lived.acme, statement, values)}
    assert found == set()


def test_what_no_index_knows_is_looked_for_in_windows_and_all_of_it_is_found(
    lived: House, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paging, "WINDOW", 3)
    with lived.acme.parts.begin() as session:
        (oldest,) = session.execute(text("SELECT topic FROM billing.outbox ORDER BY id LIMIT 1")).scalars()
        of_topic = set(
            session.execute(text("SELECT id::text FROM billing.outbox WHERE topic = :t"), {"t": oldest}).scalars()
        )
        events = session.scalar(text("SELECT count(*) FROM billing.provider_event WHERE status = 'processed'"))
    assert "among those looked at" in ada.reads(f"/outgoing?topic={oldest}")
    path: str | None = f"/outgoing?topic={oldest}"
    seen: set[str] = set()
    while path:
        page = ada.reads(path)
        seen |= set(re.findall(r'href="/console/outgoing/([0-9a-f-]{36})"', page))
        more = re.search(r'rel="next" href="/console([^"]+)"', page)
        path = more[1].replace("&amp;", "&") if more else None
    assert seen == of_topic
    exported_ = csv.DictReader(io.StringIO(ada.get("/events?status=processed&format=csv").text))
    assert len(list(exported_)) == events
    assert "Nothing that these filters" in ada.reads("/trail?action=invoice.void")


@pytest.mark.parametrize("path", ["/search?q=a%00b", "/customers?customer=%00", "/dunning?customer=%00", "/?%00=x"])
def test_what_no_database_can_hold_is_refused_and_the_database_is_not_said_to_be_away(ada: Person, path: str) -> None:
    answer = ada.get(path)
    assert (answer.status_code, "U+0000" in answer.text) == (400, True)


def test_so_is_a_form_of_it_also_from_who_is_not_in_yet(lived: House, ada: Person) -> None:
    assert ada.post("/brakes", what="issue.stop", seller="\0", reason="x").status_code == 400
    entering = {"name": "a\0", "password": "x", "code": "1"}
    assert lived.stranger().post("/console/enter", data=entering).status_code == 400


def test_an_invoice_whose_payment_was_charged_back_says_so_beside_its_state(house: House) -> None:
    invoice = paid_invoice(house.acme)
    (charge,) = house.acme.witness.charges()
    opened = house.acme.witness.call("POST", "disputes", {"charge": charge.charge_ref})
    house.acme.settle()
    ada, places = house.person("ada", Role.ADMIN), ("/invoices", f"/invoices/{invoice.id}")
    assert not [place for place in places if "charged back" in ada.reads(place).lower()]
    house.acme.witness.call("POST", f"disputes/{opened['id']}/close", {"status": "lost"})
    house.acme.settle()
    both = '<span class="badge good">paid</span> <span class="badge bad">charged back</span>'
    for place in (*places, f"/customers/{invoice.profile_id}"):
        assert both in ada.reads(place), place
    assert re.search(r"<dt[^>]*>Charged back</dt><dd[^>]*>11.90 EUR</dd>", ada.reads(places[1]))
