"""A person's rights: a copy of everything, and to be forgotten; the documents stay, and can still be printed."""

from __future__ import annotations

import json
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from threading import Barrier, BrokenBarrierError
from typing import Any
from uuid import UUID

import pytest
import requests
from sqlalchemy import select, text

from billing.commands.credit.grant import grant_credit
from billing.commands.profile.change import change_profile
from billing.commands.subscription.subscribe import subscribe
from billing.flows import (
    audit,
    braking,
    charging,
    crediting,
    delivery,
    payment_methods,
    refunding,
    replacing,
    rights,
    subscribing,
    working,
)
from billing.flows.documents import document_html
from billing.flows.order import Order
from billing.kernel.errors import ProviderRefused, Refused
from billing.kernel.status import MethodStatus
from billing.models import Invoice, PaymentMethod
from billing.queries.brakes import BrakeKind
from billing.sandbox.embedded.processes import wait_until
from billing.sandbox.scenario.playing.stage import Stage
from billing.validators.payment_method import Consent
from billing.validators.profile import Personal, ProfileChange
from billing.validators.subscription import NewItem, NewSubscription
from tests.flows.company import START, Company
from tests.flows.test_start import WAITING
from tests.wallets import bill, give

WHY = Order(actor="ada", reason="they asked for it")


@pytest.fixture
def paid(acme: Company) -> UUID:
    """A customer with one paid invoice and a running subscription."""
    profile_id = acme.customer("a1")
    acme.subscribe("a1", "s1")
    acme.settle()
    return profile_id


def test_a_copy_holds_all_that_is_personal_and_every_document(acme: Company, paid: UUID) -> None:
    copy = rights.export(acme.parts, paid, order=WHY)
    told = json.dumps(copy, default=str)
    for value in ("Person a1", "a1@example.com", "Street 1", "ACME-000001"):
        assert value in told
    assert copy["documents"][0]["buyer"]["name"] == "Person a1"
    assert copy["payment_methods"][0]["last4"] == "4242"


@pytest.mark.parametrize("ended", [working.Action.REFUND, working.Action.PAID])
def test_who_has_money_with_us_is_forgotten_once_it_is_dealt_with(acme: Company, ended: working.Action) -> None:
    profile_id = acme.customer("a1", method="pm_card_visa_chargeDeclinedInsufficientFunds")
    acme.subscribe("a1", "s1")
    acme.settle()
    acme.pay_by_hand()
    acme.pay_behind_our_back(profile_id)
    acme.settle()
    with acme.parts.begin() as session:
        session.execute(
            text("UPDATE billing.subscription SET status = 'canceled', next_due_at = NULL, ended_at = now()")
        )
    with pytest.raises(Refused) as refused:
        rights.erase(acme.parts, profile_id, order=WHY)
    assert [fault.code for fault in refused.value.faults] == ["money_kept_apart"]
    (item,) = acme.work_items()
    working.act(acme.parts, item.id, action=ended, order=WHY)
    acme.settle()
    assert rights.erase(acme.parts, profile_id, order=WHY).changed


def test_a_customer_is_forgotten_once_nothing_is_open_and_the_documents_stay(acme: Company, paid: UUID) -> None:
    with pytest.raises(Refused) as refused:
        rights.erase(acme.parts, paid, order=WHY)
    assert refused.value.code == "subscription_open"
    with acme.parts.begin() as session:
        session.execute(
            text("UPDATE billing.subscription SET status = 'canceled', next_due_at = NULL, ended_at = now()")
        )
        invoice_id = session.scalars(select(Invoice.id)).one()
    assert rights.erase(acme.parts, paid, order=WHY).changed
    assert not rights.erase(acme.parts, paid, order=WHY).changed
    with acme.parts.begin() as session:
        kept = session.execute(text("SELECT account_id, personal, email_index FROM billing.profile")).one()
        cards = session.execute(text("SELECT status, last4, fingerprint FROM billing.payment_method")).one()
        assert session.scalars(text("SELECT card_fingerprint FROM billing.payment")).all() == [None]
        keys = session.scalar(text("SELECT count(*) FROM billing.data_key WHERE purpose = 'profile'"))
    assert kept == (f"erased-{paid}", b"", b""), "nobody is found by an address that is forgotten"
    assert cards == ("detached", None, None)
    assert keys == 0
    assert b"Person a1" in document_html(acme.parts, invoice_id).content
    copy = rights.export(acme.parts, paid, order=WHY)
    assert copy["personal"] is None
    assert acme.violations() == ()


def test_of_a_business_the_check_of_its_number_is_forgotten_too(acme: Company) -> None:
    profile_id = acme.customer("a1", method=None, country="FR")
    business = ProfileChange("FR", Personal(name="Une société", tax_id="FR23334175221"), "UTC", "business")
    with acme.parts.begin() as session:
        change_profile(session, acme.parts.keyring, profile_id=profile_id, change=business, now=acme.now())
    rights.erase(acme.parts, profile_id, order=WHY)
    with acme.begin() as session:
        assert session.scalar(text("SELECT tax_id_check IS NULL FROM billing.profile"))
    assert acme.violations() == ()


