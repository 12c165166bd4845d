"""What every provider's adapter must say of a charge, compared with what the stand-in's books say happened."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import uuid4

import pytest

from billing.kernel.errors import ProviderUnavailable, Refused
from billing.providers.port import ChargeOutcome, ChargeRequest, Outcome
from tests.providers.contract.worlds import Behaviour, Fault, Moved, World, only_where

AGE_S = 60.0


def asked(
    world: World, behaviour: Behaviour = Behaviour.GOOD, *, amount_minor: int = 1500, currency: str = "eur"
) -> ChargeRequest:
    """A first attempt for a new invoice of a new customer."""
    customer_ref, method_ref = world.vaulted(behaviour)
    return ChargeRequest(
        payment_id=uuid4(),
        invoice_id=uuid4(),
        customer_ref=customer_ref,
        method_ref=method_ref,
        amount_minor=amount_minor,
        currency=currency,
    )


def send(world: World, request: ChargeRequest, *, key_age_s: float = 0) -> ChargeOutcome:
    return world.provider.charge(request, key=str(request.payment_id), key_age_s=key_age_s)


def later(request: ChargeRequest, outcome: ChargeOutcome, *, method_ref: str | None = None) -> ChargeRequest:
    """The next attempt for the same invoice, on the same intent."""
    return dataclasses.replace(
        request,
        payment_id=uuid4(),
        intent_ref=outcome.intent_ref,
        method_ref=method_ref or request.method_ref,
    )


def taken(world: World) -> list[Moved]:
    return [each for each in world.moved() if each.status == "succeeded"]


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if condition():
            return
    raise AssertionError("it did not come to pass")


def test_a_good_method_is_charged_once_the_right_amount_under_our_ids(world: World) -> None:
    request = asked(world)
    outcome = send(world, request)
    assert outcome.outcome is Outcome.SUCCEEDED
    assert outcome.request_ref
    assert outcome.replayed is False
    assert outcome.charge_ref
    assert world.moved() == [
        Moved(outcome.charge_ref, "succeeded", 1500, "eur", str(request.payment_id), str(request.invoice_id))
    ]


def test_the_same_money_moves_in_a_currency_with_other_decimals(world: World) -> None:
    for currency, amount_minor in world.traits.decimals:
        outcome = send(world, asked(world, currency=currency, amount_minor=amount_minor))
        assert outcome.outcome is Outcome.SUCCEEDED
        assert outcome.intent_ref
        assert world.provider.read_intent(outcome.intent_ref).amount_minor == amount_minor
    assert [(each.currency, each.amount_minor) for each in world.moved()] == list(world.traits.decimals)


@pytest.mark.parametrize(
    ("behaviour", "decline_code", "advice_code"),
    [
        (Behaviour.NO_FUNDS, "insufficient_funds", "try_again_later"),
        (Behaviour.LOST, "lost_card", "do_not_try_again"),
        (Behaviour.EXPIRED, "expired_card", "confirm_card_data"),
        (Behaviour.GENERIC, "generic_decline", "try_again_later"),
        (Behaviour.AUTHENTICATE, "authentication_required", None),
    ],
)
def test_a_decline_says_why_and_moves_nothing(
    world: World, behaviour: Behaviour, decline_code: str, advice_code: str | None
) -> None:
    outcome = send(world, asked(world, behaviour))
    assert (outcome.outcome, outcome.decline_code) == (Outcome.DECLINED, decline_code)
    assert taken(world) == []
    if behaviour in world.traits.refused:
        assert (outcome.intent_ref, outcome.charge_ref) == (None, None)
        return
    assert outcome.advice_code == advice_code
    assert outcome.intent_ref
    assert outcome.intent_over is not world.traits.reuses_intents
    present = world.provider.read_intent(outcome.intent_ref)
    if behaviour is Behaviour.AUTHENTICATE and not world.traits.authenticates:
        assert (present.status, present.latest_charge) == ("requires_action", None)
        return
    assert [(each.charge_ref, each.status) for each in world.moved()] == [(outcome.charge_ref, "failed")]
    over = "requires_payment_method" if world.traits.reuses_intents else "canceled"
    assert (present.status, present.last_error_code) == (over, decline_code)
    assert present.latest_charge
    assert (present.latest_charge.charge_ref, present.latest_charge.status) == (outcome.charge_ref, "failed")


def test_with_the_customer_at_hand_a_wish_for_authentication_is_no_decline(world: World) -> None:
    only_where(world.traits.authenticates, "no payment waits for its customer")
    request = dataclasses.replace(asked(world, Behaviour.AUTHENTICATE), on_session=True)
    outcome = send(world, request)
    assert (outcome.outcome, taken(world)) == (Outcome.REQUIRES_ACTION, [])
    assert outcome.intent_ref
    assert world.provider.intent_secret(outcome.intent_ref).startswith(outcome.intent_ref)
    assert world.breaches() == []


def test_with_the_customer_at_hand_the_intent_of_an_earlier_decline_is_confirmed_again(world: World) -> None:
    only_where(world.traits.authenticates, "no payment waits for its customer")
    first = asked(world, Behaviour.AUTHENTICATE)
    declined = send(world, first)
    again = dataclasses.replace(later(first, declined), on_session=True)
    outcome = send(world, again)
    assert (outcome.outcome, outcome.intent_ref) == (Outcome.REQUIRES_ACTION, declined.intent_ref)


@pytest.mark.parametrize(("behaviour", "end"), [(Behaviour.PROCESSING, "succeeded"), (Behaviour.FAILS_LATER, "failed")])
def test_a_slow_method_is_processing_until_its_intent_says_otherwise(
    world: World, behaviour: Behaviour, end: str
) -> None:
    outcome = send(world, asked(world, behaviour))
    assert outcome.outcome is Outcome.PROCESSING
    intent_ref = outcome.intent_ref or ""
    assert world.provider.read_intent(intent_ref).status == "processing"
    world.advance(timedelta(days=2))
    wait_until(lambda: world.provider.read_intent(intent_ref).status != "processing")
    present = world.provider.read_intent(intent_ref)
    failed = "requires_payment_method" if world.traits.reuses_intents else "canceled"
    assert present.status == (failed if end == "failed" else end)
    assert present.latest_charge
    assert present.latest_charge.status == end


@pytest.mark.parametrize(
    ("fault", "moved_at_once", "moved_in_the_end", "second"),
    [
        (Fault.TIMEOUT_BEFORE, 0, 1, (Outcome.SUCCEEDED, False)),
        (Fault.TIMEOUT_AFTER, 1, 1, (Outcome.SUCCEEDED, True)),
        (Fault.DISCONNECT_AFTER, 1, 1, (Outcome.SUCCEEDED, True)),
        (Fault.ERROR_BEFORE, 0, 0, (Outcome.UNKNOWN, True)),
        (Fault.ERROR_AFTER, 1, 1, (Outcome.UNKNOWN, True)),
    ],
)
def test_an_unknown_outcome_is_resolved_by_the_same_key_and_by_the_list_without_a_second_charge(
    world: World, fault: Fault, moved_at_once: int, moved_in_the_end: int, second: tuple[Outcome, bool]
) -> None:
    if fault in (Fault.ERROR_BEFORE, Fault.ERROR_AFTER) and not world.traits.keeps_failures:
        # What failed is carried out under the same key; what was carried out is shown.
        moved_in_the_end, second = 1, (Outcome.SUCCEEDED, fault is Fault.ERROR_AFTER)
    request = asked(world)
    began = world.now()
    world.next_charge(fault)
    assert send(world, request).outcome is Outcome.UNKNOWN
    assert len(taken(world)) == moved_at_once
    again = send(world, request, key_age_s=AGE_S)
    assert (again.outcome, again.replayed) == second
    assert len(taken(world)) == moved_in_the_end
    world.advance(timedelta(hours=24))
    found = list(
        world.provider.list_intents(
            customer_ref=request.customer_ref, created_from=began, payment_id=request.payment_id
        )
    )
    assert [(each.metadata_payment, each.status) for each in found] == [
        (str(request.payment_id), "succeeded")
    ] * moved_in_the_end
    assert [each.latest_charge.charge_ref for each in found if each.latest_charge] == [
        each.charge_ref for each in taken(world)
    ]


def test_an_unknown_confirm_is_resolved_by_reading_its_intent(world: World) -> None:
    only_where(world.traits.reuses_intents, "an intent is one attempt")
    request = asked(world, Behaviour.NO_FUNDS)
    first = send(world, request)
    _, good = world.vaulted(Behaviour.GOOD, customer_ref=request.customer_ref)
    world.next_charge(Fault.TIMEOUT_AFTER)
    second = later(request, first, method_ref=good)
    assert send(world, second).outcome is Outcome.UNKNOWN
    present = world.provider.read_intent(first.intent_ref or "")
    assert present.status == "succeeded"
    assert present.latest_charge
    assert present.latest_charge.charge_ref not in (None, first.charge_ref)


def test_a_rate_limit_sends_nothing_and_the_same_key_works_later(world: World) -> None:
    request = asked(world)
    world.next_charge(Fault.RATE_LIMIT)
    assert send(world, request).outcome is Outcome.NOT_SENT
    assert world.moved() == []
    assert send(world, request, key_age_s=AGE_S).outcome is Outcome.SUCCEEDED
    assert len(taken(world)) == 1


def test_a_provider_that_is_unavailable_once_is_unknown_then_charged_once(world: World) -> None:
    request = asked(world, Behaviour.UNAVAILABLE_ONCE)
    assert send(world, request).outcome is Outcome.UNKNOWN
    assert world.moved() == []
    assert send(world, request, key_age_s=AGE_S).outcome is Outcome.SUCCEEDED
    assert len(taken(world)) == 1


def test_a_provider_out_of_reach_was_not_sent_anything(world: World) -> None:
    request = asked(world)
    outcome = world.out_of_reach().charge(request, key=str(request.payment_id), key_age_s=0)
    assert outcome.outcome is Outcome.NOT_SENT
    assert world.moved() == []


def test_the_same_key_again_is_the_same_charge(world: World) -> None:
    request = asked(world)
    first = send(world, request)
    again = send(world, request, key_age_s=AGE_S)
    assert (again.charge_ref, again.intent_ref) == (first.charge_ref, first.intent_ref)
    assert again.replayed is True
    assert len(world.moved()) == 1


def test_a_declined_key_again_is_the_same_decline(world: World) -> None:
    request = asked(world, Behaviour.NO_FUNDS)
    first = send(world, request)
    again = send(world, request, key_age_s=AGE_S)
    assert (again.outcome, again.charge_ref, again.replayed) == (Outcome.DECLINED, first.charge_ref, True)
    assert len(world.moved()) == 1


def test_the_same_key_with_another_amount_is_an_alarm_and_moves_nothing(world: World) -> None:
    request = asked(world)
    send(world, request)
    outcome = send(world, dataclasses.replace(request, amount_minor=1600), key_age_s=AGE_S)
    told = "key_parameters_differ" if world.traits.compares_parameters else "answer_differs_amount"
    assert (outcome.outcome, outcome.reason) == (Outcome.UNKNOWN, told)
    assert outcome.needs_person is True
    assert [each.amount_minor for each in world.moved()] == [1500]


def test_two_senders_of_one_key_make_one_charge(world: World) -> None:
    request = asked(world)
    world.next_charge(Fault.SLOW)
    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(lambda _: send(world, request), range(2)))
    assert {each.outcome for each in outcomes} <= {Outcome.SUCCEEDED, Outcome.UNKNOWN}
    assert Outcome.SUCCEEDED in {each.outcome for each in outcomes}
    assert {each.reason for each in outcomes if each.outcome is Outcome.UNKNOWN} <= {"idempotency_key_in_use"}
    assert len(world.moved()) == 1


def test_thirty_two_threads_charge_thirty_two_invoices_once_each(world: World) -> None:
    requests = [asked(world) for _ in range(4)]
    requests = [
        dataclasses.replace(requests[n % 4], payment_id=uuid4(), invoice_id=uuid4(), amount_minor=1000 + n)
        for n in range(64)
    ]
    with ThreadPoolExecutor(32) as pool:
        outcomes = list(pool.map(lambda request: send(world, request), requests))
    assert {each.outcome for each in outcomes} == {Outcome.SUCCEEDED}
    booked = {each.charge_ref: (each.amount_minor, each.key) for each in world.moved()}
    assert [booked[each.charge_ref or ""] for each in outcomes] == [
        (each.amount_minor, str(each.payment_id)) for each in requests
    ]


def test_after_a_decline_another_method_pays_the_same_intent(world: World) -> None:
    only_where(world.traits.reuses_intents, "an intent is one attempt")
    request = asked(world, Behaviour.NO_FUNDS)
    first = send(world, request)
    _, good = world.vaulted(Behaviour.GOOD, customer_ref=request.customer_ref)
    second = send(world, later(request, first, method_ref=good))
    assert (second.outcome, second.intent_ref) == (Outcome.SUCCEEDED, first.intent_ref)
    assert second.charge_ref not in (None, first.charge_ref)
    listed = list(world.provider.list_charges(intent_ref=first.intent_ref or ""))
    assert [(each.charge_ref, each.status) for each in listed] == [
        (second.charge_ref, "succeeded"),
        (first.charge_ref, "failed"),
    ]
    assert (listed[1].decline_code, listed[1].amount_minor) == ("insufficient_funds", 1500)


def test_a_paid_intent_takes_no_second_charge_even_under_a_new_key(world: World) -> None:
    only_where(world.traits.reuses_intents, "an intent is one attempt")
    request = asked(world)
    first = send(world, request)
    second = send(world, later(request, first))
    assert second.outcome is Outcome.UNKNOWN
    assert second.charge_ref is None
    assert len(world.moved()) == 1


def test_an_intent_that_was_canceled_says_so_and_moves_nothing(world: World) -> None:
    only_where(world.traits.reuses_intents, "an intent is one attempt")
    request = asked(world, Behaviour.NO_FUNDS)
    first = send(world, request)
    assert world.provider.cancel_intent(first.intent_ref or "", key=f"{uuid4()}:cancel").status == "canceled"
    assert send(world, later(request, first)).outcome is Outcome.CANCELED
    assert taken(world) == []


def test_an_intent_that_the_provider_gave_up_after_too_many_tries_says_so(world: World) -> None:
    only_where(world.traits.reuses_intents, "an intent is one attempt")
    world.limit_confirms(2)
    request = asked(world, Behaviour.NO_FUNDS)
    first = send(world, request)
    assert send(world, later(request, first)).outcome is Outcome.DECLINED
    third = send(world, later(request, first))
    assert (third.outcome, third.intent_ref) == (Outcome.CANCELED, first.intent_ref)
    assert world.provider.read_intent(first.intent_ref or "").status == "canceled"
    assert len(world.moved()) == 2


def test_a_paid_intent_cannot_be_canceled_and_says_that_it_is_paid(world: World) -> None:
    first = send(world, asked(world))
    present = world.provider.cancel_intent(first.intent_ref or "", key=f"{uuid4()}:cancel")
    assert present.status == "succeeded"
    assert present.latest_charge
    assert present.latest_charge.charge_ref == first.charge_ref


def test_a_method_that_was_taken_away_is_a_decline_with_a_stable_code(world: World) -> None:
    request = asked(world)
    world.provider.detach_method(request.method_ref, key=str(uuid4()))
    outcome = send(world, request)
    assert (outcome.outcome, outcome.decline_code) == (Outcome.DECLINED, "payment_method_unusable")
    assert world.moved() == []


@pytest.mark.parametrize("field", ["customer_ref", "method_ref"])
def test_a_method_or_customer_that_never_was_is_a_decline_with_a_stable_code(world: World, field: str) -> None:
    request = asked(world)
    if field == "customer_ref":
        only_where(world.traits.has_customers, "there are no customers")
        request = dataclasses.replace(request, customer_ref="cus_missing")
    else:
        request = dataclasses.replace(request, method_ref="pm_missing" if world.traits.has_customers else "missing")
    outcome = send(world, request)
    assert (outcome.outcome, outcome.decline_code) == (Outcome.DECLINED, "payment_method_unusable")
    assert world.moved() == []


def test_another_customers_method_is_never_charged(world: World) -> None:
    only_where(world.traits.has_customers, "methods are nobody's; the engine asks whose one is before it keeps it")
    _, of_another = world.vaulted(Behaviour.GOOD)
    outcome = send(world, dataclasses.replace(asked(world), method_ref=of_another))
    assert (outcome.outcome, outcome.decline_code) == (Outcome.DECLINED, "payment_method_unusable")
    assert world.moved() == []


def test_an_amount_below_the_providers_minimum_is_not_sent_and_needs_a_person(world: World) -> None:
    only_where(world.traits.has_minimum, "there is no minimum")
    outcome = send(world, asked(world, amount_minor=1))
    assert (outcome.outcome, outcome.needs_person) == (Outcome.NOT_SENT, True)
    assert world.moved() == []


def test_a_dead_key_concerns_the_account_and_uses_up_no_attempt(world: World) -> None:
    request = asked(world)
    outcome = world.with_dead_key().charge(request, key=str(request.payment_id), key_age_s=0)
    assert (outcome.outcome, outcome.account_wide) == (Outcome.NOT_SENT, True)
    assert send(world, request).outcome is Outcome.SUCCEEDED


def test_a_key_that_the_provider_has_forgotten_is_never_sent_again(world: World) -> None:
    request = asked(world)
    world.next_charge(Fault.TIMEOUT_AFTER)
    assert send(world, request).outcome is Outcome.UNKNOWN
    world.advance(timedelta(hours=25))
    with pytest.raises(Refused) as refusal:
        send(world, request, key_age_s=timedelta(hours=25).total_seconds())
    assert refusal.value.code == "key_expired"
    assert world.traits.forgets_keys_after.total_seconds() > world.provider.key_life_s
    assert len(taken(world)) == 1


def test_money_came_for_an_invoice_once_whatever_is_asked_afterwards(world: World) -> None:
    first = asked(world)
    assert send(world, first).outcome is Outcome.SUCCEEDED
    again = dataclasses.replace(first, payment_id=uuid4())
    outcome = send(world, again)
    if world.traits.reuses_intents:
        # Stripe takes a new intent for what it is: that the first one is confirmed anew is our rule.
        assert outcome.outcome is Outcome.SUCCEEDED
        return
    assert (outcome.outcome, outcome.reason, outcome.needs_person) == (Outcome.UNKNOWN, "duplicate_invoice_id", True)
    assert len(taken(world)) == 1


def test_money_that_was_kept_apart_and_sent_back_locks_the_invoices_next_charge_out_no_more(world: World) -> None:
    """PayPal asks whether a name was ever paid, refunded or not; each name of an invoice takes money once."""
    only_where(not world.traits.reuses_intents, "an intent is no lock by a name")
    first, began = asked(world), world.now()
    came = send(world, first)
    assert came.charge_ref is not None
    world.provider.refund(
        refund_id=uuid4(), charge_ref=came.charge_ref, amount_minor=1190, currency="eur", key=str(uuid4())
    )
    second = dataclasses.replace(first, payment_id=uuid4(), spent_before=1)
    assert send(world, second).outcome is Outcome.SUCCEEDED
    for earlier in (first, second):
        outcome = send(world, dataclasses.replace(earlier, payment_id=uuid4()))
        assert (outcome.outcome, outcome.reason) == (Outcome.UNKNOWN, "duplicate_invoice_id")
    world.advance(timedelta(hours=24))
    listed = world.provider.list_intents(customer_ref="", created_from=began, payment_id=second.payment_id)
    assert [each.metadata_invoice for each in listed] == [str(first.invoice_id)]
    assert len(taken(world)) == 2


def test_a_list_that_does_not_reach_far_enough_yet_is_no_evidence(world: World) -> None:
    only_where(world.provider.lists_late_s > 0, "lists are never late")
    request, began = asked(world), world.now()
    assert send(world, request).outcome is Outcome.SUCCEEDED
    world.lists_late(3 * 3600)
    with pytest.raises(ProviderUnavailable):
        list(world.provider.list_intents(customer_ref="", created_from=began, payment_id=request.payment_id))


def test_the_newest_charges_show_what_lists_may_not_show_yet_and_whose_it_is(world: World) -> None:
    request = asked(world)
    assert send(world, request).outcome is Outcome.SUCCEEDED
    world.lists_late(3 * 3600)
    newest = world.provider.newest_charges(now=world.now() + timedelta(seconds=1))
    assert (str(request.payment_id), str(request.invoice_id), request.customer_ref, request.amount_minor) in [
        (each.metadata_payment, each.metadata_invoice, each.customer_ref, each.amount_minor) for each in newest
    ]
    refund_id = uuid4()
    charge_ref = next(each.charge_ref for each in newest if each.metadata_payment == str(request.payment_id))
    world.provider.refund(
        refund_id=refund_id, charge_ref=charge_ref, amount_minor=1, currency=request.currency, key="r"
    )
    refunds = world.provider.newest_refunds(now=world.now() + timedelta(seconds=1))
    assert (str(refund_id), charge_ref) in [(each.metadata_refund, each.charge_ref) for each in refunds]
    assert world.provider.lists_reach(world.now()) == (world.provider.lists_late_s == 0)
    assert world.provider.lists_reach(world.now() - timedelta(hours=4))
