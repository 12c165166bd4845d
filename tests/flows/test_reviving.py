"""Attempts that a restored database lost are taken up again as the provider knows them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, text

from billing.flows import backfill, braking, drafts, healing, payment_methods
from billing.models import Payment, PaymentMethod
from billing.queries.brakes import BrakeKind
from tests.flows.company import START, Company
from tests.flows.restored import WHY, Backup, backup_of, heal, healed


def _take_before_the_charge(acme: Company, backup: Backup, account: str) -> None:
    """The first invoice of a new subscription is in it, and no attempt to collect it. Debits need no announcement."""
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.payment_method SET notice_days = 0"))
    acme.subscribe(account, "s1")
    braking.stop(acme.parts, BrakeKind.COLLECT, order=WHY)
    acme.settle_under_a_brake()
    braking.start(acme.parts, BrakeKind.COLLECT, order=WHY)
    backup.take()


@pytest.mark.parametrize("kind", ["sepa_debit", None])
def test_a_revived_attempt_is_of_the_method_that_was_charged(acme: Company, kind: str | None) -> None:
    """The customer's default was another one when the backup was taken."""
    with backup_of(acme) as backup:
        profile_id = acme.customer("one", method="pm_sandbox_sepa" if kind else "pm_card_visa")
        with acme.begin() as session:
            charged = session.scalars(select(PaymentMethod)).one()
        acme.give_method(profile_id, "pm_card_visa" if kind else "pm_sandbox_sepa")
        _take_before_the_charge(acme, backup, "one")

        payment_methods.make_default(acme.parts, method_id=charged.id)
        # A bank account's money comes days later.
        for days in (1, 8):
            acme.set_clock(START + timedelta(days=days))
            acme.settle()
        (paid,) = acme.payments()
        assert (paid.status, paid.method_kind) == ("succeeded", kind)
        backup.restore()
        acme.set_clock(START + timedelta(days=9))
        acme.settle_under_a_brake()
        acme.wait_for(lambda: healed(acme), seconds=20)
        (revived,) = acme.payments()
        assert (revived.id, revived.status) == (paid.id, "succeeded")
        assert (revived.method_kind, revived.method_ref) == (kind, charged.method_ref)
        assert revived.payment_method_id == charged.id
        backfill.backfill(acme.parts)
        acme.settle()
        assert acme.violations() == ()


def test_a_debit_that_the_bank_still_has_is_taken_up_again_and_not_asked_for_twice(acme: Company) -> None:
    with backup_of(acme) as backup:
        acme.customer("debited", method="pm_sandbox_sepa")
        _take_before_the_charge(acme, backup, "debited")
        acme.settle()
        assert [each.status for each in acme.witness.charges()] == ["pending"]
        backup.restore()
        acme.set_clock(START + timedelta(days=1))
        acme.settle_under_a_brake()
        healing.tick(acme.parts)
        acme.settle()
        with acme.begin() as session:
            attempt = session.scalars(select(Payment)).one()
        assert (attempt.status, attempt.method_kind) == ("processing", "sepa_debit")
        acme.set_clock(START + timedelta(days=6))
        acme.wait_for(lambda: [each.status for each in acme.witness.charges()] == ["succeeded"])
        acme.settle()
        assert [each.status for each in acme.invoices()] == ["paid"]
        backfill.backfill(acme.parts)
        acme.settle()
        assert acme.violations() == ()


NO_FUNDS = "pm_card_visa_chargeDeclinedInsufficientFunds"
FIRST_RETRY = timedelta(days=3)


def _restored_and_healed(acme: Company, backup: Backup) -> None:
    backup.restore()
    acme.settle_under_a_brake()
    acme.wait_for(lambda: healed(acme), seconds=20)
    backfill.backfill(acme.parts)
    acme.settle()
    assert acme.violations() == ()


def test_a_first_try_that_was_declined_is_followed_by_the_schedule(acme: Company) -> None:
    with backup_of(acme) as backup:
        acme.customer("poor", method=NO_FUNDS)
        _take_before_the_charge(acme, backup, "poor")
        acme.settle()
        (tried,) = acme.payments()
        _restored_and_healed(acme, backup)
        (revived,) = acme.payments()
        assert (revived.id, revived.status, revived.scheduled) == (tried.id, "declined", True)
        (invoice,) = acme.invoices()
        assert (invoice.dunning_at, invoice.next_attempt_at) == (START, START + FIRST_RETRY)
        acme.set_clock(START + FIRST_RETRY)
        acme.settle()
        assert [each.status for each in acme.payments()] == ["declined", "declined"]
        assert acme.violations() == ()


def test_what_was_tried_after_its_issue_may_be_of_a_draft_again(acme: Company) -> None:
    """The copy is of the hours of its review; nobody has sent anything for a draft."""
    with backup_of(acme) as backup:
        with acme.parts.begin() as session:
            session.execute(text("UPDATE billing.seller SET draft_review_h = 48"))
        acme.customer("poor", method=NO_FUNDS)
        acme.subscribe("poor", "s1")
        acme.settle()
        assert [each.status for each in acme.invoices()] == ["draft"]
        backup.take()
        acme.set_clock(START + timedelta(days=2))
        drafts.sweep(acme.parts)
        acme.settle()
        (tried,) = acme.payments()
        backup.restore()
        heal(acme, at=START + timedelta(days=2))
        (revived,) = acme.payments()
        assert (revived.id, revived.status) == (tried.id, "declined")
        assert [each.status for each in acme.invoices()] == ["draft"]
        assert acme.violations() == ()
        drafts.sweep(acme.parts)
        acme.settle()
        assert [each.status for each in acme.invoices()] == ["open"]
        assert acme.violations() == ()
