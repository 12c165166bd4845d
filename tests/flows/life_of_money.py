"""What chance does to documents, balances and books, and what operators and reviewers do about them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any

from sqlalchemy import select, text

from billing.flows import (
    accrual,
    backfill,
    drafts,
    external_money,
    incomplete,
    operating,
    operating_drafts,
    paying_out,
    recognition,
    refunding,
    working,
)
from billing.flows.bookkeeping import close as close_month
from billing.flows.charging import charge_once
from billing.flows.correcting import mark_uncollectible, void
from billing.flows.crediting import apply_credit, credit
from billing.flows.operating_profiles import grant, write_off
from billing.flows.replacing import replace_invoice
from billing.flows.working import Action
from billing.kernel.status import LIVE_WORK
from billing.models import CreditBalance
from billing.queries.books.reports import aging_report, deferred_report
from billing.queries.books.tax import tax_report
from tests.flows.life import ORDER, Act, Life

_DAY = timedelta(days=1)
_EARNED = text(
    """
    SELECT e.seller_id, p.account, p.currency, sum(p.amount_minor) AS amount
    FROM billing.ledger_entry e JOIN billing.posting p ON p.entry_id = e.id
    WHERE e.booked_on BETWEEN :month AND :last AND p.account IN ('revenue', 'write_off', 'carried_forward')
    GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    """
)


def give(life: Life) -> None:
    whom, currency = life.chance.choice(life.profiles), life.chance.choice(["eur", "eur", "eur", "usd", "jpy", "kwd"])
    amount, prepaid = life.chance.randint(1, 3000), life.chance.random() < 0.5
    grant(life.acme.parts, whom, amount_minor=amount, currency=currency, prepaid=prepaid, order=ORDER)


def charge_cents(life: Life) -> None:
    """Something costs less than the provider charges."""
    currency, amount = life.chance.choice(["eur", "eur", "usd", "jpy", "kwd"]), life.chance.randint(1, 49)
    with life.acme.parts.begin() as session:
        charge_once(
            life.acme.parts, session, life.chance.choice(life.profiles), amount_minor=amount, currency=currency,
            description="A stamp", tax_rate=life.chance.choice(["standard", None]),
        )  # fmt: skip


def give_up(life: Life) -> None:
    """A person asks for nothing more of what one is to pay with their next invoice."""
    with life.acme.begin() as session:
        owing = session.scalars(select(CreditBalance.profile_id).where(CreditBalance.carried_forward_minor > 0))
        known = sorted(set(owing)) or life.profiles
    write_off(life.acme.parts, life.chance.choice(known), order=ORDER)


def pay_out(life: Life) -> None:
    """A customer wants what stands in their balance."""
    with life.acme.begin() as session:
        query = select(CreditBalance.profile_id, CreditBalance.currency).where(CreditBalance.amount_minor > 0)
        left = session.execute(query.order_by(CreditBalance.profile_id, CreditBalance.currency)).all()
    if left:
        whom, currency = life.chance.choice(left)
        amount = life.chance.choice([None, life.chance.randint(1, 1500)])
        paying_out.order_payout(life.acme.parts, whom, currency=currency, amount_minor=amount, order=ORDER)


def review(life: Life) -> None:
    """Somebody looks at a draft."""
    held = [each for each in life.acme.invoices() if each.status == "draft"]
    if not held:
        return
    draft, parts = life.chance.choice(held), life.acme.parts
    place, amount = life.chance.randint(1, max(1, len(life.acme.lines(draft)))), life.chance.randint(-600, 900)
    ways: list[Callable[[], object]] = [
        lambda: operating_drafts.add_line(
            parts, draft.id, description="As agreed", amount_minor=amount, tax_rate="standard", order=ORDER
        ),
        lambda: operating_drafts.remove_line(parts, draft.id, position=place, order=ORDER),
        lambda: operating_drafts.release(parts, draft.id, order=ORDER),
    ]
    life.chance.choice(ways)()


def decide(life: Life) -> None:
    """Somebody acts on a work item, in one of the ways that it names."""
    items = [each for each in life.acme.work_items() if each.status in LIVE_WORK and each.safe_actions]
    if items:
        item = life.chance.choice(items)
        working.act(life.acme.parts, item.id, action=Action(life.chance.choice(item.safe_actions)), order=ORDER)


def correct(life: Life) -> None:
    """Something is done to one invoice, mostly to one that it fits."""
    chance, parts = life.chance, life.acme.parts
    numbered = [each for each in life.acme.invoices() if each.kind == "invoice" and each.number]
    wanted = chance.choice(["open", "open", "paid", "paid", "uncollectible", "void"])
    invoices = [each for each in numbered if each.status == wanted] or numbered
    if chance.random() < 0.3:
        invoices = [
            each for each in numbered if each.brought_forward_minor or each.amount_carried_forward_minor
        ] or invoices
    if not invoices:
        return
    invoice = chance.choice(invoices)
    part = chance.choice([None, chance.randint(1, max(1, invoice.total_minor))])
    more = chance.choice([part, invoice.total_minor + 700])
    after: list[Callable[[], object]] = [
        lambda: refunding.refund(parts, invoice.id, amount_minor=part),
        lambda: credit(parts, invoice.id, amount_minor=part, order=ORDER),
        lambda: replace_invoice(parts, invoice.id, order=ORDER),
    ]
    before: list[Callable[[], object]] = [
        *after[1:],
        lambda: apply_credit(parts, invoice.id, order=ORDER),
        lambda: external_money.mark_paid(parts, invoice.id, amount_minor=more, reference=f"statement {len(life.done)}"),
        lambda: external_money.mark_paid(parts, invoice.id, amount_minor=part, reference=f"statement {len(life.done)}"),
        lambda: void(parts, invoice.id),
        lambda: mark_uncollectible(parts, invoice.id),
        lambda: operating.retry_invoice(parts, invoice.id, order=ORDER),
    ]
    chance.choice(after if invoice.status == "paid" else before)()


def go(life: Life) -> None:
    """Time passes. What the provider could not tell is read in its list before that is too old."""
    life.calm()
    backfill.backfill(life.acme.parts)
    life.settle()
    life.go(timedelta(hours=life.chance.choice([5, 24, 24, 24 * 7, 24 * 20, 24 * 45])))
    drafts.sweep(life.acme.parts)
    incomplete.sweep(life.acme.parts)
    life.settle()
    accrual.accrue_due(life.acme.parts)


def accrue(life: Life) -> None:
    """The night after a month comes while something is under way; then, as ever, revenue goes on."""
    accrual.accrue_due(life.acme.parts)
    recognition.recognise_due(life.acme.parts)


def close(life: Life) -> None:
    """The last month is closed."""
    month = (life.acme.now().date().replace(day=1) - _DAY).replace(day=1)
    for house in life.houses[1:]:
        close_month(life.acme.parts, house.seller_id, month=month, order=ORDER)
    life.closed.append((month, of_month(life, month)))


def of_month(life: Life, month: date) -> list[Any]:
    """What is told of a month, but for the names of customers: some are forgotten later."""
    last = (month + 31 * _DAY).replace(day=1) - _DAY
    with life.acme.begin() as session:
        aged = aging_report(session, as_of=last, by_customer=True).rows
        return [
            tax_report(session, month=month).rows,
            sorted(({**row, "account_id": None} for row in aged), key=str),
            deferred_report(session, as_of=last).rows,
            [list(row) for row in session.execute(_EARNED, {"month": month, "last": last})],
        ]


ACTS: Mapping[Act, int] = {
    correct: 16, go: 10, give: 2, pay_out: 3, review: 2, decide: 3, close: 1, accrue: 1, charge_cents: 4, give_up: 1,
}  # fmt: skip
