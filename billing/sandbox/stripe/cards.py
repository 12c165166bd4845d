"""Test payment methods: Stripe's by their names, and the sandbox's own for faults.

A name stands for a card or a bank account and for what happens when it is charged. Sources: docs.stripe.com/testing
(names, brands, last four) and docs.stripe.com/declines/codes (decline and advice codes). Names of declines exist with
and without the brand (`pm_card_visa_chargeDeclined`, `pm_card_chargeDeclined`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

TRY_LATER = "try_again_later"
NEVER = "do_not_try_again"
CONFIRM_DATA = "confirm_card_data"


@dataclass(frozen=True, slots=True)
class Decline:
    """What the card error says."""

    code: str
    decline_code: str | None
    advice_code: str | None
    message: str


@dataclass(frozen=True, slots=True)
class Card:
    """A test card, or a bank account of `type` sepa_debit, and its behaviour when charged."""

    type: ClassVar[str] = "card"
    brand: str = "visa"
    last4: str = "4242"
    funding: str = "credit"
    country: str = "US"
    behaviour: str = "succeed"
    """succeed | decline | decline_once | processing | processing_fails_once | processing_fails | authenticate_always |
    authenticate_unless_setup | authenticate_on_session | fault_503 | timeout_before | timeout_after"""
    decline: Decline | None = None
    saves: bool = True
    """Whether Stripe lets it be attached to a customer."""
    wallet: str | None = None
    """apple_pay | google_pay | link: through which wallet it is given."""
    dispute: str | None = None
    refund: str = "succeeded"
    """succeeded | pending (succeeds later) | fails (succeeds at first, fails later)"""


@dataclass(frozen=True, slots=True)
class BankAccount(Card):
    """A bank account that is debited: whatever becomes of it, for days nobody knows."""

    type: ClassVar[str] = "sepa_debit"
    behaviour: str = "processing"


@dataclass(frozen=True, slots=True)
class Purse(Card):
    """A wallet at PayPal."""

    type: ClassVar[str] = "paypal"
    country: str = "DE"


def _declined(code: str, advice: str | None, message: str = "Your card was declined.") -> Decline:
    return Decline("card_declined", code, advice, message)


FUNDS = _declined("insufficient_funds", TRY_LATER, "Your card has insufficient funds.")
AUTHENTICATION = Decline(
    "authentication_required",
    "authentication_required",
    None,
    "Your card was declined. This transaction requires authentication.",
)


def _account(
    last4: str, country: str, code: str | None = None, *, once: bool = False, dispute: str | None = None
) -> Card:
    """`code`: why the bank gives nothing, each time or `once`; `dispute`: why its customer takes it back later."""
    fails = "processing_fails_once" if once else "processing_fails"
    return BankAccount(
        last4=last4,
        country=country,
        behaviour=fails if code else "processing",
        decline=Decline(code, None, None, f"The bank returned the debit: {code}.") if code else None,
        dispute=dispute,
    )


ACCOUNTS: Mapping[str, Card] = {
    "pm_sandbox_sepa": _account("3201", "AT"),
    "pm_sandbox_sepa_de": _account("3000", "DE"),
    "pm_sandbox_sepa_insufficientFunds": _account("1212", "AT", "insufficient_funds"),
    "pm_sandbox_sepa_insufficientFundsOnce": _account("3205", "AT", "insufficient_funds", once=True),
    "pm_sandbox_sepa_debitNotAuthorized": _account("3202", "AT", "debit_not_authorized"),
    "pm_sandbox_sepa_accountClosed": _account("3206", "AT", "account_closed"),
    "pm_sandbox_sepa_bankAccountRestricted": _account("3207", "AT", "bank_account_restricted"),
    "pm_sandbox_sepa_returnedLater": _account("3203", "AT", dispute="customer_initiated"),
}
"""Bank accounts. Stripe has test numbers for them and no names, so the names are the sandbox's own."""

PURSES: Mapping[str, Card] = {
    "pm_sandbox_paypal": Purse(),
    "pm_sandbox_paypal_declined": Purse(
        behaviour="decline",
        decline=Decline("payment_method_provider_decline", None, None, "The payment was declined by PayPal."),
    ),
    "pm_sandbox_paypal_disputed": Purse(dispute="product_not_received"),
}
"""Wallets at PayPal. In Stripe's test mode a page stands in for PayPal, and no name."""

