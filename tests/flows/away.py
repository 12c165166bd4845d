"""A provider account that is away: attempts that it never answered, and the one call that asks whether it is back."""

from __future__ import annotations

from uuid import uuid4

from sqlalchemy import text

from billing.flows import collection, renewal
from billing.models import ProviderAccount
from tests.flows.company import Company


def unanswered(acme: Company, number: int) -> None:
    """So many customers are charged, and no answer comes back."""
    for each in range(number):
        acme.customer(f"a{each}")
        acme.subscribe(f"a{each}", f"s{each}")
    acme.witness.add_faults({"kind": "timeout_before", "next": number, "path": "/v1/payment_intents", "ms": 0})
    renewal.plan(acme.parts)
    acme.run_messages()
    collection.plan(acme.parts)
    acme.run_messages()
    assert {each.status for each in acme.payments()} == {"unknown"}
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.payment SET next_check_at = clock_timestamp(), lease_until = NULL"))


_PROBED = """
    INSERT INTO billing.provider_rate
    SELECT (jsonb_populate_record(r, jsonb_build_object(
        'id', gen_random_uuid(), 'provider_account_id', CAST(:other AS uuid), 'open_until', now()))).*
    FROM billing.provider_rate r WHERE endpoint = ''
"""


def probed(acme: Company, *, ours: bool) -> None:
    """A provider account (ours, or another) was away and is now to be asked by one call only."""
    with acme.parts.begin() as session:
        if ours:
            session.execute(text("UPDATE billing.provider_rate SET open_until = now() WHERE endpoint = ''"))
        else:
            other = ProviderAccount(id=uuid4(), provider="stripe", code="shop", livemode=False, account_ref="acct_shop")
            session.add(other)
            session.flush()
            assert session.execute(text(_PROBED), {"other": other.id}).rowcount == 1
