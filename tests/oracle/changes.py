"""Changes of items and cancellations, with their proration (rules 5 and 6)."""

from fractions import Fraction

from tests.oracle import collection, documents, items, periods, times, usage
from tests.oracle.amounts import rounded
from tests.oracle.state import Document, Item, Line, Subscription, World


def _credit(*, world: World, sub: Subscription, item: Item) -> list[Line]:
    """The credit for the unused part of the line that last charged an item; none at 0."""
    line = item.line
    if line is None:
        return []
    net, document = Fraction(line.amount), line.document
    if document is not None:
        net -= line.discount
        if document.total:
            net *= Fraction(document.total - document.amount_refunded, document.total)
    start, end = line.period
    part = times.share(t=world.now, b=start, e=end, zone=sub.customer.zone, by_day=world.by_day)
    amount = -rounded(net * part)
    return [_proration(world=world, item=item, amount=amount, kind="proration_credit", credits_=line, end=end)]


def _charge(*, world: World, sub: Subscription, item: Item) -> Line:
    part = times.share(t=world.now, b=sub.full_start, e=sub.end, zone=sub.customer.zone, by_day=world.by_day)
    amount = rounded(items.full_amount(world=world, item=item) * part)
    return _proration(world=world, item=item, amount=amount, kind="proration_charge", credits_=None, end=sub.end)


def _proration(*, world: World, item: Item, amount: int, kind: str, credits_: Line | None, end: times.Moment) -> Line:
    return Line(
        kind=kind,
        price=item.price,
        rate=world.rate(price=item.price),
        quantity=Fraction(item.quantity),
        amount=amount,
        period=(world.now, end),
        credits=credits_,
    )


def _credits(*, world: World, sub: Subscription, of: list[Item]) -> list[Line]:
    found = [line for item in of for line in _credit(world=world, sub=sub, item=item)]
    return [line for line in found if line.amount]


def _as_paid(*, world: World, document: Document) -> bool:
    """Paid, credited, or a `send_invoice` document within its time."""
    within = document.status == "open" and document.due_at is not None and world.now <= document.due_at
    return document.status in {"paid", "credited"} or within


def _may_write(*, world: World, sub: Subscription, lines: list[Line]) -> bool:
    """Whether the documents that charged the running period let a change write its proration lines."""
    charged = [line.document for line in sub.charges if line.document is not None]
    if not sub.billed or any(d.status in {"void", "uncollectible"} for d in charged):
        return False
    return all(_as_paid(world=world, document=d) for d in charged) or sum(line.amount for line in lines) > 0


def _written(*, lines: list[Line]) -> list[Line]:
    """Notes each credit at the document whose line it takes back."""
    for line in lines:
        if line.credits is not None and line.credits.document is not None:
            line.credits.document.credits.append(line)
    return lines


def change_now(*, world: World, sub: Subscription, entries: list[dict], proration: str) -> None:
    """The complete new item list holds from now."""
    sub.scheduled = None
    recurring, once = items.split(world=world, items=entries)
    one_offs = [items.one_off(world=world, item=x) for x in once]
    rhythm = items.rhythm(world=world, items=recurring)
    if sub.trial:
        sub.items = items.replaced(world=world, sub=sub, items=recurring, since=world.now)
        sub.interval, sub.count = rhythm
        sub.waiting += one_offs
    elif rhythm != (sub.interval, sub.count):
        sub.waiting += one_offs
        _restart(world=world, sub=sub, recurring=recurring, rhythm=rhythm, credit=proration != "none")
    else:
        _replace(world=world, sub=sub, recurring=recurring, prorate=proration != "none")
        sub.waiting += one_offs
        if proration == "invoice_now":
            periods.bill_now(world=world, sub=sub, lines=[], period=(world.now, sub.end))


def _replace(*, world: World, sub: Subscription, recurring: list[dict], prorate: bool) -> None:
    old, new = sub.items, items.replaced(world=world, sub=sub, items=recurring, since=world.now)
    before = {item.price: item.quantity for item in old if not world.metered(price=item.price)}
    after = {item.price: item.quantity for item in new if not world.metered(price=item.price)}
    leaving = [i for i in old if i.price in before and after.get(i.price) != i.quantity]
    coming = [i for i in new if i.price in after and before.get(i.price) != i.quantity]
    credits_ = _credits(world=world, sub=sub, of=leaving)
    charges = [(item, _charge(world=world, sub=sub, item=item)) for item in coming]
    lines = credits_ + [line for _, line in charges if line.amount]
    if prorate and _may_write(world=world, sub=sub, lines=lines):
        sub.waiting += _written(lines=lines)
        for item, line in charges:
            item.line = line if line.amount else None
        sub.charges += [line for _, line in charges if line.amount]
    kept = {item.price for item in new}
    gone = [i for i in old if world.metered(price=i.price) and i.price not in kept and world.now > sub.start]
    sub.waiting += [usage.line(world=world, sub=sub, item=item, end=world.now) for item in gone]
    sub.items = new


def _restart(*, world: World, sub: Subscription, recurring: list[dict], rhythm: tuple[str, int], credit: bool) -> None:
    """Prices with another rhythm restart the period now."""
    lines = _credits(world=world, sub=sub, of=items.licensed(world=world, sub=sub)) if credit else []
    if not _may_write(world=world, sub=sub, lines=lines):
        lines = []
    lines = _written(lines=lines) + usage.lines(world=world, sub=sub, end=world.now)
    sub.items = items.replaced(world=world, sub=sub, items=recurring, since=world.now)
    sub.interval, sub.count = rhythm
    sub.anchor = world.now
    periods.open_period(sub=sub, k=0)
    lines += items.charge_period(world=world, sub=sub)
    periods.bill_now(world=world, sub=sub, lines=lines, period=(sub.start, sub.end))


def cancel_now(*, world: World, sub: Subscription, prorate: bool) -> None:
    """Ends a subscription now, after the credit note for what was paid and is not used."""
    if prorate and not sub.trial:
        lines = _credits(world=world, sub=sub, of=items.licensed(world=world, sub=sub))
        sub.waiting += [line for line in lines if line.credits.document is None]
        issued = [line for line in lines if line.credits.document is not None]
        paid = [line for line in issued if _as_paid(world=world, document=line.credits.document)]
        documents.issue(
            world=world, customer=sub.customer, sub=sub, lines=_written(lines=paid), period=(world.now, sub.end)
        )
    charged = sub.status != "unpaid"
    last = documents.close(world=world, sub=sub, end=world.now)
    if charged:
        collection.collect(world=world, document=last)
