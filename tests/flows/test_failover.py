"""A failover to a replica that lagged: a call of the old side arrives when its invoice has been charged anew."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

import pytest
import requests
from sqlalchemy import text

from billing.flows import renewal, restoring
from billing.kernel.ids import new_id
from billing.queries.same_database import pin_database
from billing.queue.names import RENEWALS_BILL
from tests.flows.company import Company
from tests.flows.restored import backup_of, brakes


@pytest.fixture
def lagged(acme: Company) -> Iterator[Company]:
    """An open invoice; the attempt that the old side then committed is not in these rows."""
    with backup_of(acme) as backup:
        acme.customer("a1")
        acme.subscribe("a1", "s1")
        renewal.plan(acme.parts)
        while acme.line.messages:
            task, ids = acme.line.messages.popleft()
            if task.name == RENEWALS_BILL.name:
                renewal.bill(acme.parts, *map(UUID, ids))
        with acme.parts.begin() as session:
            session.execute(text("UPDATE billing.slice SET status = 'done'"))
        backup.take()
        backup.restore()
        yield acme


def _the_old_sides_call_arrives(acme: Company) -> UUID:
    """It charges the invoice, by an attempt that is lost. Returns its id."""
    (invoice,), lost = acme.invoices(), new_id()
    with acme.begin() as session:
        who = session.execute(text(
            "SELECT m.method_ref, c.customer_ref FROM billing.payment_method m "
            "JOIN billing.provider_customer c USING (profile_id)")).one()  # fmt: skip
    asked = {
        "amount": str(invoice.amount_due_minor), "currency": "eur", "customer": who.customer_ref, "confirm": "true",
        "payment_method": who.method_ref, "off_session": "true", "allowed_payment_method_types[]": "card",
        "metadata[invoice_id]": str(invoice.id), "metadata[payment_id]": str(lost),
    }  # fmt: skip
    headers = {"Authorization": "Bearer sk_test_company", "Idempotency-Key": str(lost)}
    requests.post(f"{acme.witness_url}/v1/payment_intents", data=asked, headers=headers, timeout=5).raise_for_status()
    return lost


def _charged(acme: Company) -> list[int]:
    return [each.amount_minor for each in acme.witness.charges() if each.status == "succeeded"]


def test_a_charge_of_a_lost_attempt_stops_everything_though_its_invoice_has_one_of_ours(lagged: Company) -> None:
    with lagged.parts.begin() as session:
        pin_database(session)
    lagged.settle()
    assert _charged(lagged) == [1190]
    lost = _the_old_sides_call_arrives(lagged)
    lagged.wait_for(lambda: lagged.witness.state().undelivered_webhooks == 0)
    lagged.settle_under_a_brake()
    assert brakes(lagged) == [("collect", None), ("issue", None)]
    (item,) = [each for each in lagged.work_items() if each.kind == restoring.RESTORED]
    assert str(lost) in str(item.error)
