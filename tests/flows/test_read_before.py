"""What the provider showed before an attempt went on says nothing about what became of it since."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from threading import Event
from uuid import UUID

import pytest
from sqlalchemy import text

from billing.flows import adopting, payment_events, rereading, sending
from billing.flows.metered import Metered
from billing.flows.parts import Parts
from billing.kernel.errors import Stale
from billing.kernel.ids import new_id
from billing.kernel.status import EventStatus
from billing.models import ProviderAccount
from billing.providers.port import IntentFacts
from billing.validators.seller import SellerPolicy
from tests.builders.breaks import difference
from tests.flows.company import START, Company, company
from tests.flows.deliveries import event_body, post, signed, stored
from tests.flows.handling import process

DEBIT = "pm_sandbox_sepa"


@pytest.fixture
def acme(database_url: str) -> Iterator[Company]:
    with company(database_url, policy=SellerPolicy(dunning_hours=None, debit_notice_days=0)) as fresh:
        yield fresh


def _intent(acme: Company) -> str:
    (intent,) = {each.intent_ref for each in acme.witness.intents()}
    return intent


def test_a_debit_under_way_is_not_taken_for_failed_by_what_its_intent_showed_before(
    acme: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = acme.customer("a1", method="pm_card_visa_chargeDeclinedInsufficientFunds")
    acme.subscribe("a1", "s1")
    acme.settle()
    raw = event_body(acme, ref="evt_declined", type_="payment_intent.payment_failed", object_ref=_intent(acme))
    acme.give_method(profile, DEBIT)
    sent, read = Event(), Event()

    def sending_waits(name: str) -> None:
        if name == "charge.sending":
            sent.set()
            assert read.wait(10)

    monkeypatch.setattr(sending, "failpoint", sending_waits)
    with ThreadPoolExecutor(1) as other_worker:
        charging = other_worker.submit(acme.run_messages)
        assert sent.wait(10)

        def answered_meanwhile(name: str) -> None:
            if name == "event.reread":
                read.set()
                charging.result(timeout=10)

        monkeypatch.setattr(payment_events, "failpoint", answered_meanwhile)
        assert post(acme, raw, signed(acme, raw)).status_code == 200
        (event,) = [each for each in stored(acme) if each.event_ref == "evt_declined"]
        assert process(acme.parts, event.id) == EventStatus.RECEIVED, "it is looked at again later"
    assert [each.status for each in acme.payments()] == ["declined", "processing"]
    acme.set_clock(START + timedelta(days=6))
    acme.settle()
    assert [each.status for each in acme.payments()] == ["declined", "succeeded"]
    assert acme.violations() == ()


@pytest.mark.parametrize("look", [rereading.reread, adopting.adopt])
def test_who_looks_at_a_difference_meanwhile_is_told_to_look_again(
    acme: Company, monkeypatch: pytest.MonkeyPatch, look: Callable[[Parts, UUID], str]
) -> None:
    acme.customer("a1", method=DEBIT)
    acme.subscribe("a1", "s1")
    acme.settle()
    (attempt,) = acme.payments()
    with acme.parts.begin() as session:
        account = session.get_one(ProviderAccount, acme.account_id)
        named = {"invoice_id": attempt.invoice_id, "profile_id": attempt.profile_id, "seller_id": acme.seller_id}
        made = difference(session, account, work_item_id=new_id(), intent_ref=_intent(acme), **named)
    real = Metered.read_intent

    def went_on(self: Metered, intent_ref: str) -> IntentFacts:
        facts = real(self, intent_ref)
        with acme.parts.begin() as session:
            session.execute(text("UPDATE billing.payment SET token = token + 1"))
        return facts

    monkeypatch.setattr(Metered, "read_intent", went_on)
    with pytest.raises(Stale, match="went on while its intent was read"):
        look(acme.parts, made.id)
    monkeypatch.setattr(Metered, "read_intent", real)
    assert look(acme.parts, made.id)
    assert [each.status for each in acme.payments()] == ["processing"]


def test_an_intent_that_we_had_no_record_of_is_read_again_once_its_attempt_is_known(
    acme: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme.customer("a1", method=DEBIT)
    acme.subscribe("a1", "s1")
    acme.settle()
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.payment_intent SET intent_ref = NULL"))
    real = Metered.read_intent

    def before_it_was_confirmed(self: Metered, intent_ref: str) -> IntentFacts:
        monkeypatch.setattr(Metered, "read_intent", real)
        return replace(real(self, intent_ref), status="requires_payment_method", latest_charge=None)

    monkeypatch.setattr(Metered, "read_intent", before_it_was_confirmed)
    raw = event_body(acme, ref="evt_created", type_="payment_intent.processing", object_ref=_intent(acme))
    assert post(acme, raw, signed(acme, raw)).status_code == 200
    (event,) = [each for each in stored(acme) if each.event_ref == "evt_created"]
    assert process(acme.parts, event.id) == EventStatus.PROCESSED
    assert [each.status for each in acme.payments()] == ["processing"]
