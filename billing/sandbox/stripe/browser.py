"""The provider's part in the browser: its script, its own fields for cards, its place for authentication.

The page that loads the script never sees a card: the fields are in a frame of this origin, as the real provider's are.
What the frame may do is bound to a client secret. Cards are test cards by their published numbers; any other number is
refused and never written down.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from billing.sandbox.stripe import authenticating, requestlog, setup_intents
from billing.sandbox.stripe.errors import ApiError, invalid, missing
from billing.sandbox.stripe.finding import the
from billing.sandbox.stripe.requestlog import Entry
from billing.sandbox.stripe.standin import Call, StandIn
from billing.sandbox.stripe.tx import Stored
from billing.sandbox.stripe.values import Json, new_id
from billing.sandbox.stripe.wishes import object_of, text, truth

_ASSETS = Path(__file__).parent / "assets"
ASSETS: Mapping[str, str] = {
    "js": "script.js",
    "js/fields": "fields.html",
    "js/fields.js": "fields.js",
    "js/challenge": "challenge.html",
    "js/account": "account.html",
    "js/paypal": "paypal.html",
    "js/paypal.js": "paypal.js",
    "js/challenge.js": "challenge.js",
    "js/frame.css": "frame.css",
}
"""Path under `/_sandbox/` → file."""

_TEST_CARDS = {
    "4242 4242 4242 4242": "pm_card_visa",
    "5555 5555 5555 4444": "pm_card_mastercard",
    "4000 0000 0000 0002": "pm_card_chargeDeclined",
    "4000 0000 0000 9995": "pm_card_chargeDeclinedInsufficientFunds",
    "4000 0000 0000 0341": "pm_card_chargeCustomerFail",
    "4000 0000 0000 3220": "pm_card_threeDSecure2Required",
    "4000 0027 6000 3184": "pm_card_authenticationRequired",
    "4000 0025 0000 3155": "pm_card_authenticationRequiredOnSetup",
    "4000 0082 6000 3178": "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds",
}
_WALLETS = {"apple_pay": "pm_sandbox_applePay", "google_pay": "pm_sandbox_googlePay"}
_TEST_ACCOUNTS = {
    "AT61 1904 3002 3457 3201": "pm_sandbox_sepa",
    "DE89 3704 0044 0532 0130 00": "pm_sandbox_sepa_de",
    "AT60 1904 3000 0012 1212": "pm_sandbox_sepa_insufficientFunds",
    "AT86 1904 3002 3547 3202": "pm_sandbox_sepa_debitNotAuthorized",
    "AT59 1904 3002 3547 3203": "pm_sandbox_sepa_returnedLater",
}
"""Stripe's test numbers for SEPA debits (docs.stripe.com/payments/sepa-debit)."""
_IBANS = {number.replace(" ", ""): name for number, name in _TEST_ACCOUNTS.items()}
_NUMBERS = {number.replace(" ", ""): name for number, name in _TEST_CARDS.items()}
_EXPIRY = re.compile(r"(0[1-9]|1[0-2]) ?/ ?[0-9]{2}", re.ASCII)
_CVC = re.compile(r"[0-9]{3,4}", re.ASCII)


def asset(name: str) -> tuple[str, str]:
    """The text of an asset, and its media type."""
    kind = {".js": "text/javascript", ".html": "text/html", ".css": "text/css"}[Path(ASSETS[name]).suffix]
    return (_ASSETS / ASSETS[name]).read_text(), kind


def read(stand_in: StandIn, _: str, wish: Any) -> Json:
    """`{"client_secret"}`: the object as the browser may see it."""
    return _with(stand_in, wish, lambda _call, found: _shown(found.body))


def confirm_setup(stand_in: StandIn, _: str, wish: Any) -> Json:
    """A card is typed in or taken from a wallet, and the set-up confirmed.

    `{"client_secret", "return_url", "number", "expiry", "cvc"}`, or `wallet` in place of the last three.

    With `iban`, `name` and `email` it is a bank account, whose holder is kept here, as at Stripe, and nowhere else.
    """
    wish = _texts(wish, "number", "expiry", "cvc", "wallet", "iban", "name", "email", "return_url")
    name = _test_account(wish) if "iban" in wish else _test_card(wish)

    def act(call: Call, found: Stored) -> Json:
        requestlog.write(call.tx, _entry(wish, found.account), call.now)
        call.params = {"payment_method": name, "return_url": wish.get("return_url", "https://page.invalid/")}
        call.args = {"id": found.id}
        try:
            done = setup_intents.confirm(call)
            if "iban" in wish:
                _keep_holder(call, done["payment_method"], wish)
            return _shown(done)
        except ApiError as error:
            if not error.effects:
                raise
            return {"error": _told(error)}

    return _with(stand_in, wish, act)


