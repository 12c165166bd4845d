"""A second account at Stripe in a life, with its own key, door and secret, and balances in other currencies.

What chance does with it, and what must be true of two accounts; the fixture `two_accounts` has the company start so.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import requests
from sqlalchemy import select, text

from billing.flows import braking, movements
from billing.flows.charging import charge_once
from billing.kernel.errors import NoPermit, ProviderUnavailable
from billing.models import Payment, Payout, ProviderAccount, ProviderEvent
from billing.queries.books.payout import payout_report
from billing.queries.brakes import BrakeKind, moves
from billing.queries.dispute import undisputed
from billing.queries.rate import lines
from billing.rules.breaker import TRIP
from tests.flows.company import START
from tests.flows.life import CARDS, ORDER, Act, Life

KEY, SECRET = "STRIPE_API_KEY__SHOP", "STRIPE_WEBHOOK_SECRET__SHOP"
LEAST = "jpy:100,kwd:0.190"
"""What comes to 0.50 EUR at the worst of the rates, as 0.63 USD does."""

_ASTRAY = text(
    """
    SELECT 'payment', p.id FROM billing.payment p
    JOIN billing.payment_method m ON m.id = p.payment_method_id
    JOIN billing.payment_intent i ON i.id = p.payment_intent_id
    WHERE p.provider_account_id <> m.provider_account_id OR p.provider_account_id <> i.provider_account_id
       OR NOT EXISTS (SELECT FROM billing.provider_customer c WHERE c.customer_ref = p.customer_ref
                      AND c.provider_account_id = p.provider_account_id AND c.profile_id = p.profile_id)
    UNION ALL
    SELECT 'refund', r.id FROM billing.refund r JOIN billing.payment p ON p.id = r.payment_id
    WHERE r.provider_account_id <> p.provider_account_id OR r.charge_ref <> p.charge_ref
    UNION ALL
    SELECT 'dispute', d.id FROM billing.dispute d JOIN billing.payment p ON p.id = d.payment_id
    WHERE d.provider_account_id <> p.provider_account_id OR d.charge_ref <> p.charge_ref
    UNION ALL
    SELECT 'movement', m.id FROM billing.provider_movement m JOIN billing.payout o ON o.id = m.payout_id
    WHERE m.provider_account_id <> o.provider_account_id OR m.currency <> o.currency
    """
)
_HELD = text(
    """
    WITH ours AS (
        SELECT provider_account_id, charge_ref AS ref FROM billing.payment WHERE charge_ref IS NOT NULL
        UNION SELECT provider_account_id, charge_ref FROM billing.unapplied_payment
        UNION SELECT provider_account_id, balance_ref FROM billing.provider_movement
        UNION SELECT provider_account_id, payout_ref FROM billing.payout
    )
    SELECT o.provider_account_id, s.currency, sum(s.amount_minor)::bigint AS amount
    FROM billing.ledger_entry e
    JOIN billing.posting s ON s.entry_id = e.id AND s.account = 'provider_clearing'
    LEFT JOIN billing.payment p ON p.id = e.payment_id
    JOIN ours o ON o.ref = coalesce(p.charge_ref, e.charge_ref)
    GROUP BY 1, 2
    """
)
_IDLE = text(
    """
    SELECT count(*) FROM billing.payment
    WHERE provider_account_id = :other AND status IN ('prepared', 'sent') AND next_check_at <= clock_timestamp()
    """
)
_TAKEN_UP = text(
    """
    UPDATE billing.provider_rate SET open_until = clock_timestamp(), probe_until = NULL
    WHERE open_until > clock_timestamp() OR probe_until > clock_timestamp()
    """
)
# A customer's debts are tried one after the other: the first counts. What still has an intent at the account that is
# away can't be tried before that is ended.
_UNTRIED = text(
    f"""
    SELECT i.id, i.next_attempt_at, (SELECT count(*) FROM billing.payment p WHERE p.invoice_id = i.id) AS tries
    FROM billing.invoice i
    JOIN billing.profile f ON f.id = i.profile_id AND f.hold_id IS NULL
    JOIN billing.payment_method m ON m.profile_id = i.profile_id AND m.is_default
    WHERE m.provider_account_id = ANY(:others) AND i.status = 'open' AND i.collection = 'automatic'
      AND i.hold_id IS NULL AND i.falls_back_to IS NULL AND i.amount_remaining_minor > 0 AND i.next_attempt_at <= :now
      AND (i.charge_not_before IS NULL OR i.charge_not_before <= clock_timestamp())
      AND {moves(BrakeKind.COLLECT, "i")} AND {undisputed("i")}
      AND NOT EXISTS (SELECT FROM billing.invoice older
                      WHERE older.profile_id = i.profile_id AND older.status IN ('open', 'draft')
                        AND older.collection = 'automatic' AND older.amount_remaining_minor > 0
                        AND (coalesce(older.issued_at, older.created_at), older.id) < (i.issued_at, i.id))
      AND NOT EXISTS (SELECT FROM billing.payment_intent n WHERE n.invoice_id = i.id AND n.status = 'open'
                        AND n.provider_account_id <> m.provider_account_id)
    """
)


def open_shop(life: Life) -> None:
    """The second account is told of our other door, and signs with what it answers; chance says how both settle."""
    asked = {"url": f"{life.acme.receiver}/webhooks/stripe/shop", "enabled_events[]": "*"}
    headers = {"Authorization": f"Bearer {os.environ[KEY]}"}
    made = requests.post(f"{life.acme.witness_url}/v1/webhook_endpoints", data=asked, headers=headers, timeout=5).json()
    # As the surroundings of a process have it; the fixture takes it away again.
    os.environ[SECRET] = made["secret"]
    with life.acme.begin() as session:
        rows = session.scalars(select(ProviderAccount).filter_by(provider="stripe").order_by(ProviderAccount.code))
        life.stripes = {each.id: each.account_ref for each in rows}
    if life.chance.random() < 0.6:
        least = life.acme.parts.settings.billing_least_charges or "usd:0.63"
        settings = life.acme.parts.settings.model_copy(update={"billing_least_charges": f"{least},{LEAST}"})
        life.acme.parts = replace(life.acme.parts, settings=settings)
        life.settles = True
        another_day(life)


def another_day(life: Life) -> None:
    """Currencies are worth something else than yesterday."""
    if life.settles:
        much = life.chance.uniform(0.9, 1.1)
        rates = {"usd": round(0.9 * much, 4), "jpy": round(0.0061 * much, 6), "kwd": round(3.0 * much, 4)}
        life.acme.witness.call("POST", "config", {"settlement": {"eur": rates}})


def give_method_elsewhere(life: Life) -> None:
    """A customer is charged at either account of Stripe's from now on, whatever is under way at the other."""
    account = life.chance.choice(list(life.stripes))
    house = replace(life.acme, account_id=account)
    house.give_method(life.chance.choice(life.profiles), life.chance.choice(CARDS))


