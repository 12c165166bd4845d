"""Events that are put back: they wait their pause out, and an outage of the provider uses up none of their tries."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import text

from billing.commands.provider_event.claim import close_settled
from billing.flows import inbox, operating, payment_events
from billing.flows.order import Order
from billing.kernel.errors import ProviderUnavailable, ProviderUnreadable
from billing.kernel.status import EventStatus
from billing.models import ProviderEvent
from billing.providers.port import Provider
from billing.webhooks.door import take
from tests.flows.company import Company
from tests.flows.deliveries import deliveries, end_pauses, event_body, paid_unheard, stored
from tests.flows.handling import process

WHY = Order(actor="mara", reason="it is mended")


def _taken(acme: Company, *refs: str, object_ref: str = "pi_notThere") -> list[ProviderEvent]:
    bodies = [event_body(acme, ref=ref, object_ref=object_ref) for ref in refs]
    take(acme.parts, "stripe", "default", deliveries(acme, *bodies))
    return [_the(acme, ref) for ref in refs]


def _the(acme: Company, ref: str) -> ProviderEvent:
    (event,) = [event for event in stored(acme) if event.event_ref == ref]
    return event


def _fails_with(acme: Company, error: Exception) -> None:
    def broken(_provider: str, _code: str) -> Provider:
        raise error

    acme.parts = replace(acme.parts, provider_for=broken)


def _pause_s(event: ProviderEvent) -> float:
    assert event.lease_until is not None
    assert abs((event.lease_until - event.next_try_at).total_seconds()) < 0.01 if event.next_try_at else False
    return round((event.lease_until - event.updated_at).total_seconds(), 1)


def test_an_outage_uses_up_no_try_and_is_waited_for_longer_each_time(acme: Company) -> None:
    (event,) = _taken(acme, "evt_waits")
    _fails_with(acme, ProviderUnavailable("away"))
    pauses = []
    for _ in range(inbox.MOST_TRIES + 2):
        assert process(acme.parts, event.id) is EventStatus.RECEIVED
        event = _the(acme, "evt_waits")
        pauses.append(_pause_s(event))
        end_pauses(acme)
    assert (event.tries, event.status, event.error) == (0, "received", "away")
    assert pauses == [0.3, 0.5, 1.0, *[2.0] * (inbox.MOST_TRIES - 1)]
    assert acme.work_items() == []


def test_what_the_provider_shows_in_a_way_that_nobody_can_read_becomes_somebodys_work(acme: Company) -> None:
    """It is there, so waiting mends nothing: nobody would be told of an event that waits for ever."""
    (event,) = _taken(acme, "evt_odd")
    _fails_with(acme, ProviderUnreadable("stripe: answer_unreadable_status"))
    for _ in range(inbox.MOST_TRIES):
        process(acme.parts, event.id)
        end_pauses(acme)
    assert _the(acme, "evt_odd").status == "dead"
    (item,) = acme.work_items()
    assert (item.kind, item.subject_id, item.error) == (
        "event_not_handled",
        event.id,
        "ProviderUnreadable: stripe: answer_unreadable_status",
    )


def test_the_provider_may_ask_for_a_longer_pause(acme: Company) -> None:
    (event,) = _taken(acme, "evt_waits")
    _fails_with(acme, ProviderUnavailable("away", retry_after_s=90))
    assert process(acme.parts, event.id) is EventStatus.RECEIVED
    assert _pause_s(_the(acme, "evt_waits")) == 90


def test_copies_of_its_message_use_up_no_try_within_its_pause(acme: Company) -> None:
    (event,) = _taken(acme, "evt_copied")
    acme.line.messages.clear()
    _fails_with(acme, RuntimeError("a fault of ours"))
    assert process(acme.parts, event.id) is EventStatus.RECEIVED, "a first delivery is handled at once"
    assert [process(acme.parts, event.id) for _ in range(inbox.MOST_TRIES)] == [None] * inbox.MOST_TRIES
    assert _the(acme, "evt_copied").tries == 1
    end_pauses(acme)
    assert inbox.sweep(acme.parts) == 1
    acme.run_messages()
    assert _the(acme, "evt_copied").tries == 2, "the sweep finds it when its pause is over"


def test_what_an_operator_has_replayed_is_handled_at_once(acme: Company) -> None:
    (event,) = _taken(acme, "evt_dead")
    _fails_with(acme, RuntimeError("a fault of ours"))
    for _ in range(inbox.MOST_TRIES):
        process(acme.parts, event.id)
        end_pauses(acme)
    assert _the(acme, "evt_dead").status == "dead"
    assert operating.replay_event(acme.parts, event.id, order=WHY).changed
    assert process(acme.parts, event.id) is EventStatus.RECEIVED
    assert _the(acme, "evt_dead").tries == 1


def test_a_reading_that_serves_a_replayed_event_closes_its_work_item(acme: Company) -> None:
    intent = paid_unheard(acme)
    dead, twin = _taken(acme, "evt_dead", "evt_twin", object_ref=intent)
    mended = acme.parts
    _fails_with(acme, RuntimeError("a fault of ours"))
    for _ in range(inbox.MOST_TRIES):
        process(acme.parts, dead.id)
        end_pauses(acme)
    operating.replay_event(acme.parts, dead.id, order=WHY)
    acme.parts = mended
    assert process(acme.parts, twin.id) is EventStatus.PROCESSED
    assert _the(acme, "evt_dead").status == "processed"
    assert [item.status for item in acme.work_items() if item.subject_id == dead.id] == ["resolved"]


def test_an_event_that_comes_after_its_object_was_read_is_not_served_by_that_reading(
    acme: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    intent = paid_unheard(acme)
    (first,) = _taken(acme, "evt_first", object_ref=intent)

    def another_comes(name: str) -> None:
        if name == "event.reread":
            _taken(acme, "evt_late", object_ref=intent)

    monkeypatch.setattr(payment_events, "failpoint", another_comes)
    assert process(acme.parts, first.id) is EventStatus.PROCESSED
    assert [_the(acme, ref).status for ref in ("evt_first", "evt_late")] == ["processed", "received"]


@pytest.mark.parametrize("error", [ProviderUnavailable("away"), RuntimeError("a fault of ours")])
def test_what_our_rows_show_meanwhile_is_closed_within_its_pause(acme: Company, error: Exception) -> None:
    acme.customer("a1")
    acme.subscribe("a1", "s1")
    acme.witness.add_faults({"kind": "webhook_drop", "rate": 1})
    acme.settle()
    (intent,) = {each.intent_ref for each in acme.witness.intents()}
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.payment_intent SET status = 'open'"))
    (event,) = _taken(acme, "evt_early", object_ref=intent)
    mended = acme.parts
    _fails_with(acme, error)
    assert process(acme.parts, event.id) is EventStatus.RECEIVED
    acme.parts = mended
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.payment_intent SET status = 'succeeded'"))
    assert process(acme.parts, event.id) is EventStatus.PROCESSED


@pytest.mark.parametrize(("status", "closed"), [("succeeded", 1), ("spent", 1), ("canceled", 0), ("open", 0)])
def test_only_of_an_intent_whose_money_is_settled_an_event_tells_no_news(
    acme: Company, status: str, closed: int
) -> None:
    (event,) = _taken(acme, "evt_1", object_ref=paid_unheard(acme))
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.payment_intent SET status = :status"), {"status": status})
        assert len(close_settled(session, [event.id], types=[event.type], now=acme.now())) == closed
