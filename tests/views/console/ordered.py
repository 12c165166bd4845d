"""What tests of orders share: an invoice that was paid, the amount above which two decide, how an order is given."""

from __future__ import annotations

import re
from uuid import UUID

from billing.models import OperatorOrder
from tests.views.console.conftest import House, Person, served


def paid(house: House) -> UUID:
    """An invoice of 11.90 EUR that was paid."""
    house.acme.customer("one")
    house.acme.subscribe("one", "one-basic")
    house.acme.settle()
    return house.acme.invoices()[0].id


def limited(house: House, above: str) -> None:
    """Have the console ask for a second person from this amount on."""
    settings = house.acme.parts.settings.model_copy(update={"billing_second_person_above": above})
    house.app = served(house.acme.parts, billing_second_person_above=settings.billing_second_person_above)


def orders(house: House) -> list[OperatorOrder]:
    with house.acme.begin() as session:
        return session.query(OperatorOrder).order_by(OperatorOrder.id).all()


def ask(person: Person, subject: str, action: str, *, status: int = 303, **more: str) -> str:
    """By the form of that page. Returns the answer."""
    page = person.reads(subject)
    found = re.search(r'name="order" value="([^"]+)"', page)
    assert found
    given = {"order": found[1], "action": action, "reason": "an outage", **more}
    answer = person.post(f"{subject}/do", **given)
    assert answer.status_code == status
    # Sent twice, it is one order.
    assert person.post(f"{subject}/do", **given).status_code == status
    told: str = answer.text
    return told
