"""What the engine tells the host application arrives: signed, in order by object, at least once, and nowhere else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import text

from billing.commands.delivery.record import Tried, record_tries
from billing.commands.delivery.take import take_deliveries
from billing.commands.work_item.close import close_gone
from billing.flows import audit, delivery, endpoints, retention, working
from billing.kernel import failpoints
from billing.kernel.errors import Refused
from billing.kernel.ids import new_id
from billing.sandbox.earpiece import Earpiece, earpiece
from billing.validators.endpoint import NewEndpoint
from tests.flows.company import START, Company
from tests.flows.listening import ORDER, due, go, listening, outcomes, rows, settle_on, signed_by, state, tell

DAY = timedelta(days=1)


@pytest.fixture
def ear() -> Iterator[Earpiece]:
    with earpiece() as made:
        yield made


def test_a_sale_is_told_signed_and_in_the_order_in_which_it_happened(acme: Company, ear: Earpiece) -> None:
    id_, secret = listening(acme, ear.url, "invoice.*", "payment.succeeded")
    acme.customer("a1")
    acme.subscribe("a1", "s1")
    acme.settle()
    assert go(acme, id_) == 3
    assert sorted(each.event["type"] for each in ear.heard) == ["invoice.issued", "invoice.paid", "payment.succeeded"]
    invoice = [each.event for each in ear.heard if each.event["object"]["type"] == "invoice"]
    assert [each["type"] for each in invoice] == ["invoice.issued", "invoice.paid"]
    assert invoice[1]["data"]["amount_paid_minor"] == 1190
    assert invoice[1]["timestamp"] == "2026-01-31T00:00:00Z"
    assert all(signed_by(each, secret) for each in ear.heard)
    assert all(each.headers["webhook-id"] == each.event["id"] for each in ear.heard)
    assert {row.status for row in rows(acme)} == {"delivered"}
    assert outcomes(acme) == ["delivered"] * 3
    assert go(acme, id_) == 0


def test_without_an_endpoint_nothing_piles_up_and_a_new_one_hears_only_what_comes(acme: Company, ear: Earpiece) -> None:
    acme.customer("a1")
    assert delivery.sweep(acme.parts) > 0
    id_, _ = listening(acme, ear.url)
    assert go(acme, id_) == 0
    acme.customer("a2")
    assert go(acme, id_) > 0
    assert "profile.created" in {each.event["type"] for each in ear.heard}


def test_what_is_not_taken_is_tried_again_under_the_same_id_with_a_pause_and_later_events_wait(
    acme: Company, ear: Earpiece
) -> None:
    id_, _ = listening(acme, ear.url)
    one, other = new_id(), new_id()
    ear.status_of[str(one)] = 500
    for object_id in (one, one, other):
        tell(acme, object_id)
    go(acme, id_)
    assert [each.event["object"]["id"] for each in ear.heard].count(str(one)) == 1
    assert [row.status for row in rows(acme)] == ["waiting", "waiting", "delivered"]
    assert delivery.deliver(acme.parts, id_) == 0
    ear.status_of.clear()
    due(acme)
    assert go(acme, id_) == 2
    first, again, later = (each for each in ear.heard if each.event["object"]["id"] == str(one))
    assert first.headers["webhook-id"] == again.headers["webhook-id"] != later.headers["webhook-id"]
    assert first.body == again.body
    assert sorted(outcomes(acme)) == ["delivered"] * 3 + ["http_500"]


def test_a_round_in_which_one_waits_as_the_receiver_asks_and_one_by_our_own_steps_is_recorded(
    acme: Company, ear: Earpiece
) -> None:
    """`Retry-After` is in whole seconds and our own pause a fraction of them: both stand in one round."""
    id_, _ = listening(acme, ear.url)
    again, taken, new = new_id(), new_id(), new_id()
    ear.headers = {"Retry-After": "30"}
    ear.status_of = {str(again): 503, str(new): 503}
    tell(acme, again)
    tell(acme, taken)
    assert go(acme, id_) == 2
    due(acme)
    tell(acme, new)
    assert go(acme, id_) == 2
    assert sorted(outcomes(acme)) == ["delivered"] + ["http_503"] * 3


def test_after_three_days_it_is_given_up_as_one_work_item_and_a_retry_brings_it(acme: Company, ear: Earpiece) -> None:
    id_, _ = listening(acme, ear.url, "profile.*")
    ear.status = 503
    tell(acme, new_id())
    tell(acme, new_id())
    go(acme, id_)
    for _ in range(4):
        due(acme, first_try_at="clock_timestamp() - interval '3 days'")
        go(acme, id_)
    assert [row.status for row in rows(acme)] == ["dead", "dead"]
    (item,) = [item for item in acme.work_items() if item.kind == "deliveries_dead"]
    assert (item.subject_id, item.error, item.tries) == (id_, "http_503", 2)
    ear.status = 200
    working.act(acme.parts, item.id, action=working.Action.RETRY, order=ORDER)
    due(acme)
    assert go(acme, id_) >= 2
    assert {row.status for row in rows(acme)} == {"delivered"}
    with acme.parts.begin() as session:
        assert close_gone(session, now=START, most=10) == 1


def test_an_endpoint_that_takes_nothing_is_asked_by_one_event_at_a_time(acme: Company, ear: Earpiece) -> None:
    id_, _ = listening(acme, ear.url)
    ear.status = 500
    for _ in range(5):
        tell(acme, new_id())
    go(acme, id_)
    assert (len(ear.heard), state(acme, id_).streak) == (5, 1)
    due(acme)
    go(acme, id_)
    assert (len(ear.heard), state(acme, id_).streak) == (6, 2)
    ear.status = 200
    due(acme)
    go(acme, id_)
    assert (len(ear.heard), state(acme, id_).streak, state(acme, id_).failing_since) == (11, 0, None)


def test_after_three_days_of_nothing_but_failures_it_is_switched_off_and_its_owner_told(
    acme: Company, ear: Earpiece
) -> None:
    id_, _ = listening(acme, ear.url)
    other, _ = listening(acme, ear.url.replace("hooks", "other"), "work_item.*", code="watch")
    ear.status = 500
    tell(acme, new_id())
    go(acme, id_)
    with acme.parts.begin() as session:
        session.execute(
            text(
                "UPDATE billing.endpoint SET streak = 9, failing_since = failing_since - interval '3 days' "
                "WHERE id = :id"
            ),
            {"id": id_},
        )
    due(acme)
    go(acme, id_)
    assert state(acme, id_).status == "off"
    (item,) = acme.work_items()
    assert (item.kind, item.subject_id, item.error) == ("endpoint_off", id_, "http_500")
    ear.status, ear.heard = 200, []
    go(acme, other)
    assert [each.event["data"]["kind"] for each in ear.heard] == ["endpoint_off"]
    tell(acme, new_id())
    assert go(acme, id_) == 0
    working.act(acme.parts, item.id, action=working.Action.RETRY, order=ORDER)
    due(acme)
    ear.heard = []
    go(acme, id_)
    told = sorted(each.event["type"] for each in ear.heard)
    assert told == ["profile.updated", "profile.updated", "work_item.opened"]


def test_a_receiver_that_is_gone_for_good_is_switched_off_at_once(acme: Company, ear: Earpiece) -> None:
    id_, _ = listening(acme, ear.url)
    ear.status = 410
    tell(acme, new_id())
    go(acme, id_)
    assert (state(acme, id_).status, state(acme, id_).off_reason) == ("off", "http_410")


def test_two_secrets_sign_while_one_is_rotated_never_three_and_the_former_ends(acme: Company, ear: Earpiece) -> None:
    id_, former = listening(acme, ear.url)
    newer = endpoints.rotate(acme.parts, id_, keep_hours=24, order=ORDER).secret
    with pytest.raises(Refused, match="endpoint_secret_rotating"):
        endpoints.rotate(acme.parts, id_, keep_hours=24, order=ORDER)
    tell(acme, new_id())
    go(acme, id_)
    assert signed_by(ear.heard[0], former)
    assert signed_by(ear.heard[0], newer)
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.endpoint SET former_until = clock_timestamp()"))
    tell(acme, new_id())
    go(acme, id_)
    assert not signed_by(ear.heard[1], former)
    assert signed_by(ear.heard[1], newer)
    newest = endpoints.rotate(acme.parts, id_, keep_hours=0, order=ORDER).secret
    tell(acme, new_id())
    go(acme, id_)
    assert ear.heard[2].headers["webhook-signature"].count("v1,") == 1
    assert signed_by(ear.heard[2], newest)
    with acme.begin() as session:
        kept = json.dumps(
            [dict(row) for row in session.execute(text("SELECT * FROM billing.audit_trail")).mappings()], default=str
        )
    assert not any(secret in kept for secret in (former, newer, newest))


def test_off_nothing_is_sent_and_on_again_it_hears_what_it_missed_once(acme: Company, ear: Earpiece) -> None:
    id_, _ = listening(acme, ear.url)
    assert endpoints.turn_off(acme.parts, id_, order=ORDER).changed
    assert not endpoints.turn_off(acme.parts, id_, order=ORDER).changed
    for _ in range(2):
        tell(acme, new_id())
    assert go(acme, id_) == 0
    assert endpoints.turn_on(acme.parts, id_, order=ORDER).told == "on; it gets 2 events of the meantime"
    assert go(acme, id_) == 2
    assert go(acme, id_) == 0


def test_an_audit_of_what_is_new_knows_who_was_told_before(acme: Company, ear: Earpiece) -> None:
    id_, _ = listening(acme, ear.url, "profile.*")
    ear.status = 503
    tell(acme, new_id())
    go(acme, id_)
    due(acme, first_try_at="clock_timestamp() - interval '3 days'")
    go(acme, id_)
    (item,) = acme.work_items()
    working.act(acme.parts, item.id, action=working.Action.DISCARD, order=ORDER)
    endpoints.turn_off(acme.parts, id_, order=ORDER)
    since = acme.from_now_on()
    tell(acme, new_id())
    assert (item.kind, [row.status for row in rows(acme)]) == ("deliveries_dead", ["dead"])
    assert audit.run(acme.parts, since=since).violations == ()


def test_a_range_is_replayed_under_the_old_ids_and_what_lies_outside_is_not(acme: Company, ear: Earpiece) -> None:
    id_, _ = listening(acme, ear.url, "profile.*")
    tell(acme, new_id())
    acme.set_clock(START + DAY)
    tell(acme, new_id())
    go(acme, id_)
    done = endpoints.replay(acme.parts, id_, since=START, until=START + DAY, order=ORDER)
    assert (done.changed, done.told) == (True, "1 events are delivered again")
    assert go(acme, id_) == 1
    again = ear.heard[-1]
    assert again.event["timestamp"] == "2026-01-31T00:00:00Z"
    assert [heard.headers["webhook-id"] for heard in ear.heard].count(again.headers["webhook-id"]) == 2
    assert outcomes(acme) == ["delivered"] * 3
    with pytest.raises(Refused, match="range_empty"):
        endpoints.replay(acme.parts, id_, since=START, until=START, order=ORDER)


def test_a_test_event_is_sent_at_once_to_one_that_is_off_too(acme: Company, ear: Earpiece) -> None:
    id_, secret = listening(acme, ear.url)
    endpoints.turn_off(acme.parts, id_, order=ORDER)
    assert endpoints.test(acme.parts, id_, event_id=new_id(), order=ORDER).refused is None
    (heard,) = ear.heard
    assert heard.event["type"] == "endpoint.test"
    assert signed_by(heard, secret)
    ear.status = 404
    assert endpoints.test(acme.parts, id_, event_id=new_id(), order=ORDER).refused == "http_404"
    assert rows(acme) == []


def test_a_worker_that_dies_after_the_post_leaves_a_lease_and_the_event_comes_twice_under_one_id(
    acme: Company, ear: Earpiece, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_, _ = listening(acme, ear.url)
    tell(acme, new_id())
    monkeypatch.setenv("BILLING_FAILPOINTS", "delivery.answered=raise")
    failpoints.read_environment()
    with pytest.raises(failpoints.FailpointError):
        go(acme, id_)
    monkeypatch.delenv("BILLING_FAILPOINTS")
    failpoints.read_environment()
    assert delivery.deliver(acme.parts, id_) == 0
    due(acme)
    assert go(acme, id_) == 1
    assert len(ear.heard) == 2
    assert len({heard.headers["webhook-id"] for heard in ear.heard}) == 1


def test_a_late_record_of_a_lost_lease_changes_nothing(acme: Company, ear: Earpiece) -> None:
    id_, _ = listening(acme, ear.url)
    tell(acme, new_id())
    delivery.sweep(acme.parts)
    with acme.parts.begin() as session:
        (row,) = take_deliveries(session, endpoint_id=id_, lease_s=0, most=9)
    assert delivery.deliver(acme.parts, id_) == 1
    with acme.parts.begin() as session:
        late = [Tried(row.id, row.token, "timed_out", 5, 1.0)]
        assert record_tries(session, endpoint_id=id_, tried=late, pauses_s=[1.0], now=START) == 0
    assert (rows(acme)[0].status, state(acme, id_).streak) == ("delivered", 0)


def test_ids_that_are_due_are_taken_once_by_two_workers(acme: Company, ear: Earpiece) -> None:
    id_, _ = listening(acme, ear.url)
    for _ in range(3):
        tell(acme, new_id())
    delivery.sweep(acme.parts)
    with acme.parts.begin() as one, acme.parts.begin() as two:
        first = take_deliveries(one, endpoint_id=id_, lease_s=9, most=2)
        second = take_deliveries(two, endpoint_id=id_, lease_s=9, most=2)
    assert (len(first), len(second)) == (2, 1)
    assert not {row.id for row in first} & {row.id for row in second}


def test_a_private_address_is_refused_until_the_setting_names_its_network(acme: Company, ear: Earpiece) -> None:
    id_, _ = listening(acme, ear.url)
    settle_on(acme, billing_endpoint_networks="")
    tell(acme, new_id())
    go(acme, id_)
    assert (ear.heard, outcomes(acme)) == ([], ["address_not_allowed"])


@pytest.mark.parametrize("host", ["10.1.2.3", "169.254.169.254", "[::1]", "[::ffff:10.1.2.3]", "2130706433", "0x7f.1"])
def test_an_address_by_numbers_that_nothing_would_be_sent_to_is_refused_when_it_is_added(
    acme: Company, host: str
) -> None:
    settle_on(acme, billing_endpoint_networks="10.2.0.0/16")
    with pytest.raises(Refused) as refused:
        endpoints.add(acme.parts, seller_id=acme.seller_id, new=NewEndpoint("in", f"https://{host}/x"), order=ORDER)
    assert [(fault.field, fault.code) for fault in refused.value.faults] == [("target", "address_not_allowed")]
    endpoints.add(acme.parts, seller_id=acme.seller_id, new=NewEndpoint("in", "https://10.2.0.9/x"), order=ORDER)


def test_what_was_handed_over_long_ago_is_forgotten_with_its_tries_and_the_rest_stays(
    acme: Company, ear: Earpiece
) -> None:
    id_, _ = listening(acme, ear.url)
    tell(acme, new_id())
    go(acme, id_)
    assert retention.forget(acme.parts)["outbox"] == 0
    settle_on(acme, billing_outbox_days=0)
    tell(acme, new_id())
    assert retention.forget(acme.parts)["outbox"] > 0
    assert (rows(acme), outcomes(acme)) == ([], [])
    assert [topic for topic, _ in acme.told()] == ["profile.updated"]


def test_handing_over_is_one_statement_however_many_events_and_endpoints(acme: Company, ear: Earpiece) -> None:
    for number in range(3):
        listening(acme, ear.url, code=f"e{number}")
    for _ in range(5):
        tell(acme, new_id())
    with acme.counting_statements() as sent:
        delivery.sweep(acme.parts)
    assert len([each for each in sent if "billing.delivery" in each and "INSERT" in each]) == 1
    assert len(rows(acme)) == 15
