"""The payment-method flow against the stand-in: repeats find the same things, and the provider learns no name."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
import requests
from sqlalchemy import select

from billing.commands.profile.create import create_profile
from billing.commands.seller.create import create_seller
from billing.flows import payment_methods
from billing.kernel.errors import ProviderUncertain, Refused
from billing.kernel.ids import new_id
from billing.models import PaymentMethod, ProviderCustomer, WorkItem
from billing.queries.payment_method import default_method
from billing.queue.names import COLLECTIONS_TICK
from billing.validators.payment_method import Consent
from billing.validators.profile import NewProfile, Personal
from billing.validators.seller import NewSeller
from tests.stack import Stack, stack

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CONSENT = Consent(text_version="2026-01", given_at=NOW)


@pytest.fixture
def running(database_url: str) -> Iterator[Stack]:
    with stack(database_url, now=NOW) as running:
        yield running


@pytest.fixture
def profile_id(running: Stack) -> UUID:
    return _profile(running, "acct-1")


def _profile(running: Stack, account_id: str) -> UUID:
    seller = NewSeller(code=account_id.upper(), legal_name="Nordlicht GmbH", country="DE", currency="eur")
    new = NewProfile(
        account_id=account_id, country="DE", personal=Personal(name="Ada Beispiel", email="ada@example.com")
    )
    with running.parts.begin() as session:
        owner = create_seller(session, new=seller, actor="test", reason="set-up", now=NOW)
        return create_profile(session, running.parts.keyring, seller_id=owner.id, new=new, now=NOW).id


def _add(running: Stack, profile_id: UUID, method_id: UUID | None = None) -> payment_methods.MethodStarted:
    return payment_methods.add(
        running.parts,
        profile_id=profile_id,
        provider_account_id=running.account_id,
        consent=CONSENT,
        method_id=method_id,
    )


def _adopt(running: Stack, profile_id: UUID, ref: str = "pm_card_visa", **given: Any) -> PaymentMethod:
    return payment_methods.adopt(
        running.parts,
        profile_id=profile_id,
        provider_account_id=running.account_id,
        method_ref=ref,
        consent=CONSENT,
        **given,
    )


def _finish(running: Stack, started: payment_methods.MethodStarted, card: str = "pm_card_visa") -> None:
    """What the customer's browser does with the provider's form."""
    key = running.parts.settings.stripe_keys["default"]
    answer = requests.post(
        f"{running.server.url}/v1/setup_intents/{started.setup_ref}/confirm",
        data={"payment_method": card},
        headers={"Authorization": f"Bearer {key}"},
        timeout=5,
    )
    answer.raise_for_status()


def _asked(running: Stack) -> list[dict[str, Any]]:
    answer: list[dict[str, Any]] = requests.get(f"{running.server.url}/_sandbox/requests", timeout=5).json()
    return answer


def _fault(running: Stack, kind: str, path: str) -> None:
    requests.post(
        f"{running.server.url}/_sandbox/faults", json=[{"kind": kind, "next": 1, "path": path}], timeout=5
    ).raise_for_status()


def _methods(running: Stack) -> list[PaymentMethod]:
    with running.parts.begin() as session:
        return list(session.scalars(select(PaymentMethod).order_by(PaymentMethod.id)))


def test_a_method_is_begun_completed_and_becomes_the_default(running: Stack, profile_id: UUID) -> None:
    started = _add(running, profile_id)
    assert started.client_secret.startswith(started.setup_ref)
    assert started.client_secret not in repr(started)
    _finish(running, started)
    method = payment_methods.complete(running.parts, method_id=started.method_id)
    assert (method.status, method.is_default, method.brand, method.last4) == ("active", True, "visa", "4242")
    assert (method.consent_text_version, method.consent_channel) == ("2026-01", "web")
    assert (COLLECTIONS_TICK, ()) in running.noted.messages


def test_the_provider_is_told_the_anonymous_id_and_nothing_else(running: Stack, profile_id: UUID) -> None:
    _adopt(running, profile_id)
    text = str(_asked(running))
    assert not any(word in text for word in ("Ada", "Beispiel", "example.com", "acct-1"))
    (customer,) = [each for each in _asked(running) if each["path"] == "/v1/customers"]
    assert list(customer["params"]) == ["metadata"]
    assert list(customer["params"]["metadata"]) == ["anonymous_id"]


def test_a_repeat_with_the_same_id_answers_with_the_same_set_up(running: Stack, profile_id: UUID) -> None:
    first = _add(running, profile_id)
    again = _add(running, profile_id, first.method_id)
    assert again == first
    assert len(_methods(running)) == 1


def test_completing_before_the_customer_has_finished_is_refused(running: Stack, profile_id: UUID) -> None:
    started = _add(running, profile_id)
    with pytest.raises(Refused) as refusal:
        payment_methods.complete(running.parts, method_id=started.method_id)
    assert refusal.value.code == "setup_not_complete"
    assert _methods(running)[0].status == "pending"


def test_completing_twice_is_completing_once(running: Stack, profile_id: UUID) -> None:
    started = _add(running, profile_id)
    _finish(running, started)
    first = payment_methods.complete(running.parts, method_id=started.method_id)
    again = payment_methods.complete(running.parts, method_id=started.method_id)
    assert (again.id, again.version) == (first.id, first.version)


def test_a_lost_answer_makes_no_second_customer(running: Stack, profile_id: UUID) -> None:
    _fault(running, "timeout_after", "/v1/customers")
    with pytest.raises(ProviderUncertain):
        _add(running, profile_id)
    started = _add(running, profile_id)
    with running.parts.begin() as session:
        customer = session.scalars(select(ProviderCustomer)).one()
    made = requests.get(f"{running.server.url}/_sandbox/state", timeout=5).json()["objects"]
    assert made["customer"] == 1
    assert customer.customer_ref
    assert started.setup_ref


def test_a_method_made_elsewhere_is_adopted_once(running: Stack, profile_id: UUID) -> None:
    first = _adopt(running, profile_id)
    again = _adopt(running, profile_id)
    assert (again.id, first.status, first.is_default) == (first.id, "active", True)
    assert first.method_ref is not None
    assert first.method_ref.startswith("pm_")
    assert first.method_ref != "pm_card_visa"


def test_the_same_test_name_under_another_id_is_another_method(running: Stack, profile_id: UUID) -> None:
    first = _adopt(running, profile_id)
    second = _adopt(running, profile_id, method_id=new_id(), as_default=True)
    assert second.id != first.id
    with running.parts.begin() as session:
        default = default_method(session, profile_id)
    assert default is not None
    assert default.id == second.id


def test_another_customers_method_is_not_adopted(running: Stack, profile_id: UUID) -> None:
    method = _adopt(running, profile_id)
    other = _profile(running, "acct-2")
    with pytest.raises(Refused) as refused:
        _adopt(running, other, method.method_ref or "")
    assert refused.value.code == "method_of_another_customer"
    assert len(_methods(running)) == 1


def test_a_consent_of_the_future_is_refused_before_the_provider_hears_of_it(running: Stack, profile_id: UUID) -> None:
    before = len(_asked(running))
    consent = Consent(text_version="2026-01", given_at=datetime(2027, 1, 1, tzinfo=UTC))
    with pytest.raises(Refused) as refusal:
        payment_methods.adopt(
            running.parts,
            profile_id=profile_id,
            provider_account_id=running.account_id,
            method_ref="pm_card_visa",
            consent=consent,
        )
    assert refusal.value.code == "consent_in_future"
    assert len(_asked(running)) == before


def test_a_removed_method_is_taken_from_the_customer_at_the_provider(running: Stack, profile_id: UUID) -> None:
    method = _adopt(running, profile_id)
    payment_methods.remove(running.parts, method_id=method.id)
    payment_methods.remove(running.parts, method_id=method.id)
    facts = running.parts.provider(running.account_id).read_method(method.method_ref or "")
    assert facts.customer_ref is None
    assert _methods(running)[0].status == "detached"
    with running.parts.begin() as session:
        assert session.scalars(select(WorkItem)).all() == []


def test_a_provider_out_of_reach_leaves_the_method_removed_and_a_work_item(running: Stack, profile_id: UUID) -> None:
    method = _adopt(running, profile_id)
    _fault(running, "timeout_before", f"/v1/payment_methods/{method.method_ref}/detach")
    payment_methods.remove(running.parts, method_id=method.id)
    with running.parts.begin() as session:
        item = session.scalars(select(WorkItem)).one()
    assert (item.kind, item.status, item.subject_id) == ("payment_method_not_detached", "open", method.id)
    payment_methods.remove(running.parts, method_id=method.id)
    with running.parts.begin() as session:
        assert session.scalars(select(WorkItem)).one().status == "resolved"


def test_making_another_one_the_default_asks_for_a_try_at_once(running: Stack, profile_id: UUID) -> None:
    _adopt(running, profile_id)
    second = _adopt(running, profile_id, "pm_card_mastercard")
    running.noted.messages.clear()
    made = payment_methods.make_default(running.parts, method_id=second.id, expected_version=second.version)
    assert made.is_default
    assert running.noted.messages == [(COLLECTIONS_TICK, ())]