def outage(life: Life) -> None:
    """One account answers nobody for some days: what is due at the other goes on. Then all is well again."""
    life.calm()
    chosen = life.chance.choice(list(life.stripes))
    with life.acme.begin() as session:
        # One that was left alone before is left alone on, for a while of wall time.
        healthy = [each.account_id for each in lines(session) if each.account_id in life.stripes and not each.tripped]
    others = [each for each in healthy if each != chosen]
    waiting = [(_who_waits(life), replace(life.acme, account_id=each)) for each in others]
    kind = life.chance.choice(["error_500_before", "disconnect_after", "timeout_before"])
    life.acme.witness.add_faults({"kind": kind, "rate": 1, "path": "/v1/", "account": life.stripes[chosen], "ms": 0})
    due: set[tuple[UUID, datetime, int]] = set()
    try:
        # Before and after it is known that the account is away.
        for hours in (life.chance.choice([1, 24, 24 * 5]), 24 * 3):
            now = life.acme.now() + timedelta(hours=hours)
            life.acme.set_clock(now)
            life.paypal.stand_in.clock.set(now)
            due |= _untried(life, others)
            life.acme.sweep()
            _find_out(life, chosen)
        for profile, house in waiting:
            house.give_method(profile, "pm_card_visa")
        due |= _untried(life, others)
        life.acme.settle_under_a_brake()
        with life.acme.begin() as session:
            idle = [session.scalar(_IDLE, {"other": other}) for other in life.stripes if other != chosen]
        left = due & _untried(life, others)
    finally:
        life.calm()
        with life.acme.parts.begin() as session:
            # It is left alone for a while of wall time, which nobody waits for here.
            session.execute(_TAKEN_UP)
    assert not any(idle), (life.done, idle)
    assert not left, (life.done, left)


def _find_out(life: Life, account: UUID) -> None:
    """So many ask in vain that the account is left alone; in a crowd another may have made it well by then."""
    for _ in range(TRIP):
        with suppress(ProviderUnavailable, NoPermit):
            life.acme.parts.provider(account).account()


