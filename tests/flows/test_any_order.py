"""Events in any order: those of a whole life, shuffled, doubled and twinned, always end in one state.

Nothing is delivered while the life is played. Then its database is copied for each order, and all events come at once.
`BILLING_ORDERS` sets how many orders are tried.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import random
import time
from dataclasses import replace
from datetime import timedelta
from operator import itemgetter
from typing import Any

import pytest
import requests
from sqlalchemy import text

from billing.db.session import connect, sessions
from billing.flows import inbox, movements
from billing.flows.handlers import HANDLERS
from billing.flows.receiving import Delivery, receive_all
from billing.flows.refunding import refund
from billing.kernel.errors import Refused
from billing.models import Invoice
from billing.queries.payment_method import default_method
from tests.flows.company import START, Company
from tests.servers import Databases

ORDERS = int(os.environ.get("BILLING_ORDERS", "3"))
NOT_PLAYED = {
    "charge.dispute.updated",
    "radar.early_fraud_warning.updated",
    "payment_intent.canceled",
    "payment_intent.requires_action",
    "payment_method.updated",
    "payout.failed",
    "payout.canceled",
    "payout.updated",
    "setup_intent.succeeded",
    "setup_intent.canceled",
    "setup_intent.setup_failed",
}
ENDS = {("refund", "failed"), ("refund", "succeeded"), ("dispute", "won"), ("payout", "paid"), ("customer", "true")}

_STATE = """
    SELECT 'invoice', number, status, amount_paid_minor || '/' || amount_refunded_minor || '/' || amount_remaining_minor
    FROM billing.invoice
    UNION ALL SELECT 'payment', charge_ref, status, amount_minor::text FROM billing.payment
    UNION ALL SELECT 'intent', intent_ref, status, NULL FROM billing.payment_intent
    UNION ALL SELECT 'refund', refund_ref, status, amount_minor::text FROM billing.refund
    UNION ALL SELECT 'dispute', dispute_ref, status, withdrawn_minor || '/' || reinstated_minor FROM billing.dispute
    UNION ALL SELECT 'warning', warning_ref, NULL, NULL FROM billing.fraud_warning
    UNION ALL SELECT 'method', method_ref, status, is_default || '/' || coalesce(exp_year, 0)
    FROM billing.payment_method
    UNION ALL SELECT 'customer', customer_ref, (deleted_at IS NOT NULL)::text, NULL FROM billing.provider_customer
    UNION ALL SELECT 'movement', balance_ref, (booked_at IS NOT NULL)::text, (payout_id IS NOT NULL)::text
    FROM billing.provider_movement
    UNION ALL SELECT 'payout', payout_ref, status, amount_minor::text FROM billing.payout
    UNION ALL SELECT 'unapplied', charge_ref, status, amount_minor::text FROM billing.unapplied_payment
    UNION ALL SELECT 'subscription', code, status, NULL FROM billing.subscription
    UNION ALL SELECT 'work', kind, status, subject_type || '/' || coalesce(amount_minor, 0) FROM billing.work_item
    UNION ALL SELECT 'account', account, currency, sum(amount_minor)::text FROM billing.posting GROUP BY 2, 3
    UNION ALL SELECT 'entries', kind, NULL, count(*)::text FROM billing.ledger_entry GROUP BY 2
    ORDER BY 1, 2, 3, 4
"""


def _state(acme: Company) -> list[tuple[Any, ...]]:
    with acme.begin() as session:
        return [tuple(row) for row in session.execute(text(_STATE))]


@pytest.fixture
def databases(_databases: Databases) -> Databases:
    """Where copies of the test's database are made."""
    return _databases


def _waiting(acme: Company) -> bool:
    with acme.begin() as session:
        found = session.scalar(text("SELECT EXISTS (SELECT FROM billing.provider_event WHERE next_try_at IS NOT NULL)"))
    return bool(found)


def _listed(acme: Company) -> list[dict[str, Any]]:
    """Everything that happened at the provider and has a handler."""
    events: list[dict[str, Any]] = []
    key, more = {"Authorization": "Bearer sk_test_company"}, True
    while more:
        query: dict[str, Any] = {"limit": 100, **({"starting_after": events[-1]["id"]} if events else {})}
        answer = requests.get(f"{acme.witness_url}/v1/events", params=query, headers=key, timeout=5).json()
        events += answer["data"]
        more = answer["has_more"]
    return [each for each in events if each["type"] in HANDLERS]


