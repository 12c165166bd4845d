"""A whole world in which everything agrees with everything else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from sqlalchemy.orm import Session

from billing.models import Endpoint, Invoice, Profile, ProviderAccount, SandboxClock, Seller, Series, Subscription
from tests.builders.charges import declined, paid
from tests.builders.documents import bill, granted, refunded, subscription
from tests.builders.jobs import audit_record, delivery, endpoint, event, outbox, slice_, work_item
from tests.builders.parties import payment_method, price, product, profile, provider_account, seller, series, tax_rate
from tests.builders.rows import add


@dataclass(slots=True)
class World:
    """A seller's first months, at `now`: everything in it agrees with everything else."""

    now: datetime
    seller: Seller
    series: Series
    account: ProviderAccount
    profile: Profile
    paid: Invoice
    recovered: Invoice
    """Declined once, then paid."""
    open: Invoice
    """Declined once, to be tried again."""
    running: Subscription
    """Anchored on the 31st, past due by its open invoice."""
    moved_in: Subscription
    """Paid elsewhere until February; ours from March."""
    ended: Subscription
    """Canceled at the end of its one period."""
    held: Subscription
    """Never billed: on hold with a work item."""
    host: Endpoint
    """Heard of the last thing that happened, at the first try."""


def world(session: Session) -> World:
    """Put it into the database, documents in the order in which they were issued."""
    now = datetime(2026, 4, 1, 12, tzinfo=UTC)
    add(session, SandboxClock(one=1, instant=now))
    owner = seller(session, code="ACME")
    counter = series(session, owner)
    account = provider_account(session)
    standard, reduced = tax_rate(session, owner), tax_rate(session, owner, name="reduced", percent=7, inclusive=True)
    seats = price(session, product(session, owner), standard)
    books = price(session, product(session, owner, code="books"), reduced, unit_amount=Decimal(1070))
    prices = [(seats, 2), (books, 1)]
    payer, other = profile(session, owner), profile(session, owner)
    for each in (payer, other):
        payment_method(session, each, account)

    running = subscription(session, payer, prices, code="running")
    ended = subscription(session, other, prices, code="ended", started_at=_at(2, 5), cancel_at=_at(3, 5))
    moved_in = subscription(
        session,
        other,
        prices,
        code="moved-in",
        started_at=_at(1, 15),
        paid_through=_at(2, 20),
        next_period_no=2,
        next_due_at=_at(3, 15),
    )
    held = subscription(session, other, prices, code="held", started_at=_at(1, 5))
    item = work_item(session, subject_type="subscription", subject_id=held.id, seller_id=owner.id)
    held.hold_id = item.id

    first = bill(session, running, 0)
    paid(session, first, at=_at(1, 31))
    of_ended = bill(session, ended, 0)
    paid(session, of_ended, at=_at(2, 5))
    ended.status, ended.ended_at, ended.next_due_at = "canceled", _at(3, 5), None
    second = bill(session, running, 1)
    declined(session, second, at=_at(2, 28))
    paid(session, second, at=_at(3, 3))
    paid(session, bill(session, moved_in, 2), at=_at(3, 15))
    third = bill(session, running, 2)
    declined(session, third, at=_at(3, 31, 8))
    running.status = "past_due"
    granted(session, other, amount_minor=700, at=_at(3, 15))
    refunded(session, of_ended, amount_minor=1000, tax_minor=135, at=_at(3, 16))

    event(session, account)
    dead = event(session, account, status="dead", error="no handler for this object")
    parked = {"kind": "event_not_handled", "subject_type": "provider_event", "subject_id": dead.id}
    item = work_item(session, status="parked", **parked)
    audit_record(session, action="work.park", subject_type="work_item", subject_id=item.id)
    whole = slice_(session, [payer.id, other.id], status="split")
    for each in (payer, other):
        slice_(session, [each.id], parent_id=whole.id)
    host = endpoint(session, owner)
    told = outbox(session, first, topic="product.created", object_type="product", object_id=seats.product_id)
    delivery(session, host, told)
    session.flush()
    return World(
        now=now,
        seller=owner,
        series=counter,
        account=account,
        profile=payer,
        paid=first,
        recovered=second,
        open=third,
        running=running,
        moved_in=moved_in,
        ended=ended,
        held=held,
        host=host,
    )


def _at(month: int, day: int, hour: int = 9) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=UTC)
