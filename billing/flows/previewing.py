"""Previewing a change: exactly what it would write, without locks, numbers or a write; then applied to the cent.

A preview comes with a token that holds what was asked and how things stood. Applied, it is computed as of the token's
moment; if anything that mattered is not as it was, it is refused `Stale` (DECISIONS 8).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.invoice.planned import PlannedInvoice, PlannedLine
from billing.commands.subscription.cancel import CancelWhen, gives_back
from billing.commands.subscription.change import ChangeWhen, Proration
from billing.commands.subscription.terms import rhythm, settled_items
from billing.flows import changing, planning
from billing.flows.parts import Parts
from billing.flows.planning import Planning
from billing.kernel.clock import format_instant, parse_instant
from billing.kernel.errors import Fault, Refused, Stale
from billing.kernel.period import boundary
from billing.models import Subscription
from billing.queries.catalog import hold_rates
from billing.queries.standing import Item
from billing.queries.subscription import lock_subscription
from billing.queries.usage import used_after
from billing.rules.walk import STUB, Span
from billing.validators.subscription import NewItem

LIFE = timedelta(minutes=15)
"""How long a preview may be applied, in business time."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What a change comes to as of `at`. Amounts are minor units; the documents have no numbers yet.

    `waiting` are new lines for the next invoice, before its discount, `on_drafts` those that take something off drafts
    that are held. `upcoming` is the next invoice as far as it is known: without usage, and null where there is none.
    """

    at: datetime
    currency: str
    documents: tuple[PlannedInvoice, ...]
    waiting: tuple[PlannedLine, ...]
    on_drafts: tuple[PlannedLine, ...]
    upcoming: PlannedInvoice | None
    token: str

    @property
    def given_back_minor(self) -> int:
        """What notes credit, and what lines take off drafts and the next invoice; minor units, 0 or more."""
        return _given_back(self.documents, (*self.waiting, *self.on_drafts))


@dataclass(frozen=True, slots=True)
class _Change:
    items: tuple[NewItem, ...]
    when: ChangeWhen
    proration: Proration


@dataclass(frozen=True, slots=True)
class _Cancel:
    when: CancelWhen
    prorate: bool


_Wish = _Change | _Cancel


def preview_change(
    parts: Parts,
    session: Session,
    subscription_id: UUID,
    *,
    items: Sequence[NewItem],
    when: ChangeWhen = ChangeWhen.NOW,
    proration: Proration = Proration.PRORATE,
) -> Preview:
    """What `changing.change` would do now. Raises `Refused` as that does, `renewal_due` while something is overdue."""
    return _preview(parts, session, subscription_id, _Change(tuple(items), when, proration))


def preview_cancel(
    parts: Parts, session: Session, subscription_id: UUID, *, when: CancelWhen, prorate: bool = False
) -> Preview:
    """What `changing.cancel` would do now. Raises as `preview_change` and `gives_back` do."""
    return _preview(parts, session, subscription_id, _Cancel(when, gives_back(when, prorate=prorate)))


def preview_renewal(
    parts: Parts, session: Session, subscription: Subscription, *, now: datetime
) -> PlannedInvoice | None:
    """The next invoice as far as it is known: without usage, and null where there is none. Reads only."""
    made = planning.begin(
        parts, session, profile_id=subscription.profile_id, subscription_id=subscription.id, now=now, lock=False
    )
    return _upcoming(session, subscription, made, None)


def _given_back(planned: Sequence[PlannedInvoice], lines: Sequence[PlannedLine]) -> int:
    notes = sum(document.totals.total_minor for document in planned if document.kind == "credit_note")
    return notes + max(0, -sum(line.amount_minor for line in lines))


def given_back_by(parts: Parts, session: Session, token: str) -> tuple[str, int]:
    """The currency of what was previewed, and what it gives back. Reads only.

    Raises `Stale` where it would come to something else by now; `Refused` (`token_invalid`).
    """
    said = _read(parts, token)
    subscription = session.get_one(Subscription, UUID(said["subscription"]), populate_existing=True)
    made = _plan(parts, session, subscription, _wish(said), parse_instant(said["at"], field="token"), lock=False)
    if _digest(made) != said["digest"]:
        raise Stale("what it would come to has changed since the preview; look again")
    return subscription.currency, _given_back(made.plan.documents, _lines_to_come(made))


def subscription_of(parts: Parts, token: str) -> UUID:
    """Which subscription a preview is about. Raises `Refused` (`token_invalid`)."""
    return UUID(_read(parts, token)["subscription"])


def require_of(parts: Parts, token: str, subscription_id: UUID) -> None:
    """Raise `Refused` (`token_invalid`, `token_of_another`) unless the preview is of this subscription.

    What a person is shown, and a second one approves, is what changes.
    """
    if subscription_of(parts, token) != subscription_id:
        raise Refused(Fault("token", "token_of_another", "it is of another subscription; preview this one"))


def apply(parts: Parts, session: Session, token: str) -> changing.Opened:
    """Do what was previewed, as of then, within the caller's transaction.

    Raises `Stale` where the preview is too old, a boundary, a midnight or usage that nothing would bill lies between,
    or the outcome would be another; `Refused` (`token_invalid`), and as the change itself does.
    """
    said = _read(parts, token)
    subscription_id, at = UUID(said["subscription"]), parse_instant(said["at"], field="token")
    # Before its customer, as an import takes them: who puts a rate waits, and what is compared is what is written.
    hold_rates(session, subscription_id=subscription_id)
    subscription = lock_subscription(session, subscription_id)
    now = parts.clock.now(session)
    if now - at > LIFE:
        raise Stale("the preview is older than 15 minutes; look again")
    if subscription.version != said["version"]:
        raise Stale("the subscription has changed since the preview; look again")
    if subscription.next_due_at is not None and subscription.next_due_at <= now:
        raise Stale("a period has begun since the preview; look again")
    wish = _wish(said)
    made = _plan(parts, session, subscription, wish, at, lock=True)
    if _digest(made) != said["digest"]:
        raise Stale("what it would come to has changed since the preview; look again")
    if used_after(session, subscription_id, prices=_closed(made, wish), at=at):
        raise Stale("something was used since the preview that it would leave out; look again")
    if isinstance(wish, _Cancel):
        return changing.cancel(parts, session, subscription_id, when=wish.when, prorate=wish.prorate, at=at)
    return changing.change(
        parts, session, subscription_id, items=wish.items, when=wish.when, proration=wish.proration, at=at
    )


def _preview(parts: Parts, session: Session, subscription_id: UUID, wish: _Wish) -> Preview:
    subscription = session.get(Subscription, subscription_id, populate_existing=True)
    if subscription is None:
        raise Refused(Fault("subscription", "subscription_not_found", "give the id of a subscription"))
    changing.require_begun_and_going_on(subscription)
    now = parts.clock.now(session)
    if subscription.next_due_at is not None and subscription.next_due_at <= now:
        raise Refused(Fault("subscription", "renewal_due", "a period has begun that is not billed yet; try again"))
    made = _plan(parts, session, subscription, wish, now, lock=False)
    documents, waiting = tuple(made.plan.documents), tuple(line for _, _, line in made.plan.waits)
    on_drafts = tuple(line for _, line in made.plan.on_drafts)
    said = {
        "subscription": str(subscription_id),
        "version": subscription.version,
        "at": format_instant(now),
        "digest": _digest(made),
        **_told(wish),
    }
    upcoming = None if isinstance(wish, _Cancel) else _upcoming(session, subscription, made, wish)
    return Preview(now, subscription.currency, documents, waiting, on_drafts, upcoming, _signed(parts, said))


def _plan(
    parts: Parts, session: Session, subscription: Subscription, wish: _Wish, at: datetime, *, lock: bool
) -> Planning:
    """Plan it as `changing` does, up to the writing."""
    made = planning.begin(
        parts, session, profile_id=subscription.profile_id, subscription_id=subscription.id, now=at, lock=lock
    )
    if isinstance(wish, _Cancel):
        if wish.when is CancelWhen.NOW:
            if wish.prorate:
                planning.give_back(session, made)
            planning.last_document(made)
        return made
    planning.require_changeable(subscription)
    wanted = planning.wanted_items(session, subscription, wish.items, at)
    if wish.when is ChangeWhen.NOW:
        planning.change_now(session, made, wanted, wish.proration)
    return made


def _closed(made: Planning, wish: _Wish) -> set[UUID]:
    """The metered prices whose usage ends with it: what is used from then on stands on no invoice."""
    if wish.when not in (CancelWhen.NOW, ChangeWhen.NOW):
        return set()
    stay = {item.price.id for each in made.plan.advances if each.turned for item in each.turned.items}
    row = made.biller.row
    return {item.price.id for item in made.biller.standing.items[row.id] if item.price.usage} - stay


def _upcoming(
    session: Session, subscription: Subscription, made: Planning, wish: _Change | None
) -> PlannedInvoice | None:
    """The next invoice, composed on top of the plan: what waits then, and the licensed lines of the next period.

    A wish takes the place of what is scheduled for that period. While it is paused, boundaries pass without one.
    """
    row, biller = made.biller.row, made.biller
    moved = made.plan.advances[-1] if made.plan.advances else None
    turned = moved.turned if moved else None
    start = moved.next_due if moved else row.next_due_at
    if start is None or row.cancel_at is not None or row.paused_at is not None:
        return None
    biller.issue_at(start)
    items: list[Item] = list(turned.items) if turned else list(biller.items)
    anchor, interval = (turned.anchor_at, turned.interval) if turned else (row.anchor_at, rhythm(biller.items))
    period_no = moved.next_period_no if moved else row.next_period_no
    wanted = biller.standing.scheduled.get(row.id) if wish is None else None
    if wish is not None and wish.when is ChangeWhen.PERIOD_END:
        wanted = planning.wanted_items(session, subscription, wish.items, start)
    if wanted is not None:
        items = settled_items(biller.items, wanted, at=start)
        if rhythm(items) != interval:
            anchor, interval, period_no = start, rhythm(items), 0
        biller.wait(biller.one_offs(wanted))
    biller.items = items
    opens = Span(start, boundary(anchor, row.timezone, interval, period_no + 1))
    return biller.write(opens, biller.licensed(opens, stub=period_no == STUB))


def _lines_to_come(made: Planning) -> list[PlannedLine]:
    """Of documents that are issued later: the next invoice, and drafts that are held."""
    return [*(line for _, _, line in made.plan.waits), *(line for _, line in made.plan.on_drafts)]


def _digest(made: Planning) -> str:
    """What would be written, line by line and sum by sum, as one hash."""
    facts = [
        *(
            [document.kind, *(_said(line) for line in document.lines), document.totals.total_minor,
             document.totals.tax_minor, document.totals.credit_applied_minor, document.totals.amount_due_minor]
            for document in made.plan.documents
        ),
        [_said(line) for _, _, line in made.plan.waits],
        [(draft_id, _said(line)) for draft_id, line in made.plan.on_drafts],
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(facts, default=str).encode()).hexdigest()


def _said(line: PlannedLine) -> list[object]:
    """What a line says."""
    return [
        line.kind, line.price_id, line.quantity, line.amount_minor, line.discount_minor, line.treatment.percent,
        line.treatment.code, line.period_start, line.period_end,
    ]  # fmt: skip


def _told(wish: _Wish) -> dict[str, Any]:
    if isinstance(wish, _Cancel):
        return {"do": "cancel", "when": wish.when, "prorate": wish.prorate}
    items = [[item.price_code, item.quantity] for item in wish.items]
    return {"do": "change", "items": items, "when": wish.when, "proration": wish.proration}


def _wish(said: dict[str, Any]) -> _Wish:
    if said["do"] == "cancel":
        return _Cancel(CancelWhen(said["when"]), said["prorate"])
    items = tuple(NewItem(code, quantity) for code, quantity in said["items"])
    return _Change(items, ChangeWhen(said["when"]), Proration(said["proration"]))


def _signed(parts: Parts, said: dict[str, Any]) -> str:
    body = base64.urlsafe_b64encode(json.dumps(said, separators=(",", ":")).encode()).decode()
    return f"{body}.{_signature(parts.keyring.derive(_PURPOSE), body)}"


_PURPOSE = "preview token"


def _signature(key: bytes, body: str) -> str:
    return base64.urlsafe_b64encode(hmac.digest(key, body.encode(), "sha256")).decode()


def _read(parts: Parts, token: str) -> dict[str, Any]:
    body, _, signature = token.partition(".")
    keys = parts.keyring.derive_all(_PURPOSE)
    # Of other signs than ours none is compared: that takes ASCII.
    if not token.isascii() or not any(hmac.compare_digest(_signature(key, body), signature) for key in keys):
        raise Refused(Fault("token", "token_invalid", "give the token of a preview, as it was given"))
    said: dict[str, Any] = json.loads(base64.urlsafe_b64decode(body))
    return said
