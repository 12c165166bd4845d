"""What tests of a customer at hand share: a debt, the bank's question, and what the provider has in its books."""

from __future__ import annotations

from uuid import UUID

import pytest
import requests
from sqlalchemy import text

from billing.flows import on_session, renewal
from billing.kernel.errors import Refused
from billing.models import Invoice
from billing.queue.names import RENEWALS_BILL
from tests.flows.company import Company

AUTHENTICATE = "pm_card_authenticationRequired"


def owing(acme: Company, method: str | None = AUTHENTICATE, *, code: str = "one") -> UUID:
    """A customer whose first invoice could not be charged in their absence."""
    profile_id = acme.customer(code, method=method)
    acme.subscribe(code, f"{code}-basic")
    acme.settle()
    return profile_id


def issue(acme: Company) -> None:
    """What is due is billed; its charge waits in the line."""
    renewal.plan(acme.parts)
    for _ in range(len(acme.line.messages)):
        task, ids = acme.line.messages.popleft()
        if task == RENEWALS_BILL:
            renewal.bill(acme.parts, UUID(ids[0]))
        else:
            acme.line.messages.append((task, ids))


def the_invoice(acme: Company) -> Invoice:
    (invoice,) = acme.invoices()
    return invoice


def intents(acme: Company) -> list[dict[str, str]]:
    answer: list[dict[str, str]] = requests.get(f"{acme.witness_url}/_sandbox/intents", timeout=5).json()
    return answer


def authenticate(acme: Company, *, succeeded: bool) -> None:
    (waiting,) = [each["id"] for each in intents(acme) if each["status"] == "requires_action"]
    path = f"{acme.witness_url}/_sandbox/payment_intents/{waiting}/authenticate"
    requests.post(path, json={"succeeded": succeeded}, timeout=5).raise_for_status()


def fails_once(acme: Company, kind: str, *, path: str = "/v1/payment_intents") -> None:
    faults = [{"kind": kind, "next": 1, "path": path}]
    requests.post(f"{acme.witness_url}/_sandbox/faults", json=faults, timeout=5).raise_for_status()


def charges(acme: Company, status: str = "succeeded") -> int:
    return sum(each.status == status for each in acme.witness.charges())


def refusal(acme: Company, profile_id: UUID) -> str:
    with pytest.raises(Refused) as refused:
        on_session.pay(acme.parts, profile_id=profile_id)
    return refused.value.code


def age(acme: Company, payment: UUID, *, hours: int) -> None:
    """The attempt was opened so long ago, and a look at it is due."""
    with acme.parts.begin() as session:
        session.execute(
            text(
                "UPDATE billing.payment SET created_at = created_at - make_interval(hours => :hours),"
                " next_check_at = clock_timestamp() WHERE id = :id"
            ),
            {"hours": hours, "id": payment},
        )