def test_who_was_forgotten_is_not_brought_back_by_a_late_change(acme: Company) -> None:
    profile_id = acme.customer("a1", method=None)
    rights.erase(acme.parts, profile_id, order=WHY)
    change = ProfileChange(country="DE", personal=Personal(name="Back"), timezone="UTC", buyer_kind="consumer")
    with acme.parts.begin() as session, pytest.raises(Refused) as refused:
        change_profile(
            session, acme.parts.keyring, profile_id=profile_id, change=change, now=acme.parts.clock.now(session)
        )
    assert refused.value.code == "profile_erased"


def test_after_a_person_is_forgotten_no_row_of_any_table_names_them(acme: Company) -> None:
    profile_id = acme.customer("jane-doe-17", method="pm_card_visa_chargeDeclinedInsufficientFunds")
    acme.subscribe("jane-doe-17", "s1")
    acme.settle()
    (invoice,) = acme.invoices()
    with acme.parts.begin() as session:
        charging.charge_once(
            acme.parts, session, profile_id, amount_minor=700, currency="eur", description="Setup", tax_rate=None
        )
    acme.give_method(profile_id, "pm_card_visa")
    acme.settle()
    refunding.refund(acme.parts, invoice.id, amount_minor=100, order=WHY)
    acme.settle()
    delivery.sweep(acme.parts)
    with acme.parts.begin() as session:
        session.execute(
            text("UPDATE billing.subscription SET status = 'canceled', next_due_at = NULL, ended_at = now()")
        )
    braking.stop(acme.parts, BrakeKind.COLLECT, profile_id=profile_id, order=WHY)
    rights.export(acme.parts, profile_id, order=WHY)
    rights.erase(acme.parts, profile_id, order=WHY)
    with acme.parts.begin() as session:
        tables = session.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'billing'")).all()
        named = {
            (table, value)
            for table in tables
            for value in ("jane-doe-17", "Person jane", "@example.com", "Street 1")
            if session.scalar(
                text(f"SELECT count(*) FROM billing.{table} t WHERE t::text ILIKE :value"), {"value": f"%{value}%"}
            )
        }
    assert named == set()


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_older_work_item_of_a_brake_does_not_name_who_was_forgotten(acme: Company, when: str) -> None:
    profile_id = acme.customer("jane-doe-17")
    braking.stop(acme.parts, BrakeKind.COLLECT, profile_id=profile_id, order=WHY)

    def as_it_was() -> None:
        with acme.parts.begin() as session:
            old = "Charging is stopped for customer jane-doe-17 by ada: they asked"
            session.execute(text("UPDATE billing.work_item SET summary = :old"), {"old": old})

    if when == "before":
        as_it_was()
    rights.erase(acme.parts, profile_id, order=WHY)
    if when == "after":
        as_it_was()
        rights.erase(acme.parts, profile_id, order=WHY)
    (item,) = acme.work_items()
    assert item.summary == f"Charging is stopped for customer {profile_id} by ada: they asked"


def test_a_note_to_who_was_forgotten_names_them_as_their_invoice_does(acme: Company, paid: UUID) -> None:
    with acme.parts.begin() as session:
        session.execute(
            text("UPDATE billing.subscription SET status = 'canceled', next_due_at = NULL, ended_at = now()")
        )
    rights.erase(acme.parts, paid, order=WHY)
    (invoice,) = acme.invoices()
    refunding.refund(acme.parts, invoice.id, amount_minor=100, order=WHY)
    crediting.credit(acme.parts, invoice.id, amount_minor=100, order=WHY)
    with pytest.raises(Refused) as refused:
        replacing.replace_invoice(acme.parts, invoice.id, order=WHY)
    assert refused.value.code == "profile_erased"
    acme.settle()
    with acme.parts.begin() as session:
        notes = session.scalars(select(Invoice.id).where(Invoice.kind == "credit_note")).all()
    assert ["Person a1" in document_html(acme.parts, note).content.decode() for note in notes] == [True, True]
    assert [(refund.status, refund.amount_minor) for refund in acme.refunds()] == [("succeeded", 100)]
    assert acme.violations() == ()


def test_the_wallet_of_who_is_forgotten_is_taken_off_paypal_and_nothing_of_it_is_left(stage: Stage, anna: UUID) -> None:
    give(stage, anna, "B-SANDBOX-GOOD")
    bill(stage, anna)
    rights.erase(stage.parts, anna, order=WHY)
    with stage.parts.begin() as session:
        kept = session.execute(text("SELECT status, method_ref, fingerprint, last4 FROM billing.payment_method")).one()
    assert (kept.status, kept.fingerprint, kept.last4) == ("detached", None, None)
    with pytest.raises(ProviderRefused):
        stage.sides["paypal"].provider.read_method(kept.method_ref)
    report = audit.run(stage.parts, witness=stage.witness)
    assert report.violations == ()
    assert all(each.skipped_reason is None for each in report.checked if each.code == "S5")


