"""Refunds and disputes: what every provider's adapter must say of money that goes back."""

from __future__ import annotations

from uuid import uuid4

import pytest

from billing.kernel.errors import ProviderRefused, ProviderUncertain
from billing.providers.port import ChargeRequest, Outcome
from tests.providers.contract.worlds import Behaviour, Fault, World


def charged(world: World, amount_minor: int = 1500) -> str:
    """The charge of a good method, once its money has moved."""
    customer_ref, method_ref = world.vaulted(Behaviour.GOOD)
    wanted = ChargeRequest(
        payment_id=uuid4(),
        invoice_id=uuid4(),
        customer_ref=customer_ref,
        method_ref=method_ref,
        amount_minor=amount_minor,
        currency="eur",
    )
    outcome = world.provider.charge(wanted, key=str(wanted.payment_id), key_age_s=0)
    assert outcome.outcome is Outcome.SUCCEEDED
    assert outcome.charge_ref
    return outcome.charge_ref


def test_a_refund_is_made_once_a_key_and_found_again_by_our_id(world: World) -> None:
    charge_ref, refund_id = charged(world), uuid4()
    asked = {"refund_id": refund_id, "charge_ref": charge_ref, "amount_minor": 400, "currency": "eur"}
    first = world.provider.refund(**asked, key=f"refund-{refund_id}")  # type: ignore[arg-type]
    again = world.provider.refund(**asked, key=f"refund-{refund_id}")  # type: ignore[arg-type]
    assert (first.status, first.amount_minor, first.charge_ref) == ("succeeded", 400, charge_ref)
    assert again.refund_ref == first.refund_ref
    assert world.provider.read_refund(first.refund_ref) == first
    assert [(each.refund_ref, each.metadata_refund) for each in world.provider.list_refunds(charge_ref=charge_ref)] == [
        (first.refund_ref, str(refund_id))
    ]
    assert [each.refunded_minor for each in world.witness.charges() if each.charge_ref == charge_ref] == [400]


def test_a_refund_without_an_answer_is_uncertain_and_the_same_key_settles_it(world: World) -> None:
    charge_ref, refund_id = charged(world), uuid4()
    asked = {"refund_id": refund_id, "charge_ref": charge_ref, "amount_minor": 400, "currency": "eur"}
    world.next_refund(Fault.TIMEOUT_AFTER)
    with pytest.raises(ProviderUncertain):
        world.provider.refund(**asked, key=f"refund-{refund_id}")  # type: ignore[arg-type]
    assert world.provider.refund(**asked, key=f"refund-{refund_id}").status == "succeeded"  # type: ignore[arg-type]
    assert [each.refunded_minor for each in world.witness.charges() if each.charge_ref == charge_ref] == [400]


def test_more_than_was_charged_is_never_given_back(world: World) -> None:
    charge_ref = charged(world)
    with pytest.raises(ProviderRefused):
        world.provider.refund(
            refund_id=uuid4(), charge_ref=charge_ref, amount_minor=1600, currency="eur", key=f"refund-{uuid4()}"
        )
    assert [each.refunded_minor for each in world.witness.charges() if each.charge_ref == charge_ref] == [0]


@pytest.mark.parametrize(("end", "reinstated"), [("won", 1500), ("lost", 0)])
def test_a_dispute_tells_what_it_took_and_what_it_gave_back(world: World, end: str, reinstated: int) -> None:
    charge_ref = charged(world)
    dispute_ref = world.dispute(charge_ref, inquiry=False)
    opened = world.provider.read_dispute(dispute_ref)
    assert (opened.charge_ref, opened.status, opened.amount_minor) == (charge_ref, "needs_response", 1500)
    assert (opened.withdrawn_minor, opened.reinstated_minor, opened.moved_currency) == (1500, 0, "eur")
    assert opened.due_by is not None
    world.close_dispute(dispute_ref, end)
    closed = world.provider.read_dispute(dispute_ref)
    assert (closed.status, closed.withdrawn_minor, closed.reinstated_minor) == (end, 1500, reinstated)


def test_an_inquiry_moves_no_money(world: World) -> None:
    dispute_ref = world.dispute(charged(world), inquiry=True)
    asked = world.provider.read_dispute(dispute_ref)
    assert (asked.status, asked.withdrawn_minor, asked.moved_currency) == ("warning_needs_response", 0, None)


def test_the_account_lists_its_disputes(world: World) -> None:
    began = world.now()
    refs = {world.dispute(charged(world), inquiry=True) for _ in range(2)}
    pages = world.provider.dispute_pages(created_from=began, created_to=world.now().replace(year=2100))
    assert {each.dispute_ref for page in pages for each in page} == refs