def _play_a_life(acme: Company) -> None:
    acme.witness.add_faults({"kind": "webhook_drop", "rate": 1})
    acme.witness.call("POST", "config", {"refunds_pending": True})
    methods = {
        "refunded": "pm_card_visa",
        "disputed": "pm_card_visa",
        "warned": "pm_card_visa",
        "retried": "pm_sandbox_declineThenSucceed",
        "behind": "pm_card_visa_chargeDeclinedInsufficientFunds",
        "slow": "pm_sandbox_processing",
        "stuck": "pm_sandbox_processing",
        "moved": "pm_card_visa",
        "renewed": "pm_card_visa",
        "gone": "pm_card_visa",
        "revoked": "pm_card_visa",
    }
    profiles = {name: acme.customer(name, method=method) for name, method in methods.items()}
    for name in methods:
        # What is processing ends by itself after some days, so it begins on the last one.
        begins = START + timedelta(days=3 if name in ("slow", "stuck") else 0)
        acme.subscribe(name, f"s-{name}", start=begins)
    acme.settle()
    acme.set_clock(START + timedelta(days=3))
    acme.settle()
    invoices = {each.profile_id: each for each in acme.invoices()}

    def charge_of(name: str) -> str:
        (succeeded,) = [each for each in acme.payments(invoices[profiles[name]]) if each.status == "succeeded"]
        assert succeeded.charge_ref is not None
        return succeeded.charge_ref

    def method_of(name: str) -> str:
        with acme.begin() as session:
            method = default_method(session, profiles[name])
        assert method is not None
        assert method.method_ref is not None
        return method.method_ref

    _refund(acme, invoices[profiles["refunded"]])
    for name, succeeded in (("slow", True), ("stuck", False)):
        (payment,) = acme.payments(invoices[profiles[name]])
        intent = next(each for each in acme.witness.intents() if each.customer_ref == payment.customer_ref)
        acme.witness.call("POST", f"payment_intents/{intent.intent_ref}/settle", {"succeeded": succeeded})
    acme.pay_behind_our_back(profiles["behind"])
    dispute = acme.witness.call("POST", "disputes", {"charge": charge_of("disputed")})
    acme.witness.call("POST", f"disputes/{dispute['id']}/close", {"status": "won"})
    acme.witness.call("POST", "early_fraud_warnings", {"charge": charge_of("warned")})
    old = method_of("moved")
    acme.give_method(profiles["moved"], "pm_card_mastercard")
    _at_the_provider(acme, f"payment_methods/{old}/detach")
    for year in (2031, 2034):
        acme.witness.call("POST", f"payment_methods/{method_of('renewed')}/renew", {"exp_year": year})
    acme.witness.call("POST", "mandates", {"payment_method": method_of("revoked")})
    _at_the_provider(acme, f"customers/{acme.customer_ref(profiles['gone'])}", verb="DELETE")
    (payout,) = acme.witness.call("POST", "payouts", {"reconciliation_status": "in_progress"})
    acme.witness.call("POST", f"payouts/{payout['id']}", {"status": "reconciled"})
    acme.witness.call("POST", f"payouts/{payout['id']}", {"status": "paid"})


def _refund(acme: Company, invoice: Invoice) -> None:
    """Two parts go back; the bank sends the second one back to us, days after it took it."""
    for amount in (300, 400):
        refund(acme.parts, invoice.id, amount_minor=amount)
        acme.run_messages()
    ends = {300: "succeeded", 400: "failed"}
    for each in list(acme.witness.refunds()):
        acme.witness.call("POST", f"refunds/{each.refund_ref}", {"status": ends[each.amount_minor]})


def _at_the_provider(acme: Company, path: str, *, verb: str = "POST") -> None:
    key = {"Authorization": "Bearer sk_test_company"}
    requests.request(verb, f"{acme.witness_url}/v1/{path}", headers=key, timeout=5).raise_for_status()


def _deliver(acme: Company, events: list[dict[str, Any]], chance: random.Random) -> None:
    """A few together, handled now or later; some come twice, some again as a twin under another id."""
    told = [json.dumps(each).encode() for each in events]
    told += chance.sample(told, len(events) // 3)
    twins = [{**each, "id": f"{each['id']}twin"} for each in chance.sample(events, len(events) // 3)]
    told += [json.dumps(each).encode() for each in twins]
    chance.shuffle(told)
    for start in range(0, len(told), 7):
        deliveries = [Delivery(raw, _signature(acme, raw)) for raw in told[start : start + 7]]
        received = receive_all(acme.parts, provider="stripe", code="default", deliveries=deliveries)
        assert not [each for each in received if isinstance(each, Refused)]
        if chance.random() < 0.7:
            acme.run_messages()
    deadline = time.monotonic() + 30
    while _waiting(acme):
        inbox.sweep(acme.parts)
        acme.run_messages()
        assert time.monotonic() < deadline


def _signature(acme: Company, raw: bytes) -> str:
    stamp, secret = int(time.time()), acme.parts.settings.webhook_secrets("default")[0]
    return f"t={stamp},v1={hmac.new(secret.encode(), b'%d.%b' % (stamp, raw), hashlib.sha256).hexdigest()}"


def test_the_events_of_a_whole_life_end_in_one_state_in_whatever_order_they_come(
    acme: Company, databases: Databases
) -> None:
    _play_a_life(acme)
    events = _listed(acme)
    assert set(HANDLERS) - {each["type"] for each in events} == NOT_PLAYED
    lived = acme.parts
    engine = lived.sessions.kw["bind"]
    engine.dispose()
    ends = []
    for seed in range(ORDERS):
        name = databases.clone(of=engine.url.database)
        copied = connect(databases.url_of(name))
        acme.parts = replace(lived, sessions=sessions(copied, lived.sessions.kw["info"]), permits={})
        try:
            _deliver(acme, sorted(events, key=itemgetter("created")), random.Random(seed))
            # The hourly reading books the fees whose charge was not in our rows yet when they were told.
            movements.read(acme.parts, acme.account_id)
            if seed == 0:
                assert acme.violations() == ()
            ends.append(_state(acme))
        finally:
            copied.dispose()
            databases.drop(name)
            acme.parts = lived
    for seed, end in enumerate(ends):
        assert end == ends[0], f"seed {seed}"
    assert {(row[0], row[2]) for row in ends[0]} >= ENDS
