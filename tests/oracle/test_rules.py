"""Clauses of the contract that no example holds, each by a small scenario with figures worked out by hand."""

from typing import Any

import pytest

from tests.oracle.play import play
from tests.oracle.short import spec


def run(*steps: str, until: str, **facts: Any) -> dict[str, Any]:
    """What the oracle makes of it."""
    return play(spec(*steps, until=until, **facts))


def told(output: dict[str, Any]) -> list[str]:
    """The documents, in short: day, period, status, total and lines."""
    return [
        f"{d['issued_at'][5:10]} [{(d['period_start'] or '')[5:10]} {(d['period_end'] or '')[5:10]}] {d['status']} "
        f"{d['total']}: " + " ".join(f"{_short(x)}{x['amount']}" for x in d["lines"])
        for d in output["invoices"]
    ]


def _short(line: dict[str, Any]) -> str:
    sign = {"recurring": "=", "usage": "~", "proration_credit": "c", "proration_charge": "+", "one_off": "!"}
    return f"{line['price']}{sign[line['kind']]}"


def tries(output: dict[str, Any]) -> list[str]:
    return [f"{p['at'][5:10]} {p['invoice'].removeprefix('INV-')} {p['status']}" for p in output["payments"]]


def status(output: dict[str, Any]) -> str:
    return output["subscriptions"]["s"]["status"]


def balance(output: dict[str, Any]) -> int:
    return output["customers"]["c"]["credit_balances"]["eur"]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (
            "bill_each",
            [
                "04-10 [02-01 03-01] paid 3005: u~5 a=3000",
                "04-10 [03-01 04-01] paid 3010: u~10 a=3000",
                "04-10 [04-01 05-01] paid 3000: u~0 a=3000",
            ],
        ),
        ("merge", ["04-10 [02-01 05-01] paid 9015: u~5 a=3000 u~10 a=3000 u~0 a=3000"]),
        ("skip", ["04-10 [04-01 05-01] paid 3015: u~5 u~10 u~0 a=3000"]),
    ],
)
def test_an_outage_is_caught_up_by_the_policy(policy: str, expected: list[str]) -> None:
    steps = ["01-10 usage price=u quantity=1 id=x", "02-01 outage until=04-10", "02-10 usage price=u quantity=2 id=y"]
    output = run("01-01 subscribe items=a,u", *steps, until="04-20", catch_up=policy)
    assert told(output)[1:] == expected  # the boundary at the outage's first moment waits too
    skipped = [(x["period_start"][5:10], x["period_end"][5:10]) for x in output["skipped_periods"]]
    assert skipped == ([("02-01", "03-01"), ("03-01", "04-01")] if policy == "skip" else [])


def test_a_decline_that_cancels_ends_the_catch_up_with_what_the_running_period_used() -> None:
    output = run(
        "01-01 subscribe items=a,u",
        "01-05 set_payment_method payment_method=declined",
        "01-20 outage until=04-10",
        "02-10 usage price=u quantity=2 id=x",
        until="05-20",
        dunning={"retries": [], "final": "cancel"},
    )
    assert told(output)[1:] == ["04-10 [02-01 03-01] open 3000: u~0 a=3000", "04-10 [02-01 03-01] open 10: u~10"]
    assert (status(output), tries(output)[1:]) == ("canceled", ["04-10 2 declined"])


def test_a_step_in_an_outage_first_does_the_overdue_boundaries_at_once() -> None:
    output = run("01-01 subscribe items=a", "01-20 outage until=03-20", "02-10 cancel", until="04-01")
    assert told(output)[1:] == ["02-10 [02-01 03-01] paid 3000: a=3000"]
    assert output["subscriptions"]["s"]["current_period_end"] == "2026-02-10T00:00:00Z"


def test_retries_missed_in_an_outage_are_made_up_for_once() -> None:
    output = run(
        "01-01 subscribe items=a",
        "01-02 outage until=01-20",
        until="01-26",
        method="declined",
        dunning={"retries": ["3d", "5d"]},
    )
    assert tries(output) == ["01-01 1 declined", "01-20 1 declined", "01-25 1 declined"]


