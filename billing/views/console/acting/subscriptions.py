"""What can be done about a subscription. Other items, and a cancel now, are shown to the cent before they are done."""

from __future__ import annotations

from uuid import UUID

from billing.commands.subscription.cancel import CancelWhen
from billing.flows import operating_subscriptions, previewing
from billing.flows.order import Done, Order
from billing.flows.parts import Parts
from billing.kernel.status import SubscriptionStatus
from billing.queries.operations.paging import Facts
from billing.rules.permission import Permission
from billing.views.console.acting.act import Act, Field, Given, Stake

ENDED = (SubscriptionStatus.CANCELED, SubscriptionStatus.INCOMPLETE_EXPIRED)
_LEFT_ALONE = (*ENDED, SubscriptionStatus.INCOMPLETE)
"""What nothing can be done about: one that waits for its first payment begins with it, or expires by itself."""


def _pause(parts: Parts, id_: UUID, _: Given, order: Order) -> Done:
    return operating_subscriptions.pause(parts, id_, order=order)


def _resume(parts: Parts, id_: UUID, _: Given, order: Order) -> Done:
    return operating_subscriptions.resume(parts, id_, order=order)


def _uncancel(parts: Parts, id_: UUID, _: Given, order: Order) -> Done:
    return operating_subscriptions.uncancel(parts, id_, order=order)


def _cancel_at_the_end(parts: Parts, id_: UUID, _: Given, order: Order) -> Done:
    return operating_subscriptions.cancel(parts, id_, when=CancelWhen.PERIOD_END, order=order)


def _of_preview(parts: Parts, facts: Facts, given: Given) -> Stake:
    token = given.get("token", "")
    previewing.require_of(parts, token, facts["id"])
    with parts.begin() as session:
        currency, amount = previewing.given_back_by(parts, session, token)
    return Stake({currency: amount} if amount else {}, {"token": token})


def _of_cancel(parts: Parts, facts: Facts, _: Given) -> Stake:
    with parts.begin() as session:
        seen = previewing.preview_cancel(parts, session, facts["id"], when=CancelWhen.NOW, prorate=True)
    return Stake({facts["currency"]: seen.given_back_minor}, {})


def _goes_on(facts: Facts) -> bool:
    return facts["status"] not in _LEFT_ALONE


CANCEL = Act(
    "cancel", "Cancel now",
    "It ends at once, with a last invoice of what waits and was used. What that comes to is shown before it is done.",
    _goes_on, Permission.MONEY, own_address=True, can_try=False,
    fields=(
        Field(
            "unused", "What is paid and not used",
            lambda _: (("kept", "is kept"), ("balance", "goes into the customer's balance")),
        ),
    ),
)  # fmt: skip

CHANGE = Act(
    "change", "Do as shown", "Does exactly what the preview shows.",
    _goes_on, Permission.MONEY, stake=_of_preview, subject="subscription", hidden=True,
)  # fmt: skip

ACTS = (
    Act(
        "pause", "Pause", "Boundaries pass without an invoice; what is used meanwhile is never billed.",
        lambda facts: facts["status"] in ("active", "past_due"), do=_pause,
    ),
    Act(
        "resume", "Resume", "It is billed again from the next boundary.",
        lambda facts: facts["status"] == "paused", do=_resume,
    ),
    Act(
        "cancel_at_the_end", "Cancel at the end",
        "It ends when what runs is over. Open invoices and their retries go on.",
        lambda facts: _goes_on(facts) and facts["cancel_at"] is None, do=_cancel_at_the_end,
    ),
    Act(
        "uncancel", "Take the cancel back", "It goes on after the running period.",
        lambda facts: _goes_on(facts) and facts["cancel_at"] is not None, do=_uncancel,
    ),
    CANCEL,
    Act(
        "cancel_refund", "Cancel now and refund",
        "It ends at once, and what is paid and not used goes back to the method that paid.",
        lambda facts: _goes_on(facts) and facts["paid_ahead"], Permission.MONEY, stake=_of_cancel,
        subject="subscription",
    ),
    CHANGE,
)  # fmt: skip
