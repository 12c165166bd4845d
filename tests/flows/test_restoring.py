"""A database that is restored to an older backup: recognised, paused, healed; nobody is charged a second time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import select, text

from billing.commands.audit_trail.record import ENGINE
from billing.commands.brake.apply import apply_brake
from billing.commands.difference.note import note_difference
from billing.flows import (
    backfill,
    braking,
    healing,
    inbox,
    operating_drafts,
    reconciliation,
    refunding,
    renewal,
    restoring,
    working,
)
from billing.flows.start import start
from billing.flows.working import Action
from billing.kernel.errors import ProviderRefused, Refused
from billing.kernel.numbering import next_prefix
from billing.models import Difference, PaymentIntent, ProviderEvent
from billing.providers.port import IntentFacts
from billing.providers.stripe.adapter import StripeProvider
from billing.queries.brakes import BrakeKind
from billing.queries.reconciling import Found
from tests.flows.company import START, Company
from tests.flows.restored import AFTERWARDS, MEANWHILE, WHY, backup_of, brakes, every_event_comes_again, healed
from tests.flows.test_lock_order import ends, waiting


@pytest.fixture
def lost(acme: Company) -> Iterator[Company]:
    """Four customers, a backup, three days of billing, and the backup put back."""
    with backup_of(acme) as backup:
        acme.customer("paid-before")
        acme.subscribe("paid-before", "s1")
        declined = acme.customer("paid-on-the-same-intent", method="pm_card_visa_chargeDeclinedInsufficientFunds")
        acme.subscribe("paid-on-the-same-intent", "s2")
        acme.settle()
        acme.customer("billed-after")
        acme.subscribe("billed-after", "s3", start=START + timedelta(days=1))
        acme.customer("charged-after")
        acme.subscribe("charged-after", "s4")
        braking.stop(acme.parts, BrakeKind.COLLECT, order=WHY)
        acme.settle_under_a_brake()
        braking.start(acme.parts, BrakeKind.COLLECT, order=WHY)
        backup.take()

        acme.set_clock(MEANWHILE)
        acme.give_method(declined, "pm_card_visa")
        acme.settle()
        assert [invoice.status for invoice in acme.invoices()] == ["paid"] * 4
        backup.restore()
        acme.set_clock(AFTERWARDS)
        yield acme


def _moved(acme: Company) -> list[tuple[str, int]]:
    return sorted((each.charge_ref, each.amount_minor) for each in acme.witness.charges() if each.status == "succeeded")


def test_it_is_recognised_before_anything_is_planned_and_everything_is_paused(lost: Company) -> None:
    before = _moved(lost)
    lost.witness.add_faults({"kind": "disconnect_after", "rate": 1, "path": "/v1/charges"})
    assert renewal.plan(lost.parts) == 0, "an unreachable provider leaves it open, and nothing is planned"
    assert brakes(lost) == []
    lost.witness.clear_faults()

    lost.settle_under_a_brake()
    assert brakes(lost) == [("collect", None), ("issue", None)]
    assert len(lost.invoices()) == 3, "nothing was issued"
    assert _moved(lost) == before
    (item,) = [each for each in lost.work_items() if each.kind == restoring.RESTORED]
    assert "knows attempt" in str(item.error)
    with pytest.raises(Refused) as refused:
        braking.start(lost.parts, BrakeKind.COLLECT, order=WHY)
    assert refused.value.code == "not_reconciled"


def test_what_a_person_had_stopped_before_is_not_started_again_until_it_is_healed(lost: Company) -> None:
    before = _moved(lost)
    braking.stop(lost.parts, BrakeKind.COLLECT, order=WHY)
    lost.settle_under_a_brake()
    (item,) = [each for each in lost.work_items() if each.kind == "collecting_stopped" and each.status == "open"]
    for start_again in (
        lambda: braking.start(lost.parts, BrakeKind.COLLECT, order=WHY),
        lambda: working.act(lost.parts, item.id, action=Action.RETRY, order=WHY),
    ):
        with pytest.raises(Refused) as refused:
            start_again()
        assert refused.value.code == "not_reconciled"
    healing.tick(lost.parts)
    assert ("collect", None) in brakes(lost), "what a person put on, a person takes off"
    braking.start(lost.parts, BrakeKind.COLLECT, order=WHY)
    lost.settle_under_a_brake()
    assert _moved(lost) == before


def test_it_is_healed_without_a_second_charge_or_a_number_given_twice_and_goes_on(lost: Company) -> None:
    before = _moved(lost)
    assert len(before) == 4
    lost.settle_under_a_brake()
    healing.tick(lost.parts)
    invoices = lost.invoices()
    assert len(invoices) == 3
    assert "issue" not in [kind for kind, _ in brakes(lost)]
    assert all(profile is not None for _, profile in brakes(lost)), "only whose charge waits is held"

    lost.settle_under_a_brake()
    assert _moved(lost) == before
    lost.wait_for(lambda: healed(lost), seconds=20)
    lost.settle()
    assert _moved(lost) == before, "nobody is charged a second time"
    invoices = lost.invoices()
    assert [(invoice.number, invoice.status) for invoice in invoices] == [
        ("ACME-000001", "paid"),
        ("ACME-000002", "paid"),
        ("ACME-000003", "paid"),
        ("ACME-R1-000001", "paid"),
    ]
    assert sum(invoice.amount_paid_minor for invoice in invoices) == sum(amount for _, amount in before)
    assert {each.status for each in lost.work_items()} == {"resolved"}
    with lost.begin() as session:
        assert session.scalars(select(Difference.id).where(Difference.resolved_at.is_(None))).all() == []
    backfill.backfill(lost.parts)
    lost.settle()
    assert lost.violations() == ()

    lost.set_clock(START + timedelta(days=40))
    lost.settle_under_a_brake()
    assert len(lost.invoices()) == 8
    assert lost.violations() == ()


@pytest.mark.parametrize("refused", [False, True])
def test_who_waits_for_a_charge_that_a_person_adopts_is_charged_again(lost: Company, *, refused: bool) -> None:
    """Also where the day's comparison of an account fails at each tick."""
    lost.settle_under_a_brake()
    healing.tick(lost.parts)
    lost.settle_under_a_brake()
    for item in lost.work_items():
        if item.status == "open" and "adopt" in item.safe_actions:
            assert working.act(lost.parts, item.id, action=Action.ADOPT, order=WHY).changed
    assert brakes(lost) != []
    if refused:
        lost.set_clock(AFTERWARDS + timedelta(days=2))
        lost.revoke_key()
        with pytest.raises(ProviderRefused):
            healing.tick(lost.parts)
        lost.restore_key()
    else:
        healing.tick(lost.parts)
    assert brakes(lost) == []
    backfill.backfill(lost.parts)
    lost.settle()
    assert lost.violations() == ()


