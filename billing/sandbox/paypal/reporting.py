"""The account's report of transactions, with its delay: it says how far it reaches.

As PayPal's: what does not move the balance (yet) is left out unless it is asked for, and a window that begins after the
report's end is refused, as is one that begins more than three years ago.
"""

from __future__ import annotations

from billing.sandbox.paypal.captures import fee_of
from billing.sandbox.paypal.errors import PayPalError, require_feature
from billing.sandbox.paypal.values import instant, money, second
from billing.sandbox.stripe.standin import Call
from billing.sandbox.stripe.tx import Stored
from billing.sandbox.stripe.values import Json

WIDEST_S = 31 * 86_400
BACK_S = 3 * 365 * 86_400


def list_(call: Call) -> Json:
    """One page, oldest first."""
    require_feature(call)
    first, last = second(call.given("start_date", "")), second(call.given("end_date", ""))
    size, page = int(call.given("page_size", "100")), int(call.given("page", "1"))
    if last - first > WIDEST_S or not 1 <= size <= 500:
        raise _malformed("end_date", "A window is at most 31 days, a page at most 500.")
    if first < call.now - BACK_S:
        raise _malformed("start_date", "It is at most three years ago.")
    reached = call.now - call.config.search_lag_s
    if first > reached:
        raise PayPalError(400, "INVALID_REQUEST", "Data for the given start date is not available.")
    shown = ("succeeded", "pending") if call.given("balance_affecting_records_only", "Y") == "N" else ("succeeded",)
    rows = call.tx.select(
        "kind in ('charge', 'refund', 'balance_transaction') and account = ? and created >= ? and created < ?"
        " and created <= ? and coalesce(hidden ->> '$.response_code', '') = ''",
        (call.account, first, last, reached),
        order="seq",
    )
    rows = [each for each in rows if each.body["status"] in shown]
    if len(rows) > call.config.report_most:
        raise PayPalError(400, "RESULTSET_TOO_LARGE", "Result set size is greater than the maximum limit.")
    some = rows[(page - 1) * size : page * size]
    return {
        "transaction_details": [{"transaction_info": _info(call, each)} for each in some],
        "account_number": call.account,
        "last_refreshed_datetime": instant(reached + 1),
        "page": page,
        "total_items": len(rows),
        "total_pages": -(-len(rows) // size),
    }


def _malformed(field: str, issue: str) -> PayPalError:
    """Its details name the field, in words; that nothing is there yet is told without details."""
    error = PayPalError(
        400, "INVALID_REQUEST", "Request is not well-formed, syntactically incorrect, or violates schema."
    )
    error.body["details"] = [{"field": field, "location": "query", "issue": issue}]
    return error


def _info(call: Call, row: Stored) -> Json:
    body, kind = row.body, row.body["object"]
    told: Json = {
        "transaction_id": row.id,
        "transaction_initiation_date": instant(body["created"]),
        "transaction_status": {"succeeded": "S", "pending": "P"}.get(body["status"], "S"),
    }
    if kind == "charge":
        order = call.tx.get(row.account, "payment_intent", body["payment_intent"])
        assert order is not None
        fee = fee_of(body["amount"]) if body["status"] == "succeeded" else 0
        return told | {
            "transaction_event_code": "T0006",
            "paypal_reference_id": order.id,
            "paypal_reference_id_type": "ODR",
            "transaction_amount": money(body["amount"], body["currency"]),
            "fee_amount": money(-fee, body["currency"]),
            "invoice_id": order.body["metadata"]["invoice_id"],
            "custom_field": order.body["metadata"]["payment_id"],
        }
    if kind == "refund":
        return told | {
            "transaction_event_code": "T1107",
            "paypal_reference_id": body["charge"],
            "paypal_reference_id_type": "TXN",
            "transaction_amount": money(-body["amount"], body["currency"]),
            "custom_field": body["metadata"]["refund_id"],
        }
    return told | {
        "transaction_event_code": body["code"],
        "paypal_reference_id": body["source"],
        "paypal_reference_id_type": "TXN",
        "transaction_amount": money(body["amount"], body["currency"]),
    }
