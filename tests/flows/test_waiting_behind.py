"""What stands first and can't be done, sweep after sweep, keeps nothing behind it from its turn."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, text

from billing.flows import braking, renewal, upkeep
from billing.flows.charging import charge_once
from billing.models import ProviderAccount
from billing.queries.brakes import BrakeKind
from billing.queries.waiting import take_waiting
from tests.flows.away import probed, unanswered
from tests.flows.cents import ORDER
from tests.flows.company import Company


@pytest.mark.parametrize(("ours", "taken"), [(False, 3), (True, 1)])
def test_one_account_that_is_probed_slows_no_other(acme: Company, *, ours: bool, taken: int) -> None:
    unanswered(acme, 3)
    probed(acme, ours=ours)
    with acme.parts.begin() as session:
        assert len(take_waiting(session, lease_s=60, most=100)) == taken


def _two_due(acme: Company) -> None:
    """Two invoices of a customer are due; the younger one has been so for longer."""
    profile = acme.customer("a1")
    braking.stop(acme.parts, BrakeKind.COLLECT, order=ORDER)
    due = text("UPDATE billing.invoice SET next_attempt_at = next_attempt_at - :by WHERE number = :number")
    for days in (1, 2):
        with acme.parts.begin() as session:
            charge_once(acme.parts, session, profile, amount_minor=9000, currency="eur", description="A chair")
        acme.settle_under_a_brake()
        with acme.parts.begin() as session:
            session.execute(due, {"number": acme.invoices()[-1].number, "by": timedelta(days=days)})
    braking.start(acme.parts, BrakeKind.COLLECT, order=ORDER)


def test_an_account_is_probed_by_an_invoice_that_may_be_tried(acme: Company) -> None:
    """The older of a customer's two is tried first, though the other one has been due for longer."""
    _two_due(acme)
    probed(acme, ours=True)
    acme.sweep()
    assert [each.invoice_id for each in acme.payments()][:1] == [acme.invoices()[0].id]
    acme.settle()
    assert [each.status for each in acme.invoices()] == ["paid", "paid"]


def test_a_plan_has_no_place_for_what_an_older_one_comes_before(acme: Company) -> None:
    """Else what is due for longest, and not tried before an older one is, takes all the places of each sweep."""
    _two_due(acme)
    acme.parts = replace(acme.parts, settings=acme.parts.settings.model_copy(update={"billing_plan_limit": 1}))
    acme.sweep()
    assert [each.status for each in acme.invoices()] == ["paid", "open"]
    acme.settle()
    assert [each.status for each in acme.invoices()] == ["paid", "paid"]


def test_an_answer_that_an_account_owes_which_is_away_holds_up_no_younger_invoice(acme: Company) -> None:
    """The customer has another method by now, elsewhere; the outage may last for days."""
    unanswered(acme, 1)
    probed(acme, ours=False)
    with acme.parts.begin() as session:
        other = {"other": session.scalars(select(ProviderAccount.id).where(ProviderAccount.code == "shop")).one()}
        for there in (
            "UPDATE billing.provider_rate SET open_until = now() + interval '1 h' WHERE provider_account_id = :other",
            "UPDATE billing.payment_intent SET provider_account_id = :other",
            "UPDATE billing.payment SET provider_account_id = :other, status = 'sent'",
        ):
            session.execute(text(there), other)
        (profile,) = session.scalars(text("SELECT id FROM billing.profile"))
        charge_once(acme.parts, session, profile, amount_minor=9000, currency="eur", description="A chair")
    for _ in range(2):
        acme.sweep()
    assert [each.status for each in acme.invoices()] == ["open", "paid"]


def test_slices_are_woken_in_turn(acme: Company) -> None:
    """One that is given back each time it is woken keeps no other asleep."""
    acme.parts = replace(
        acme.parts,
        settings=acme.parts.settings.model_copy(update={"billing_plan_limit": 1, "billing_slice_size": 1}),
    )
    for account in ("a1", "a2"):
        acme.customer(account)
        acme.subscribe(account, f"s-{account}")
        renewal.plan(acme.parts)
    acme.line.messages.clear()
    woken = set()
    for _ in range(2):
        with acme.parts.begin() as session:
            session.execute(text("UPDATE billing.slice SET updated_at = updated_at - interval '1 minute'"))
        assert upkeep.wake_slices(acme.parts) == 1
        woken |= {ids for _, ids in acme.line.messages}
    assert len(woken) == 2
