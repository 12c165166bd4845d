"""Charges and the balance transactions that they cause."""

from __future__ import annotations

from datetime import UTC, datetime

from billing.sandbox.stripe.money import Moved
from billing.sandbox.stripe.values import Json, digest, new_id

_TO_THE_BANK_S = 2 * 86_400


def charge(now: int, intent: Json, method: Json, *, mandate: str | None = None) -> Json:
    """A charge that has neither succeeded nor failed yet. `mandate`: by which a bank account is debited."""
    type_ = method["type"]
    details = (
        _card_details(method, intent["amount"])
        if type_ == "card"
        else _purse_details(method[type_])
        if type_ == "paypal"
        else _debit_details(method[type_], now, mandate)
    )
    return {
        "id": new_id("ch" if type_ == "card" else "py"),
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": 0,
        "amount_refunded": 0,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        "balance_transaction": None,
        "billing_details": method["billing_details"],
        "calculated_statement_descriptor": "SANDBOX",
        "captured": False,
        "created": now,
        "currency": intent["currency"],
        "customer": intent["customer"],
        "description": intent["description"],
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "fraud_details": {},
        "livemode": False,
        "metadata": intent["metadata"],
        "on_behalf_of": None,
        "outcome": None,
        "paid": False,
        "payment_intent": intent["id"],
        "payment_method": method["id"],
        "payment_method_details": {type_: details, "type": type_},
        "receipt_email": intent["receipt_email"],
        "receipt_number": None,
        "receipt_url": None,
        "refunded": False,
        "review": None,
        "shipping": None,
        "source_transfer": None,
        "statement_descriptor": intent["statement_descriptor"],
        "statement_descriptor_suffix": intent["statement_descriptor_suffix"],
        "status": "pending",
        "transfer_data": None,
        "transfer_group": None,
    }


def _purse_details(purse: Json) -> Json:
    return {
        **purse,
        "payer_name": "Paula Payer",
        "seller_protection": {"dispute_categories": None, "status": "not_eligible"},
        "transaction_id": new_id("x")[2:19].upper(),
    }


def _debit_details(account: Json, now: int, mandate: str | None) -> Json:
    shown = {name: account[name] for name in ("bank_code", "branch_code", "country", "fingerprint", "last4")}
    day = datetime.fromtimestamp(now + _TO_THE_BANK_S, UTC).date()
    return {**shown, "expected_debit_date": day.isoformat(), "mandate": mandate}


def _card_details(method: Json, amount: int) -> Json:
    card = method["card"]
    copied = {
        name: card[name] for name in ("brand", "country", "exp_month", "exp_year", "fingerprint", "funding", "last4")
    }
    return {
        **copied,
        "amount_authorized": amount,
        "authorization_code": None,
        "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
        "extended_authorization": {"status": "disabled"},
        "incremental_authorization": {"status": "unavailable"},
        "installments": None,
        "mandate": None,
        "multicapture": {"status": "unavailable"},
        "network": card["brand"],
        "network_token": {"used": False},
        "network_transaction_id": digest(method["id"] + str(amount), length=15),
        "overcapture": {"maximum_amount_capturable": amount, "status": "unavailable"},
        "regulated_status": "unregulated",
        "three_d_secure": None,
        "transaction_link_id": None,
        "wallet": card["wallet"],
    }


def outcome(*, decline_code: str | None = None, advice_code: str | None = None, authorized: bool) -> Json:
    """What the network said about a charge."""
    return {
        "advice_code": advice_code,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": "approved_by_network" if authorized else "declined_by_network",
        "reason": decline_code,
        "risk_level": "normal",
        "risk_score": 20,
        "seller_message": "Payment complete." if authorized else "The bank declined.",
        "type": "authorized" if authorized else "issuer_declined",
    }


def balance_transaction(now: int, moved: Moved, *, fee: int, source: str, type: str, category: str) -> Json:
    """One movement of the account's balance: gross `amount` (signed), `fee`, and their difference."""
    amount, currency = moved.amount, moved.currency
    fees = [{"amount": fee, "application": None, "currency": currency, "description": "Fees", "type": "stripe_fee"}]
    return {
        "id": new_id("txn"),
        "object": "balance_transaction",
        "amount": amount,
        "available_on": now + 2 * 86_400,
        "balance_type": "payments",
        "created": now,
        "currency": currency,
        "description": None,
        "exchange_rate": moved.rate,
        "fee": fee,
        "fee_details": fees if fee else [],
        "net": amount - fee,
        "reporting_category": category,
        "source": source,
        "status": "pending",
        "type": type,
    }
