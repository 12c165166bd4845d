"""What becomes of methods at the provider: taken away, without leave, with their customer, renewed by a bank."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
import requests
from sqlalchemy import select

from billing.flows import movements, payment_methods
from billing.flows.parts import Parts
from billing.flows.payment_methods import add
from billing.kernel.errors import Refused
from billing.models import PaymentMethod, ProviderEvent
from billing.providers.port import MethodFacts
from billing.queries.payment_method import default_method
from billing.validators.payment_method import Consent
from tests.flows.company import START, Company


def _method(acme: Company, profile: UUID) -> PaymentMethod:
    with acme.begin() as session:
        method = default_method(session, profile)
    assert method is not None
    return method


def _status(acme: Company, method: PaymentMethod) -> str:
    with acme.begin() as session:
        return session.get_one(PaymentMethod, method.id).status


def _at_the_provider(acme: Company, path: str, *, verb: str = "POST") -> None:
    """Somebody uses the provider's dashboard."""
    key = {"Authorization": "Bearer sk_test_company"}
    requests.request(verb, f"{acme.witness_url}/v1/{path}", headers=key, timeout=5).raise_for_status()


def test_a_method_that_was_taken_away_at_the_provider_is_charged_no_more_and_the_other_one_is(acme: Company) -> None:
    profile = acme.customer("a1")
    first = _method(acme, profile)
    acme.give_method(profile, "pm_card_mastercard")
    second = _method(acme, profile)
    _at_the_provider(acme, f"payment_methods/{second.method_ref}/detach")
    acme.settle()
    assert (_status(acme, second), _method(acme, profile).id) == ("detached", first.id)
    acme.subscribe("a1", "s1")
    acme.settle()
    assert [(each.status, each.method_ref) for each in acme.payments()] == [("succeeded", first.method_ref)]
    assert acme.violations() == ()


def test_a_method_whose_mandate_ended_is_charged_no_more(acme: Company) -> None:
    profile = acme.customer("a1")
    method = _method(acme, profile)
    acme.witness.call("POST", "mandates", {"payment_method": method.method_ref})
    acme.settle()
    assert _status(acme, method) == "detached"
    acme.subscribe("a1", "s1")
    acme.settle()
    assert acme.payments() == []
    assert acme.violations() == ()


def test_a_customer_that_was_deleted_at_the_provider_gets_a_successor_with_the_next_method(acme: Company) -> None:
    profile = acme.customer("a1")
    acme.subscribe("a1", "s1")
    acme.settle()
    gone = acme.customer_ref(profile)
    _at_the_provider(acme, f"customers/{gone}", verb="DELETE")
    acme.settle()
    acme.give_method(profile, "pm_card_mastercard")
    acme.set_clock(START + timedelta(days=28))
    acme.settle()
    assert [invoice.status for invoice in acme.invoices()] == ["paid", "paid"]
    assert len({each.customer_ref for each in acme.payments()}) == 2
    assert acme.violations() == ()


def test_a_card_that_its_bank_renewed_has_its_new_date(acme: Company) -> None:
    profile = acme.customer("a1")
    method = _method(acme, profile)
    acme.witness.call("POST", f"payment_methods/{method.method_ref}/renew", {"exp_year": 2033})
    acme.settle()
    assert _method(acme, profile).exp_year == 2033


def test_a_set_up_that_was_canceled_at_the_provider_leaves_no_pending_method(acme: Company) -> None:
    profile = acme.customer("a1", method=None)
    consent = Consent(text_version="v1", given_at=START - timedelta(days=1), channel="web")
    started = add(acme.parts, profile_id=profile, provider_account_id=acme.account_id, consent=consent)
    _at_the_provider(acme, f"setup_intents/{started.setup_ref}/cancel")
    acme.settle()
    with acme.begin() as session:
        assert session.get_one(PaymentMethod, started.method_id).status == "detached"


def test_a_set_up_that_failed_waits_for_another_card_and_one_that_then_succeeds_is_used(acme: Company) -> None:
    profile = acme.customer("a1", method=None)
    consent = Consent(text_version="v1", given_at=START - timedelta(days=1), channel="web")
    started = add(acme.parts, profile_id=profile, provider_account_id=acme.account_id, consent=consent)
    acme.witness.call("POST", "config", {"save_declining_cards": False})
    path = f"{acme.witness_url}/v1/setup_intents/{started.setup_ref}/confirm"
    key = {"Authorization": "Bearer sk_test_company"}
    status = []
    for card in ("pm_card_chargeDeclined", "pm_card_visa"):
        requests.post(path, data={"payment_method": card}, headers=key, timeout=5)
        acme.settle()
        with acme.begin() as session:
            status.append(session.get_one(PaymentMethod, started.method_id).status)
            told = session.execute(select(ProviderEvent.type, ProviderEvent.status)).all()
    assert status == ["pending", "active"]
    assert ("setup_intent.setup_failed", "processed") in told
    assert acme.work_items() == []


def test_what_a_charge_moved_is_not_asked_for_charge_by_charge_and_comes_with_the_balance_once(acme: Company) -> None:
    acme.customer("a1")
    acme.subscribe("a1", "s1")
    acme.settle()
    with acme.begin() as session:
        told = session.scalars(select(ProviderEvent.status).filter_by(type="charge.updated")).all()
    assert told == ["processed"]
    assert [each.path for each in acme.witness.requests() if each.path.startswith("/v1/charges/")] == []
    assert acme.account("provider_fees") == 0
    movements.read(acme.parts, acme.account_id)
    movements.read(acme.parts, acme.account_id)
    assert acme.account("provider_fees") == 65
    assert acme.violations() == ()


def test_a_method_whose_customer_was_deleted_while_it_was_set_up_is_not_used(
    acme: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile = acme.customer("a1", method=None)
    bound = payment_methods._bound

    def then_deleted(parts: Parts, begun: PaymentMethod, method_ref: str) -> MethodFacts:
        monkeypatch.setattr(payment_methods, "_bound", bound)
        facts = bound(parts, begun, method_ref)
        _at_the_provider(acme, f"customers/{acme.customer_ref(profile)}", verb="DELETE")
        acme.settle()
        return facts

    monkeypatch.setattr(payment_methods, "_bound", then_deleted)
    with pytest.raises(Refused) as refused:
        acme.give_method(profile, "pm_card_visa")
    assert refused.value.code == "method_of_another_customer"
    acme.give_method(profile, "pm_card_mastercard")
    acme.subscribe("a1", "s1")
    acme.settle()
    assert [each.status for each in acme.invoices()] == ["paid"]
    assert acme.violations() == ()