def test_for_who_was_forgotten_nothing_new_begins(acme: Company) -> None:
    profile_id = acme.customer("a1")
    rights.erase(acme.parts, profile_id, order=WHY)

    def grant() -> None:
        with acme.parts.begin() as session:
            grant_credit(session, profile_id=profile_id, amount_minor=500, currency="eur", now=START)

    def charge() -> None:
        with acme.parts.begin() as session:
            charging.charge_once(
                acme.parts, session, profile_id, amount_minor=700, currency="eur", description="Setup", tax_rate=None
            )

    asked = len(list(acme.witness.requests()))
    for begins, code in (
        (lambda: acme.give_method(profile_id, "pm_card_visa"), "profile_erased"),
        (grant, "profile_erased"),
        (charge, "profile_erased"),
        (lambda: acme.subscribe(f"erased-{profile_id}", "s1"), "profile_not_found"),
    ):
        with pytest.raises(Refused) as refused:
            begins()
        assert refused.value.code == code
    assert len(list(acme.witness.requests())) == asked, "and the provider hears nothing of them"
    assert acme.violations() == ()


def test_a_method_that_was_begun_is_not_completed_after_its_customer_was_forgotten(acme: Company) -> None:
    profile_id = acme.customer("a1", method=None)
    consent = Consent(text_version="v1", given_at=START - timedelta(days=1), channel="web")
    begun = payment_methods.add(acme.parts, profile_id=profile_id, provider_account_id=acme.account_id, consent=consent)
    rights.erase(acme.parts, profile_id, order=WHY)
    requests.post(
        f"{acme.witness_url}/v1/setup_intents/{begun.setup_ref}/confirm",
        data={"payment_method": "pm_card_visa"},
        headers={"Authorization": "Bearer sk_test_company"},
        timeout=5,
    ).raise_for_status()
    assert payment_methods.complete(acme.parts, method_id=begun.method_id).status == "detached"
    acme.settle()
    with acme.parts.begin() as session:
        assert session.execute(text("SELECT status, last4 FROM billing.payment_method")).one() == ("detached", None)
    assert acme.violations() == ()


def _waits(acme: Company) -> bool:
    # In a transaction of its own: what is going on is read once a transaction.
    with acme.begin() as session:
        return bool(session.scalar(WAITING))


def test_who_subscribes_while_they_are_forgotten_is_not_forgotten_and_keeps_their_card(acme: Company) -> None:
    profile_id = acme.customer("a1")
    new = NewSubscription(code="s1", account_id="a1", items=(NewItem("basic", 1),), start=START)
    with ThreadPoolExecutor(1) as pool:
        with acme.parts.begin() as session:
            subscribe(session, seller_id=acme.seller_id, new=new, now=START)
            erasing = pool.submit(rights.erase, acme.parts, profile_id, order=WHY)
            deadline = time.monotonic() + 10
            while not erasing.done() and not _waits(acme):
                assert time.monotonic() < deadline
        with pytest.raises(Refused) as refused:
            erasing.result(timeout=10)
    assert refused.value.code == "subscription_open"
    with acme.parts.begin() as session:
        methods = session.scalars(select(PaymentMethod.status).where(PaymentMethod.profile_id == profile_id)).all()
    assert methods == [MethodStatus.ACTIVE]


def test_two_who_subscribe_while_they_are_forgotten_do_not_wait_in_a_ring(
    acme: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile_id = acme.customer("a1")
    both, real = Barrier(2), subscribing.bill_profiles

    def once_both_are_there_and_the_erasing_waits(*given: Any, **named: Any) -> Any:
        with suppress(BrokenBarrierError):
            if both.wait(timeout=2) == 0:
                erased.append(pool.submit(rights.erase, acme.parts, profile_id, order=WHY))
                assert wait_until(lambda: _waits(acme), seconds=10)
            both.wait(timeout=10)
        return real(*given, **named)

    def begin(code: str) -> object:
        new = NewSubscription(code=code, account_id="a1", items=(NewItem("basic", 1),), start=START)
        return subscribing.subscribe(acme.parts, seller_id=acme.seller_id, new=new)

    monkeypatch.setattr(subscribing, "bill_profiles", once_both_are_there_and_the_erasing_waits)
    erased = list[Future[Any]]()
    with ThreadPoolExecutor(3) as pool:
        begun = [pool.submit(begin, code) for code in ("s1", "s2")]
        assert [len(each.result(timeout=20).invoices) for each in begun] == [1, 1]
        with pytest.raises(Refused):
            erased[0].result(timeout=20)


def test_a_dispute_that_is_not_over_keeps_its_customer_known(acme: Company) -> None:
    profile_id = acme.customer("a1", method="pm_card_createDispute")
    acme.subscribe("a1", "s1")
    acme.settle()
    acme.settle()
    with acme.parts.begin() as session:
        assert session.scalar(text("SELECT count(*) FROM billing.dispute WHERE status = 'needs_response'")) == 1
        session.execute(
            text("UPDATE billing.subscription SET status = 'canceled', next_due_at = NULL, ended_at = now()")
        )
    with pytest.raises(Refused) as refused:
        rights.erase(acme.parts, profile_id, order=WHY)
    assert refused.value.code == "dispute_open"
