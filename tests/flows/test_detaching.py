"""The provider is told of every method that was removed, whatever dies between, and whoever is quicker."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import requests
from sqlalchemy import text

from billing.flows import detaching, payment_methods, rights, working
from billing.flows.order import Order
from billing.flows.parts import Parts
from billing.flows.retention import forget
from billing.kernel.errors import Fault, Refused
from billing.models import PaymentMethod
from billing.providers.port import MethodFacts, Provider
from billing.providers.stripe.adapter import StripeProvider
from billing.validators.payment_method import Consent
from tests.flows.company import START, Company

WHY = Order(actor="ada", reason="they asked for it")
CONSENT = Consent(text_version="v1", given_at=START - timedelta(days=1), channel="web")


class _Died(BaseException):
    """As a process that is killed."""


def _dies(*_: object, **__: object) -> None:
    raise _Died


def _new_at_the_provider(acme: Company, name: str) -> str:
    """The id of a method of its own: a name that all share shows another one each time."""
    url = f"{acme.witness_url}/v1/payment_methods/{name}"
    made: str = requests.get(url, headers={"Authorization": "Bearer sk_test_company"}, timeout=5).json()["id"]
    return made


def _at_the_provider(acme: Company, ref: str) -> MethodFacts:
    return acme.parts.provider(acme.account_id).read_method(ref)


def _methods(acme: Company) -> list[PaymentMethod]:
    with acme.parts.begin() as session:
        return list(session.query(PaymentMethod).order_by(PaymentMethod.id))


def _make_due(acme: Company) -> None:
    """As if the hour, or the two minutes, of what is due were over: they are wall time."""
    over = "UPDATE billing.payment_method SET detach_due_at = now() - interval '1 s' WHERE detach_due_at > now()"
    with acme.parts.begin() as session:
        session.execute(text(over))


def _die_after_removal(acme: Company, monkeypatch: pytest.MonkeyPatch, account: str = "a1") -> tuple[UUID, str]:
    profile_id = acme.customer(account)
    method = _methods(acme)[-1]
    assert method.method_ref is not None
    with monkeypatch.context() as patched:
        patched.setattr(payment_methods, "detach", _dies)
        with pytest.raises(_Died):
            payment_methods.remove(acme.parts, method_id=method.id)
    return profile_id, method.method_ref


def _begun(acme: Company, profile_id: UUID) -> payment_methods.MethodStarted:
    return payment_methods.add(acme.parts, profile_id=profile_id, provider_account_id=acme.account_id, consent=CONSENT)


def _finish(acme: Company, setup_ref: str) -> str:
    """What the customer's browser does with the provider's form."""
    answer = requests.post(
        f"{acme.witness_url}/v1/setup_intents/{setup_ref}/confirm",
        data={"payment_method": "pm_card_visa"},
        headers={"Authorization": "Bearer sk_test_company"},
        timeout=5,
    )
    answer.raise_for_status()
    ref: str = answer.json()["payment_method"]
    return ref


def test_a_death_after_the_removal_leaves_it_to_the_sweep_and_no_work_item(
    acme: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, ref = _die_after_removal(acme, monkeypatch)
    assert forget(acme.parts)["removed_methods"] == 0, "whoever removed it has two minutes"
    _make_due(acme)
    assert forget(acme.parts)["removed_methods"] == 1
    assert _at_the_provider(acme, ref).customer_ref is None
    assert acme.work_items() == []
    assert [each.detach_due_at for each in _methods(acme)] == [None]


def test_erasing_tells_the_provider_of_what_was_removed_before(acme: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    profile_id, ref = _die_after_removal(acme, monkeypatch)
    assert rights.erase(acme.parts, profile_id, order=WHY).told == "the person is forgotten; issued documents stay"
    assert _at_the_provider(acme, ref).customer_ref is None


def test_a_repeated_erasing_says_what_is_still_stored_and_tells_the_provider_again(acme: Company) -> None:
    profile_id = acme.customer("a1")
    (method,) = _methods(acme)
    assert method.method_ref is not None
    acme.witness.add_faults(
        {"kind": "timeout_before", "next": 1, "path": f"/v1/payment_methods/{method.method_ref}/detach"}
    )
    assert "still stored at the provider" in rights.erase(acme.parts, profile_id, order=WHY).told
    assert [(each.kind, each.status) for each in acme.work_items()] == [("payment_method_not_detached", "open")]
    assert rights.erase(acme.parts, profile_id, order=WHY).told == "they were forgotten before"
    assert _at_the_provider(acme, method.method_ref).customer_ref is None
    assert [each.status for each in acme.work_items()] == ["resolved"]


def test_what_failed_is_told_again_by_itself_and_closes_its_work_item(acme: Company) -> None:
    acme.customer("a1")
    (method,) = _methods(acme)
    assert method.method_ref is not None
    acme.witness.add_faults(
        {"kind": "timeout_before", "next": 1, "path": f"/v1/payment_methods/{method.method_ref}/detach"}
    )
    payment_methods.remove(acme.parts, method_id=method.id)
    assert forget(acme.parts)["removed_methods"] == 0, "not before the hour is over"
    _make_due(acme)
    assert detaching.sweep(acme.parts) == 1
    assert [each.status for each in acme.work_items()] == ["resolved"]
    assert _at_the_provider(acme, method.method_ref).customer_ref is None


def test_who_has_a_card_at_an_account_without_a_key_is_forgotten_and_keeps_no_other_waiting(acme: Company) -> None:
    def nowhere(_provider: str, _code: str) -> Provider:
        raise Refused(Fault("provider", "provider_not_configured", "set its key"))

    there = acme.parts.provider_for
    first, second = acme.customer("a1"), acme.customer("a2")
    acme.parts = replace(acme.parts, provider_for=nowhere)
    for profile_id in (first, second):
        assert rights.erase(acme.parts, profile_id, order=WHY).changed
    assert [(each.kind, each.error) for each in acme.work_items()] == [
        ("payment_method_not_detached", "provider_not_configured")
    ] * 2
    _make_due(acme)
    assert detaching.sweep(acme.parts) == 2
    acme.parts = replace(acme.parts, provider_for=there)
    _make_due(acme)
    assert detaching.sweep(acme.parts) == 2
    assert {each.status for each in acme.work_items()} == {"resolved"}


def test_a_fault_with_one_that_nobody_foresaw_keeps_no_other_from_being_told_and_it_waits_its_hour(
    acme: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It came first at each sweep, and those behind it never."""
    for account in ("a1", "a2"):
        _die_after_removal(acme, monkeypatch, account)
    _make_due(acme)
    first, _ = _methods(acme)
    detach = StripeProvider.detach_method

    def unforeseen_of_one(self: StripeProvider, method_ref: str, *, key: str) -> None:
        if method_ref == first.method_ref:
            raise ValueError("unforeseen")
        detach(self, method_ref, key=key)

    monkeypatch.setattr(StripeProvider, "detach_method", unforeseen_of_one)
    with pytest.raises(ValueError, match="unforeseen"):
        detaching.sweep(acme.parts)
    assert [each.detach_due_at is None for each in _methods(acme)] == [False, True]
    assert detaching.sweep(acme.parts) == 0
    monkeypatch.undo()
    _make_due(acme)
    assert detaching.sweep(acme.parts) == 1
    assert [each.detach_due_at for each in _methods(acme)] == [None, None]


