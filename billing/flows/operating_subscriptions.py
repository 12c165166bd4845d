"""What an operator orders about one subscription: other items, cancel, pause, coupon; each one transaction, noted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.expected_version import require_version
from billing.commands.subscription.cancel import CancelWhen, Unused, gives_back
from billing.commands.subscription.change import ChangeWhen, Proration
from billing.db.base import Json
from billing.flows import changing, previewing
from billing.flows.changing import Opened
from billing.flows.order import Done, Order, carry_out, note
from billing.flows.parts import Parts
from billing.kernel.clock import format_instant
from billing.kernel.money import format_minor
from billing.models import Coupon, Invoice, Subscription
from billing.queries.subscription import items_of, lock_subscription
from billing.validators.subscription import NewItem

_PRORATED = {
    Proration.PRORATE: "; what that credits and charges for the running period waits for the next invoice",
    Proration.NONE: "; the running period is neither credited nor charged",
    Proration.INVOICE_NOW: "; what that credits and charges for the running period is invoiced now",
}


def change(
    parts: Parts,
    subscription_id: UUID,
    *,
    items: Sequence[NewItem],
    when: ChangeWhen,
    proration: Proration,
    order: Order,
) -> Done:
    """Give it `items`, the complete new list. Raises as `flows.changing.change` does."""

    def told(row: Subscription) -> str:
        if when is ChangeWhen.PERIOD_END:
            return f"its items change at the next boundary{_at(row)}"
        return f"its items are these from now on{_PRORATED[proration]}"

    return _carry_out(
        parts,
        subscription_id,
        lambda session: changing.change(parts, session, subscription_id, items=items, when=when, proration=proration),
        action=f"change.{when}",
        told=told,
        order=order,
    )


def apply_preview(parts: Parts, token: str, *, order: Order) -> Done:
    """Do what a preview showed. Raises as `flows.previewing.apply` does."""

    def told(row: Subscription) -> str:
        return f"it is as the preview showed{_at(row)}"

    return _carry_out(
        parts,
        previewing.subscription_of(parts, token),
        lambda session: previewing.apply(parts, session, token),
        action="apply_preview",
        told=told,
        order=order,
    )


def cancel(
    parts: Parts,
    subscription_id: UUID,
    *,
    when: CancelWhen,
    prorate: bool = False,
    unused: Unused = Unused.BALANCE,
    order: Order,
) -> Done:
    """Cancel a subscription. A repeat of `period_end` changes nothing. Raises as `gives_back` and
    `flows.changing.cancel` do.
    """
    prorate = gives_back(when, prorate=prorate, unused=unused)

    def told(row: Subscription) -> str:
        ends = row.ended_at or row.cancel_at
        assert ends is not None
        return f"it ends at {format_instant(ends)}; open invoices stay open"

    return _carry_out(
        parts,
        subscription_id,
        lambda session: changing.cancel(parts, session, subscription_id, when=when, prorate=prorate, unused=unused),
        action=f"cancel.{when}",
        told=told,
        order=order,
    )


def uncancel(parts: Parts, subscription_id: UUID, *, order: Order) -> Done:
    """Take a scheduled cancel back. Raises as `flows.changing.uncancel` does."""
    return _carry_out(
        parts,
        subscription_id,
        lambda session: changing.uncancel(parts, session, subscription_id),
        action="uncancel",
        told=lambda row: f"it is {row.status}, and it goes on at the next boundary{_at(row)}",
        order=order,
    )


def pause(parts: Parts, subscription_id: UUID, *, order: Order) -> Done:
    """Let boundaries pass unbilled. Raises as `flows.changing.pause` does."""
    return _carry_out(
        parts,
        subscription_id,
        lambda session: changing.pause(parts, session, subscription_id),
        action="pause",
        told=lambda _: "it is paused: nothing is billed until it is resumed; open invoices and their retries go on",
        order=order,
    )


def resume(parts: Parts, subscription_id: UUID, *, order: Order) -> Done:
    """Bill again from the next boundary. Raises as `flows.changing.resume` does."""
    return _carry_out(
        parts,
        subscription_id,
        lambda session: changing.resume(parts, session, subscription_id),
        action="resume",
        told=lambda row: f"it is {row.status} and billed again from the next boundary{_at(row)}",
        order=order,
    )


def apply_coupon(parts: Parts, subscription_id: UUID, *, coupon_code: str, order: Order) -> Done:
    """Put a coupon in the place of any other, counting anew. Raises as `flows.changing.apply_coupon` does."""
    return _carry_out(
        parts,
        subscription_id,
        lambda session: changing.apply_coupon(parts, session, subscription_id, coupon_code=coupon_code),
        action="coupon",
        told=lambda _: f"{coupon_code} lowers its next invoices, counted from now on",
        order=order,
    )


def _carry_out(
    parts: Parts,
    subscription_id: UUID,
    act: Callable[[Session], Opened],
    *,
    action: str,
    told: Callable[[Subscription], str],
    order: Order,
) -> Done:
    with carry_out(parts, order) as session:
        locked = lock_subscription(session, subscription_id)
        require_version(locked, order.expected_version)
        before = _of(session, locked)
        opened = act(session)
        row = opened.subscription
        after = _of(session, row)
        note(
            parts,
            session,
            order,
            action=f"subscription.{action}",
            subject_type="subscription",
            subject_id=row.id,
            seller_id=row.seller_id,
            before=before,
            after=after,
        )
        changed = before != after or bool(opened.issued)
        said = told(row) if changed else f"{told(row)}; it was so already; nothing was changed"
        if opened.undone:
            said += f"; what was scheduled for its next period is {opened.undone}"
        if opened.issued:
            documents = [session.get_one(Invoice, each.id) for each in opened.issued]
            amounts = (f"{each.number} of {format_minor(each.total_minor, each.currency)}" for each in documents)
            said += f"; issued {', '.join(amounts)}"
        return Done(subscription_id, row.code, changed=changed, told=said)


def _at(row: Subscription) -> str:
    return f", {format_instant(row.next_due_at)}" if row.next_due_at else ""


def _of(session: Session, row: Subscription) -> Json:
    coupon = session.get(Coupon, row.coupon_id) if row.coupon_id else None
    return {
        "status": row.status,
        "cancel_at": format_instant(row.cancel_at) if row.cancel_at else None,
        "items": [{"price": code, "quantity": quantity} for code, quantity in items_of(session, row.id)],
        "scheduled_items": row.scheduled_items,
        "coupon": coupon.code if coupon else None,
        "coupon_used": row.coupon_used,
    }
