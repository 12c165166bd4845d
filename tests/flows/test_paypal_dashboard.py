"""What the seller does in PayPal's dashboard is work for a person, and proves nothing about our rows."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, text

from billing.flows import reconciliation, restoring
from billing.models import Difference, ProviderAccount, ProviderCustomer
from billing.queries.same_database import pin_first
from billing.sandbox.paypal import captures
from billing.sandbox.stripe.standin import Call
from billing.sandbox.stripe.tx import Tx
from tests.stages import staged
from tests.wallets import START, anna_of, bill, give


@pytest.mark.parametrize(("known_as", "plain"), [(None, False), ("QYR5Z8XDVJNXQ", False), ("QYR5Z8XDVJNXQ", True)])
def test_a_refund_there_has_the_name_of_its_order_and_is_no_refund_of_ours_that_was_lost(
    database_url: str, known_as: str | None, *, plain: bool
) -> None:
    """A customer who was imported may be known there by another name than our anonymous id; their orders have had the
    plain id of their attempt as name, and have it still."""
    with staged(database_url, now=START) as stage:
        stage.account("paypal")
        anna = anna_of(stage)
        give(stage, anna, "B-SANDBOX-GOOD")
        if known_as is not None:
            with stage.parts.begin() as session:
                session.scalars(select(ProviderCustomer).filter_by(profile_id=anna)).one().customer_ref = known_as
        invoice = bill(stage, anna)
        side = stage.sides["paypal"]
        (charge,) = side.witness.charges()
        with stage.parts.begin() as session:
            account = session.get_one(ProviderAccount, side.account_id).account_ref
        with side.stand_in.store.transaction() as tx:
            if plain:
                _name_by_the_attempt_alone(tx, account, charge.charge_ref)
            captures.refund(Call(side.stand_in, tx, account, side.stand_in.clock.now(), args={"id": charge.charge_ref}))
        stage.set_clock(START + timedelta(days=2))
        reconciliation.reconcile(stage.parts)
        with stage.parts.begin() as session:
            # As after a failover: whether rows were lost is asked anew.
            pin_first(session)
            session.execute(text("UPDATE billing.database_pin SET fingerprint = 'another'"))
        restoring.recognise(stage.parts)
        with stage.parts.begin() as session:
            (found,) = session.scalars(select(Difference)).all()
            assert (found.kind, found.invoice_id, found.amount_minor) == ("refund_without_record", invoice, 1000)
            assert not restoring.is_restored(session)


def _name_by_the_attempt_alone(tx: Tx, account: str, charge_ref: str) -> None:
    capture = tx.get(account, "charge", charge_ref)
    assert capture is not None
    order = tx.get(account, "payment_intent", capture.body["payment_intent"])
    assert order is not None
    names = order.body["metadata"]
    assert names["payment_id"].endswith(".")
    names["payment_id"] = names["payment_id"].removesuffix(".")
    tx.save(order)