def test_a_stub_is_charged_in_proportion_and_prorated_by_its_full_period() -> None:
    output = run(
        "01-16 subscribe items=a anchor=02-01",
        "01-24 change items=b proration=invoice_now",
        until="02-01",
        proration="day",
    )
    assert told(output) == [
        "01-16 [01-16 02-01] paid 1548: a=1548",  # 3000 × 16/31
        "01-24 [01-24 02-01] paid 774: ac-774 b+1548",  # 1548 × 8/16, 6000 × 8/31
        "02-01 [02-01 03-01] paid 6000: b=6000",
    ]


def test_a_period_opened_in_a_pause_is_free_of_proration() -> None:
    steps = ["02-10 pause", "03-10 resume", "03-12 change items=b,once"]
    assert told(run("02-01 subscribe items=a", *steps, until="04-01"))[1:] == [
        "04-01 [04-01 05-01] paid 6500: once!500 b=6000"
    ]


def test_a_scheduled_change_to_another_interval_begins_at_the_periods_end() -> None:
    output = run("01-31 subscribe items=a,u", "02-10 change items=y,once when=period_end", until="03-01")
    assert told(output)[1:] == ["02-28 [02-28 02-28] paid 37000: once!500 u~0 y=36500"]


def test_a_change_of_interval_restarts_the_period() -> None:
    output = run(
        "06-01 subscribe items=a,u", "06-16 usage price=u quantity=3 id=x", "06-17 change items=y", until="06-20"
    )
    assert told(output)[1:] == ["06-17 [06-17 06-17] paid 35115: ac-1400 u~15 y=36500"]


@pytest.mark.parametrize(("move", "lines"), [("void", ""), ("mark_uncollectible", ""), ("", "ac-1500 b+3000 ")])
def test_a_change_is_prorated_by_what_became_of_the_periods_invoice(move: str, lines: str) -> None:
    steps = [f"06-02 {move} invoice=1"] if move else []
    output = run(
        "06-01 subscribe items=a",
        *steps,
        "06-16 change items=b",
        until="07-01",
        method="declined",
        dunning={"retries": ["60d"]},
    )
    assert told(output)[1].partition(": ")[2] == f"{lines}b=6000"


def test_a_downgrade_of_what_was_not_paid_writes_nothing() -> None:
    output = run(
        "06-01 subscribe items=b",
        "06-16 change items=a",
        until="07-01",
        method="declined",
        dunning={"retries": ["60d"]},
    )
    assert told(output)[1].endswith(": a=3000")


@pytest.mark.parametrize(("at", "lines"), [("06-08", "bc-4600 a+2300 "), ("06-09", "")])
def test_an_invoice_that_is_sent_counts_as_paid_up_to_its_due_moment(at: str, lines: str) -> None:
    start = "06-01 subscribe items=b collection=send_invoice days_until_due=7"
    output = run(start, f"{at} change items=a", until="07-01")
    assert told(output)[1].partition(": ")[2] == f"{lines}a=3000"


def test_a_credit_bears_the_old_quantity_and_a_kept_line_its_amount() -> None:
    steps = ["06-11 change items=a*5 proration=none", "06-16 change items=a*1 proration=invoice_now"]
    output = run("06-01 subscribe items=a*2", *steps, until="06-20")
    assert told(output)[1] == "06-16 [06-16 07-01] credited 1500: ac3000 a+-1500"
    assert [line["quantity"] for line in output["invoices"][1]["lines"]] == ["5", "1"]


def test_a_cancel_credits_what_was_paid_and_takes_a_waiting_line_back_on_the_last_invoice() -> None:
    output = run("06-01 subscribe items=a", "06-11 change items=a,b", "06-16 cancel prorate=true", until="07-01")
    assert sorted(told(output)[1:]) == [
        "06-16 [06-01 06-16] paid 1000: b+4000 bc-3000",
        "06-16 [06-16 07-01] credited 1500: ac1500",
    ]
    assert balance(output) == 500


def test_refundable_is_less_by_the_gross_of_written_credits() -> None:
    start, change = "06-01 subscribe items=b", "06-16 change items=a"
    waiting = run(start, change, "06-17 refund invoice=1", until="06-20", tax="19")
    assert waiting["invoices"][0]["amount_refunded"] == 7140 - 3570
    issued = run(start, f"{change} proration=invoice_now", "06-17 refund invoice=1", until="06-20", tax="19")
    assert issued["invoices"][0]["amount_refunded"] == 7140 - 3570


