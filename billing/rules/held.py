"""Why a provider keeps a payment pending, and what is to be done about it, by the reason that its attempt bears.

Source: PayPal's `status_details.reason` of a capture (developer.paypal.com/docs/api/payments/v2). Stripe gives none.
"""

from __future__ import annotations

from dataclasses import dataclass

from billing.kernel.status import PaymentStatus


@dataclass(frozen=True, slots=True)
class Held:
    """One reason, as an operator reads it."""

    says: str
    """A sentence: why, and what to do."""
    for_seller: bool = False
    """It stays so until somebody acts in the seller's own account at the provider."""


_ACCEPT = "Accept or deny it in PayPal, under Activity: it goes back to the payer if nobody does."

_BY_REASON = {
    "held_receiving_preference_mandates_manual_action": Held(
        "The seller's account takes payments such as this one (mostly: in this currency) only by hand. "
        f"{_ACCEPT} For the next ones, set the account's payment preferences.",
        for_seller=True,
    ),
    "held_international_withdrawal": Held(
        f"The seller's account takes payments from abroad only by hand. {_ACCEPT}", for_seller=True
    ),
    "held_unilateral": Held(
        "The seller has no account at PayPal, or its e-mail is not confirmed: open it, or confirm it there.",
        for_seller=True,
    ),
    "held_verification_required": Held(
        "The seller's account is not verified: do that in PayPal, and the money comes.", for_seller=True
    ),
    "held_pending_review": Held("PayPal looks at it by hand, which mostly ends within a day. Wait."),
    "held_echeck": Held("The payer's bank takes some working days over it (an eCheck). Wait."),
    "held_transaction_approved_awaiting_funding": Held("The payer has yet to send the money to PayPal. Wait."),
    "held_buyer_complaint": Held("The payer disputes it at PayPal. Answer there, in the Resolution Center."),
    "held_chargeback": Held("The payer's bank took the money back. See it in PayPal's Resolution Center."),
    "held_refunded": Held("PayPal says that it was sent back. Nothing is to be done; it ends by itself."),
    "held_other": Held("PayPal gives no reason. Look at it in PayPal, under Activity, or ask its support."),
}


def held(reason: str | None) -> Held | None:
    """What an attempt's reason means, where a provider keeps it; a word that PayPal made up since is its `other`."""
    if reason is None or not reason.startswith("held_"):
        return None
    return _BY_REASON.get(reason, _BY_REASON["held_other"])


def waits_for(status: str, reason: str | None) -> str | None:
    """What an open attempt waits for at its provider, and what to do; None where that is not told."""
    known = held(reason) if status == PaymentStatus.PROCESSING else None
    return known.says if known else None
