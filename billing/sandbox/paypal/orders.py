"""Orders: created and captured from a vaulted wallet, in one call or in two, and shown with what came of them.

In the books an order is an intent, its capture a charge; an order that was refused is kept too, as a charge that
failed: the witness tells every try.
"""

from __future__ import annotations

from typing import Any

from billing.sandbox.paypal import captures, tokens
from billing.sandbox.paypal.errors import invalid, missing, unprocessable
from billing.sandbox.paypal.values import instant, money, new_id, read_money
from billing.sandbox.paypal.wallets import WALLETS, Wallet
from billing.sandbox.stripe.errors import Interrupted
from billing.sandbox.stripe.idempotency import first_time
from billing.sandbox.stripe.standin import Call
from billing.sandbox.stripe.tx import Stored
from billing.sandbox.stripe.values import Json

KIND = "payment_intent"
_FIELDS = {"intent", "purchase_units", "payment_source"}
_UNIT = {"reference_id", "custom_id", "invoice_id", "amount", "description"}
_WALLET = {"vault_id", "stored_credential"}
MAX_NAME = 127


def create(call: Call) -> Json:
    """Create it; with a vaulted wallet it is captured at once, without one it waits for `capture`."""
    unit, vault_id = _asked(call)
    amount, currency = read_money(unit.get("amount"), limits=call.config.limits)
    paying = None if vault_id is None else _paying(call, vault_id, unit.get("invoice_id"))
    order = call.tx.add(
        call.account,
        {
            "id": new_id(),
            "object": KIND,
            "created": call.now,
            "customer": None,
            "amount": amount,
            "currency": currency,
            "status": "requires_action",
            "metadata": {"invoice_id": unit.get("invoice_id"), "payment_id": unit.get("custom_id")},
            "cancellation_reason": None,
        },
        {"waits_for_capture": paying is None, "reference_id": unit.get("reference_id", "default")},
    )
    return shown(call, order) if paying is None else _captured(call, order, paying)


def capture(call: Call) -> Json:
    """Capture an order that waits, from a vaulted wallet."""
    order = call.tx.get(call.account, KIND, call.args["id"])
    if order is None:
        raise missing("order")
    if set(call.params) - {"payment_source"}:
        raise invalid("INVALID_PARAMETER_SYNTAX", "The stand-in takes a payment_source and nothing else.")
    if order.hidden.get("waits") or (order.body["status"] == "requires_action" and "payment_source" not in call.params):
        raise unprocessable("ORDER_NOT_APPROVED")
    if order.body["status"] != "requires_action":
        raise unprocessable("ORDER_ALREADY_CAPTURED")
    paying = _paying(call, _vaulted(call.given("payment_source")), order.body["metadata"]["invoice_id"])
    return _captured(call, order, paying)


def _paying(call: Call, vault_id: str, invoice_id: str | None) -> tuple[Stored, Wallet]:
    """The token, and how its wallet behaves this time."""
    token = call.tx.get(call.account, tokens.KIND, vault_id)
    if token is None:
        raise unprocessable("TOKEN_ID_NOT_FOUND")
    wallet = _met(call, token)
    _pass_fault(call, wallet)
    if _paid_before(call, invoice_id):
        raise unprocessable("DUPLICATE_INVOICE_ID")
    return token, wallet


def _captured(call: Call, order: Stored, paying: tuple[Stored, Wallet]) -> Json:
    token, wallet = paying
    order.body["customer"] = token.body["customer"]
    order.hidden.update({"confirms": 1, "vault_id": token.id})
    if wallet.behaviour == "action":
        # Nobody comes to approve it, and only a capture of the caller's could move money: it never will.
        order.body["status"], order.hidden["waits"] = "canceled", True
        call.tx.save(order)
        return shown(call, order)
    captures.try_(call, order, wallet)
    if wallet.issue is not None:
        raise unprocessable(wallet.issue)
    call.unanswered = wallet.behaviour == "timeout_after"
    return shown(call, order)


