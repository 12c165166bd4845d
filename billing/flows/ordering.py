"""What each kind of the console's orders does, once it may: the flows of the command line, by the order's row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from uuid import UUID

from billing.flows import operating, operating_profiles
from billing.flows.order import Order
from billing.flows.parts import Parts
from billing.flows.working import Action, act
from billing.kernel.errors import Fault, Refused, Stale
from billing.models import Invoice, OperatorOrder


def _refund(parts: Parts, row: OperatorOrder, order: Order) -> str:
    return operating.refund(parts, row.subject_id, amount_minor=row.amount_minor, order=order).told


def _write_off(parts: Parts, row: OperatorOrder, order: Order) -> str:
    with parts.begin() as session:
        owed = session.get_one(Invoice, row.subject_id).amount_remaining_minor
    if owed != row.amount_minor:
        raise Refused(Fault("amount", "order_changed", "another amount is owed by now; order it anew"))
    return operating.mark_uncollectible(parts, row.subject_id, order=order).told


def _credit_note(parts: Parts, row: OperatorOrder, order: Order) -> str:
    return operating.credit(parts, row.subject_id, amount_minor=row.amount_minor, order=order).told


def _credit(parts: Parts, row: OperatorOrder, order: Order) -> str:
    amount, currency = row.amount_minor, row.currency
    if amount is None or currency is None:
        raise Refused(Fault("amount", "amount_missing", "say how much"))
    return operating_profiles.grant(parts, row.subject_id, amount_minor=amount, currency=currency, order=order).told


def _work(parts: Parts, row: OperatorOrder, order: Order) -> str:
    """Each item in a transaction of its own; those that were approved, whatever was raised meanwhile."""
    action, ended = Action(row.facts["do"]), Counter[str]()
    for item_id in row.facts["items"]:
        try:
            done = act(parts, UUID(item_id), action=action, order=order)
            ended["changed" if done.changed else "left as they were"] += 1
        except (Refused, Stale):
            ended["refused"] += 1
    return f"{action.value}: {', '.join(f'{count} {how}' for how, count in ended.items()) or 'nothing to do'}"


CARRIED_OUT: dict[str, Callable[[Parts, OperatorOrder, Order], str]] = {
    "refund": _refund,
    "write_off": _write_off,
    "credit_note": _credit_note,
    "credit": _credit,
    "work": _work,
}
