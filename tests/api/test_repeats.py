"""A repeated request does nothing more: what is kept of the first one, how, and for how long."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from sqlalchemy import text

from billing.db.clock import wall_now
from billing.flows import upkeep
from billing.kernel.ids import lowest_id_at
from tests.api.program import Program, anna, basic
from tests.flows.company import Company


def test_a_repeat_gets_the_same_answer_and_does_nothing_more(acme: Company, shop: Program) -> None:
    customer = anna()
    shop.ok("POST", "/profiles", customer)
    first = shop.ask("POST", "/subscriptions", basic(customer), Idempotency_Key="k3")
    again = shop.ask("POST", "/subscriptions", basic(customer), Idempotency_Key="k3")
    assert first.status_code == again.status_code == 201
    assert first.data == again.data
    assert again.headers["Idempotent-Replayed"] == "true"
    assert len(shop.ok("GET", f"/invoices?subscription_id={first.json['id']}")["data"]) == 1
    other = basic(customer) | {"code": "two"}
    assert shop.refused("POST", "/subscriptions", other, Idempotency_Key="k3") == (422, "idempotency_key_reused")


def test_a_refusal_keeps_nothing_so_that_the_request_can_be_made_again(acme: Company, shop: Program) -> None:
    customer = anna()
    assert shop.refused("POST", "/subscriptions", basic(customer), Idempotency_Key="k4") == (422, "profile_not_found")
    shop.ok("POST", "/profiles", customer)
    assert shop.ok("POST", "/subscriptions", basic(customer), Idempotency_Key="k4")["status"] == "active"


def test_a_day_later_the_key_is_as_good_as_new(acme: Company, shop: Program) -> None:
    customer = anna()
    shop.ok("POST", "/profiles", customer, Idempotency_Key="k5")
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.api_answer SET created_at = created_at - interval '25 hours'"))
    assert shop.refused("POST", "/profiles", customer, Idempotency_Key="k5") == (409, "account_taken")


def test_a_key_is_used_by_one_request_at_a_time(acme: Company, shop: Program) -> None:
    customer = anna()
    with acme.parts.begin() as session:
        names = {"seller": acme.seller_id, "key": "k6"}
        statement = "SELECT pg_advisory_xact_lock(hashtextextended(CAST(:seller AS text) || '/' || :key, 20261126))"
        session.execute(text(statement), names)
        assert shop.refused("POST", "/profiles", customer, Idempotency_Key="k6") == (409, "idempotency_key_in_use")
    shop.ok("POST", "/profiles", customer, Idempotency_Key="k6")


def test_of_many_at_once_one_is_carried_out(acme: Company, shop: Program) -> None:
    customer = anna()

    def ask(_: int) -> int:
        one = Program(shop.client.application, shop.token)
        return one.ask("POST", "/profiles", customer, Idempotency_Key="k7").status_code

    with ThreadPoolExecutor(4) as pool:
        codes = set(pool.map(ask, range(8)))
    assert codes <= {201, 409}
    with acme.parts.begin() as session:
        made = text("SELECT count(*) FROM billing.profile WHERE account_id = :it")
        assert session.scalar(made, {"it": customer["account_id"]}) == 1


def test_answers_are_sealed_where_they_are_kept(acme: Company, shop: Program) -> None:
    customer = anna()
    shop.ok("POST", "/profiles", customer)
    with acme.parts.begin() as session:
        bodies = [bytes(each) for each in session.scalars(text("SELECT body FROM billing.api_answer"))]
    assert bodies
    assert not [body for body in bodies if b"account_id" in body]


def test_what_is_a_day_old_is_forgotten_by_a_tick(acme: Company, shop: Program) -> None:
    shop.ok("POST", "/profiles", anna(), Idempotency_Key="old")
    with acme.parts.begin() as session:
        old = lowest_id_at(wall_now(session) - timedelta(hours=26))
        session.execute(text("UPDATE billing.api_answer SET id = :old WHERE key = 'old'"), {"old": old})
    assert upkeep.forget_answers(acme.parts) == 1
    assert upkeep.forget_answers(acme.parts) == 0
