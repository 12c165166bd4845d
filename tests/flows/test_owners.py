"""Owners: who looks after an endpoint hears by mail that it went off, once, and their address is kept sealed."""

from __future__ import annotations

from uuid import UUID

import pytest
from sqlalchemy import text

from billing.commands.endpoint.switch import switch_off
from billing.flows import endpoints, owners
from billing.flows.order import Order
from billing.kernel.errors import Refused
from billing.queries.endpoint import lock_endpoint
from billing.sandbox.postbox import Postbox
from billing.validators.endpoint import NewEndpoint
from tests.flows.company import START, Company
from tests.flows.listening import settle_on

ORDER = Order(actor="mara", reason="the shop wants to know")
OWNER = "ops@shop.example.com"


@pytest.fixture
def shop(acme: Company, box: Postbox) -> UUID:
    settle_on(acme, smtp_url=box.url, smtp_from="billing@acme.example")
    new = NewEndpoint("shop", "https://shop.example.com/hooks", (), OWNER)
    return endpoints.add(acme.parts, seller_id=acme.seller_id, new=new, order=ORDER).done.subject_id


def _off(acme: Company, id_: UUID) -> None:
    with acme.parts.begin() as session:
        switch_off(session, endpoint=lock_endpoint(session, id_), reason="http_500", now=START)


def _later(acme: Company, **columns: str) -> None:
    sets = "".join(f", {name} = {value}" for name, value in columns.items())
    with acme.parts.begin() as session:
        session.execute(
            text(f"UPDATE billing.endpoint SET tell_owner_at = clock_timestamp(){sets} WHERE tell_owner_at IS NOT NULL")
        )


def test_the_owner_of_an_endpoint_that_went_off_is_told_once(acme: Company, box: Postbox, shop: UUID) -> None:
    assert owners.tell_owners(acme.parts) == 0
    _off(acme, shop)
    assert owners.tell_owners(acme.parts) == 1
    _later(acme)
    assert owners.tell_owners(acme.parts) == 0
    (mail,) = box.messages
    assert box.recipients == [OWNER]
    assert "shop" in mail["Subject"]
    assert "http_500" in str(mail)


def test_who_switches_it_off_by_order_needs_no_mail(acme: Company, box: Postbox, shop: UUID) -> None:
    endpoints.turn_off(acme.parts, shop, order=ORDER)
    assert owners.tell_owners(acme.parts) == 0
    assert box.messages == []


def test_a_mail_that_is_not_taken_is_tried_again_until_it_is_no_news(acme: Company, box: Postbox, shop: UUID) -> None:
    box.answers["RCPT"] = "451 later"
    _off(acme, shop)
    assert owners.tell_owners(acme.parts) == 0
    _later(acme)
    box.answers.clear()
    assert owners.tell_owners(acme.parts) == 1
    endpoints.turn_on(acme.parts, shop, order=ORDER)
    _off(acme, shop)
    _later(acme, off_at="clock_timestamp() - interval '4 days'")
    assert owners.tell_owners(acme.parts) == 0
    _later(acme)
    assert len(box.messages) == 1


@pytest.mark.parametrize("answer", ["550 no such user", None])
def test_what_can_not_be_sent_is_not_tried_for_ever(
    acme: Company, box: Postbox, shop: UUID, answer: str | None
) -> None:
    box.answers |= {"RCPT": answer} if answer else {}
    if answer is None:
        settle_on(acme, smtp_url=None)
    _off(acme, shop)
    assert owners.tell_owners(acme.parts) == 0
    with acme.begin() as session:
        assert session.execute(text("SELECT tell_owner_at FROM billing.endpoint")).scalar_one() is None


def test_the_address_is_checked_kept_sealed_changed_and_removed(acme: Company, box: Postbox, shop: UUID) -> None:
    with pytest.raises(Refused, match="not_an_email"):
        endpoints.contact(acme.parts, shop, address="nobody", order=ORDER)
    endpoints.contact(acme.parts, shop, address="night@shop.example.com", order=ORDER)
    with acme.begin() as session:
        kept = session.execute(text("SELECT endpoint::text FROM billing.endpoint")).scalar_one()
        trail = str(session.execute(text("SELECT * FROM billing.audit_trail")).all())
    for words in (kept, trail):
        assert "shop.example.com" not in words.replace("https://shop.example.com", "")
    _off(acme, shop)
    owners.tell_owners(acme.parts)
    assert box.recipients == ["night@shop.example.com"]
    endpoints.turn_on(acme.parts, shop, order=ORDER)
    endpoints.contact(acme.parts, shop, address=None, order=ORDER)
    _off(acme, shop)
    assert owners.tell_owners(acme.parts) == 0
