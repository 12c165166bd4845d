"""SetupIntents and PaymentIntents."""

from __future__ import annotations

from billing.sandbox.stripe.values import Json, new_id


def setup_intent(now: int, given: Json) -> Json:
    """A new set-up, waiting for a method."""
    id = new_id("seti")
    return {
        "id": id,
        "object": "setup_intent",
        "application": None,
        "allowed_payment_method_types": given.get("allowed_payment_method_types"),
        "automatic_payment_methods": automatic_methods(given),
        "cancellation_reason": None,
        "client_secret": f"{id}_secret_{new_id('x')[2:]}",
        "created": now,
        "customer": given.get("customer"),
        "customer_account": None,
        "description": given.get("description"),
        "excluded_payment_method_types": None,
        "flow_directions": None,
        "last_setup_error": None,
        "latest_attempt": None,
        "livemode": False,
        "mandate": None,
        "metadata": given.get("metadata", {}),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": {
            "card": {"mandate_options": None, "network": None, "request_three_d_secure": "automatic"}
        },
        "payment_method_types": ["card"],
        "single_use_mandate": None,
        "status": "requires_payment_method",
        "usage": given.get("usage", "off_session"),
    }


def payment_intent(now: int, given: Json) -> Json:
    """A new intent, waiting for a method. `amount` is in Stripe's unit for the currency."""
    id = new_id("pi")
    return {
        "id": id,
        "object": "payment_intent",
        "amount": given["amount"],
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "allowed_payment_method_types": given.get("allowed_payment_method_types"),
        "automatic_payment_methods": automatic_methods(given),
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": given.get("capture_method", "automatic_async"),
        "client_secret": f"{id}_secret_{new_id('x')[2:]}",
        "confirmation_method": given.get("confirmation_method", "automatic"),
        "created": now,
        "currency": given["currency"],
        "customer": given.get("customer"),
        "customer_account": None,
        "description": given.get("description"),
        "excluded_payment_method_types": None,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": False,
        "metadata": given.get("metadata", {}),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": {
            "card": {
                "installments": None,
                "mandate_options": None,
                "network": None,
                "request_three_d_secure": "automatic",
            }
        },
        "payment_method_types": ["card"],
        "processing": None,
        "receipt_email": given.get("receipt_email"),
        "review": None,
        "setup_future_usage": given.get("setup_future_usage"),
        "shipping": None,
        "statement_descriptor": given.get("statement_descriptor"),
        "statement_descriptor_suffix": given.get("statement_descriptor_suffix"),
        "status": "requires_payment_method",
        "transfer_data": None,
        "transfer_group": None,
    }


def automatic_methods(given: Json) -> Json | None:
    """Automatic unless the request named the types allowed (the default since version 2023-08-16)."""
    if "allowed_payment_method_types" in given:
        return None
    wish: Json = given.get("automatic_payment_methods") or {"enabled": True}
    return {"allow_redirects": wish.get("allow_redirects", "always"), "enabled": wish["enabled"]}