def test_a_charge_whose_adoption_nobody_foresaw_ends_no_healing_and_keeps_no_other_from_it(
    lost: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It fails again each time: only its customer waits, and it is somebody's work."""
    lost.settle_under_a_brake()
    read, asked = StripeProvider.read_intent, list[str]()
    with lost.begin() as session:
        odd = session.scalars(select(PaymentIntent.intent_ref).where(PaymentIntent.status == "open")).one()

    def unforeseen_of_one(self: StripeProvider, intent_ref: str) -> IntentFacts:
        asked.append(intent_ref)
        if intent_ref == odd:
            raise ValueError("unforeseen")
        return read(self, intent_ref)

    monkeypatch.setattr(StripeProvider, "read_intent", unforeseen_of_one)
    healing.tick(lost.parts)
    # In whatever order: it is that of the provider's ids.
    assert {odd} < set(asked)
    held = {profile for _, profile in brakes(lost)}
    assert None not in held
    with pytest.raises(ValueError, match="unforeseen"):
        healing.tick(lost.parts)
    monkeypatch.undo()
    healing.tick(lost.parts)
    assert {profile for _, profile in brakes(lost)} < held


def test_an_event_of_a_lost_attempt_stops_everything_and_waits_itself(lost: Company) -> None:
    every_event_comes_again(lost)
    assert brakes(lost) == [("collect", None), ("issue", None)]
    with lost.begin() as session:
        handled = session.scalars(select(ProviderEvent.status).where(ProviderEvent.type.like("payment_intent.%")))
        assert "received" in set(handled)


def test_an_event_that_waits_for_the_healing_uses_up_no_try(lost: Company) -> None:
    for _ in range(inbox.MOST_TRIES + 2):
        every_event_comes_again(lost)
        with lost.parts.begin() as session:
            session.execute(
                text(
                    "UPDATE billing.provider_event SET lease_until = NULL, next_try_at = now() "
                    "WHERE status IN ('received', 'processing')"
                )
            )
    assert "event_not_handled" not in {each.kind for each in lost.work_items()}
    healing.tick(lost.parts)
    every_event_comes_again(lost)
    with lost.begin() as session:
        assert set(session.scalars(select(ProviderEvent.status))) <= {"processed", "ignored"}


def test_what_waits_to_be_adopted_after_healing_stops_nothing_a_second_time(lost: Company) -> None:
    lost.settle_under_a_brake()
    healing.tick(lost.parts)
    waiting = [each for each in brakes(lost) if each[1] is not None]
    assert waiting
    reconciliation.reconcile(lost.parts, since=START - timedelta(days=1))
    assert brakes(lost) == waiting, "the same charge is no news"
    with lost.parts.begin() as session:
        session.execute(text("UPDATE billing.database_pin SET fingerprint = 'before'"))
    assert restoring.recognise(lost.parts)
    assert brakes(lost) == waiting
    for event in lost.witness.events():
        lost.witness.call("POST", f"events/{event.event_ref}/resend")
    lost.wait_for(lambda: lost.witness.state().undelivered_webhooks == 0)
    lost.settle_under_a_brake()
    assert brakes(lost) == waiting
    with lost.begin() as session:
        handled = session.scalars(select(ProviderEvent.status).where(ProviderEvent.type.like("payment_intent.%")))
        assert set(handled) == {"processed", "ignored"}


def test_a_lost_charge_of_which_all_was_given_back_stops_nothing_a_second_time(acme: Company) -> None:
    with backup_of(acme) as backup:
        acme.customer("a1")
        backup.take()
        acme.subscribe("a1", "s1")
        acme.settle()
        refunding.refund(acme.parts, acme.invoices()[0].id)
        acme.settle()
        backup.restore()
        acme.settle_under_a_brake()
        assert brakes(acme) == [("collect", None), ("issue", None)]
        healing.tick(acme.parts)
        assert brakes(acme) == [], "nothing is left of it to be adopted"
        every_event_comes_again(acme)
        assert brakes(acme) == []
        with acme.begin() as session:
            handled = session.scalars(select(ProviderEvent.status).where(ProviderEvent.type.like("payment_intent.%")))
            assert set(handled) == {"ignored"}


def test_a_lost_charge_of_a_draft_that_was_changed_meanwhile_waits_until_it_is_so_again(acme: Company) -> None:
    with backup_of(acme) as backup:
        profile_id = acme.customer("a1")
        with acme.parts.begin() as session:
            session.execute(text("UPDATE billing.seller SET draft_review_h = 240"))
        acme.subscribe("a1", "s1")
        acme.settle()
        (draft,) = acme.invoices()
        backup.take()

        def add_line() -> None:
            operating_drafts.add_line(
                acme.parts, draft.id, description="As agreed", amount_minor=900, tax_rate=None, order=WHY
            )

        add_line()
        operating_drafts.release(acme.parts, draft.id, order=WHY)
        acme.settle()
        assert [each.amount_minor for each in acme.payments()] == [2090]
        backup.restore()
        acme.settle_under_a_brake()
        healing.tick(acme.parts)
        assert brakes(acme) == [("collect", profile_id)], "who was charged is not charged again"
        assert [each.status for each in acme.invoices()] == ["draft"]
        assert "charge_without_attempt" in [each.kind for each in acme.work_items() if each.status == "open"]
        add_line()
        healing.tick(acme.parts)
        assert (brakes(acme), [each.amount_paid_minor for each in acme.invoices()]) == ([], [2090])
        acme.settle()
        assert acme.violations() == ()


def test_a_closed_series_is_followed_by_one_of_another_name() -> None:
    assert [next_prefix(each) for each in ("ACME-", "ACME-R1-", "ACME-CN-R9-")] == [
        "ACME-R1-", "ACME-R2-", "ACME-CN-R10-",
    ]  # fmt: skip


def test_a_server_that_was_only_started_again_is_pinned_anew_and_goes_on(acme: Company) -> None:
    acme.customer("a1")
    acme.subscribe("a1", "s1")
    acme.settle()
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.database_pin SET fingerprint = 'before'"))
    acme.set_clock(START + timedelta(days=31))
    start(acme.parts)
    acme.settle()
    assert [invoice.status for invoice in acme.invoices()] == ["paid"] * 2
    assert brakes(acme) == []


def test_who_is_held_for_a_charge_found_just_now_is_not_let_go_by_who_looked_before(acme: Company) -> None:
    profile = acme.customer("a1")
    hold = partial(
        apply_brake,
        kind=BrakeKind.COLLECT,
        seller_id=acme.seller_id,
        profile_id=profile,
        scope=f"customer {profile}",
        actor=ENGINE,
        reason="a charge of a lost invoice waits to be adopted",
        now=START,
    )
    with acme.parts.begin() as session:
        assert hold(session) is not None
    with acme.parts.begin() as session:
        assert hold(session) is None, "it is held already"
        with waiting(acme, healing._release_customers, acme.parts) as running:
            found = Found(
                kind="charge_of_lost_invoice",
                object_ref="ch_lost",
                intent_ref="pi_lost",
                seller_id=acme.seller_id,
                profile_id=profile,
                invoice_id=None,
                amount_minor=1190,
                currency="eur",
                detail="",
                lost=True,
            )
            note_difference(session, found, provider_account_id=acme.account_id, now=START)
            session.commit()
            ends(running)
    assert len(brakes(acme)) == 1
