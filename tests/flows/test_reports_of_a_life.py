"""Whatever people do, in any order: each report of each day ties to the ledger, and a closed month stays as it was.

`BILLING_LIVES` sets how many lives are led, `BILLING_LIFE_STEPS` how long each is.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from sqlalchemy import text

from billing.commands.subscription.cancel import CancelWhen
from billing.commands.subscription.change import ChangeWhen, Proration
from billing.commands.tax_rate.put import put_tax_rate
from billing.documents.nets import nets
from billing.flows import accrual, changing, external_money, refunding
from billing.flows.bookkeeping import close
from billing.flows.charging import charge_once
from billing.flows.correcting import mark_uncollectible, void
from billing.flows.crediting import apply_credit, credit
from billing.flows.documents import document_facts
from billing.flows.operating_profiles import grant
from billing.flows.order import Order
from billing.flows.replacing import replace_invoice
from billing.kernel.errors import Refused
from billing.models import Invoice
from billing.queries.books.report import Report, Rows
from billing.queries.books.reports import aging_report, deferred_report
from billing.queries.books.tax import tax_report
from billing.queries.books.trial_balance import trial_balances
from billing.validators.subscription import NewItem
from billing.validators.tax_rate import NewTaxRate
from billing.validators.usage import NewUsage
from tests.flows.company import START, Company

LIVES = int(os.environ.get("BILLING_LIVES", "1"))
STEPS = int(os.environ.get("BILLING_LIFE_STEPS", "40"))
ORDER = Order(actor="mara", reason="so it goes")
COUNTRIES = ("DE", "DE", "FR", "CY", "US")
ZONES = ("Europe/Berlin", "America/Los_Angeles", "Pacific/Kiritimati", "America/Santiago")
PRICES = ("basic", "gross", "books", "free", "calls")
_DAY = timedelta(days=1)


@dataclass
class Life:
    """One company, and what chance does to it."""

    acme: Company
    chance: random.Random
    profiles: list[UUID] = field(default_factory=list)
    subscriptions: list[UUID] = field(default_factory=list)
    closed: tuple[date, list[Rows]] | None = None
    done: list[str] = field(default_factory=list)

    def begin(self) -> None:
        gross = NewTaxRate("gross", Decimal(19), inclusive=True, countries={"CY": Decimal(19), "FR": Decimal(20)})
        with self.acme.parts.begin() as session:
            for rate in (gross, NewTaxRate("reduced", Decimal(7), countries={"FR": Decimal("5.5")})):
                put_tax_rate(session, seller_id=self.acme.seller_id, new=rate)
            session.execute(
                text("UPDATE billing.seller SET timezone = :zone, revenue_recognition = :policy"),
                {"zone": self.chance.choice(ZONES), "policy": self.chance.choice(["day", "month"])},
            )
        self.acme.price("gross", 2495, tax_rate="gross")
        self.acme.price("books", 333, tax_rate="reduced")
        self.acme.price("free", 501, tax_rate=None)
        self.acme.price("calls", "7.3", usage="sum", tax_rate="gross")
        self.acme.coupon("third", 33)
        methods = ("pm_card_visa", "pm_card_visa", "pm_card_chargeCustomerFail", None)
        self.profiles = [
            self.acme.customer(f"a{place}", method=method, country=self.chance.choice(COUNTRIES))
            for place, method in enumerate(methods)
        ]
        for _ in range(3):
            self.subscribe()

    def items(self) -> list[NewItem]:
        codes = self.chance.sample(PRICES, self.chance.randint(1, 3))
        return [NewItem(code) if code == "calls" else NewItem(code, self.chance.randint(1, 3)) for code in codes]

    def subscribe(self) -> None:
        number = len(self.subscriptions)
        given = self.chance.choice([{}, {"collection": "send_invoice"}, {"coupon_code": "third"}])
        account = f"a{self.chance.randrange(len(self.profiles))}"
        self.subscriptions.append(self.acme.begin_subscription(account, f"s{number}", *self.items(), **given))

    def change(self) -> None:
        id_, when = self.chance.choice(self.subscriptions), self.chance.choice(list(ChangeWhen))
        how = self.chance.choice(list(Proration))
        with self.acme.parts.begin() as session:
            changing.change(self.acme.parts, session, id_, items=self.items(), when=when, proration=how)

    def cancel(self) -> None:
        with self.acme.parts.begin() as session:
            id_ = self.chance.choice(self.subscriptions)
            changing.cancel(self.acme.parts, session, id_, when=CancelWhen.NOW, prorate=self.chance.random() < 0.7)

    def use(self) -> None:
        number = self.chance.randrange(len(self.subscriptions))
        quantity = Decimal(self.chance.randint(1, 90))
        self.acme.use(NewUsage(f"s{number}", "calls", f"u{len(self.done)}", quantity, self.acme.now()))

    def charge(self) -> None:
        rate = self.chance.choice(["standard", "gross", "reduced", None])
        with self.acme.parts.begin() as session:
            charge_once(
                self.acme.parts, session, self.chance.choice(self.profiles), amount_minor=self.chance.randint(0, 5000),
                currency="eur", description="A book", tax_rate=rate,
            )  # fmt: skip

    def give(self) -> None:
        grant(
            self.acme.parts, self.chance.choice(self.profiles), amount_minor=self.chance.randint(1, 3000),
            currency="eur", order=ORDER,
        )  # fmt: skip

    def move(self) -> None:
        to = {"id": self.chance.choice(self.profiles), "country": self.chance.choice(COUNTRIES)}
        with self.acme.parts.begin() as session:
            session.execute(text("UPDATE billing.profile SET country = :country WHERE id = :id"), to)

    def go(self) -> None:
        self.acme.set_clock(self.acme.now() + timedelta(hours=self.chance.choice([5, 24, 24 * 7, 24 * 20])))
        self.acme.settle()
        accrual.accrue_due(self.acme.parts)

    def close(self) -> None:
        month = (self.acme.now().date().replace(day=1) - _DAY).replace(day=1)
        close(self.acme.parts, self.acme.seller_id, month=month, order=ORDER)
        self.closed = month, self.of_month(month)

    def of_month(self, month: date) -> list[Rows]:
        last = (month + 31 * _DAY).replace(day=1) - _DAY
        with self.acme.begin() as session:
            return [
                tax_report(session, month=month).rows,
                aging_report(session, as_of=last, by_customer=True).rows,
            ]

    def correct(self) -> None:
        """Something is done to one invoice."""
        invoices = [each for each in self.acme.invoices() if each.kind == "invoice" and each.number]
        invoice = self.chance.choice(invoices)
        part = self.chance.choice([None, self.chance.randint(1, max(1, invoice.total_minor))])
        ways: list[Callable[[], object]] = [
            lambda: refunding.refund(self.acme.parts, invoice.id, amount_minor=part),
            lambda: credit(self.acme.parts, invoice.id, amount_minor=part, order=ORDER),
            lambda: apply_credit(self.acme.parts, invoice.id, order=ORDER),
            lambda: external_money.mark_paid(
                self.acme.parts, invoice.id, amount_minor=part, reference=f"statement {len(self.done)}"
            ),
            lambda: void(self.acme.parts, invoice.id),
            lambda: mark_uncollectible(self.acme.parts, invoice.id),
            lambda: replace_invoice(self.acme.parts, invoice.id, order=ORDER),
        ]
        self.chance.choice(ways)()

    def step(self) -> None:
        weights = {
            self.correct: 14, self.go: 8, self.change: 5, self.use: 3, self.charge: 2, self.give: 2, self.move: 2,
            self.subscribe: 2, self.cancel: 1, self.close: 1,
        }  # fmt: skip
        (act,) = self.chance.choices(list(weights), list(weights.values()))
        try:
            act()
            self.done.append(act.__name__)
        except Refused as refused:
            self.done.append(f"{act.__name__}: {refused.code}")
        self.acme.settle()

    def broken(self) -> list[object]:
        """What does not tie, on any day so far."""
        last = self.acme.now().date() + _DAY
        days = [START.date() + place * _DAY for place in range((last - START.date()).days + 1)][::-3]
        months = sorted({day.replace(day=1) for day in days})
        with self.acme.begin() as session:
            reports: list[Report] = [tax_report(session, month=month) for month in months]
            for day in days:
                reports += [aging_report(session, as_of=day), deferred_report(session, as_of=day)]
            off = [each for each in trial_balances(session, as_of=last) if each.difference_minor]
        return [*off, *((each.name, each.ties) for each in reports if each.broken)]

    def misstated(self) -> list[Invoice]:
        """Documents whose lines or rates don't add up to what they say."""
        found = []
        for each in self.acme.invoices():
            facts, net = document_facts(self.acme.parts, each.id), each.total_minor - each.tax_minor
            said = sum(group.base_minor for group in facts.tax_groups), sum(nets(facts)) if facts.lines else net
            if said != (net, net) or sum(group.tax_minor for group in facts.tax_groups) != each.tax_minor:
                found.append(each)
        return found


@pytest.mark.parametrize("seed", range(LIVES))
def test_every_report_of_every_day_ties_and_a_closed_month_is_told_as_it_was(acme: Company, seed: int) -> None:
    life = Life(acme, random.Random(seed))
    life.begin()
    for _ in range(STEPS):
        life.step()
        assert life.broken() == [], life.done
        if life.closed:
            month, told = life.closed
            assert life.of_month(month) == told, life.done
    assert life.misstated() == []
    assert acme.violations() == (), life.done