def test_a_method_whose_adoption_is_repeated_while_the_provider_is_told_of_others_is_kept(
    acme: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found due, for nobody had come back to it; a sweep may take minutes."""
    _, removed = _die_after_removal(acme, monkeypatch)
    profile_id = acme.customer("a2", method=None)
    attach, detach = StripeProvider.attach_method, StripeProvider.detach_method

    def dies_after_it(self: StripeProvider, **given: Any) -> MethodFacts:
        attach(self, **given)
        raise _Died

    with monkeypatch.context() as patched:
        patched.setattr(StripeProvider, "attach_method", dies_after_it)
        with pytest.raises(_Died):
            acme.give_method(profile_id, "pm_card_visa")
    with acme.parts.begin() as session:
        first = "CASE status WHEN 'detached' THEN interval '2 s' ELSE interval '1 s' END"
        session.execute(text(f"UPDATE billing.payment_method SET detach_due_at = now() - {first}"))

    def repeated_meanwhile(self: StripeProvider, method_ref: str, *, key: str) -> None:
        if method_ref == removed:
            acme.give_method(profile_id, "pm_card_visa")
        detach(self, method_ref, key=key)

    monkeypatch.setattr(StripeProvider, "detach_method", repeated_meanwhile)
    detaching.sweep(acme.parts)
    _, kept = _methods(acme)
    assert kept.method_ref is not None
    assert (kept.status, kept.detach_due_at) == ("active", None)
    assert _at_the_provider(acme, kept.method_ref).customer_ref is not None
    assert _at_the_provider(acme, removed).customer_ref is None


def test_what_a_person_has_discarded_is_not_told_again(acme: Company) -> None:
    acme.customer("a1")
    (method,) = _methods(acme)
    acme.witness.add_faults(
        {"kind": "timeout_before", "next": 1, "path": f"/v1/payment_methods/{method.method_ref}/detach"}
    )
    payment_methods.remove(acme.parts, method_id=method.id)
    (item,) = acme.work_items()
    working.act(acme.parts, item.id, action=working.Action.DISCARD, order=WHY)
    _make_due(acme)
    asked = len(list(acme.witness.requests()))
    detaching.sweep(acme.parts)
    assert len(list(acme.witness.requests())) == asked
    assert _methods(acme)[0].detach_due_at is None


@pytest.mark.parametrize("way", ["erased", "removed"])
def test_a_set_up_that_is_finished_after_its_removal_leaves_no_card_at_the_provider(acme: Company, way: str) -> None:
    profile_id = acme.customer("a1", method=None)
    started = _begun(acme, profile_id)
    if way == "erased":
        rights.erase(acme.parts, profile_id, order=WHY)
    else:
        payment_methods.remove(acme.parts, method_id=started.method_id)
    ref = _finish(acme, started.setup_ref)
    acme.settle()
    assert _at_the_provider(acme, ref).customer_ref is None
    (method,) = _methods(acme)
    assert (method.status, method.method_ref, method.last4, method.detach_due_at) == ("detached", ref, None, None)
    assert acme.violations() == ()


@pytest.mark.parametrize("way", ["erased", "removed"])
def test_a_set_up_whose_method_was_removed_while_it_was_begun_is_given_to_nobody(
    acme: Company, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    profile_id = acme.customer("a1", method=None)
    provider = type(acme.parts.provider(acme.account_id))
    real = provider.begin_setup

    def removed_meanwhile(self: object, **given: Any) -> object:
        setup = real(self, **given)  # type: ignore[arg-type]
        if way == "erased":
            rights.erase(acme.parts, profile_id, order=WHY)
        else:
            payment_methods.remove(acme.parts, method_id=_methods(acme)[0].id)
        return setup

    with monkeypatch.context() as patched:
        patched.setattr(provider, "begin_setup", removed_meanwhile)
        with pytest.raises(Refused) as refused:
            _begun(acme, profile_id)
    assert refused.value.code == "payment_method_not_pending"
    assert [each.status for each in _methods(acme)] == ["detached"]


def test_a_removal_while_a_set_up_is_completed_leaves_no_card_at_the_provider(
    acme: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile_id = acme.customer("a1", method=None)
    started = _begun(acme, profile_id)
    ref = _finish(acme, started.setup_ref)
    provider = type(acme.parts.provider(acme.account_id))
    real = provider.read_method

    def removed_meanwhile(self: object, method_ref: str) -> MethodFacts:
        facts: MethodFacts = real(self, method_ref)  # type: ignore[arg-type]
        payment_methods.remove(acme.parts, method_id=started.method_id)
        return facts

    with monkeypatch.context() as patched:
        patched.setattr(provider, "read_method", removed_meanwhile)
        with pytest.raises(Refused):
            payment_methods.complete(acme.parts, method_id=started.method_id)
    assert _at_the_provider(acme, ref).customer_ref is None


def test_a_method_that_is_adopted_while_its_customer_is_forgotten_is_detached(
    acme: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile_id = acme.customer("a1", method=None)
    real = payment_methods.ensure_customer

    def slow(parts: Parts, *, profile_id: UUID, provider_account_id: UUID) -> str:
        ref = real(parts, profile_id=profile_id, provider_account_id=provider_account_id)
        rights.erase(parts, profile_id, order=WHY)
        return ref

    monkeypatch.setattr(payment_methods, "ensure_customer", slow)
    with pytest.raises(Refused) as refused:
        payment_methods.adopt(
            acme.parts,
            profile_id=profile_id,
            provider_account_id=acme.account_id,
            method_ref="pm_card_visa",
            consent=CONSENT,
        )
    assert refused.value.code == "profile_erased"
    (method,) = _methods(acme)
    assert method.method_ref is not None
    assert (method.status, method.last4, method.detach_due_at) == ("detached", None, None)
    assert _at_the_provider(acme, method.method_ref).customer_ref is None


def test_who_dies_between_binding_a_method_and_writing_it_down_leaves_no_card_of_a_forgotten_person(
    acme: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    profile_id = acme.customer("a1", method=None)
    provider = type(acme.parts.provider(acme.account_id))
    real, bound = provider.attach_method, list[str]()

    def dies_after_it(self: object, **given: Any) -> MethodFacts:
        patched.setattr(provider, "attach_method", real)
        rights.erase(acme.parts, profile_id, order=WHY)
        bound.append(real(self, **given).method_ref)  # type: ignore[arg-type]
        raise _Died

    with monkeypatch.context() as patched:
        patched.setattr(provider, "attach_method", dies_after_it)
        with pytest.raises(_Died):
            acme.give_method(profile_id, "pm_card_visa")
    acme.settle()
    (method,) = _methods(acme)
    assert (method.status, method.last4, method.detach_due_at) == ("detached", None, None)
    assert _at_the_provider(acme, bound[0]).customer_ref is None
    assert acme.violations() == ()


def test_a_card_of_a_living_person_that_was_attached_without_us_is_left_alone(acme: Company) -> None:
    acme.customer("a1")
    (ours,) = _methods(acme)
    assert ours.method_ref is not None
    customer = _at_the_provider(acme, ours.method_ref).customer_ref
    at_stripe = f"{acme.witness_url}/v1/payment_methods"
    key = {"Authorization": "Bearer sk_test_company"}
    method_ref = _new_at_the_provider(acme, "pm_card_visa")
    attached = requests.post(f"{at_stripe}/{method_ref}/attach", {"customer": customer}, headers=key, timeout=5)
    attached.raise_for_status()
    acme.settle()
    assert _at_the_provider(acme, method_ref).customer_ref == customer
    assert [each.id for each in _methods(acme)] == [ours.id]
