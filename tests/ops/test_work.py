"""`billing work`: failed work is seen in billing terms, and each action acts once, says so, and is written down."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from billing.commands.work_item.raise_item import raise_item
from billing.flows import renewal
from billing.kernel.ids import new_id
from billing.models import ProviderEvent, WorkItem
from tests.flows.company import START
from tests.ops.office import WHY, Office, office_of


@pytest.fixture
def office(database_url: str, broker_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    with office_of(database_url, broker_url, tmp_path, monkeypatch) as ready:
        yield ready


def test_a_held_subscription_is_retried_once_billed_and_its_item_closed(office: Office) -> None:
    office.held_subscription("s1")
    office.mend()
    (item,) = office.items()

    first = office.read("work", "retry", str(item.id), *WHY)
    assert [(each["changed"], each["refused"]) for each in first] == [(True, None)]
    assert office.waiting_in("renewals") == 1
    second = office.ok("work", "retry", str(item.id), *WHY)
    assert "under way already; nothing was changed" in second

    office.settle()
    assert [invoice.status for invoice in office.acme.invoices()] == ["paid"]
    assert office.items()[0].status == "resolved"
    third = office.ok("work", "retry", str(item.id), *WHY)
    assert "it is resolved already; nothing was changed" in third
    assert [(row.action, row.reason) for row in office.trail()] == [("work.retry", WHY[1])] * 3
    before, after = office.trail()[0].before, office.trail()[0].after
    assert before is not None
    assert after is not None
    assert (before["status"], after["status"], after["changed"]) == ("open", "open", True)
    assert office.trail()[1].after["changed"] is False  # type: ignore[index]


def test_a_retry_that_fails_again_counts_on_the_same_item(office: Office) -> None:
    office.held_subscription("s1")
    office.ok("work", "retry", str(office.items()[0].id), *WHY)
    office.settle()
    (item,) = office.items()
    assert (item.status, item.tries) == ("open", 2)
    assert office.acme.invoices() == []


def test_a_dry_run_says_what_would_happen_and_changes_nothing(office: Office) -> None:
    office.held_subscription("s1", "s2")
    before = office.fingerprint()

    told = office.ok("work", "retry", "--all", "--kind", "subscription_not_billed", "--dry-run", *WHY)
    office.ok("work", "park", "--all", "--dry-run", *WHY)

    assert told.count("dry run: subscription_not_billed") == 2
    assert "its hold is lifted" in told
    assert office.fingerprint() == before
    assert office.waiting_in("renewals") == 0


def test_many_are_retried_in_one_go_and_the_sweep_is_woken_once(office: Office) -> None:
    office.held_subscription("s1", "s2", "s3")
    office.mend()
    done = office.read("work", "retry", "--all", "--kind", "subscription_not_billed", *WHY)
    assert [each["changed"] for each in done] == [True] * 3
    assert office.waiting_in("renewals") == 1
    office.settle()
    assert len(office.acme.invoices()) == 3
    assert office.read("work", "list") == []
    assert len(office.trail()) == 3


def test_a_narrow_screen_shows_each_item_as_a_block_of_lines(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    office.held_subscription("s1")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "60")
    narrow = office.ok("work", "list")
    assert re.search(r"^kind +subscription_not_billed$", narrow, re.MULTILINE)
    assert re.search(r"^account id +of-s1$", narrow, re.MULTILINE)
    monkeypatch.setenv("COLUMNS", "300")
    wide = office.ok("work", "list")
    assert len([line for line in wide.splitlines() if "of-s1" in line and "subscription_not_billed" in line]) == 1


def test_an_action_that_is_not_safe_is_refused_and_nothing_is_done(office: Office) -> None:
    office.held_subscription("s1")
    before = office.fingerprint()
    result = office.run("work", "discard", str(office.items()[0].id), *WHY)
    assert result.exit_code == 3
    assert result.stderr.startswith("billing: action: action_not_safe — subscription_not_billed allows retry, park")
    assert office.fingerprint() == before


def test_parking_is_done_once_and_a_retry_takes_the_item_up_again(office: Office) -> None:
    office.held_subscription("s1")
    id_ = str(office.items()[0].id)
    assert "it is parked" in office.ok("work", "park", id_, *WHY)
    assert "it is parked already; nothing was changed" in office.ok("work", "park", id_, *WHY)
    assert [row["status"] for row in office.read("work", "list")] == ["parked"]
    office.mend()
    assert "its hold is lifted" in office.ok("work", "retry", id_, *WHY)
    assert office.items()[0].status == "open"


def test_a_bulk_action_does_what_it_may_and_ends_with_3_where_any_was_refused(office: Office) -> None:
    office.held_subscription("s1")
    with office.acme.parts.begin() as session:
        raise_item(
            session,
            kind="task_failed",
            subject_type="task",
            subject_id=new_id(),
            summary="Task renewals.tick failed for good.",
            error="KeyError: x",
            safe_actions=["park", "discard"],
            now=START,
        )
    result = office.run("work", "retry", "--all", *WHY)
    assert result.exit_code == 3
    assert "1 of 2 refused: action_not_safe" in result.stderr
    assert "its hold is lifted" in result.stdout
    assert "it is discarded" in office.ok("work", "discard", "--all", "--kind", "task_failed", *WHY)
    assert sorted(item.status for item in office.items()) == ["discarded", "open"]


def test_a_dead_event_is_retried_by_its_item_and_its_item_closed_when_it_is_handled(office: Office) -> None:
    acme = office.acme
    acme.customer("a1")
    acme.subscribe("a1", "s1")
    acme.settle()
    with acme.parts.begin() as session:
        event = session.scalars(select(ProviderEvent).where(ProviderEvent.type == "payment_intent.succeeded")).one()
        event.status, event.error, event.tries = "dead", "KeyError: x", 8
        _raise_dead(session, event)
    (item,) = office.items()
    office.ok("work", "retry", str(item.id), *WHY)
    assert office.waiting_in("webhooks") == 1
    office.settle()
    assert office.items()[0].status == "resolved"
    assert len(acme.payments()) == 1


def test_an_account_that_was_refused_is_due_again_at_once_and_its_item_ends_with_the_next_charge(
    office: Office,
) -> None:
    acme = office.acme
    acme.customer("a1")
    acme.subscribe("a1", "s1")
    acme.revoke_key()
    renewal.plan(acme.parts)
    acme.run_messages()
    office.execute("UPDATE billing.invoice SET charge_not_before = clock_timestamp() + interval '1 hour'")
    (item,) = office.items()
    assert item.kind == "provider_refuses_account"
    acme.restore_key()
    assert "due again now" in office.ok("work", "retry", str(item.id), *WHY)
    assert "under way already" in office.ok("work", "retry", str(item.id), *WHY)
    office.settle()
    assert office.items()[0].status == "resolved"
    assert acme.invoices()[0].status == "paid"


def test_an_item_whose_cause_is_gone_is_closed_by_its_retry(office: Office) -> None:
    office.held_subscription("s1")
    office.execute("UPDATE billing.subscription SET status = 'canceled', next_due_at = NULL, ended_at = now()")
    (item,) = office.items()
    assert "its cause is gone; it is closed" in office.ok("work", "retry", str(item.id), *WHY)
    assert office.items()[0].status == "resolved"


def test_a_held_invoice_is_charged_again_after_its_retry(office: Office) -> None:
    acme = office.acme
    acme.customer("a1", method="pm_card_visa_chargeDeclinedInsufficientFunds")
    acme.subscribe("a1", "s1")
    acme.settle()
    invoice = acme.invoices()[0]
    with acme.parts.begin() as session:
        held = raise_item(
            session,
            kind="invoice_not_charged",
            subject_type="invoice",
            subject_id=invoice.id,
            seller_id=invoice.seller_id,
            profile_id=invoice.profile_id,
            amount_minor=invoice.amount_remaining_minor,
            currency=invoice.currency,
            summary="It waits for a person.",
            error="amount_too_small",
            safe_actions=["retry", "park"],
            now=START,
        )
    office.execute("UPDATE billing.invoice SET hold_id = :item", item=held.id)
    refused = office.run("invoice", "retry", str(invoice.number), *WHY)
    assert (refused.exit_code, "invoice: on_hold" in refused.stderr) == (3, True)
    office.ok("work", "retry", str(held.id), *WHY)
    office.settle()
    assert [payment.scheduled for payment in acme.payments()] == [True, False]
    assert office.items()[0].status == "resolved"


def test_lists_are_filtered_paged_and_say_what_is_at_stake(office: Office) -> None:
    office.held_subscription("s1", "s2", "s3")
    assert [row["account_id"] for row in office.read("work", "list", "--customer", "of-s2")] == ["of-s2"]
    assert len(office.read("work", "list", "--error", "UNKNOWN_TIMEZONE", "--since", "2026-01-01")) == 3
    assert office.read("work", "list", "--error", "100%") == []
    first = office.run("work", "list", "--limit", "2", "--json")
    assert first.stderr.startswith("There are more: --before ")
    rest = office.read("work", "list", "--limit", "2", "--before", first.stderr.split()[-1])
    assert len(rest) == 1
    shown = office.read("work", "show", str(rest[0]["id"]))
    assert shown["page"] == "docs/operate/" + rest[0]["kind"].replace("_", "-") + ".md"
    assert shown["safe_actions"] == ["retry", "park"]
    assert "renewal" in shown["trace"]


@pytest.mark.parametrize(
    "args",
    [
        ("work", "retry", "--reason", "x"),
        ("work", "retry", "--all"),
        ("work", "retry", "not-an-id", "--reason", "x"),
        ("work", "list", "--since", "yesterday"),
        ("work", "list", "--status", "lost"),
        ("work", "list", "--kind", "payment_unkown"),
        ("work", "retry", "--all", "--kind", "payment_unkown", "--reason", "x"),
    ],
)
def test_a_wrong_call_is_a_fault_of_usage(office: Office, args: tuple[str, ...]) -> None:
    assert office.run(*args).exit_code == 2


def test_an_empty_list_says_what_there_is_none_of(office: Office) -> None:
    assert office.ok("work", "list") == "No open work items.\n"
    assert office.ok("work", "list", "--kind", "task_failed") == "No such work item.\n"


@pytest.mark.parametrize("noun", ["work", "invoice", "dispute"])
def test_a_list_about_a_customer_who_is_not_there_is_refused_and_not_empty(office: Office, noun: str) -> None:
    mistyped = office.run(noun, "list", "--customer", "of-s11")
    assert (mistyped.exit_code, "profile_not_found" in mistyped.stderr) == (3, True)


def test_orders_for_a_customer_who_is_not_there_are_refused(office: Office) -> None:
    mistyped = office.run("work", "retry", "--customer", "of-s11", *WHY)
    assert (mistyped.exit_code, "profile_not_found" in mistyped.stderr) == (3, True)


def test_an_empty_reason_and_an_unknown_item_are_refused(office: Office) -> None:
    assert office.run("work", "show", str(new_id())).exit_code == 3
    unknown = office.run("work", "retry", str(new_id()), *WHY)
    assert (unknown.exit_code, "work_item_not_found" in unknown.stderr) == (3, True)
    office.held_subscription("s1")
    silent = office.run("work", "park", str(office.items()[0].id), "--reason", " ")
    assert (silent.exit_code, "reason_missing" in silent.stderr) == (3, True)
    assert office.items()[0].status == "open"


def _raise_dead(session: object, event: ProviderEvent) -> WorkItem:
    return raise_item(
        session,  # type: ignore[arg-type]
        kind="event_not_handled",
        subject_type="provider_event",
        subject_id=event.id,
        summary="It could not be handled.",
        error="KeyError: x",
        safe_actions=["retry", "park", "discard"],
        now=START,
    )


def test_a_dry_run_by_filter_needs_neither_all_nor_a_reason_and_keeps_nothing(office: Office) -> None:
    office.held_subscription("s1", "s2")
    office.mend()
    before = office.fingerprint()
    told = office.ok("work", "retry", "--kind", "subscription_not_billed", "--dry-run")
    assert told.count("its hold is lifted") == 2
    assert office.fingerprint() == before
    assert office.run("work", "retry", "--kind", "subscription_not_billed").exit_code == 2
    assert office.run("work", "retry", "--dry-run").exit_code == 2
    office.ok("work", "retry", "--kind", "subscription_not_billed", *WHY)
    assert [item.next_try_at is not None for item in office.items()] == [True, True]
