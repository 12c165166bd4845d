"""`billing events`: what arrived is listed and replayed; a body is opened only with a reason."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from billing.models import ProviderEvent
from tests.ops.office import WHY, Office, office_of


@pytest.fixture
def office(database_url: str, broker_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    with office_of(database_url, broker_url, tmp_path, monkeypatch) as ready:
        yield ready


@pytest.fixture
def charged(office: Office) -> Office:
    """One paid invoice, and the events about it."""
    office.acme.customer("a1")
    office.acme.subscribe("a1", "s1")
    office.acme.settle()
    return office


def _succeeded(office: Office) -> ProviderEvent:
    with office.acme.begin() as session:
        return session.scalars(select(ProviderEvent).where(ProviderEvent.type == "payment_intent.succeeded")).one()


def test_events_are_listed_by_state_type_object_and_time(charged: Office) -> None:
    event = _succeeded(charged)
    filters = ("--status", "processed", "--type", event.type, "--object", event.object_ref, "--since", "2026-01-31")
    (row,) = charged.read("events", "list", *filters)
    assert row["event_ref"] == event.event_ref
    assert event.event_ref in charged.ok("events", "list")
    assert "No such event." in charged.ok("events", "list", "--status", "dead")


def test_a_body_is_opened_with_a_reason_and_the_look_is_written_down(charged: Office) -> None:
    event = _succeeded(charged)
    assert "body" not in charged.read("events", "show", event.event_ref)
    assert charged.run("events", "show", event.event_ref, "--body").exit_code == 2
    assert event.event_ref in charged.read("events", "show", str(event.id), "--body", *WHY)["body"]
    assert [(row.action, row.subject_id) for row in charged.trail()] == [("event.body.view", event.id)]
    charged.execute("UPDATE billing.provider_event SET body = NULL")
    gone = charged.run("events", "show", event.event_ref, "--body", *WHY)
    assert (gone.exit_code, "body_blanked" in gone.stderr) == (3, True)


def test_a_replay_is_handled_once_more_and_settles_nothing_twice(charged: Office) -> None:
    event = _succeeded(charged)
    before = charged.fingerprint()
    assert "dry run" in charged.ok("events", "replay", event.event_ref, "--dry-run", *WHY)
    assert charged.fingerprint() == before
    assert "handled anew" in charged.ok("events", "replay", event.event_ref, *WHY)
    assert "waits to be handled already; nothing was changed" in charged.ok("events", "replay", event.event_ref, *WHY)
    assert charged.waiting_in("webhooks") == 1
    charged.settle()
    assert _succeeded(charged).status == "processed"
    assert [payment.status for payment in charged.acme.payments()] == ["succeeded"]
    assert charged.acme.invoices()[0].amount_paid_minor == 1190
    assert [row.action for row in charged.trail()] == ["event.replay"] * 2


def test_many_are_replayed_by_filter_and_a_state_must_be_named(charged: Office) -> None:
    charged.execute("UPDATE billing.provider_event SET status = 'dead', error = 'KeyError'")
    assert charged.run("events", "replay", "--all", *WHY).exit_code == 2
    assert charged.run("events", "replay", *WHY).exit_code == 2
    dead = charged.read("events", "list", "--status", "dead")
    done = charged.read("events", "replay", "--all", "--status", "dead", *WHY)
    assert len(done) == len(dead) > 0
    assert all(each["changed"] for each in done)
    charged.settle()
    assert charged.read("events", "list", "--status", "dead") == []
    assert charged.run("events", "replay", "evt_nobody", *WHY).exit_code == 3


def test_a_backfill_by_another_accounts_key_is_refused(charged: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIPE_API_KEY", "sk_test_of_another_account")
    refused = charged.run("events", "backfill")
    assert (refused.exit_code, "wrong_account" in refused.stderr) == (3, True)


def test_a_backfill_tells_what_the_list_has_and_what_of_it_was_new(charged: Office) -> None:
    charged.execute("DELETE FROM billing.provider_event WHERE type = 'payment_intent.succeeded'")
    (told,) = charged.read("events", "backfill")["accounts"]
    assert (told["account"], told["new"]) == ("default", 1)
    assert "events listed from" in charged.ok("events", "backfill", "--since", "2026-01-31")
