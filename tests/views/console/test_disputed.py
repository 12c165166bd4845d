"""What the console says of a disputed payment: by whom and until when, where it is decided, and what is not offered."""

from __future__ import annotations

import re

from sqlalchemy import select, text

from billing.flows import disputing
from billing.flows.order import Order
from billing.models import Dispute
from tests.views.console.conftest import House, Person
from tests.views.console.ordered import paid
from tests.views.console.test_today_and_work import held, items


def disputed(house: House) -> tuple[str, Dispute]:
    """An invoice of 11.90 EUR whose charge its customer's bank has taken back: its id, and the dispute."""
    invoice = paid(house)
    (charge,) = house.acme.witness.charges()
    house.acme.witness.call("POST", "disputes", {"charge": charge.charge_ref, "reason": "product_not_received"})
    house.acme.settle()
    with house.acme.begin() as session:
        return str(invoice), session.scalars(select(Dispute)).one()


def lose(house: House, dispute: Dispute) -> None:
    house.acme.witness.call("POST", f"disputes/{dispute.dispute_ref}/close", {"status": "lost"})
    house.acme.settle()


def test_an_item_about_a_dispute_names_the_banks_reason_and_the_day_to_answer_by(house: House, fay: Person) -> None:
    _, dispute = disputed(house)
    (item,) = items(house)
    page = fay.reads(f"/items/{item.id}")
    assert "Technical error" not in page
    assert "Next try" not in page
    assert re.search(r"<h2>The bank(&#39;|')s reason</h2>\s*<p>product not received</p>", page)
    due = dispute.due_by.strftime("%Y-%m-%d")
    assert re.search(rf"<dt>Answer by</dt><dd><time[^>]*>{due}", page)
    assert f'dispute <a href="/console/disputes/{dispute.id}">{dispute.dispute_ref}</a>' in page
    assert "It is answered at the provider" in page


def test_an_item_about_a_lost_dispute_leads_to_where_it_is_decided(house: House, fay: Person) -> None:
    _, dispute = disputed(house)
    lose(house, dispute)
    item = next(each for each in items(house) if each.kind == "dispute_lost")
    page = fay.reads(f"/items/{item.id}")
    place = re.search(r'<section class="panel"[^>]*><h2>Where it is decided</h2>.*?</section>', page, re.DOTALL)
    assert place
    assert f'<a href="/console/disputes/{dispute.id}">' in place[0]
    assert "Write the loss off" in fay.reads(f"/disputes/{dispute.id}")


def test_an_item_leads_to_what_it_is_about_by_its_name(house: House, fay: Person) -> None:
    (item,) = held(house, "s1")
    page = fay.reads(f"/items/{item.id}")
    assert f'subscription <a href="/console/subscriptions/{item.subject_id}">s1</a>' in page
    assert "Technical error" in page
    with house.acme.parts.begin() as session:
        session.execute(text("UPDATE billing.work_item SET subject_id = gen_random_uuid()"))
    assert re.search(r"subscription <code>[0-9a-f-]{36}</code>", fay.reads(f"/items/{item.id}"))


def test_what_an_open_dispute_bars_is_not_offered_and_why_stands_in_its_place(house: House, fay: Person) -> None:
    invoice, dispute = disputed(house)
    page = fay.reads(f"/invoices/{invoice}")
    for act in ("Refund", "Credit note", "Issue anew"):
        assert f'aria-label="{act}"' not in page
        assert f"<strong>{act}</strong>: not while a dispute of it is open" in page
    assert 'aria-label="Mark paid"' in page
    assert f'href="/console/disputes/{dispute.id}"' in page
    lose(house, dispute)
    page = fay.reads(f"/invoices/{invoice}")
    assert "not while a dispute" not in page
    # What waits for a person stands on top, here and at the customer, who owes it again.
    assert page.index("Dispute lost") < page.index("What can be done")
    customer = fay.reads(re.findall(r'href="/console(/customers/[^"]+)"', fay.reads("/customers"))[0])
    assert customer.index("Dispute lost") < customer.index("What can be done")
    assert "<dt>Owes</dt>" not in customer
    assert "<dt>Charged back, not decided</dt><dd>11.90 EUR </dd>" in customer
    # The bank has taken all of it: nothing is left to be credited, and how the loss is booked is decided there.
    assert 'aria-label="Credit note"' not in page


def test_a_credit_note_leads_to_the_invoice_that_it_corrects(house: House, fay: Person) -> None:
    invoice, dispute = disputed(house)
    lose(house, dispute)
    disputing.credit_loss(house.acme.parts, dispute.id, order=Order(actor="fay", reason="it was right"))
    note = re.search(r'/console/invoices/([0-9a-f-]{36})"[^>]*>ACME-CN-000001', fay.reads(f"/invoices/{invoice}"))
    assert note
    page = fay.reads(f"/invoices/{note[1]}")
    assert re.search(r"<dt>Corrects</dt><dd><a[^>]*>ACME-000001</a>", page)
    assert "Corrects" not in fay.reads(f"/invoices/{invoice}")
