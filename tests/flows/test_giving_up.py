"""What waited 23 hours for its first payment is given up, with its draft and its intent, each for itself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from billing.flows import (
    incomplete,
    upkeep,
)
from billing.flows.parts import Parts
from billing.kernel.errors import Fault, Refused
from billing.models import PaymentIntent
from billing.providers.port import IntentFacts
from billing.providers.stripe.adapter import StripeProvider
from tests.flows.beginning import DECLINED, begin, holds, topics
from tests.flows.company import START, Company


def _two(acme: Company) -> None:
    for account in ("a1", "a2"):
        begin(acme, DECLINED, account=account)
    acme.settle()


def test_after_23_hours_it_is_given_up_with_its_draft_and_its_intent(acme: Company) -> None:
    id_ = begin(acme, DECLINED)
    acme.settle()
    acme.set_clock(START + timedelta(hours=22))
    assert incomplete.sweep(acme.parts) == 0
    acme.set_clock(START + timedelta(hours=23))
    assert incomplete.sweep(acme.parts) == 1
    assert incomplete.sweep(acme.parts) == 0
    subscription = acme.subscription(id_)
    assert (subscription.status, subscription.next_due_at) == ("incomplete_expired", None)
    assert [each.status for each in acme.invoices()] == ["expired"]
    assert [intent.status for intent in acme.witness.intents()] == ["canceled"]
    with acme.begin() as session:
        assert session.scalars(select(PaymentIntent.status)).all() == ["canceled"]
    assert "subscription.expired" in topics(acme)
    acme.give_method(subscription.profile_id, "pm_card_visa")
    acme.settle()
    assert len(acme.payments()) == 1, "nothing is charged for what is no more"
    holds(acme)


def test_where_its_intent_cannot_be_canceled_a_person_is_told(acme: Company) -> None:
    id_ = begin(acme, DECLINED)
    acme.settle()
    acme.set_clock(START + timedelta(hours=23))
    acme.revoke_key()
    assert incomplete.sweep(acme.parts) == 0
    (draft,) = acme.invoices()
    told = [(each.kind, each.subject_id, each.error) for each in acme.work_items() if each.status == "open"]
    assert told == [("intent_not_canceled", draft.id, "key_rejected")]
    acme.restore_key()
    assert incomplete.sweep(acme.parts) == 1
    assert acme.subscription(id_).status == "incomplete_expired"
    upkeep.close_gone_work(acme.parts)
    assert [each.status for each in acme.work_items()] == ["resolved"]
    holds(acme)


def test_without_a_method_it_expires_too(acme: Company) -> None:
    id_ = begin(acme, None)
    acme.settle()
    acme.set_clock(START + timedelta(hours=23))
    assert incomplete.sweep(acme.parts) == 1
    assert acme.subscription(id_).status == "incomplete_expired"
    holds(acme)


def test_one_whose_cancellation_raises_what_nobody_foresaw_keeps_no_other_from_being_given_up(
    acme: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes first at each sweep."""
    _two(acme)
    cancel, odd = StripeProvider.cancel_intent, list[str]()

    def unforeseen_of_the_first(self: StripeProvider, intent_ref: str, *, key: str) -> IntentFacts:
        odd.append(intent_ref)
        if intent_ref == odd[0]:
            raise ValueError("unforeseen")
        return cancel(self, intent_ref, key=key)

    monkeypatch.setattr(StripeProvider, "cancel_intent", unforeseen_of_the_first)
    acme.set_clock(START + timedelta(hours=23))
    for _ in range(2):
        with pytest.raises(ValueError, match="unforeseen"):
            incomplete.sweep(acme.parts)
    assert sorted(each.status for each in acme.invoices()) == ["draft", "expired"]


def test_one_whose_account_has_no_key_keeps_no_other_from_being_given_up(
    acme: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    _two(acme)
    real = incomplete.cancel_intents

    def cancel_intents(parts: Parts, invoices: Sequence[UUID]) -> bool:
        monkeypatch.setattr(incomplete, "cancel_intents", real)
        raise Refused(Fault("STRIPE_API_KEY__GONE", "provider_not_configured", "set it"))

    monkeypatch.setattr(incomplete, "cancel_intents", cancel_intents)
    monkeypatch.setattr(incomplete, "PAGE", 1)
    acme.set_clock(START + timedelta(hours=24))
    assert incomplete.sweep(acme.parts) == 1
    assert incomplete.sweep(acme.parts) == 1, "the other one, once it has its key"


def test_one_that_was_tried_while_it_was_given_up_waits_until_that_can_move_nothing(
    acme: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = begin(acme, DECLINED)
    acme.settle()
    real = incomplete.cancel_intents

    def cancel_then_tried(parts: Parts, invoices: Sequence[UUID]) -> bool:
        monkeypatch.setattr(incomplete, "cancel_intents", real)
        done = real(parts, invoices)
        acme.give_method(acme.subscription(id_).profile_id, DECLINED, another=True)
        acme.settle()
        return done

    monkeypatch.setattr(incomplete, "cancel_intents", cancel_then_tried)
    acme.set_clock(START + timedelta(hours=24))
    assert incomplete.sweep(acme.parts) == 0
    assert [each.status for each in acme.witness.intents()] == ["canceled", "requires_payment_method"]
    assert incomplete.sweep(acme.parts) == 1
    assert [each.status for each in acme.witness.intents()] == ["canceled", "canceled"]
    holds(acme)
