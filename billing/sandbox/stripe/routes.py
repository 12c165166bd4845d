"""Every path of the API that the stand-in serves, with the parameters it takes there."""

from __future__ import annotations

from functools import partial

from billing.sandbox.stripe import (
    charges,
    confirming,
    customers,
    disputes,
    domains,
    endpoints,
    events,
    intents,
    objects,
    payment_methods,
    payouts,
    refunds,
    searching,
    setup_intents,
    warnings,
)
from billing.sandbox.stripe.finding import retrieve
from billing.sandbox.stripe.gate import Operation, Route
from billing.sandbox.stripe.params import LIST, Spec
from billing.sandbox.stripe.standin import Call
from billing.sandbox.stripe.values import Json

READ: Spec = {"expand": LIST}


def _account(call: Call) -> Json:
    return objects.account(call.account, paypal=call.config.paypal)


def _get(path: str, operation: Operation, spec: Spec = READ) -> Route:
    return Route("GET", "/v1/" + path, operation, spec)


def _post(path: str, operation: Operation, spec: Spec = READ) -> Route:
    return Route("POST", "/v1/" + path, operation, spec)


def _delete(path: str, operation: Operation) -> Route:
    return Route("DELETE", "/v1/" + path, operation, {})


def _one(kind: str) -> Operation:
    return partial(retrieve, kind=kind)


ROUTES: tuple[Route, ...] = (
    _get("account", _account),
    _post("customers", customers.create, customers.CREATE_SPEC),
    _get("customers", customers.list_, customers.LIST_SPEC),
    _get("customers/<id>", customers.retrieve),
    _post("customers/<id>", customers.update, customers.UPDATE_SPEC),
    _delete("customers/<id>", customers.delete),
    _get("customers/<id>/payment_methods", payment_methods.list_of_customer, payment_methods.OF_CUSTOMER_SPEC),
    _get("customers/<id>/payment_methods/<method>", payment_methods.retrieve_of_customer),
    _get("payment_methods", payment_methods.list_, payment_methods.LIST_SPEC),
    _get("payment_methods/<id>", payment_methods.retrieve),
    _post("payment_methods/<id>", payment_methods.update, payment_methods.UPDATE_SPEC),
    _post("payment_methods/<id>/attach", payment_methods.attach, payment_methods.ATTACH_SPEC),
    _post("payment_methods/<id>/detach", payment_methods.detach, payment_methods.DETACH_SPEC),
    _post("payment_method_domains", domains.create, domains.CREATE_SPEC),
    _get("payment_method_domains", domains.list_, domains.LIST_SPEC),
    _post("setup_intents", setup_intents.create, setup_intents.CREATE_SPEC),
    _get("setup_intents", setup_intents.list_, setup_intents.LIST_SPEC),
    _get("setup_intents/<id>", _one("setup_intent"), intents.RETRIEVE_SPEC),
    _post("setup_intents/<id>", setup_intents.update, setup_intents.UPDATE_SPEC),
    _post("setup_intents/<id>/confirm", setup_intents.confirm, setup_intents.CONFIRM_SPEC),
    _post("setup_intents/<id>/cancel", setup_intents.cancel, setup_intents.CANCEL_SPEC),
    _post("payment_intents", intents.create, intents.CREATE_SPEC),
    _get("payment_intents", intents.list_, intents.LIST_SPEC),
    _get("payment_intents/search", searching.search, searching.SEARCH_SPEC),
    _get("payment_intents/<id>", _one("payment_intent"), intents.RETRIEVE_SPEC),
    _post("payment_intents/<id>", intents.update, intents.UPDATE_SPEC),
    _post("payment_intents/<id>/confirm", confirming.confirm, confirming.CONFIRM_SPEC),
    _post("payment_intents/<id>/capture", confirming.capture, confirming.CAPTURE_SPEC),
    _post("payment_intents/<id>/cancel", intents.cancel, intents.CANCEL_SPEC),
    _get("charges", charges.list_, charges.LIST_SPEC),
    _get("charges/<id>", _one("charge")),
    _post("refunds", refunds.create, refunds.CREATE_SPEC),
    _get("refunds", refunds.list_, refunds.LIST_SPEC),
    _get("refunds/<id>", _one("refund")),
    _post("refunds/<id>", refunds.update, refunds.UPDATE_SPEC),
    _post("refunds/<id>/cancel", refunds.cancel),
    _get("disputes", disputes.list_, disputes.LIST_SPEC),
    _get("disputes/<id>", _one("dispute")),
    _post("disputes/<id>", disputes.update, disputes.UPDATE_SPEC),
    _post("disputes/<id>/close", disputes.close_by_us),
    _get("radar/early_fraud_warnings", warnings.list_, warnings.LIST_SPEC),
    _get("radar/early_fraud_warnings/<id>", _one(warnings.KIND)),
    _get("balance_transactions", payouts.list_balance, charges.BALANCE_LIST_SPEC),
    _get("balance_transactions/<id>", _one("balance_transaction")),
    _get("payouts", payouts.list_, payouts.LIST_SPEC),
    _get("payouts/<id>", _one("payout")),
    _get("mandates/<id>", _one("mandate")),
    _get("events", events.list_, events.LIST_SPEC),
    _get("events/<id>", events.retrieve),
    _post("webhook_endpoints", endpoints.create, endpoints.CREATE_SPEC),
    _get("webhook_endpoints", endpoints.list_, endpoints.LIST_SPEC),
    _get("webhook_endpoints/<id>", _one("webhook_endpoint")),
    _post("webhook_endpoints/<id>", endpoints.update, endpoints.UPDATE_SPEC),
    _delete("webhook_endpoints/<id>", endpoints.delete),
)