def _asked(call: Call) -> tuple[Json, str | None]:
    """The one purchase unit and the vaulted wallet, where there is one; everything else is refused."""
    units, source = call.given("purchase_units"), call.given("payment_source")
    if set(call.params) - _FIELDS or call.given("intent") != "CAPTURE":
        raise invalid("INVALID_PARAMETER_VALUE", "The stand-in takes orders that are to be captured.")
    if not isinstance(units, list) or len(units) != 1 or not isinstance(units[0], dict) or set(units[0]) - _UNIT:
        raise invalid("INVALID_PARAMETER_SYNTAX", "The stand-in takes one purchase unit.")
    for name in ("custom_id", "invoice_id", "reference_id"):
        if not isinstance(units[0].get(name, ""), str) or len(units[0].get(name, "")) > MAX_NAME:
            raise invalid("INVALID_STRING_LENGTH", f"{name} has at most {MAX_NAME} characters.")
    return units[0], None if source is None else _vaulted(source)


def _vaulted(source: Any) -> str:
    wallet = source.get("paypal") if isinstance(source, dict) else None
    if not isinstance(wallet, dict) or set(wallet) - _WALLET or not isinstance(wallet.get("vault_id"), str):
        raise invalid("MISSING_REQUIRED_PARAMETER", "The stand-in takes orders by payment_source.paypal.vault_id.")
    return str(wallet["vault_id"])


def _met(call: Call, token: Stored) -> Wallet:
    """How the wallet behaves this time."""
    wallet = WALLETS[token.hidden["wallet"]]
    if wallet.behaviour != "decline_once":
        return wallet
    if token.hidden.get("declined"):
        return Wallet()
    token.hidden["declined"] = True
    call.tx.save(token)
    return wallet


def _pass_fault(call: Call, wallet: Wallet) -> None:
    """The passing faults of test wallets: the first request under an id is not carried out."""
    if wallet.behaviour in ("fault_503", "timeout_before") and first_time(call):
        raise Interrupted(503 if wallet.behaviour == "fault_503" else None)


def _paid_before(call: Call, invoice_id: Any) -> bool:
    """Whether money came for this invoice, or is about to: PayPal takes it once."""
    if invoice_id is None:
        return False
    where = "account = ? and kind = ? and body ->> '$.metadata.invoice_id' = ? and body ->> '$.status' in (?, ?)"
    return bool(call.tx.select(where, (call.account, KIND, invoice_id, "succeeded", "processing"), limit=1))


def retrieve(call: Call) -> Json:
    """An order."""
    return latest(call, call.args["id"])


def latest(call: Call, id: str) -> Json:
    """As it is now."""
    found = call.tx.get(call.account, KIND, id)
    if found is None or found.hidden.get("refused"):
        raise missing("order")
    return shown(call, found)


def shown(call: Call, order: Stored) -> Json:
    """As PayPal shows it, payer included."""
    tried = call.tx.select("kind = 'charge' and payment_intent = ?", (order.id,), order="seq")
    made = [each for each in tried if not each.hidden.get("refused")]
    ended = "COMPLETED" if made else "CREATED"
    unit: Json = {
        "reference_id": order.hidden.get("reference_id", "default"),
        "amount": money(order.body["amount"], order.body["currency"]),
        "custom_id": order.body["metadata"]["payment_id"],
        "invoice_id": order.body["metadata"]["invoice_id"],
    }
    if made:
        unit["payments"] = {"captures": [captures.shown(call, each) for each in made]}
        refunds = call.tx.select("kind = 'refund' and charge = ?", (made[0].id,), order="seq")
        if refunds:
            unit["payments"]["refunds"] = [captures.refund_shown(each) for each in refunds]
    return {
        "id": order.id,
        "intent": "CAPTURE",
        "status": "PAYER_ACTION_REQUIRED" if order.hidden.get("waits") else ended,
        "payment_source": {"paypal": {"email_address": "payer@example.com", "name": {"given_name": "Pat"}}},
        "payer": {"email_address": "payer@example.com", "name": {"given_name": "Pat", "surname": "Payer"}},
        "purchase_units": [unit],
        "create_time": instant(order.body["created"]),
    }
