"""What fails for one charge, answer or provider account keeps no other from going its way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from billing.flows import collection, external_money, refunding, renewal, resolution, sending
from billing.flows.slices import STARTS_ALONE
from billing.models import Slice
from billing.providers.port import IntentFacts
from billing.providers.stripe.adapter import StripeProvider
from billing.queries.collection import Due
from billing.validators.subscription import NewItem
from tests.flows.away import unanswered
from tests.flows.beginning import begin
from tests.flows.company import Company


def test_an_answer_that_nobody_foresaw_keeps_no_other_attempt_from_being_settled(
    acme: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes again each time that the attempt is asked about, with the same others."""
    for account in ("a1", "a2"):
        acme.customer(account, method="pm_sandbox_processing")
        acme.subscribe(account, account)
    renewal.plan(acme.parts)
    acme.run_messages()
    collection.plan(acme.parts)
    acme.run_messages()
    first, _ = acme.payments()
    asked = [each.checks for each in acme.payments()]
    with acme.parts.begin() as session:
        unforeseen = session.scalars(
            text("SELECT intent_ref FROM billing.payment_intent WHERE id = :id"), {"id": first.payment_intent_id}
        ).one()
        session.execute(text("UPDATE billing.payment SET next_check_at = clock_timestamp(), lease_until = NULL"))
    read = StripeProvider.read_intent

    def unforeseen_of_one(self: StripeProvider, intent_ref: str) -> IntentFacts:
        if intent_ref == unforeseen:
            raise ValueError("unforeseen")
        return read(self, intent_ref)

    monkeypatch.setattr(StripeProvider, "read_intent", unforeseen_of_one)
    assert resolution.resolve(acme.parts) == 2
    assert [each.status for each in acme.payments()] == ["processing", "processing"]
    assert [each.checks for each in acme.payments()] == [number + 1 for number in asked]
    assert [(each.kind, each.subject_id, each.error) for each in acme.work_items()] == [
        ("payment_unknown", first.id, "ValueError")
    ]


def test_a_currency_that_the_provider_has_no_rule_for_waits_for_a_person_and_others_are_charged(acme: Company) -> None:
    acme.price("dinar", 1005, currency="iqd")
    for account, price in (("a1", "dinar"), ("a2", "basic")):
        acme.customer(account)
        acme.begin_subscription(account, account, NewItem(price, 1))
    renewal.plan(acme.parts)
    acme.run_messages()
    collection.plan(acme.parts)
    acme.run_messages()
    assert {each.currency: each.status for each in acme.payments()} == {"iqd": "not_sent", "eur": "succeeded"}
    (item,) = [each for each in acme.work_items() if each.status == "open"]
    assert "currency_unsupported" in (item.error or "")
    acme.settle()
    assert len(acme.payments()) == 2
    assert acme.violations() == ()


_ODD = """
    CREATE FUNCTION billing.odd() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'an odd one' USING ERRCODE = 'check_violation'; END $$;
    CREATE TRIGGER odd BEFORE UPDATE ON billing.payment FOR EACH ROW
    WHEN (NEW.status = 'succeeded' AND NEW.amount_minor = 2380) EXECUTE FUNCTION billing.odd()
"""


def _the_odd_one_first(running: dict[Any, sending.Attempt], **_: object) -> set[Any]:
    return {max(running, key=lambda future: running[future].request.amount_minor)}


@pytest.mark.parametrize("first_alone", [False, True])
def test_an_answer_that_cannot_be_recorded_keeps_no_other_from_it(
    acme: Company, monkeypatch: pytest.MonkeyPatch, *, first_alone: bool
) -> None:
    if first_alone:
        monkeypatch.setattr(sending, "GATHER", 1)
        monkeypatch.setattr(sending, "_wait", _the_odd_one_first)
    for account, quantity in (("a1", 2), ("a2", 1), ("a3", 1)):
        acme.customer(account)
        acme.subscribe(account, account, quantity=quantity)
    with acme.parts.begin() as session:
        session.execute(text(_ODD))
    renewal.plan(acme.parts)
    with pytest.raises(IntegrityError, match="an odd one"):
        acme.run_messages()
    found = sorted((each.amount_minor, each.status) for each in acme.payments())
    assert found == [(1190, "succeeded"), (1190, "succeeded"), (2380, "sent")]


