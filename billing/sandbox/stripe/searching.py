"""Search for PaymentIntents. It lags behind the lists, as Stripe's does, by a setting."""

from __future__ import annotations

import re
from typing import Any

from billing.sandbox.stripe.errors import invalid
from billing.sandbox.stripe.finding import the
from billing.sandbox.stripe.lists import page
from billing.sandbox.stripe.params import INT, LIST, TEXT, Spec, required
from billing.sandbox.stripe.standin import Call
from billing.sandbox.stripe.values import Json

SEARCH_SPEC: Spec = {"expand": LIST, "limit": INT, "page": TEXT, "query": required()}

_CLAUSE = re.compile(
    r"\s*(?:metadata\[['\"](?P<name>[^'\"]+)['\"]\]|(?P<field>[a-z_]+))\s*:\s*(?:['\"](?P<text>[^'\"]*)['\"]|(?P<number>\d+))\s*\Z"
)
_SEARCHED = frozenset(("amount", "currency", "customer", "status"))


def search(call: Call) -> Json:
    """Search by metadata and a few fields, joined by AND; blind to what is younger than `search_lag_s`."""
    where = ["created <= ?"]
    values: list[Any] = [call.now - call.config.search_lag_s]
    for clause in re.split(r"\s+AND\s+", call.params["query"]):
        found = _CLAUSE.match(clause)
        if found is None or (found["field"] and found["field"] not in _SEARCHED):
            raise invalid(
                "The stand-in searches metadata['name']:'value' and a few fields, joined by AND.", param="query"
            )
        path = f'$.metadata."{found["name"]}"' if found["name"] else f"$.{found['field']}"
        where.append("json_extract(body, ?) = ?")
        values += [path, int(found["number"]) if found["number"] else found["text"]]
    if "page" in call.params:
        where.append("seq < ?")
        values.append(int(call.params["page"]))
    listed = page(call, "payment_intent", also=(" and ".join(where), values))
    last = str(the(call, "payment_intent", listed["data"][-1]["id"]).seq) if listed["has_more"] else None
    return {**listed, "object": "search_result", "next_page": last}