_DECLINES: Mapping[str, tuple[str, Decline]] = {
    "chargeDeclined": ("0002", _declined("generic_decline", TRY_LATER)),
    "chargeDeclinedInsufficientFunds": ("9995", FUNDS),
    "chargeDeclinedLostCard": ("9987", _declined("lost_card", NEVER)),
    "chargeDeclinedStolenCard": ("9979", _declined("stolen_card", NEVER)),
    "chargeDeclinedFraudulent": ("0019", _declined("fraudulent", NEVER)),
    "chargeDeclinedVelocityLimitExceeded": ("6975", _declined("card_velocity_exceeded", TRY_LATER)),
    "chargeDeclinedExpiredCard": ("0069", Decline("expired_card", None, CONFIRM_DATA, "Your card has expired.")),
    "chargeDeclinedIncorrectCvc": ("0127", Decline("incorrect_cvc", None, CONFIRM_DATA, "The security code is wrong.")),
    "chargeDeclinedProcessingError": (
        "0119",
        Decline("processing_error", None, TRY_LATER, "An error occurred while processing your card."),
    ),
    "chargeDeclinedDoNotHonor": ("0002", _declined("do_not_honor", TRY_LATER)),
}


def _declining() -> dict[str, Card]:
    cards = {}
    for name, (last4, decline) in _DECLINES.items():
        card = Card(last4=last4, behaviour="decline", decline=decline, saves=False)
        cards["pm_card_" + name] = cards["pm_card_visa_" + name] = card
    cards["pm_card_chargeCustomerFail"] = Card(
        last4="0341", behaviour="decline", decline=_declined("generic_decline", TRY_LATER)
    )
    cards["pm_card_radarBlock"] = Card(last4="0019", behaviour="decline", decline=_declined("fraudulent", NEVER))
    return cards


WALLETS: Mapping[str, Card] = {
    "pm_sandbox_applePay": Card(wallet="apple_pay"),
    "pm_sandbox_applePay_chargeDeclinedInsufficientFunds": Card(
        last4="9995", wallet="apple_pay", behaviour="decline", decline=FUNDS
    ),
    "pm_sandbox_googlePay": Card("mastercard", "4444", "debit", wallet="google_pay"),
    "pm_sandbox_link": Card(wallet="link"),
}
"""Cards given through a wallet. Stripe takes them from a telephone alone and has no names for them: these are ours."""

_COUNTRIES = """US 4242, CA 0000, BR 0002, AU 0006, GB 0000, CH 0009, NO 0003, AT 0008, BE 0004, DE 0016, DK 0001,
    ES 0007, FI 0001, FR 0003, IE 0005, IT 0008, LU 0006, NL 0002, PL 0005, PT 0007, SE 0008"""
"""Where a Visa was issued, by the last four of its number."""


def _by_country() -> dict[str, Card]:
    issued = [each.split() for each in _COUNTRIES.split(",")]
    return {f"pm_card_{country.lower()}": Card(last4=last4, country=country) for country, last4 in issued}


CARDS: Mapping[str, Card] = {
    "pm_card_visa": Card(),
    "pm_card_visa_debit": Card(last4="5556", funding="debit"),
    "pm_card_mastercard": Card("mastercard", "4444"),
    "pm_card_mastercard_debit": Card("mastercard", "8210", "debit"),
    "pm_card_mastercard_prepaid": Card("mastercard", "5100", "prepaid"),
    "pm_card_amex": Card("amex", "0005"),
    "pm_card_discover": Card("discover", "1117"),
    "pm_card_diners": Card("diners", "0004"),
    "pm_card_jcb": Card("jcb", "0505", country="JP"),
    "pm_card_unionpay": Card("unionpay", "0005", country="CN"),
    **_by_country(),
    "pm_card_jp": Card("jcb", "0505", country="JP"),
    "pm_card_authenticationRequired": Card(last4="3184", behaviour="authenticate_always"),
    "pm_card_threeDSecure2Required": Card(last4="3220", behaviour="authenticate_always"),
    "pm_card_authenticationRequiredOnSetup": Card(last4="3155", behaviour="authenticate_unless_setup"),
    "pm_card_authenticationRequiredSetupForOffSession": Card(last4="0446", behaviour="authenticate_on_session"),
    "pm_card_threeDSecureOptional": Card(last4="3055"),
    "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds": Card(
        last4="8260", behaviour="authenticate_always", decline=FUNDS
    ),
    "pm_card_createDispute": Card(last4="0259", dispute="fraudulent"),
    "pm_card_createDisputeProductNotReceived": Card(last4="2685", dispute="product_not_received"),
    "pm_card_createDisputeInquiry": Card(last4="1976", dispute="inquiry"),
    "pm_card_pendingRefund": Card(last4="7726", refund="pending"),
    "pm_card_refundFail": Card(last4="5126", refund="fails"),
    **_declining(),
    **WALLETS,
    **ACCOUNTS,
    **PURSES,
    "pm_sandbox_processingError": Card(behaviour="fault_503"),
    "pm_sandbox_timeoutAfterCharge": Card(behaviour="timeout_after"),
    "pm_sandbox_timeoutBeforeCharge": Card(behaviour="timeout_before"),
    "pm_sandbox_declineThenSucceed": Card(behaviour="decline_once", decline=FUNDS),
    "pm_sandbox_processing": Card(behaviour="processing"),
    "pm_sandbox_processingFails": Card(behaviour="processing_fails", decline=FUNDS),
}
