"""The short set: the deaths that matter most, several in one cycle. `./run crash` kills at every point and hit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

import pytest
import requests

from billing.flows import refunding
from billing.models import Payment
from billing.sandbox.crash.case import Case
from billing.sandbox.crash.ground import Broker
from billing.sandbox.crash.kills import DROP_ALL, kill_receiver, kill_tree, killed
from billing.sandbox.crash.processes import end
from billing.sandbox.crash.rows import ROWS
from billing.sandbox.crash.run import Grounds, Outcome, Result, run_all
from billing.sandbox.crash.stage import Stage
from billing.sandbox.crash.world import ORDINARY, Customer, World

pytestmark = [pytest.mark.crash, pytest.mark.timeout(240)]

IN_A_ROW = ("renewals.numbered", "charge.freeze_commit", "charge.answered", "charge.record", "event.commit")
"""Numbers taken, attempts written, answers received, answers written, an event settled: none of it committed."""
PAID = "SELECT id FROM billing.invoice WHERE status = 'paid' ORDER BY number"
PART = 500
PAIR = World(customers=(Customer("a1"), Customer("a2", subscriptions=2)))


def _one_after_the_other(stage: Stage) -> None:
    stage.receiver()
    stage.worker(faults=",".join(f"{point}=kill" for point in IN_A_ROW))
    for point in IN_A_ROW:
        killed(stage, point)


def _in_flight_and_the_broker_too(stage: Stage) -> None:
    """The provider has moved money and not answered: the child dies, and the broker forgets everything."""
    stage.witness.add_faults({"kind": "timeout_after", "next": 1, "path": "/v1/payment_intents", "method": "POST"})
    stage.receiver()
    worker = stage.worker()
    assert stage.play(lambda: any(fault["hits"] for fault in stage.witness.faults()))
    for child in worker.children():
        end(child)
    stage.broker.kill()
    stage.hurt(2)


def _wallets_and_a_refund(stage: Stage) -> None:
    """An order is made and its answer lost, one is recorded and not committed, and a refund is sent but not noted."""
    points = ("charge.answered", "charge.record", "refund.answered")
    stage.receiver()
    stage.worker(faults=",".join(f"{point}=kill" for point in points))
    for point in points[:2]:
        killed(stage, point)
    stage.play(lambda: stage.count("SELECT count(*) FROM billing.invoice WHERE status = 'paid'") > 0)
    refunding.refund(stage.parts, stage.ids(PAID)[0], amount_minor=PART)
    killed(stage, points[2])
    stage.revive()
    stage.play()
    stage.expect(sum(charge.refunded_minor for charge in stage.witness.charges()) == PART, "another sum went back")


SHORT = (
    Case("short", "five children, one after the other", _one_after_the_other),
    Case("short", "child in flight, and the broker", _in_flight_and_the_broker_too, world=PAIR),
    Case("short", "receiver after its commit", kill_receiver("hook.committed", 1), world=PAIR),
    Case("short", "the whole tree, just before it sends", kill_tree("charge.sending", 2), world=PAIR),
    Case("short", "paid by wallets, three children", _wallets_and_a_refund, world=replace(ORDINARY, provider="paypal")),
)


def _run(cases: Sequence[Case], grounds: Grounds, brokers: Sequence[Broker]) -> dict[str, Result]:
    return {result.name: result for result in run_all(cases, grounds, brokers)}


def test_whoever_dies_nobody_is_charged_twice_and_nothing_is_missed(grounds: Grounds, two_lanes: list[Broker]) -> None:
    results = _run(SHORT, grounds, two_lanes)
    assert {name: (result.outcome, result.problems) for name, result in results.items()} == {
        case.name: (Outcome.HELD, ()) for case in SHORT
    }
    assert sum(result.faults for result in results.values()) == 12


def _charge_again(stage: Stage) -> None:
    """What a flow without protection would do: the same invoice under another key. Nobody is told of it: the receiver
    lives, and with a worker would have it booked apart before the verdict looks.
    """
    stage.witness.add_faults(DROP_ALL)
    charge = next(iter(stage.witness.charges()))
    with stage.parts.begin() as session:
        payment = session.get_one(Payment, UUID(charge.payment_id))
        given = {
            "amount": charge.amount_minor,
            "currency": charge.currency,
            "customer": charge.customer_ref,
            "payment_method": payment.method_ref,
            "confirm": "true",
            "off_session": "true",
            "metadata[invoice_id]": charge.invoice_id,
            "metadata[payment_id]": charge.payment_id,
        }
    key = stage.environment["STRIPE_API_KEY"]
    requests.post(f"{stage.server.url}/v1/payment_intents", data=given, auth=(key, ""), timeout=10).raise_for_status()


def _unharmed(stage: Stage) -> None:
    stage.receiver()
    stage.worker()


def _nobody_works(stage: Stage) -> None:
    stage.receiver()


def test_a_second_charge_is_seen_by_the_audit_and_by_the_count(grounds: Grounds, two_lanes: list[Broker]) -> None:
    planted = replace(grounds, before_verdict=_charge_again)
    (result,) = run_all([Case("planted", "second charge", _unharmed, world=PAIR)], planted, two_lanes)
    assert result.outcome is Outcome.VIOLATED
    assert result.failed
    found = "\n".join(result.problems)
    assert "P1:" in found
    assert "P5:" in found
    assert "was charged 2 times, not 1" in found


def test_what_is_not_billed_or_never_ends_or_never_strikes_is_no_success(
    grounds: Grounds, two_lanes: list[Broker]
) -> None:
    more = replace(PAIR, months=2)
    cases = [
        Case("planted", "a month too few", _unharmed, world=more),
        Case("planted", "a point that is never passed", kill_tree("charge.sending", 999), world=PAIR),
    ]
    results = _run(cases, grounds, two_lanes)
    assert results["a month too few"].problems == ("3 documents where 6 were due",)
    assert (results[cases[1].name].outcome, results[cases[1].name].failed) == (Outcome.NOT_REACHED, True)
    (stuck,) = run_all(
        [Case("planted", "no worker", _nobody_works, world=PAIR)], replace(grounds, deadline_s=5), two_lanes
    )
    assert stuck.outcome is Outcome.STUCK, stuck.problems
    assert "2 subscriptions" not in stuck.problems[0]
    assert "3 subscriptions" in stuck.problems[0]


def test_every_row_of_the_issue_has_its_stories() -> None:
    of_saved_500 = 20
    wanted = [str(row) for row in range(1, 89) if row != of_saved_500]
    assert [row.number for row in ROWS] == [*wanted, "confirm-limit", "saved-500"]
    assert ORDINARY.documents == 6
