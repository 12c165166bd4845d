"""Orders that end badly: the console says what was done, what may have been, and what was not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from sqlalchemy import Connection, event, text
from sqlalchemy.exc import TimeoutError as PoolTimeout

from billing.flows import ordering, second_person
from billing.flows.ordering import Wanted
from billing.kernel.ids import new_id
from billing.models import OperatorOrder
from billing.rules.permission import Role
from tests.views.console.conftest import House, Person
from tests.views.console.ordered import ask, orders, paid
from tests.views.console.test_today_and_work import held, items


def test_an_order_that_the_provider_leaves_unanswered_says_what_may_have_happened_there(house: House) -> None:
    house.acme.customer("two", method="pm_card_chargeCustomerFail")
    house.acme.subscribe("two", "two-basic")
    house.acme.settle()
    (invoice,) = house.acme.invoices()
    fay = house.person("fay", Role.FINANCE)
    house.acme.witness.add_faults({"kind": "timeout_after", "next": 1, "path": "/v1/payment_intents", "ms": 0})
    ask(fay, f"/invoices/{invoice.id}", "write_off", status=409)
    ((row,), (intent,)) = orders(house), house.acme.witness.intents()
    assert (row.status, intent.status, house.acme.invoices()[0].status) == ("refused", "canceled", "open")
    assert "it may have withdrawn its request for the money" in row.told
    assert "nothing was done" not in row.told
    ask(fay, f"/invoices/{invoice.id}", "write_off")
    assert [each.status for each in orders(house)] == ["refused", "done"]
    assert house.acme.invoices()[0].status == "uncollectible"


@contextmanager
def impatient(house: House) -> Iterator[None]:
    """Nobody waits for a row longer than a moment."""
    engine = house.acme.parts.sessions.kw["bind"]

    def hurry(connection: Connection) -> None:
        connection.exec_driver_sql("SET LOCAL lock_timeout = '100ms'")

    event.listen(engine, "begin", hurry)
    yield
    event.remove(engine, "begin", hurry)


def test_an_order_that_waited_too_long_for_a_row_says_that_nothing_was_written(house: House, fay: Person) -> None:
    invoice_id = paid(house)
    page, lock = f"/invoices/{invoice_id}", text("SELECT FROM billing.invoice WHERE id = :id FOR UPDATE")
    with impatient(house), house.acme.parts.sessions() as other, other.begin():
        other.execute(lock, {"id": invoice_id})
        ask(fay, page, "refund", amount="1.90", status=409)
    (row,) = orders(house)
    assert (row.status, house.acme.refunds()) == ("refused", [])
    assert "nothing was written" in str(row.told)
    ask(fay, page, "refund", amount="1.90")
    assert [each.status for each in orders(house)] == ["refused", "done"]


def test_an_order_for_which_no_connection_came_free_is_ended_and_may_be_given_anew(
    house: House, fay: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = f"/invoices/{paid(house)}"

    def none_free(*_: object) -> str:
        raise PoolTimeout("QueuePool limit of size 5 overflow 0 reached, connection timed out")

    with monkeypatch.context() as patched:
        patched.setitem(ordering.CARRIED_OUT, "refund", none_free)
        ask(fay, page, "refund", amount="1.90", status=409)
    (row,) = orders(house)
    assert (row.status, "nothing was written" in str(row.told)) == ("refused", True)
    ask(fay, page, "refund", amount="1.90")
    assert [each.status for each in orders(house)] == ["refused", "done"]


def test_an_order_for_which_no_connection_came_free_before_it_began_is_ended_too(
    house: House, fay: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, begins = f"/invoices/{paid(house)}", second_person._as_asked

    def none_free(row: OperatorOrder) -> Wanted:
        monkeypatch.setattr(second_person, "_as_asked", begins)
        raise PoolTimeout("QueuePool limit of size 5 overflow 0 reached, connection timed out")

    monkeypatch.setattr(second_person, "_as_asked", none_free)
    ask(fay, page, "refund", amount="1.90", status=409)
    assert [each.status for each in orders(house)] == ["refused"]


def test_an_order_that_was_carried_out_in_part_is_not_called_undone(house: House) -> None:
    held(house, "s1", "s2")
    ada = house.person("ada", Role.OPERATOR)
    last = min(each.id for each in items(house))
    with impatient(house), house.acme.parts.sessions() as other, other.begin():
        other.execute(text("SELECT FROM billing.work_item WHERE id = :id FOR UPDATE"), {"id": last})
        ada.post("/items", action="park", reason="the vendor is asked", order=str(new_id()))
    assert sorted(each.status for each in items(house)) == ["open", "parked"]
    assert [each.status for each in orders(house)] == ["running"]