def test_a_sending_that_cannot_be_recorded_keeps_no_other_attempt_from_being_asked_about(
    acme: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are taken together each time: what was never sent is sent first, and fails again."""
    unanswered(acme, 1)
    acme.customer("odd")
    acme.subscribe("odd", "odd", quantity=2)
    with monkeypatch.context() as patched:
        # Its worker dies before it is sent.
        patched.setattr(collection, "send_all", lambda *_, **__: None)
        renewal.plan(acme.parts)
        acme.run_messages()
        collection.plan(acme.parts)
        acme.run_messages()
    assert sorted(each.status for each in acme.payments()) == ["prepared", "unknown"]
    with acme.parts.begin() as session:
        session.execute(text(_ODD))
        session.execute(text("UPDATE billing.payment SET next_check_at = clock_timestamp(), lease_until = NULL"))
    with pytest.raises(IntegrityError, match="an odd one"):
        resolution.resolve(acme.parts)
    assert sorted((each.amount_minor, each.status) for each in acme.payments()) == [(1190, "succeeded"), (2380, "sent")]


_NOT_OPENED = """
    CREATE FUNCTION billing.odd() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'an odd one' USING ERRCODE = '{}'; END $$;
    CREATE TRIGGER odd BEFORE INSERT ON billing.payment FOR EACH ROW
    WHEN (NEW.amount_minor = 2380) EXECUTE FUNCTION billing.odd()
"""


@pytest.mark.parametrize("fault", ["check_violation", "not_null_violation", "foreign_key_violation"])
def test_an_attempt_that_cannot_be_opened_keeps_no_other_from_being_charged(acme: Company, fault: str) -> None:
    for account, quantity in (("a1", 1), ("a2", 2), ("a3", 1), ("a4", 1)):
        acme.customer(account)
        acme.subscribe(account, account, quantity=quantity)
    with acme.parts.begin() as session:
        session.execute(text(_NOT_OPENED.format(fault)))
    acme.settle_under_a_brake()
    assert sorted((each.amount_due_minor, each.status) for each in acme.invoices()) == [
        *[(1190, "paid")] * 3,
        (2380, "open"),
    ]
    (item,) = acme.work_items()
    assert "could not be charged and is on hold" in item.summary
    assert "an odd one" in (item.error or "")


def test_the_work_of_a_draft_names_it_by_its_id(acme: Company) -> None:
    """It has no number yet; by its id it is found."""
    with acme.parts.begin() as session:
        session.execute(text(_NOT_OPENED.format("check_violation").replace("2380", "1190")))
    begin(acme, "pm_card_visa")
    acme.settle_under_a_brake()
    (draft,), (item,) = acme.invoices(), acme.work_items()
    assert item.summary == f"Invoice {draft.id} could not be charged and is on hold; all others were tried."


def test_an_attempt_that_another_worker_opened_first_is_nobodys_work(acme: Company) -> None:
    acme.customer("a1")
    acme.subscribe("a1", "a1", quantity=2)
    with acme.parts.begin() as session:
        session.execute(text(_NOT_OPENED.format("unique_violation")))
    acme.settle_under_a_brake()
    assert acme.work_items() == []
    with acme.parts.begin() as session:
        session.execute(text("DROP TRIGGER odd ON billing.payment"))
    acme.settle()
    assert [each.status for each in acme.invoices()] == ["paid"]


@pytest.mark.parametrize("odd", [100, 200])
def test_a_refund_that_cannot_be_recorded_keeps_no_other_from_being_sent(acme: Company, odd: int) -> None:
    for account in ("a1", "a2"):
        acme.customer(account)
        acme.subscribe(account, account)
    acme.settle()
    with acme.parts.begin() as session:
        session.execute(text(_ODD.replace("billing.payment", "billing.refund").replace("2380", str(odd))))
    for invoice, amount in zip(acme.invoices(), (100, 200), strict=True):
        refunding.refund(acme.parts, invoice.id, amount_minor=amount)
    acme.line.messages.clear()
    with pytest.raises(IntegrityError, match="an odd one"):
        refunding.sweep(acme.parts)
    assert {each.amount_minor: each.status for each in acme.refunds()} == {odd: "pending", 300 - odd: "succeeded"}


def _killed_while_opening(acme: Company, monkeypatch: pytest.MonkeyPatch) -> int:
    """Every slice is charged by a worker that dies of the invoice of 23.80 till none is left. Returns the deaths."""
    whole, deaths = collection.open_payments, 0

    def die(session: Session, due: Sequence[Due], **given: Any) -> Any:
        if any(each.invoice.amount_remaining_minor == 2380 for each in due):
            raise KeyboardInterrupt
        return whole(session, due, **given)

    with monkeypatch.context() as patched:
        patched.setattr(collection, "open_payments", die)
        for _ in range(30):
            with acme.begin() as session:
                left = select(Slice.id).filter_by(kind="charges").where(Slice.status.in_(("pending", "running")))
                waiting = list(session.scalars(left))
            for slice_id in waiting:
                with acme.parts.begin() as session:
                    session.execute(text("UPDATE billing.slice SET lease_until = NULL WHERE lease_until IS NOT NULL"))
                try:
                    collection.charge(acme.parts, slice_id)
                except KeyboardInterrupt:
                    deaths += 1
    return deaths


def test_an_invoice_that_kills_its_worker_each_time_is_held_and_all_others_are_charged(
    acme: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(5):
        acme.customer(f"a{number}")
        acme.subscribe(f"a{number}", f"s{number}", quantity=2 if number == 3 else 1)
    renewal.plan(acme.parts)
    with acme.begin() as session:
        slice_id = session.scalars(select(Slice.id)).one()
    assert renewal.bill(acme.parts, slice_id) == 5
    deaths = _killed_while_opening(acme, monkeypatch)
    assert 0 < deaths <= 3 + STARTS_ALONE
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.payment SET next_check_at = clock_timestamp(), lease_until = NULL"))
    acme.settle()
    assert [each.status for each in acme.payments()] == ["succeeded"] * 4
    (item,) = acme.work_items()
    assert (item.kind, item.error) == ("invoice_not_charged", "its worker died each time")
    assert item.trace is None


def test_what_was_paid_while_its_slice_waited_is_nobodys_work(acme: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    acme.customer("a1")
    acme.subscribe("a1", "s1")
    renewal.plan(acme.parts)
    with acme.begin() as session:
        bills = session.scalars(select(Slice.id)).one()
    renewal.bill(acme.parts, bills)
    with acme.begin() as session:
        slice_id = session.scalars(select(Slice.id).filter_by(kind="charges")).one()

    def die(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(collection, "open_payments", die)
        for _ in range(STARTS_ALONE):
            with pytest.raises(KeyboardInterrupt):
                collection.charge(acme.parts, slice_id)
            with acme.parts.begin() as session:
                session.execute(text("UPDATE billing.slice SET lease_until = NULL"))
    external_money.mark_paid(acme.parts, acme.invoices()[0].id, reference="statement 7")
    assert collection.charge(acme.parts, slice_id) == 0
    assert (acme.invoices()[0].hold_id, acme.work_items()) == (None, [])
    assert acme.violations() == ()
