"""Payment methods: exactly one default while any is active, and a new default is tried at once."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.commands.payment_method.activate import activate_method
from billing.commands.payment_method.make_default import make_default
from billing.commands.payment_method.note_setup import note_customer
from billing.commands.payment_method.remove import remove_method
from billing.kernel.errors import Refused, Stale
from billing.kernel.ids import new_id
from billing.models import Invoice, OutboxEvent, PaymentMethod, Price, Profile, Seller
from billing.privacy.keyring import Keyring
from billing.providers.port import MethodFacts
from billing.validators.payment_method import Consent
from tests.builders import attempt, bill, subscription
from tests.commands.making import (
    NOW,
    begun_method,
    make_method,
    make_price,
    make_profile,
    make_provider_account,
    make_seller,
)

LATER = NOW + timedelta(days=3)


@pytest.fixture
def profile(session: Session, keyring: Keyring) -> Profile:
    seller = make_seller(session)
    make_price(session, seller, "basic")
    make_price(session, seller, "extra")
    return make_profile(session, keyring, seller)


@pytest.fixture
def account(session: Session) -> UUID:
    return make_provider_account(session)


def _invoice(session: Session, profile: Profile, **change: object) -> Invoice:
    """An open invoice that waits for a new method."""
    prices = session.scalars(select(Price)).all()
    waits = {"waits_for_method": True, "dunning_at": NOW, "next_attempt_at": LATER}
    return bill(session, subscription(session, profile, [(price, 1) for price in prices]), 0, **(waits | change))


def test_the_first_active_method_is_the_default_and_the_second_is_not(
    session: Session, profile: Profile, account: UUID
) -> None:
    first = make_method(session, profile, account, "pm_1")
    second = make_method(session, profile, account, "pm_2")
    session.commit()
    assert (first.is_default, second.is_default) == (True, False)
    assert (first.brand, first.last4, first.consent_text_version) == ("visa", "4242", "2026-01")


def test_activating_twice_changes_nothing(session: Session, profile: Profile, account: UUID) -> None:
    method = make_method(session, profile, account)
    version = method.version
    activate_method(session, method=method, facts=MethodFacts("pm_1", "card", "cus_1"), now=NOW)
    assert (method.version, method.brand) == (version, "visa")


def test_a_method_that_another_row_has_is_refused(session: Session, profile: Profile, account: UUID) -> None:
    make_method(session, profile, account)
    with pytest.raises(Refused) as refusal:
        make_method(session, profile, account)
    assert refusal.value.code == "payment_method_known"


def test_the_mark_moves_in_one_transaction(session: Session, profile: Profile, account: UUID) -> None:
    first, second = make_method(session, profile, account, "pm_1"), make_method(session, profile, account, "pm_2")
    make_default(session, method_id=second.id, now=NOW)
    session.commit()
    assert (first.is_default, second.is_default) == (False, True)
    version = second.version
    make_default(session, method_id=second.id, now=NOW)
    assert second.version == version


def test_only_an_active_method_becomes_the_default(session: Session, profile: Profile, account: UUID) -> None:
    pending = begun_method(session, profile, account)
    with pytest.raises(Refused) as refusal:
        make_default(session, method_id=pending.id, now=NOW)
    assert refusal.value.code == "payment_method_not_active"


def test_removing_the_default_makes_the_newest_other_one_the_default(
    session: Session, profile: Profile, account: UUID
) -> None:
    first, second, third = (make_method(session, profile, account, f"pm_{n}") for n in (1, 2, 3))
    remove_method(session, method_id=first.id, now=NOW)
    session.commit()
    assert (first.status, first.is_default) == ("detached", False)
    assert (second.is_default, third.is_default) == (False, True)
    remove_method(session, method_id=third.id, now=NOW)
    remove_method(session, method_id=second.id, now=NOW)
    session.commit()
    assert session.scalars(select(PaymentMethod).where(PaymentMethod.is_default)).all() == []


def test_removing_twice_is_one_removal(session: Session, profile: Profile, account: UUID) -> None:
    method = make_method(session, profile, account)
    remove_method(session, method_id=method.id, now=NOW)
    remove_method(session, method_id=method.id, now=NOW)
    topics = session.scalars(select(OutboxEvent.topic).order_by(OutboxEvent.id)).all()
    assert topics.count("payment_method.removed") == 1


def test_a_removed_method_is_not_activated_again(session: Session, profile: Profile, account: UUID) -> None:
    method = make_method(session, profile, account)
    remove_method(session, method_id=method.id, now=NOW)
    with pytest.raises(Refused) as refusal:
        activate_method(session, method=method, facts=MethodFacts("pm_1", "card", "cus_1"), now=NOW)
    assert refusal.value.code == "payment_method_move_not_allowed"


def test_a_method_with_a_payment_in_flight_stays(session: Session, profile: Profile, account: UUID) -> None:
    method = make_method(session, profile, account)
    note_customer(session, profile=profile, provider_account_id=account, customer_ref="cus_1")
    attempt(session, _invoice(session, profile), at=NOW, status="unknown")
    with pytest.raises(Refused) as refusal:
        remove_method(session, method_id=method.id, now=NOW)
    assert refusal.value.code == "payment_in_flight"


def test_a_new_default_makes_open_automatic_invoices_due_at_once(
    session: Session, profile: Profile, account: UUID
) -> None:
    waiting = _invoice(session, profile)
    by_hand = _invoice(session, profile, collection="send_invoice")
    make_method(session, profile, account)
    session.expire_all()
    assert (waiting.next_attempt_at, waiting.waits_for_method, waiting.dunning_at) == (NOW, False, NOW)
    assert waiting.version == 2
    assert (by_hand.next_attempt_at, by_hand.version) == (LATER, 1)


def test_an_invoice_with_an_attempt_under_way_is_left_to_it(session: Session, profile: Profile, account: UUID) -> None:
    first = make_method(session, profile, account, "pm_1")
    note_customer(session, profile=profile, provider_account_id=account, customer_ref="cus_1")
    invoice = _invoice(session, profile)
    assert first.is_default
    attempt(session, invoice, at=NOW, status="prepared")
    second = make_method(session, profile, account, "pm_2")
    make_default(session, method_id=second.id, now=NOW)
    session.expire_all()
    assert (invoice.next_attempt_at, invoice.version) == (LATER, 1)


def test_another_customers_invoice_is_not_touched(
    session: Session, keyring: Keyring, profile: Profile, account: UUID
) -> None:
    invoice = _invoice(session, profile)
    other = make_profile(session, keyring, session.get_one(Seller, profile.seller_id), "acct-2")
    make_method(session, other, account)
    session.expire_all()
    assert invoice.version == 1


def test_consent_is_checked_before_a_row_is_written(session: Session, profile: Profile, account: UUID) -> None:
    consent = Consent(text_version="", given_at=datetime(2026, 1, 1))
    with pytest.raises(Refused) as refusal:
        begun_method(session, profile, account, consent=consent)
    assert [fault.code for fault in refusal.value.faults] == ["missing", "time_without_offset"]


def test_an_id_is_one_methods_for_ever(session: Session, keyring: Keyring, profile: Profile, account: UUID) -> None:
    id_ = new_id()
    begun_method(session, profile, account, id_=id_)
    again = begun_method(session, profile, account, id_=id_)
    assert again.id == id_
    other = make_profile(session, keyring, session.get_one(Seller, profile.seller_id), "acct-2")
    with pytest.raises(Refused) as refusal:
        begun_method(session, other, account, id_=id_)
    assert refusal.value.code == "payment_method_id_taken"


def test_a_version_that_is_gone_is_stale(session: Session, profile: Profile, account: UUID) -> None:
    method = make_method(session, profile, account)
    with pytest.raises(Stale):
        remove_method(session, method_id=method.id, now=NOW, expected_version=method.version + 1)
    with pytest.raises(Stale):
        make_default(session, method_id=method.id, now=NOW, expected_version=method.version + 1)


def test_a_profile_has_one_customer_at_a_provider_account(session: Session, profile: Profile, account: UUID) -> None:
    note_customer(session, profile=profile, provider_account_id=account, customer_ref="cus_1")
    note_customer(session, profile=profile, provider_account_id=account, customer_ref="cus_1")
    with pytest.raises(Refused) as refusal:
        note_customer(session, profile=profile, provider_account_id=account, customer_ref="cus_2")
    assert refusal.value.code == "provider_customer_differs"
