"""Lists: newest first, by cursor, the same rules for every kind."""

from __future__ import annotations

from typing import Any

from billing.sandbox.stripe import objects
from billing.sandbox.stripe.errors import invalid
from billing.sandbox.stripe.finding import the
from billing.sandbox.stripe.standin import Call
from billing.sandbox.stripe.values import Json

MAX_LIMIT = 100
_BOUNDS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<="}


def page(call: Call, kind: str, *, filters: tuple[str, ...] = (), also: tuple[str, list[Any]] | None = None) -> Json:
    """One page of a kind. `filters` are columns that the request may name; `also` is a further condition."""
    where = ["account = ?", "kind = ?"]
    values: list[Any] = [call.account, kind]
    for name in filters:
        if name in call.params:
            where.append(f"{name} = ?")
            values.append(call.params[name])
    _created(call, where, values)
    if also is not None:
        where.append(also[0])
        values += also[1]
    limit = call.given("limit", 10)
    if not 1 <= limit <= MAX_LIMIT:
        raise invalid(f"limit is from 1 to {MAX_LIMIT}.", code="parameter_invalid_integer", param="limit")
    order = "seq desc"
    if "starting_after" in call.params and "ending_before" in call.params:
        raise invalid("Give either starting_after or ending_before.", param="ending_before")
    if "starting_after" in call.params:
        where.append("seq < ?")
        values.append(_position(call, kind, "starting_after"))
    if "ending_before" in call.params:
        where.append("seq > ?")
        values.append(_position(call, kind, "ending_before"))
        order = "seq"
    found = call.tx.select(" and ".join(where), values, order=order, limit=limit + 1)
    shown = [each.body for each in found[:limit]]
    if order == "seq":
        shown.reverse()
    return objects.listed(shown, has_more=len(found) > limit, url=call.path)


def _created(call: Call, where: list[str], values: list[Any]) -> None:
    wish = call.given("created")
    if isinstance(wish, int):
        where.append("created = ?")
        values.append(wish)
    elif wish is not None:
        for bound, second in wish.items():
            where.append(f"created {_BOUNDS[bound]} ?")
            values.append(second)


def _position(call: Call, kind: str, name: str) -> int:
    return the(call, kind, call.params[name], param=name).seq