def confirm_paypal_setup(stand_in: StandIn, _: str, wish: Any) -> Json:
    """`{"client_secret", "return_url", "to"}`: the payer is sent to PayPal's page, which is at `to`."""
    wish = _texts(wish, "to", "return_url")

    def act(call: Call, found: Stored) -> Json:
        requestlog.write(call.tx, _entry(wish, found.account, door="confirm_paypal_setup"), call.now)
        setup = setup_intents.choose(call, found.id, "pm_sandbox_paypal")
        setup_intents.redirect(call, setup, to=wish.get("to", ""), back=wish.get("return_url", ""))
        return {**_shown(setup.body), "next_action": setup.body["next_action"]}

    return _with(stand_in, wish, act)


def authenticate(stand_in: StandIn, _: str, wish: Any) -> Json:
    """`{"client_secret", "succeeded"}`: what the customer did in the frame of their bank."""
    succeeded = truth(object_of(wish), "succeeded", default=False)

    def act(call: Call, found: Stored) -> Json:
        which = authenticating.authenticate_payment if found.id.startswith("pi_") else authenticating.authenticate_setup
        body = which(call, found.id, succeeded=succeeded)
        error = body.get("last_payment_error") or body.get("last_setup_error")
        return _shown(body) if error is None else {"error": {name: error.get(name) for name in ("code", "message")}}

    return _with(stand_in, wish, act)


def _with(stand_in: StandIn, wish: Any, act: Callable[[Call, Stored], Json]) -> Json:
    secret = text(object_of(wish), "client_secret")
    if not secret:
        raise invalid("client_secret is needed.", param="client_secret")
    id_ = secret.partition("_secret_")[0]
    kind = "payment_intent" if id_.startswith("pi_") else "setup_intent"
    with stand_in.store.transaction() as tx:
        found = tx.any(kind, id_)
        if found is None or found.body["client_secret"] != secret:
            raise missing(kind, id_)
        answer = act(Call(stand_in, tx, found.account, stand_in.clock.now()), found)
    stand_in.wake.set()
    return answer


def _texts(wish: Any, *names: str) -> Json:
    """What was sent, of which these are texts where they are named."""
    return {**object_of(wish), **{name: text(wish, name) for name in names if name in wish}}


def _test_card(wish: Json) -> str:
    if wish.get("wallet") in _WALLETS:
        return _WALLETS[wish["wallet"]]
    number = wish.get("number", "").replace(" ", "")
    name = _NUMBERS.get(number)
    if name is None:
        raise ApiError(402, "Your card number is invalid: a sandbox takes test cards only.", code="incorrect_number")
    if not _EXPIRY.fullmatch(wish.get("expiry", "")):
        raise ApiError(402, "Your card's expiry date is incomplete.", code="invalid_expiry_month")
    if not _CVC.fullmatch(wish.get("cvc", "")):
        raise ApiError(402, "Your card's security code is incomplete.", code="incorrect_cvc")
    return name


def _test_account(wish: Json) -> str:
    name = _IBANS.get(wish.get("iban", "").replace(" ", "").upper())
    if name is None:
        raise ApiError(400, "Your IBAN is invalid: a sandbox takes test accounts only.", code="invalid_iban")
    if not wish.get("name") or "@" not in wish.get("email", ""):
        raise ApiError(400, "The holder's name and e-mail address are needed.", code="parameter_missing")
    return name


def _keep_holder(call: Call, method_id: str, wish: Json) -> None:
    method = the(call, "payment_method", method_id)
    method.body["billing_details"] |= {"name": wish["name"], "email": wish["email"]}
    call.tx.save(method)


def _entry(wish: Json, account: str, *, door: str = "confirm_setup") -> Entry:
    """The witness's line: a published test number, so that a test can show where it went and where it did not."""
    entry = Entry("POST", f"/_sandbox/js/{door}", new_id("req"), None, account=account)
    entry.params = {
        name: wish[name] for name in ("return_url", "number", "expiry", "cvc", "wallet", "iban") if name in wish
    }
    return entry.ended(200, "executed")


def _shown(body: Json) -> Json:
    return {name: body.get(name) for name in ("id", "object", "status", "amount", "currency")}


def _told(error: ApiError) -> Json:
    inner = error.body["error"]
    return {name: inner.get(name) for name in ("type", "code", "decline_code", "message")}
