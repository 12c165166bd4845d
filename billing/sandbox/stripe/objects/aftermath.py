"""What may come after a charge: refunds and disputes."""

from __future__ import annotations

from billing.sandbox.stripe.values import Json, new_id


def refund(now: int, *, amount: int, charge: Json, status: str, given: Json) -> Json:
    """A new refund of a charge."""
    return {
        "id": new_id("re" if _is_card(charge) else "pyr"),
        "object": "refund",
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": now,
        "currency": charge["currency"],
        "customer": None,
        "customer_account": None,
        "destination_details": _destination(charge),
        "metadata": given.get("metadata", {}),
        "payment_intent": charge["payment_intent"],
        "payment_method": None,
        "reason": given.get("reason"),
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": status,
        "transfer_reversal": None,
    }


def _destination(charge: Json) -> Json | None:
    match charge["payment_method_details"]["type"]:
        case "card":
            return {"card": {"type": "refund"}, "type": "card"}
        case "paypal":
            return {"paypal": {}, "type": "paypal"}
        case _:
            return None


def _is_card(charge: Json) -> bool:
    return bool(charge["payment_method_details"]["type"] == "card")


EVIDENCE = """access_activity_log billing_address cancellation_policy cancellation_policy_disclosure
cancellation_rebuttal customer_communication customer_email_address customer_name customer_purchase_ip
customer_signature duplicate_charge_documentation duplicate_charge_explanation duplicate_charge_id product_description
receipt refund_policy refund_policy_disclosure refund_refusal_explanation service_date service_documentation
shipping_address shipping_carrier shipping_date shipping_documentation shipping_tracking_number uncategorized_file
uncategorized_text""".split()


def dispute(
    now: int,
    *,
    charge: Json,
    amount: int,
    currency: str,
    reason: str,
    inquiry: bool,
    prevented: str | None = None,
) -> Json:
    """A new dispute of a charge; an inquiry is one that has moved no money. That of a debit is lost as it begins."""
    details = _case(charge["payment_method_details"], case=prevented or ("inquiry" if inquiry else "chargeback"))
    status = "lost" if details is None else "warning_needs_response" if inquiry else "needs_response"
    return {
        "id": new_id("du"),
        "object": "dispute",
        "amount": amount,
        "balance_transactions": [],
        "charge": charge["id"],
        "created": now,
        "currency": currency,
        "enhanced_eligibility_types": [],
        "evidence": {**dict.fromkeys(EVIDENCE), "enhanced_evidence": {}},
        "evidence_details": {
            "due_by": now + 7 * 86_400 if details and not prevented else None,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
        },
        "is_charge_refundable": inquiry,
        "livemode": False,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "payment_method_details": details,
        "reason": reason,
        "status": "prevented" if prevented else status,
    }


def _case(paid_with: Json, *, case: str) -> Json | None:
    """None for a debit: its bank gives the money back, and hears nobody."""
    match paid_with["type"]:
        case "card":
            return _of_card(paid_with["card"]["brand"], case=case)
        case "paypal":
            return {"paypal": {"case_id": "PP-R-SANDBOX", "reason_code": "INR"}, "type": "paypal"}
        case _:
            return None


def _of_card(brand: str, *, case: str) -> Json:
    details = {"brand": brand, "case_type": case, "network": brand, "network_reason_code": "10.4"}
    return {"card": details, "type": "card"}


def early_fraud_warning(now: int, *, charge: Json, fraud_type: str) -> Json:
    """An issuer's early word on a charge."""
    return {
        "id": new_id("issfr"),
        "object": "radar.early_fraud_warning",
        "actionable": True,
        "charge": charge["id"],
        "created": now,
        "fraud_type": fraud_type,
        "livemode": False,
        "payment_intent": charge["payment_intent"],
    }
