"""Payment tokens of the vault."""

from __future__ import annotations

from billing.sandbox.paypal import events
from billing.sandbox.paypal.errors import invalid, missing, unprocessable
from billing.sandbox.paypal.values import new_id
from billing.sandbox.paypal.wallets import WALLETS
from billing.sandbox.stripe.standin import Call
from billing.sandbox.stripe.tx import Stored
from billing.sandbox.stripe.values import Json

KIND = "payment_token"


SETUP = "setup_token"
_WALLET = {"usage_type", "customer_type", "permit_multiple_payment_tokens", "experience_context", "description"}


def begin(call: Call) -> Json:
    """A setup token, for the payer to approve."""
    source = call.given("payment_source")
    wallet = source.get("paypal") if isinstance(source, dict) else None
    if set(call.params) - {"payment_source", "customer"} or not isinstance(wallet, dict) or set(wallet) - _WALLET:
        raise invalid("INVALID_PARAMETER_SYNTAX", "The stand-in takes setup tokens of PayPal wallets.")
    context = wallet.get("experience_context") or {}
    if wallet.get("usage_type") not in ("MERCHANT", "PLATFORM") or not context.get("return_url"):
        raise invalid("MISSING_REQUIRED_PARAMETER", "A wallet has a usage_type and a return_url.")
    body = {"id": new_id(), "object": SETUP, "created": call.now, "customer": _customer(call.given("customer"))}
    hidden = {"status": "PAYER_ACTION_REQUIRED", "return_url": context["return_url"], "customer": new_id(10)}
    return setup_shown(call, call.tx.add(call.account, body, hidden))


def approve(call: Call, id: str, wallet: str) -> str:
    """The payer agrees, with a wallet that behaves so; where the browser goes next."""
    setup = the_setup(call, id)
    setup.hidden["status"], setup.hidden["wallet"] = "APPROVED", wallet
    call.tx.save(setup)
    return str(setup.hidden["return_url"])


def retrieve_setup(call: Call) -> Json:
    """A setup token."""
    return latest_setup(call, call.args["id"])


def latest_setup(call: Call, id: str) -> Json:
    """As it is now."""
    return setup_shown(call, the_setup(call, id))


def the_setup(call: Call, id: str) -> Stored:
    """The account's setup token of that id."""
    found = call.tx.get(call.account, SETUP, id)
    if found is None:
        raise missing("setup token")
    return found


def setup_shown(call: Call, setup: Stored) -> Json:
    """As PayPal shows it."""
    origin = call.tx.setting("origin") or "http://stand-in"
    return {
        "id": setup.id,
        "status": setup.hidden["status"],
        "customer": {"id": setup.hidden["customer"], "merchant_customer_id": setup.body["customer"]},
        "links": [{"rel": "approve", "method": "GET", "href": f"{origin}/_sandbox/approve/{setup.id}"}],
    }


def create(call: Call) -> Json:
    """A payment token: of a billing agreement, or of a setup token that its payer has approved."""
    source = call.given("payment_source")
    token = source.get("token") if isinstance(source, dict) else None
    if set(call.params) - {"payment_source", "customer"} or not isinstance(token, dict):
        raise invalid("MISSING_REQUIRED_PARAMETER", "A payment token is made of a token.")
    if token.get("type") == "SETUP_TOKEN":
        setup = the_setup(call, str(token.get("id")))
        if setup.hidden["status"] != "APPROVED":
            raise unprocessable("SETUP_TOKEN_NOT_APPROVED")
        setup.hidden["status"] = "VAULTED"
        call.tx.save(setup)
        return shown(keep(call, wallet=setup.hidden["wallet"], customer=setup.body["customer"]))
    if token.get("type") != "BILLING_AGREEMENT" or token.get("id") not in WALLETS:
        raise unprocessable("TOKEN_ID_NOT_FOUND")
    return shown(keep(call, wallet=token["id"], customer=_customer(call.given("customer"))))


def keep(call: Call, *, wallet: str, customer: str | None) -> Stored:
    """Write the token down."""
    body = {"id": new_id(8).lower(), "object": KIND, "created": call.now, "customer": customer}
    return call.tx.add(call.account, body, {"wallet": wallet, "customer": new_id(10)})


def _customer(given: object) -> str | None:
    if given is None:
        return None
    if not isinstance(given, dict) or set(given) - {"id", "merchant_customer_id"}:
        raise invalid("INVALID_PARAMETER_SYNTAX", "A customer has an id and a merchant_customer_id.")
    name = given.get("merchant_customer_id")
    return name if isinstance(name, str) else None


def retrieve(call: Call) -> Json:
    """A payment token."""
    return shown(the(call, call.args["id"]))


def delete(call: Call) -> Json:
    """Remove it: nothing is charged by it any more. As where its payer removes it at PayPal."""
    token = the(call, call.args["id"])
    call.tx.remove(token.id)
    events.happen(call, "VAULT.PAYMENT-TOKEN.DELETED", KIND, {"id": token.id})
    return {}


def the(call: Call, id: str) -> Stored:
    """The account's token of that id."""
    found = call.tx.get(call.account, KIND, id)
    if found is None:
        raise missing("payment token")
    return found


def latest(call: Call, id: str) -> Json:
    """As it is now; PayPal forgets one that was removed."""
    return shown(the(call, id))


def shown(token: Stored) -> Json:
    """As PayPal shows it, payer included: what an adapter must not keep."""
    return {
        "id": token.id,
        "customer": {"id": token.hidden["customer"], "merchant_customer_id": token.body["customer"]},
        "payment_source": {
            "paypal": {
                "email_address": "payer@example.com",
                "account_id": "QYR5Z8XDVJNXQ",
                "name": {"given_name": "Pat", "surname": "Payer"},
                "address": {"country_code": "DE"},
            }
        },
    }
