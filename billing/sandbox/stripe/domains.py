"""Domains of pages: on a registered one Stripe's form offers wallets. The same name again is the same domain."""

from __future__ import annotations

import re

from billing.sandbox.stripe import objects
from billing.sandbox.stripe.errors import invalid
from billing.sandbox.stripe.lists import page
from billing.sandbox.stripe.params import BOOL, LIST, PAGE, TEXT, Spec, required
from billing.sandbox.stripe.standin import Call
from billing.sandbox.stripe.values import Json

KIND = "payment_method_domain"
CREATE_SPEC: Spec = {"domain_name": required(), "enabled": BOOL, "expand": LIST}
LIST_SPEC: Spec = {**PAGE, "domain_name": TEXT, "enabled": BOOL}

_DOMAIN = re.compile(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")


def create(call: Call) -> Json:
    """POST payment_method_domains."""
    name = call.params["domain_name"]
    if not _DOMAIN.fullmatch(name):
        raise invalid(
            "Give the name of a domain that the world can reach, without https:// or a path.", param="domain_name"
        )
    known = _named(call, name)["data"]
    if known:
        return dict(known[0])
    return call.tx.add(call.account, objects.domain(call.now, name, enabled=call.given("enabled", True))).body


def list_(call: Call) -> Json:
    """GET payment_method_domains."""
    return _named(call, call.given("domain_name"))


def _named(call: Call, name: str | None) -> Json:
    also = None if name is None else ("json_extract(body, '$.domain_name') = ?", [name])
    return page(call, KIND, also=also)
