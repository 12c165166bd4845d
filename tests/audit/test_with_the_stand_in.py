"""The audit over real flows, real HTTP and the stand-in's own witness."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import text

from billing.flows.audit import run
from tests.flows.company import company


def test_months_of_billing_with_declines_hold_every_invariant_and_a_lost_booking_is_seen(database_url: str) -> None:
    with company(database_url) as acme:
        acme.customer("a1")
        acme.customer("a2", method="pm_card_chargeCustomerFail")
        acme.customer("a3", method="pm_sandbox_timeoutAfterCharge")
        for account, code in (("a1", "s1"), ("a2", "s2"), ("a3", "s3")):
            acme.subscribe(account, code)
        acme.settle()
        for month, day in ((2, 4), (2, 28), (3, 31)):
            acme.set_clock(datetime(2026, month, day, tzinfo=UTC))
            acme.settle()

        report = run(acme.parts, witness=acme.witness)
        assert report.violations == ()
        assert all(each.skipped_reason is None for each in report.checked)

        with acme.parts.begin() as session:
            session.execute(text("SET LOCAL session_replication_role = replica"))
            lost = session.execute(
                text(
                    "UPDATE billing.payment SET charge_ref = 'ch_lost' WHERE id = "
                    "(SELECT id FROM billing.payment WHERE status = 'succeeded' LIMIT 1) RETURNING id"
                )
            )
            assert lost.scalar_one()

        report = run(acme.parts, witness=acme.witness)
        assert {each.code for each in report.violations} == {"P5", "L5"}
