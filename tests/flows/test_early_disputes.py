"""A dispute, or the warning of one, that comes before our own record of its charge waits for that."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, text

from billing.flows import collection, inbox, renewal
from billing.models import Dispute, FraudWarning, ProviderEvent
from tests.flows.company import Company
from tests.flows.comparing import in_the_dashboard

_SILENT = (
    {"kind": "event_lost", "next": 9, "type": "payment_intent"},
    {"kind": "event_lost", "next": 9, "type": "charge.succeeded"},
)


def _charged_without_an_answer(acme: Company) -> str:
    """The charge, whose attempt is unknown to us. No event tells of it."""
    acme.customer("a1")
    acme.subscribe("a1", "s1")
    acme.witness.add_faults({"kind": "timeout_after", "next": 1, "path": "/v1/payment_intents"}, *_SILENT)
    for sweep in (renewal.plan, collection.plan):
        sweep(acme.parts)
        acme.run_messages()
    assert [each.status for each in acme.payments()] == ["unknown"]
    (charge,) = acme.witness.charges()
    return charge.charge_ref


def _handle(acme: Company) -> list[tuple[str, str, int]]:
    """Each event of a dispute or a warning, handled as far as it can be: its type, state and tries."""
    acme.wait_for(lambda: acme.witness.state().undelivered_webhooks == 0)
    inbox.sweep(acme.parts)
    acme.run_messages()
    with acme.begin() as session:
        rows = session.scalars(select(ProviderEvent).order_by(ProviderEvent.id))
        return [(row.type, row.status, row.tries) for row in rows if "dispute" in row.type or "fraud" in row.type]


def _kept(acme: Company) -> tuple[int, int]:
    with acme.begin() as session:
        return len(session.scalars(select(Dispute)).all()), len(session.scalars(select(FraudWarning)).all())


@pytest.mark.parametrize(("kind", "kept"), [("disputes", (1, 0)), ("early_fraud_warnings", (0, 1))])
def test_it_waits_while_the_charges_attempt_is_unknown_and_uses_up_no_try(
    acme: Company, kind: str, kept: tuple[int, int]
) -> None:
    charge_ref = _charged_without_an_answer(acme)
    acme.witness.call("POST", kind, {"charge": charge_ref})
    for _ in range(10):
        events = _handle(acme)
        assert {(status, tries) for _, status, tries in events} == {("received", 0)}
        with acme.parts.begin() as session:
            session.execute(text("UPDATE billing.provider_event SET next_try_at = now() WHERE next_try_at IS NOT NULL"))
    assert (_kept(acme), acme.payments()[0].status) == ((0, 0), "unknown")
    acme.settle()
    assert (_kept(acme), acme.invoices()[0].status) == (kept, "paid")
    assert {status for _, status, _ in _handle(acme)} == {"processed"}
    assert acme.violations() == ()


def test_one_of_a_charge_that_no_invoice_of_ours_asked_for_is_ignored_beside_an_open_attempt(acme: Company) -> None:
    ours = _charged_without_an_answer(acme)
    other: dict[str, Any] = in_the_dashboard(
        acme, "payment_intents", amount="700", currency="eur", confirm="true", payment_method="pm_card_visa",
        **{"allowed_payment_method_types[]": "card"},
    )  # fmt: skip
    assert other["latest_charge"] != ours
    acme.witness.call("POST", "disputes", {"charge": other["latest_charge"]})
    assert {status for _, status, _ in _handle(acme)} == {"ignored"}
