"""Issues documents: discount, tax, totals and the credit balance (rules 8, 9 and 10)."""

import datetime as dt
from fractions import Fraction

from tests.oracle import usage
from tests.oracle.amounts import exact, rounded, shares
from tests.oracle.state import Customer, Document, Line, Period, Subscription, World
from tests.oracle.tax import tax


def in_base(*, line: Line) -> bool:
    """All lines but proration credits for lines that another document already carries."""
    return line.credits is None or line.credits.document is None or line.credits.document is line.document


def _discount(*, sub: Subscription, lines: list[Line]) -> int:
    """Shares the coupon's discount over the lines of the base and counts its use."""
    based = [line for line in lines if in_base(line=line)]
    base = sum(line.amount for line in based)
    if sub.coupon is None or sub.coupon_left == 0 or base <= 0:
        return 0
    if sub.coupon_left is not None:
        sub.coupon_left -= 1
    if sub.coupon.get("percent") is not None:
        discount = rounded(Fraction(base) * exact(value=sub.coupon["percent"]) / 100)
    else:
        discount = min(rounded(exact(value=sub.coupon["amount"])), base)
    for line, part in zip(based, shares(total=discount, weights=[line.amount for line in based]), strict=True):
        line.discount = part
    return discount


def issue(
    *,
    world: World,
    customer: Customer,
    sub: Subscription | None,
    lines: list[Line],
    period: Period | None,
) -> Document | None:
    """Issues what the lines come to, before any charge; nothing without lines."""
    if sub is not None:
        lines = [x for x in lines if x.counted is None or usage.count(world=world, sub=sub, found=x)]
    if not lines:
        return None
    discount = _discount(sub=sub, lines=lines) if sub else 0
    subtotal = sum(line.amount for line in lines)
    taxes = tax(
        seller=world.seller, customer=customer.party, nets=[(line.rate, line.amount - line.discount) for line in lines]
    )
    document = Document(
        place=len(world.documents),
        kind="invoice",
        customer=customer,
        subscription=sub,
        status="open",
        currency=sub.currency if sub else world.seller["currency"],
        issued_at=world.now,
        period=period,
        lines=lines,
        subtotal=subtotal,
        discount=discount,
        tax=taxes.exclusive + taxes.inclusive,
        tax_on_top=taxes.exclusive,
        reverse_charge=taxes.reverse_charge,
        total=subtotal - discount + taxes.exclusive,
        automatic=sub.automatic if sub else True,
    )
    for line in lines:
        line.document = document
    world.documents.append(document)
    _settle(document=document, sub=sub)
    return document


def _settle(*, document: Document, sub: Subscription | None) -> None:
    """Uses or feeds the balance."""
    customer, currency = document.customer, document.currency
    if document.total < 0:
        document.kind, document.status = "credit_note", "credited"
        customer.credit(currency=currency, amount=-document.total)
        return
    if not document.automatic:
        document.due_at = document.issued_at + dt.timedelta(days=sub.days_until_due)
    document.credit_applied = min(customer.balances.get(currency, 0), document.total)
    customer.credit(currency=currency, amount=-document.credit_applied)
    document.amount_due = document.total - document.credit_applied
    if document.amount_due == 0:
        document.status = "paid"


def close(*, world: World, sub: Subscription, end: dt.datetime) -> Document | None:
    """Ends a subscription at `end` with its last invoice, if it has lines."""
    lines = [] if sub.trial else sub.drained() + usage.lines(world=world, sub=sub, end=end)
    sub.status, sub.end = "canceled", end
    return issue(world=world, customer=sub.customer, sub=sub, lines=lines, period=(sub.start, end))
