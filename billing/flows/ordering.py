"""What each kind of the console's orders does, once it may: the flows of the command line, by what was asked for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.subscription.cancel import CancelWhen, Unused
from billing.flows import disputing, operating, operating_profiles, operating_subscriptions, previewing
from billing.flows.order import Order
from billing.flows.parts import Parts
from billing.flows.paying_out import order_payout
from billing.flows.working import Action, act
from billing.kernel.clock import parse_instant
from billing.kernel.errors import Fault, ProviderRefused, ProviderUnavailable, ProviderUncertain, Refused, Stale
from billing.models import Dispute, Invoice
from billing.queries.dispute import lock_dispute
from billing.queries.invoice import lock_invoice
from billing.queries.paying_out import carried_forward_of
from billing.queries.profile import lock_profile
from billing.queries.subscription import lock_subscription


@dataclass(frozen=True, slots=True)
class Wanted:
    """An order as it is asked for. `amounts`: what is at stake in minor units, by currency."""

    id: UUID
    action: str
    subject_type: str
    subject_id: UUID
    amounts: Mapping[str, int]
    facts: Mapping[str, Any]
    form: str = ""
    """Stands for what the form said, by which a repeat of it is known."""

    @property
    def money(self) -> tuple[str, int]:
        """Currency and amount of an order of one amount. Raises `Refused` (`amount_missing`)."""
        if len(self.amounts) != 1:
            raise Refused(Fault("amount", "amount_missing", "say how much"))
        return next(iter(self.amounts.items()))


def _refund(parts: Parts, wanted: Wanted, order: Order) -> str:
    return operating.refund(parts, wanted.subject_id, amount_minor=wanted.money[1], order=order).told


def _void(parts: Parts, wanted: Wanted, order: Order) -> str:
    return operating.void(parts, wanted.subject_id, order=_held_to_debt(parts, wanted, order)).told


def _write_off(parts: Parts, wanted: Wanted, order: Order) -> str:
    return operating.mark_uncollectible(parts, wanted.subject_id, order=_held_to_debt(parts, wanted, order)).told


def _held_to_debt(parts: Parts, wanted: Wanted, order: Order) -> Order:
    def look(session: Session) -> None:
        lock_profile(session, session.get_one(Invoice, wanted.subject_id).profile_id)
        owed = lock_invoice(session, wanted.subject_id).amount_remaining_minor
        _require(owed == wanted.money[1], "another amount is owed by now; order it anew")

    return _held_to(parts, order, look)


def _held_to(parts: Parts, order: Order, look: Callable[[Session], None]) -> Order:
    """The order, for what `look` finds alone: now, before a provider is asked for anything, and again when it is done.

    `look` takes the rows as the flow does, so that nothing changes between the two.
    """
    with parts.begin() as session:
        look(session)
    return replace(order, look=look)


def _require(is_so: bool, mend: str) -> None:  # noqa: FBT001
    if not is_so:
        raise Refused(Fault("amount", "order_changed", mend))


def _mark_paid(parts: Parts, wanted: Wanted, order: Order) -> str:
    came = wanted.facts["received_at"]
    return operating.mark_paid(
        parts,
        wanted.subject_id,
        amount_minor=wanted.money[1],
        reference=wanted.facts["reference"],
        received_at=parse_instant(came, field="received_at") if came else None,
        order=order,
    ).told


def _replace(parts: Parts, wanted: Wanted, order: Order) -> str:
    return operating.replace(parts, wanted.subject_id, order=order).told


def _credit_note(parts: Parts, wanted: Wanted, order: Order) -> str:
    return operating.credit(parts, wanted.subject_id, amount_minor=wanted.money[1], order=order).told


def _apply_credit(parts: Parts, wanted: Wanted, order: Order) -> str:
    return operating.apply_credit(parts, wanted.subject_id, amount_minor=wanted.money[1], order=order).told


def _credit(parts: Parts, wanted: Wanted, order: Order) -> str:
    currency, amount = wanted.money
    prepaid = wanted.facts.get("prepaid", False) is True
    return operating_profiles.grant(
        parts, wanted.subject_id, amount_minor=amount, currency=currency, prepaid=prepaid, order=order
    ).told


def _pay_out(parts: Parts, wanted: Wanted, order: Order) -> str:
    currency, amount = wanted.money
    return order_payout(parts, wanted.subject_id, amount_minor=amount, currency=currency, order=order).told


def _carried_forward_write_off(parts: Parts, wanted: Wanted, order: Order) -> str:
    def look(session: Session) -> None:
        lock_profile(session, wanted.subject_id)
        same = carried_forward_of(session, wanted.subject_id) == dict(wanted.amounts)
        _require(same, "another amount is carried forward by now; order it anew")

    return operating_profiles.write_off(parts, wanted.subject_id, order=_held_to(parts, order, look)).told


def _dispute_write_off(parts: Parts, wanted: Wanted, order: Order) -> str:
    return disputing.write_off_loss(parts, wanted.subject_id, order=_held_to_loss(parts, wanted, order)).told


def _dispute_credit(parts: Parts, wanted: Wanted, order: Order) -> str:
    return disputing.credit_loss(parts, wanted.subject_id, order=_held_to_loss(parts, wanted, order)).told


def _held_to_loss(parts: Parts, wanted: Wanted, order: Order) -> Order:
    def look(session: Session) -> None:
        found = session.get_one(Dispute, wanted.subject_id)
        lock_profile(session, found.profile_id)
        lock_invoice(session, found.invoice_id)
        taken = lock_dispute(session, wanted.subject_id).owed_minor
        _require(taken == wanted.money[1], "it has taken another amount by now; order it anew")

    return _held_to(parts, order, look)


def _change(parts: Parts, wanted: Wanted, order: Order) -> str:
    previewing.require_of(parts, wanted.facts["token"], wanted.subject_id)
    return operating_subscriptions.apply_preview(parts, wanted.facts["token"], order=order).told


def _cancel_refund(parts: Parts, wanted: Wanted, order: Order) -> str:
    """A little less goes back by every hour that passes; more than was asked for does not."""

    def look(session: Session) -> None:
        lock_subscription(session, wanted.subject_id)
        seen = previewing.preview_cancel(parts, session, wanted.subject_id, when=CancelWhen.NOW, prorate=True)
        _require(seen.given_back_minor <= wanted.money[1], "more would go back by now; order it anew")

    held = _held_to(parts, order, look)
    return operating_subscriptions.cancel(
        parts, wanted.subject_id, when=CancelWhen.NOW, prorate=True, unused=Unused.REFUND, order=held
    ).told


def _work(parts: Parts, wanted: Wanted, order: Order) -> str:
    """Each item in a transaction of its own; those that were approved, whatever was raised meanwhile.

    What an audit says of one is accepted in the words that were ordered.
    """
    action, ended = Action(wanted.facts["do"]), Counter[str]()
    for item_id in wanted.facts["items"]:
        seen = wanted.facts["findings"][item_id] if action is Action.ACCEPT else None
        try:
            done = act(parts, UUID(item_id), action=action, order=replace(order, expected_findings=seen))
            ended["changed" if done.changed else "left as they were"] += 1
        except (Refused, Stale, ProviderUnavailable, ProviderRefused):
            ended["refused"] += 1
        except ProviderUncertain:
            ended["unanswered, look at them again"] += 1
    return f"{action.value}: {', '.join(f'{count} {how}' for how, count in ended.items()) or 'nothing to do'}"


CARRIED_OUT: dict[str, Callable[[Parts, Wanted, Order], str]] = {
    "refund": _refund,
    "void": _void,
    "write_off": _write_off,
    "mark_paid": _mark_paid,
    "replace": _replace,
    "credit_note": _credit_note,
    "apply_credit": _apply_credit,
    "credit": _credit,
    "pay_out": _pay_out,
    "carried_forward_write_off": _carried_forward_write_off,
    "dispute_write_off": _dispute_write_off,
    "dispute_credit": _dispute_credit,
    "change": _change,
    "cancel_refund": _cancel_refund,
    "work": _work,
    "refund_kept_apart": _work,
}