def test_a_refund_shrinks_a_later_credit() -> None:
    output = run(
        "06-01 subscribe items=a", "06-02 refund invoice=1 amount=1000", "06-16 cancel prorate=true", until="07-01"
    )
    assert balance(output) == 1000  # 3000 × 2000/3000 × 1/2


def test_an_unpaid_subscription_that_recovers_is_charged_for_what_was_never_tried() -> None:
    output = run(
        "01-01 subscribe items=a",
        "02-10 mark_paid invoice=1",
        until="02-20",
        method="declined",
        dunning={"retries": ["3d", "5d"], "final": "unpaid"},
    )
    assert tries(output) == [
        *("01-01 1 declined", "01-04 1 declined", "01-09 1 declined"),
        *("02-10 2 declined", "02-13 2 declined", "02-18 2 declined"),
    ]
    assert status(output) == "unpaid"


def test_after_a_hard_decline_only_a_softly_declined_method_brings_the_schedule_back() -> None:
    start, method = "01-01 subscribe items=a", "01-02 set_payment_method payment_method=declined"
    hard = run(start, until="03-01", method="lost_card")
    assert (tries(hard), status(hard)) == (["01-01 1 declined"], "canceled")
    soft = run(start, method, until="03-01", method="lost_card")
    assert tries(soft) == [f"01-{day} 1 declined" for day in ("01", "02", "04", "09", "16")]
    assert run(start, until="01-10", method=None)["payments"] == []


def test_a_final_cancel_leaves_its_last_invoice_open_for_a_new_method() -> None:
    steps = ["01-10 usage price=u quantity=4 id=x", "01-20 set_payment_method payment_method=visa"]
    output = run("01-01 subscribe items=a,u", *steps, until="03-01", method="declined")
    assert told(output)[1] == "01-16 [01-01 01-16] paid 20: u~20"
    assert tries(output)[-2:] == ["01-20 1 succeeded", "01-20 2 succeeded"]
    assert status(output) == "canceled"


def test_a_void_gives_applied_credit_back() -> None:
    steps = ["01-01 subscribe items=a", "01-03 void invoice=1"]
    output = run("01-01 grant_credit amount=700", *steps, until="01-10", method="declined")
    assert (balance(output), status(output)) == (700, "active")


def test_late_usage_of_a_sum_counts_in_the_running_period_and_of_a_max_not_at_all() -> None:
    late = [f"02-05 usage price={price} quantity=3 id={price} timestamp=01-20" for price in "um"]
    output = run("01-01 subscribe items=u,m", *late, until="03-01")
    assert told(output)[-1].endswith(": u~15 m~0")
    assert output["late_usage"] == [{"subscription": "s", "price": "m", "id": "m"}]


def test_a_metered_item_that_goes_is_billed_up_to_then() -> None:
    steps = ["01-05 usage price=u quantity=2 id=x", "01-10 change items=a proration=none"]
    assert told(run("01-01 subscribe items=a,u", *steps, until="02-01"))[1].endswith(": u~10 a=3000")


def test_a_coupon_counts_each_document_with_a_base() -> None:
    output = run("01-01 subscribe items=a coupon=off", "01-20 outage until=04-10", until="04-10")
    assert [document["discount"] for document in output["invoices"]] == [1000, 1000, 0, 0]


def test_nothing_is_written_for_a_trial_that_is_canceled() -> None:
    steps = ["01-03 usage price=u quantity=2 id=x", "01-05 cancel prorate=true"]
    assert told(run("01-01 subscribe items=a,u,once trial_days=14", *steps, until="03-01")) == []


def test_a_scheduled_cancel_beats_a_scheduled_change_and_can_be_undone() -> None:
    steps = ["01-05 change items=b when=period_end", "01-06 cancel when=period_end"]
    assert told(run("01-01 subscribe items=a", *steps, until="02-01"))[1:] == []
    undone = run("01-01 subscribe items=a", *steps, "01-07 uncancel", until="02-01")
    assert told(undone)[1:] == ["02-01 [02-01 03-01] paid 6000: b=6000"]
