"""Charges, declines, the dunning schedule and recovery (rule 11)."""

from tests.oracle import documents, times
from tests.oracle.state import Customer, Document, Subscription, World

SOFT = {"declined": "generic_decline", "insufficient_funds": "insufficient_funds"}
HARD = {name: name for name in ("lost_card", "expired_card", "authentication_required")}


def payment(*, world: World, document: Document, amount: int, status: str, code: str | None = None) -> None:
    """Enters a payment."""
    at = times.text(at=world.now)
    world.payments.append({"document": document, "at": at, "amount": amount, "status": status, "decline_code": code})


def _attempt(*, world: World, document: Document) -> bool:
    """One try with the default method."""
    method = document.customer.method
    document.tried = True
    code = (SOFT | HARD).get(method)
    if method is not None:
        status = "declined" if code else "succeeded"
        payment(world=world, document=document, amount=document.amount_due, status=status, code=code)
    if method is None or code:
        document.failed, document.hard = True, method not in SOFT
        sub = document.subscription
        if sub and sub.status == "active":
            sub.status = "past_due"
        return False
    document.provider_paid = document.amount_paid = document.amount_due
    document.status = "paid"
    settled(world=world, document=document)
    return True


def collect(*, world: World, document: Document | None) -> None:
    """Charges a new automatic invoice, unless its subscription is unpaid, and starts its schedule at a decline."""
    if document is None or document.status != "open" or not document.automatic:
        return
    if document.subscription and document.subscription.status == "unpaid":
        return
    if not _attempt(world=world, document=document):
        _schedule(world=world, document=document)


def _schedule(*, world: World, document: Document) -> None:
    if document.retried < len(world.retries):
        document.retry_at = world.now + world.retries[document.retried]
    else:
        _final(world=world, sub=document.subscription)


def retry(*, world: World, document: Document) -> None:
    """A scheduled moment: a real try unless the last answer was hard or the subscription is unpaid."""
    document.retry_at = None
    document.retried += 1
    unpaid = document.subscription is not None and document.subscription.status == "unpaid"
    if not document.hard and not unpaid and _attempt(world=world, document=document):
        return
    _schedule(world=world, document=document)


def _final(*, world: World, sub: Subscription | None) -> None:
    if sub is None or sub.status == "canceled":
        return
    if world.final == "cancel":
        documents.close(world=world, sub=sub, end=min(world.now, sub.end))
    elif world.final == "unpaid" and sub.status in {"active", "past_due"}:
        sub.status = "unpaid"


def failing(*, world: World, sub: Subscription) -> bool:
    """Whether an open failed invoice remains."""
    return any(d.subscription is sub and d.status == "open" and d.failed for d in world.documents)


def settled(*, world: World, document: Document) -> None:
    """Ends an invoice's collection (paid, void or uncollectible) and recovers its subscription."""
    document.retry_at = None
    sub = document.subscription
    if sub is None or sub.status not in {"past_due", "unpaid"} or failing(world=world, sub=sub):
        return
    was_unpaid, sub.status = sub.status == "unpaid", "active"
    if not was_unpaid:
        return
    for other in world.ordered():
        if other.subscription is sub and not other.tried and sub.status != "canceled":
            collect(world=world, document=other)


def new_method(*, world: World, customer: Customer, method: str | None) -> None:
    """Makes a method the default and tries it on each open automatic invoice, beside the schedules."""
    customer.method = method
    if method is None:
        return
    opened = [d for d in world.ordered() if d.customer is customer and d.automatic and d.status == "open"]
    for document in opened:
        if document.status == "open":
            _attempt(world=world, document=document)
