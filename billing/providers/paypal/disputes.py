"""PayPal's disputes → facts. In the stage INQUIRY buyer and seller still talk: no money is taken for good."""

from __future__ import annotations

from billing.providers.listed import ListedDispute
from billing.providers.paypal.facts import first, moment, money
from billing.providers.port import DisputeFacts
from billing.providers.reading import Raw, inner, optional, text

_ASKED = ("OPEN", "WAITING_FOR_SELLER_RESPONSE")
_SETTLEMENT = "DISPUTE_SETTLEMENT"


def dispute_facts(raw: Raw) -> DisputeFacts:
    """A dispute with what it has moved of our balance. Raises `Unreadable`."""
    amount, currency = money(raw, "dispute_amount")
    moves = _moves(raw)
    taken = _taken(raw)
    return DisputeFacts(
        dispute_ref=text(raw, "dispute_id"),
        charge_ref=text(first(raw, "disputed_transactions"), "seller_transaction_id"),
        status=_status(raw, lost=taken > 0),
        amount_minor=amount,
        currency=currency,
        reason=_reason(raw),
        created=moment(raw),
        due_by=moment(raw, "seller_response_due_date") if raw.get("seller_response_due_date") else None,
        refundable=raw.get("status") != "RESOLVED",
        withdrawn_minor=taken,
        reinstated_minor=sum(money(each)[0] for each in moves if each.get("type") == "CREDIT"),
        moved_currency=money(moves[0])[1] if moves else None,
        mixed=len({money(each)[1] for each in moves}) > 1,
    )


def listed(raw: Raw) -> ListedDispute:
    """The same as a list shows it, also one that does not say of which payment it is. Raises `Unreadable`."""
    amount, currency = money(raw, "dispute_amount")
    return ListedDispute(
        dispute_ref=text(raw, "dispute_id"),
        status=_status(raw, lost=_taken(raw) > 0),
        amount_minor=amount,
        currency=currency,
        created=moment(raw),
        charge_ref=optional(first(raw, "disputed_transactions"), "seller_transaction_id") or "",
    )


def _taken(raw: Raw) -> int:
    return sum(money(each)[0] for each in _moves(raw) if each.get("type") == "DEBIT")


def _status(raw: Raw, *, lost: bool) -> str:
    """In our words. What is neither over nor asked is looked at, also under a name that nobody knows yet."""
    status = text(raw, "status")
    inquiry = raw.get("dispute_life_cycle_stage") == "INQUIRY"
    if status == "RESOLVED":
        outcome = optional(inner(raw, "dispute_outcome"), "outcome_code") or ""
        if outcome == "RESOLVED_BUYER_FAVOUR" or (lost and outcome not in _OURS):
            return "lost"
        # One that was decided for the buyer while they still talked has taken money, and gives it back.
        return "warning_closed" if inquiry and not lost else "won"
    if status in _ASKED:
        return "warning_needs_response" if inquiry else "needs_response"
    return "warning_under_review" if inquiry else "under_review"


_OURS = ("RESOLVED_SELLER_FAVOUR", "CANCELED_BY_BUYER", "DENIED")


def _moves(raw: Raw) -> list[Raw]:
    """What was taken from the seller for it and given back, without PayPal's own fees, which are movements themselves.

    `fund_movements` took the place of `money_movements`, which has another name for whose they are.
    """
    rows = _rows(raw, "fund_movements") or _rows(raw, "money_movements")
    ours = [each for each in rows if each.get("party", each.get("affected_party")) == "SELLER"]
    return [each for each in ours if each.get("reason", _SETTLEMENT) == _SETTLEMENT]


def _reason(raw: Raw) -> str | None:
    reason = optional(raw, "reason")
    return reason.lower() if reason and len(reason) <= 64 and reason.replace("_", "").isalnum() else None


def _rows(raw: Raw, name: str) -> list[Raw]:
    rows = raw.get(name)
    return [each for each in rows if isinstance(each, dict)] if isinstance(rows, list) else []
