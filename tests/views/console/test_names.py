"""What the console calls things, and in which order it tells of one: for people first."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import select

from billing.models import OutboxEvent, ProviderEvent
from tests.views.console.conftest import House, Person
from tests.views.console.test_disputed import disputed


def test_what_is_found_is_called_as_its_list_is_and_not_by_its_address(house: House, fay: Person) -> None:
    """`outgoing`, `items` and `events` are words of addresses."""
    house.acme.customer("same")
    house.acme.subscribe("same", "same")
    assert re.findall(r"<tr><td>([^<]+)</td>", fay.reads("/search?q=same")) == ["Customers", "Subscriptions"]


@pytest.mark.parametrize("place", ["events", "outgoing", "disputes"])
def test_a_page_begins_with_what_people_ask_for_and_ends_with_what_is_ours(
    house: House, fay: Person, place: str
) -> None:
    """On a telephone the first facts are all that is seen."""
    _, dispute = disputed(house)
    with house.acme.begin() as session:
        ids = {
            "events": session.scalars(select(ProviderEvent.id)).first(),
            "outgoing": session.scalars(select(OutboxEvent.id)).first(),
            "disputes": dispute.id,
        }
    page = fay.reads(f"/{place}/{ids[place]}")
    names = re.findall(r"<dt>([^<]+)</dt>", page)
    assert not {"Id", "Token", "Version", "Lease until"} & set(names)
    assert ("Seller" if place == "outgoing" else "Provider") in names
    assert re.search(rf'<p class="aside">Id <code>{ids[place]}</code>', page), "as on every other page, at its end"
