"""PayPal's words for a decline → the codes that dunning goes by (`rules/dunning.py`), and its advice.

Sources: the errors of Orders v2 (`details[].issue`) for wallets; `processor_response.response_code` of a capture, and
`payment_advice_code`, where a card stands behind. What no table names keeps PayPal's own word and is soft.
"""

from __future__ import annotations

METHOD_UNUSABLE = "payment_method_unusable"
AUTHENTICATE = "authentication_required"
"""The payer must act at PayPal. Off-session that ends the attempt; the customer is asked to come."""

BY_ISSUE = {
    "INSTRUMENT_DECLINED": "generic_decline",
    "TRANSACTION_REFUSED": "generic_decline",
    "PAYMENT_DENIED": "generic_decline",
    "PAYMENT_SOURCE_DECLINED_BY_PROCESSOR": "generic_decline",
    "REDIRECT_PAYER_FOR_ALTERNATE_FUNDING": "generic_decline",
    "PAYER_CANNOT_PAY": "insufficient_funds",
    "TRANSACTION_LIMIT_EXCEEDED": "card_velocity_exceeded",
    "MAX_NUMBER_OF_PAYMENT_ATTEMPTS_EXCEEDED": "card_velocity_exceeded",
    "PAYER_ACTION_REQUIRED": AUTHENTICATE,
    "CARD_EXPIRED": "expired_card",
    "REFERENCED_CARD_EXPIRED": "expired_card",
    "CARD_CLOSED": "invalid_account",
    "PAYER_ACCOUNT_LOCKED_OR_CLOSED": "invalid_account",
    "PAYER_ACCOUNT_RESTRICTED": "restricted_card",
    "PAYEE_BLOCKED_TRANSACTION": "blocklist",
    "TRANSACTION_BLOCKED_BY_PAYEE": "blocklist",
    "COMPLIANCE_VIOLATION": "security_violation",
    "CURRENCY_NOT_SUPPORTED_FOR_RECEIVER": "currency_not_supported",
    "PAYER_COUNTRY_NOT_SUPPORTED": "card_not_supported",
    "DOMESTIC_TRANSACTION_REQUIRED": "card_not_supported",
    "BILLING_AGREEMENT_CANCELLED": "revocation_of_authorization",
    "BILLING_AGREEMENT_NOT_FOUND": "revocation_of_authorization",
    "AGREEMENT_ALREADY_CANCELLED": "revocation_of_authorization",
    "TOKEN_ID_NOT_FOUND": METHOD_UNUSABLE,
    "INVALID_VAULT_ID": METHOD_UNUSABLE,
    "VAULT_ID_NOT_FOUND": METHOD_UNUSABLE,
    "TOKEN_EXPIRED": METHOD_UNUSABLE,
    "PAYMENT_SOURCE_CANNOT_BE_USED": METHOD_UNUSABLE,
}
OF_OUR_ACCOUNT = frozenset(
    {"PAYEE_ACCOUNT_LOCKED_OR_CLOSED", "PAYEE_ACCOUNT_RESTRICTED", "TRANSACTION_RECEIVING_LIMIT_EXCEEDED"}
)
"""Issues of the seller's own account: no payer's fault, and the same for every charge until a person mends it."""
_INVALID_TRANSACTION = "transaction_not_allowed"
_BY_PROCESSOR = {
    "0500": "do_not_honor",
    "0580": "revocation_of_authorization",
    "0390": "invalid_account",
    "1330": "invalid_account",
    "1335": "invalid_account",
    "1352": "restricted_card",
    "1380": "invalid_expiry_year",
    "1382": "invalid_cvc",
    "5100": "generic_decline",
    "5110": "invalid_cvc",
    "5120": "insufficient_funds",
    "5130": "invalid_pin",
    "5140": "invalid_account",
    "5150": "pickup_card",
    "5160": "restricted_card",
    "5180": "restricted_card",
    "5210": _INVALID_TRANSACTION,
    "5400": "expired_card",
    "5650": AUTHENTICATE,
    "5700": _INVALID_TRANSACTION,
    "5710": "card_velocity_exceeded",
    "5920": "issuer_not_available",
    "9100": "try_again_later",
    "9500": "fraudulent",
    "9510": "security_violation",
    "9520": "lost_card",
    "9540": "generic_decline",
    "PPRN": "do_not_try_again",
    "PP06": "invalid_account",
    "PPAB": "restricted_card",
}
_ADVICE = {"01": "confirm_card_data", "02": "try_again_later", "03": "do_not_try_again", "21": "do_not_try_again"}


def by_issue(issue: str) -> str | None:
    """The decline that an error's issue is; None where it is about something else than the payer's money."""
    return BY_ISSUE.get(issue)


def by_processor(response_code: str | None) -> str:
    """The decline behind a capture that was declined."""
    if response_code is None:
        return "generic_decline"
    return _BY_PROCESSOR.get(response_code, f"paypal_{response_code.lower()}")


def advice(payment_advice_code: str | None) -> str | None:
    """The card network's advice, in the words that dunning knows."""
    return _ADVICE.get(payment_advice_code or "")
