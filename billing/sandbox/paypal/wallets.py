"""Test wallets: billing agreements by name, each with what happens when its payment token is charged.

A real one is made by the payer's approval; these stand for payers who have agreed before, as an import brings them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wallet:
    """`issue`: an order is refused with it. `response_code`, `advice`: the card behind it declines a capture.

    `held`: why PayPal keeps a capture that is pending.
    """

    issue: str | None = None
    response_code: str | None = None
    advice: str | None = None
    behaviour: str = "succeed"
    """succeed | decline_once | pending | pending_fails | action | fault_503 | timeout_before | timeout_after"""
    held: str = "PENDING_REVIEW"


WALLETS = {
    "B-SANDBOX-GOOD": Wallet(),
    "B-SANDBOX-OTHER": Wallet(),
    "B-SANDBOX-NOFUNDS": Wallet(response_code="5120", advice="02"),
    "B-SANDBOX-DECLINEONCE": Wallet(response_code="5120", behaviour="decline_once"),
    "B-SANDBOX-LOST": Wallet(response_code="9520", advice="03"),
    "B-SANDBOX-EXPIRED": Wallet(response_code="5400", advice="01"),
    "B-SANDBOX-DECLINED": Wallet(issue="INSTRUMENT_DECLINED"),
    "B-SANDBOX-CANNOTPAY": Wallet(issue="PAYER_CANNOT_PAY"),
    "B-SANDBOX-RESTRICTED": Wallet(issue="PAYER_ACCOUNT_RESTRICTED"),
    "B-SANDBOX-CLOSED": Wallet(issue="PAYER_ACCOUNT_LOCKED_OR_CLOSED"),
    "B-SANDBOX-CANCELED": Wallet(issue="AGREEMENT_ALREADY_CANCELLED"),
    "B-SANDBOX-COMPLIANCE": Wallet(issue="COMPLIANCE_VIOLATION"),
    "B-SANDBOX-DENIED": Wallet(issue="PAYMENT_DENIED"),
    "B-SANDBOX-OTHERFUNDING": Wallet(issue="REDIRECT_PAYER_FOR_ALTERNATE_FUNDING"),
    "B-SANDBOX-BLOCKED": Wallet(issue="TRANSACTION_BLOCKED_BY_PAYEE"),
    "B-SANDBOX-ENDED": Wallet(issue="BILLING_AGREEMENT_NOT_FOUND"),
    "B-SANDBOX-CAPTURED": Wallet(issue="ORDER_ALREADY_CAPTURED"),
    "B-SANDBOX-PAYEECLOSED": Wallet(issue="PAYEE_ACCOUNT_LOCKED_OR_CLOSED"),
    "B-SANDBOX-ACTION": Wallet(behaviour="action"),
    "B-SANDBOX-PENDING": Wallet(behaviour="pending"),
    "B-SANDBOX-BYHAND": Wallet(behaviour="pending", held="RECEIVING_PREFERENCE_MANDATES_MANUAL_ACTION"),
    "B-SANDBOX-PENDINGFAILS": Wallet(behaviour="pending_fails"),
    "B-SANDBOX-FAULT": Wallet(behaviour="fault_503"),
    "B-SANDBOX-TIMEOUTBEFORE": Wallet(behaviour="timeout_before"),
    "B-SANDBOX-TIMEOUTAFTER": Wallet(behaviour="timeout_after"),
}
