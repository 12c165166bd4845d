"""PayPal charged by Stripe, through the real flows, beside PayPal itself and cards."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from billing.flows import on_session
from billing.kernel.status import MethodStatus
from billing.models import Dispute, PaymentMethod
from billing.providers.stripe.sent import told
from billing.sandbox.scenario.playing.stage import Stage
from tests.wallets import attempts, bill, give, moved, status_of, sweep


def by_stripe(stage: Stage, profile_id: UUID, name: str = "pm_sandbox_paypal") -> None:
    give(stage, profile_id, name, provider="stripe")


def default_of(stage: Stage) -> PaymentMethod:
    with stage.parts.begin() as session:
        return session.query(PaymentMethod).filter_by(is_default=True).one()


def test_it_is_charged_while_nobody_is_there_and_its_payers_contacts_are_kept_nowhere(stage: Stage, anna: UUID) -> None:
    by_stripe(stage, anna)
    invoice = bill(stage, anna)
    assert (status_of(stage, invoice), moved(stage), moved(stage, "stripe")) == ("paid", [], [1000])
    assert [each.method_kind for each in attempts(stage, invoice)] == ["stripe_paypal"]
    method = default_of(stage)
    assert (method.kind, method.brand, method.issuing_country) == ("stripe_paypal", None, "DE")
    assert list(told(stage.sides["stripe"].witness.requests())) == []
    with stage.parts.begin() as session:
        tables = session.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'billing'")).all()
        for table in tables:
            found = text(f"SELECT count(*) FROM billing.{table} r WHERE r::text ~* 'payer@example|Paula Payer'")
            assert session.scalar(found) == 0, table


def test_what_paypal_declines_is_tried_again_by_the_schedule(stage: Stage, anna: UUID) -> None:
    by_stripe(stage, anna, "pm_sandbox_paypal_declined")
    invoice = bill(stage, anna)
    (first,) = attempts(stage, invoice)
    assert (first.status, first.decline_code) == ("declined", "payment_method_provider_decline")
    by_stripe(stage, anna)
    stage.settle()
    (intent,) = stage.sides["stripe"].witness.intents()
    assert (intent.confirms, status_of(stage, invoice), moved(stage, "stripe")) == (2, "paid", [1000])


def test_it_is_not_tried_with_a_currency_that_it_does_not_take(stage: Stage, anna: UUID) -> None:
    by_stripe(stage, anna)
    invoice = bill(stage, anna, currency="huf")
    assert (status_of(stage, invoice), attempts(stage, invoice)) == ("open", [])


def test_a_payer_who_is_at_hand_is_charged_by_the_same_leave_and_not_sent_away(stage: Stage, anna: UUID) -> None:
    by_stripe(stage, anna, "pm_sandbox_paypal_declined")
    invoice = bill(stage, anna)
    with stage.parts.begin() as session:
        session.execute(text("UPDATE billing.invoice SET next_attempt_at = NULL"))
    by_stripe(stage, anna)
    tried = on_session.pay(stage.parts, profile_id=anna, upto=invoice)
    stage.settle()
    assert (tried.client_secret, status_of(stage, invoice), moved(stage, "stripe")) == (None, "paid", [1000])


@pytest.mark.parametrize(
    ("default", "other", "provider"),
    [("pm_sandbox_paypal_declined", "B-SANDBOX-GOOD", "paypal"), ("B-SANDBOX-NOFUNDS", "pm_sandbox_paypal", "stripe")],
)
def test_a_seller_with_both_falls_back_from_one_to_the_other_after_a_decline_and_is_paid_once(
    stage: Stage, anna: UUID, default: str, other: str, provider: str
) -> None:
    with stage.parts.begin() as session:
        session.execute(text("UPDATE billing.seller SET fall_back = true"))
    for name in (other, default):
        give(stage, anna, name, provider="stripe" if name.startswith("pm_") else "paypal")
    invoice = bill(stage, anna)
    sweep(stage, invoice)
    assert [each.status for each in attempts(stage, invoice)] == ["declined", "succeeded"]
    expected = {"stripe": [], "paypal": [], provider: [1000]}
    assert status_of(stage, invoice) == "paid"
    assert {side: moved(stage, side) for side in ("stripe", "paypal")} == expected


def test_a_dispute_at_paypal_comes_through_stripe(stage: Stage, anna: UUID) -> None:
    by_stripe(stage, anna, "pm_sandbox_paypal_disputed")
    bill(stage, anna)
    with stage.parts.begin() as session:
        (dispute,) = session.query(Dispute).all()
    assert (dispute.status, dispute.reason, dispute.withdrawn_minor) == (
        "needs_response",
        "product_not_received",
        1000,
    )


def test_a_payer_who_ends_the_agreement_at_paypal_is_charged_no_more(stage: Stage, anna: UUID) -> None:
    by_stripe(stage, anna)
    method = default_of(stage)
    stage.sides["stripe"].witness.call("POST", "mandates", {"payment_method": method.method_ref})
    stage.set_clock(stage.now + timedelta(minutes=1))
    stage.settle()
    with stage.parts.begin() as session:
        assert session.get_one(PaymentMethod, method.id).status == MethodStatus.DETACHED
