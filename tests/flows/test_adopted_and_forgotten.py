"""Who dies between what the provider has bound and what is written of it leaves nothing there of who is forgotten."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from billing.db.clock import wall_now
from billing.flows import payment_methods, rights
from billing.flows.retention import forget
from billing.kernel.errors import ProviderRefused, Refused
from billing.models import PaymentMethod
from billing.providers.port import MethodFacts, SetupFacts
from billing.sandbox.paypal import tokens
from billing.sandbox.scenario.playing.stage import Stage
from billing.validators.payment_method import Consent
from tests.flows.company import Company
from tests.flows.test_detaching import WHY, _at_the_provider, _Died, _make_due, _methods, _new_at_the_provider
from tests.wallets import START


def _dies_after(monkeypatch: pytest.MonkeyPatch, provider: object, name: str, act: Any) -> MethodFacts | SetupFacts:
    """The provider has done it, and nobody here writes down what it answered."""
    real, answers = getattr(type(provider), name), list[Any]()

    def dies(self: object, *given: Any, **named: Any) -> None:
        answers.append(real(self, *given, **named))
        raise _Died

    with monkeypatch.context() as patched:
        patched.setattr(type(provider), name, dies)
        with pytest.raises(_Died):
            act()
    answer: MethodFacts | SetupFacts = answers[0]
    return answer


@pytest.mark.parametrize("way", ["a test name", "its own id"])
def test_a_card_whose_event_came_before_its_customer_is_forgotten_is_detached(
    acme: Company, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    profile_id = acme.customer("a1", method=None)
    name = "pm_card_visa" if way == "a test name" else _new_at_the_provider(acme, "pm_card_mastercard")
    provider = acme.parts.provider(acme.account_id)._provider  # type: ignore[attr-defined]
    bound = _dies_after(monkeypatch, provider, "attach_method", lambda: acme.give_method(profile_id, name))
    assert bound.method_ref is not None
    acme.settle()
    assert _at_the_provider(acme, bound.method_ref).customer_ref is not None, "nobody is forgotten yet"
    assert rights.erase(acme.parts, profile_id, order=WHY).told == "the person is forgotten; issued documents stay"
    assert _at_the_provider(acme, bound.method_ref).customer_ref is None
    _make_due(acme)
    forget(acme.parts)
    assert [(each.status, each.detach_due_at) for each in _methods(acme)] == [("detached", None)]
    assert acme.violations() == ()


def test_what_nobody_came_back_for_is_taken_over_by_a_repeat_as_one(
    acme: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile_id = acme.customer("a1", method=None)
    provider = acme.parts.provider(acme.account_id)._provider  # type: ignore[attr-defined]
    bound = _dies_after(monkeypatch, provider, "attach_method", lambda: acme.give_method(profile_id, "pm_card_visa"))
    acme.give_method(profile_id, "pm_card_visa")
    (method,) = _methods(acme)
    assert (method.status, method.method_ref, method.detach_due_at) == ("active", bound.method_ref, None)


def test_an_exchanged_method_that_nobody_came_back_for_is_detached_while_its_key_still_names_it(
    acme: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile_id = acme.customer("a1", method=None)
    provider = acme.parts.provider(acme.account_id)._provider  # type: ignore[attr-defined]
    bound = _dies_after(monkeypatch, provider, "attach_method", lambda: acme.give_method(profile_id, "pm_card_visa"))
    assert forget(acme.parts)["removed_methods"] == 0, "whoever died has an hour to come back"
    _make_due(acme)
    assert forget(acme.parts)["removed_methods"] == 1
    assert _at_the_provider(acme, bound.method_ref or "").customer_ref is None
    acme.give_method(profile_id, "pm_card_visa")
    assert sorted(each.status for each in _methods(acme)) == ["active", "detached"]


@pytest.mark.parametrize("way", ["a test name", "its own id"])
def test_a_repeat_that_is_refused_forgets_nothing_of_what_was_bound_before(
    acme: Company, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    profile_id = acme.customer("a1", method=None)
    name = "pm_card_visa" if way == "a test name" else _new_at_the_provider(acme, "pm_card_mastercard")
    provider = acme.parts.provider(acme.account_id)._provider  # type: ignore[attr-defined]
    bound = _dies_after(monkeypatch, provider, "attach_method", lambda: acme.give_method(profile_id, name))
    acme.revoke_key()
    with pytest.raises(ProviderRefused):
        acme.give_method(profile_id, name)
    acme.restore_key()
    rights.erase(acme.parts, profile_id, order=WHY)
    assert _at_the_provider(acme, bound.method_ref or "").customer_ref is None


def test_a_method_that_the_provider_will_not_have_leaves_nothing_behind(acme: Company) -> None:
    profile_id = acme.customer("a1", method=None)
    with pytest.raises(Refused) as refused:
        acme.give_method(profile_id, "pm_nobody_has")
    assert refused.value.code == "method_unknown"
    assert _methods(acme) == []


def test_where_the_method_cannot_be_read_then_its_refusal_is_what_was_refused(acme: Company) -> None:
    profile_id = acme.customer("a1", method=None)
    acme.witness.add_faults(
        {"kind": "timeout_before", "path": "/v1/payment_methods/pm_nobody_has", "method": "GET", "rate": 1}
    )
    with pytest.raises(ProviderRefused) as refused:
        acme.give_method(profile_id, "pm_nobody_has")
    assert refused.value.code == "resource_missing"
    assert _methods(acme) == []


def test_who_names_a_mandate_that_there_is_not_has_bound_nothing(acme: Company) -> None:
    given = {"profile_id": acme.customer("a1", method=None), "provider_account_id": acme.account_id}
    consent = Consent(text_version="v1", given_at=START - timedelta(days=1))
    method = _new_at_the_provider(acme, "pm_card_mastercard")
    with pytest.raises(Refused) as refused:
        payment_methods.adopt(acme.parts, **given, consent=consent, method_ref=method, mandate_ref="mandate_none")
    assert (refused.value.code, _methods(acme)) == ("mandate_unknown", [])
    assert _at_the_provider(acme, method).customer_ref is None


def _wallets(stage: Stage) -> list[str]:
    with stage.sides["paypal"].store.transaction() as tx:
        return [each.id for each in tx.walk(tokens.KIND)]


def _given(stage: Stage, profile_id: UUID) -> dict[str, Any]:
    consent = Consent(text_version="v1", given_at=START - timedelta(days=1))
    return {"profile_id": profile_id, "provider_account_id": stage.account("paypal"), "consent": consent}


def test_an_agreement_that_was_taken_over_is_removed_with_who_is_forgotten(
    stage: Stage, anna: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = _given(stage, anna) | {"method_ref": "B-SANDBOX-GOOD"}
    provider = stage.sides["paypal"].provider
    _dies_after(monkeypatch, provider, "attach_method", lambda: payment_methods.adopt(stage.parts, **given))
    assert len(_wallets(stage)) == 1
    assert rights.erase(stage.parts, anna, order=WHY).told == "the person is forgotten; issued documents stay"
    assert _wallets(stage) == []


def test_an_agreement_that_there_is_not_is_the_requests_fault_and_what_else_is_refused_the_providers_word(
    stage: Stage, anna: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = _given(stage, anna) | {"method_ref": "B-NOBODYS"}
    with pytest.raises(Refused) as unknown:
        payment_methods.adopt(stage.parts, **given)
    assert unknown.value.code == "method_unknown"

    def canceled(*_: object, **__: object) -> None:
        raise ProviderRefused("paypal: no", code="agreement_already_cancelled")

    monkeypatch.setattr(type(stage.sides["paypal"].provider), "attach_method", canceled)
    with pytest.raises(ProviderRefused) as refused:
        payment_methods.adopt(stage.parts, **given)
    assert refused.value.code == "agreement_already_cancelled"
    assert _wallets(stage) == []


def _approved(stage: Stage, anna: UUID) -> payment_methods.MethodStarted:
    settings = stage.parts.settings.model_copy(update={"billing_public_url": "https://shop.example"})
    parts = replace(stage.parts, settings=settings)
    started = payment_methods.add(parts, **_given(stage, anna))
    with stage.sides["paypal"].store.transaction() as tx:
        setup = next(each for each in tx.walk(tokens.SETUP) if each.id == started.setup_ref)
        setup.hidden["status"], setup.hidden["wallet"] = "APPROVED", "B-SANDBOX-GOOD"
        tx.save(setup)
    return started


def _completing(stage: Stage, started: payment_methods.MethodStarted) -> Callable[[], PaymentMethod]:
    return lambda: payment_methods.complete(stage.parts, method_id=started.method_id)


def test_a_wallet_that_was_approved_is_removed_with_who_is_forgotten(
    stage: Stage, anna: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    complete = _completing(stage, _approved(stage, anna))
    _dies_after(monkeypatch, stage.sides["paypal"].provider, "finish_setup", complete)
    assert len(_wallets(stage)) == 1
    assert rights.erase(stage.parts, anna, order=WHY).told == "the person is forgotten; issued documents stay"
    assert _wallets(stage) == []


def test_a_wallet_that_was_approved_is_completed_by_a_repeat(
    stage: Stage, anna: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    complete = _completing(stage, _approved(stage, anna))
    _dies_after(monkeypatch, stage.sides["paypal"].provider, "finish_setup", complete)
    assert complete().status == "active"
    assert len(_wallets(stage)) == 1


def test_what_an_approved_wallet_becomes_while_its_customer_is_forgotten_is_looked_for_once_more(
    stage: Stage, anna: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    complete = _completing(stage, _approved(stage, anna))
    provider = stage.sides["paypal"].provider
    real = type(provider).finish_setup

    def forgotten_first(self: Any, setup_ref: str, *, key: str) -> SetupFacts:
        monkeypatch.undo()
        rights.erase(stage.parts, anna, order=WHY)
        return real(self, setup_ref, key=key)

    monkeypatch.setattr(type(provider), "finish_setup", forgotten_first)
    _dies_after(monkeypatch, provider, "read_method", complete)
    assert len(_wallets(stage)) == 1
    with stage.parts.begin() as session:
        due = session.query(PaymentMethod).filter(PaymentMethod.detach_due_at.is_not(None)).one()
        due.detach_due_at = wall_now(session)
    forget(stage.parts)
    assert _wallets(stage) == []
    with stage.parts.begin() as session:
        assert [each.detach_due_at for each in session.query(PaymentMethod)] == [None]
