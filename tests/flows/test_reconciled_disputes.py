"""Disputes are compared like all else: taken over, learnt of late, found to differ or to be missing."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select

from billing.flows import reconciliation, working
from billing.flows.working import Action
from billing.models import Dispute, Reconciliation
from tests.flows.company import START, Company
from tests.flows.comparing import WHY, compare, forget, open_item, paid_customer


@pytest.fixture
def paid(acme: Company) -> UUID:
    return paid_customer(acme)


def _dispute(acme: Company) -> Dispute:
    with acme.begin() as session:
        return session.scalars(select(Dispute)).one()


def test_a_dispute_that_nobody_told_us_of_is_taken_over(acme: Company, paid: UUID) -> None:
    acme.witness.add_faults({"kind": "webhook_drop", "rate": 1})
    opened = acme.witness.call("POST", "disputes", {"charge": acme.payments()[0].charge_ref})
    assert compare(acme) == []
    row = _dispute(acme)
    assert (row.dispute_ref, row.status, row.withdrawn_minor) == (opened["id"], "needs_response", 1190)
    assert (acme.account("disputes"), acme.account("provider_clearing")) == (1190, 0)
    assert open_item(acme, "dispute_needs_response").tries == 1
    with acme.begin() as session:
        (run,) = session.scalars(select(Reconciliation)).all()
    assert run.disputes == 1
    assert compare(acme) == []
    assert open_item(acme, "dispute_needs_response").tries == 1, "what agrees costs no write"
    assert acme.violations() == ()


def test_a_dispute_that_ended_unheard_after_weeks_is_learnt_by_the_days_run(acme: Company, paid: UUID) -> None:
    """It is older than what a daily run looks back to."""
    acme.witness.add_faults({"kind": "webhook_drop", "rate": 1})
    opened = acme.witness.call("POST", "disputes", {"charge": acme.payments()[0].charge_ref})
    acme.set_clock(START + timedelta(days=5))
    assert reconciliation.tick(acme.parts) == 1
    assert _dispute(acme).status == "needs_response"
    acme.witness.call("POST", f"disputes/{opened['id']}/close", {"status": "lost"})
    acme.set_clock(START + timedelta(days=20))
    assert reconciliation.tick(acme.parts) == 1
    assert (_dispute(acme).status, _dispute(acme).reopened_minor) == ("lost", 1190)
    assert open_item(acme, "dispute_lost").amount_minor == 1190


def test_a_lost_dispute_that_is_won_unheard_after_weeks_is_learnt_by_the_balance(acme: Company, paid: UUID) -> None:
    """It ended long ago, and what it was opened in is not looked at again; what came back stands in the balance."""
    opened = acme.witness.call("POST", "disputes", {"charge": acme.payments()[0].charge_ref})
    acme.witness.call("POST", f"disputes/{opened['id']}/close", {"status": "lost"})
    acme.settle()
    acme.set_clock(START + timedelta(days=5))
    assert reconciliation.tick(acme.parts) == 1
    assert _dispute(acme).status == "lost"
    acme.witness.add_faults({"kind": "webhook_drop", "rate": 1})
    acme.set_clock(START + timedelta(days=20))
    acme.witness.call("POST", f"disputes/{opened['id']}/close", {"status": "won"})
    acme.set_clock(START + timedelta(days=21))
    assert reconciliation.tick(acme.parts) == 1
    assert (_dispute(acme).status, _dispute(acme).reinstated_minor) == ("won", 1190)
    assert {each.code for each in acme.violations()} == {"E4"}, "two events were never told"


def test_a_dispute_that_can_not_be_taken_over_is_work_until_both_sides_agree(acme: Company, paid: UUID) -> None:
    acme.witness.call("POST", "disputes", {"charge": acme.payments()[0].charge_ref})
    acme.settle()
    row = _dispute(acme)
    forget(acme, "UPDATE billing.dispute SET status = 'lost', closed_at = now(), due_by = NULL")
    assert compare(acme) == [("dispute_differs", row.dispute_ref)]
    item = open_item(acme, "dispute_differs")
    still = working.act(acme.parts, item.id, action=Action.REREAD, order=WHY)
    assert still.told == "it is still so; nothing was changed"
    forget(acme, "UPDATE billing.dispute SET status = 'needs_response', closed_at = NULL")
    done = working.act(acme.parts, item.id, action=Action.REREAD, order=WHY)
    assert (done.changed, done.told) == (True, "both sides agree now; it is closed")
    assert compare(acme) == []


def test_a_dispute_that_the_provider_lacks_is_found(acme: Company, paid: UUID) -> None:
    acme.witness.call("POST", "disputes", {"charge": acme.payments()[0].charge_ref})
    acme.settle()
    ref = _dispute(acme).dispute_ref
    forget(acme, "UPDATE billing.dispute SET dispute_ref = 'dp_nowhere', charge_ref = 'ch_nowhere'")
    assert ("dispute_missing", "dp_nowhere") in compare(acme)
    forget(acme, "DELETE FROM billing.dispute WHERE dispute_ref <> 'dp_nowhere'")
    forget(acme, f"UPDATE billing.dispute SET dispute_ref = '{ref}', charge_ref = '{acme.payments()[0].charge_ref}'")