def _who_waits(life: Life) -> UUID:
    """Somebody who owes 90.00 and has no method yet."""
    account = f"a{len(life.accounts)}"
    profile = life.acme.customer(account, method=None)
    life.accounts[profile], life.house_of[profile] = account, life.acme
    life.profiles.append(profile)
    with life.acme.parts.begin() as session:
        charge_once(life.acme.parts, session, profile, amount_minor=9000, currency="eur", description="A chair")
    return profile


def _untried(life: Life, others: list[UUID]) -> set[tuple[UUID, datetime, int]]:
    """What is due at these accounts and nothing stands against: the invoice, since when, and how often it was tried."""
    with life.acme.begin() as session:
        found = session.execute(_UNTRIED, {"others": others, "now": life.acme.now()})
        return {(row.id, row.next_attempt_at, row.tries) for row in found}


ACTS: Mapping[Act, int] = {give_method_elsewhere: 4, another_day: 2, outage: 8}


def astray(life: Life) -> list[object]:
    """What of one account is taken for another's: rows, charges, events, and intents that are left to be paid."""
    with life.acme.begin() as session:
        rows: list[object] = [tuple(row) for row in session.execute(_ASTRAY)]
        made = session.execute(select(Payment.charge_ref, Payment.provider_account_id))
        ours = {ref: account for ref, account in made if ref}
        stored = session.execute(select(ProviderEvent.event_ref, ProviderEvent.provider_account_id))
        heard = dict(iter(stored))
    witness = life.acme.witness
    charged = [
        ("charge", each.charge_ref)
        for each in witness.charges()
        if each.charge_ref in ours and life.stripes.get(ours[each.charge_ref]) != each.account_ref
    ]
    told = [
        ("event", each.event_ref)
        for each in witness.events()
        if each.event_ref in heard and life.stripes.get(heard[each.event_ref]) != each.account_ref
    ]
    return [*rows, *charged, *told, *_payable_twice(life)]


def _payable_twice(life: Life) -> list[object]:
    """Invoices that both accounts would take money for, while an attempt is open at one."""
    with life.acme.begin() as session:
        query = select(Payment.invoice_id).where(Payment.status.in_(("sent", "unknown", "processing")))
        going = {str(each) for each in session.scalars(query)}
    places: dict[str, set[str]] = {}
    for each in life.acme.witness.intents():
        if each.invoice_id in going and each.status not in ("canceled", "succeeded"):
            places.setdefault(each.invoice_id or "", set()).add(each.account_ref)
    return [("payable", invoice, accounts) for invoice, accounts in places.items() if len(accounts) > 1]


def misheld(life: Life) -> list[object]:
    """In the end: what the books hold at each account beside what is there, and payouts that don't say what they hold.

    Money stands at Stripe only: PayPal's report is late.
    """
    with life.acme.begin() as session:
        standing = session.execute(text("SELECT kind, profile_id FROM billing.brake ORDER BY id")).all()
    for each in standing:
        braking.start(life.acme.parts, BrakeKind(each.kind), profile_id=each.profile_id, order=ORDER)
    life.calm()
    life.settle()
    # What was stopped until now may be a debit: its bank answers too, else its money stands there and not in the books.
    for each in life.acme.witness.intents():
        if each.status == "processing":
            life.acme.witness.call("POST", f"payment_intents/{each.intent_ref}/settle", {"succeeded": True})
    life.settle()
    life.acme.witness.call("POST", "payouts", {})
    for _ in range(2):
        life.go(timedelta(hours=1, minutes=1))
        movements.sweep(life.acme.parts)
    with life.acme.begin() as session:
        held = {
            (row.provider_account_id, row.currency): row.amount
            for row in session.execute(_HELD)
            if row.provider_account_id in life.stripes and row.amount
        }
        payouts = list(session.scalars(select(Payout.payout_ref).where(Payout.listed_at.is_not(None))))
        reports = [payout_report(session, payout=each) for each in payouts]
    there = {key: amount for key, amount in _there(life).items() if amount}
    differ = [("held", key, held.get(key), there.get(key)) for key in held.keys() | there.keys()]
    return [
        *(each for each in differ if each[2] != each[3]),
        *(("payout", each.ties) for each in reports if each.broken),
        *(("not listed", row) for each in reports for row in each.rows if row["type"] == "not_listed"),
    ]


def _there(life: Life) -> Counter[tuple[UUID, str]]:
    found: Counter[tuple[UUID, str]] = Counter()
    for account in life.stripes:
        span = {"created_from": START - timedelta(days=60), "created_to": life.acme.now() + timedelta(days=1)}
        for page in life.acme.parts.provider(account).movement_pages(**span):
            for each in page:
                found[account, each.currency] += each.amount_minor - each.fee_minor
    return found
