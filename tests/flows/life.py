"""A company's life as chance leads it: what customers, sellers, operators, banks and reviewers do, in any order."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select, text

from billing.commands.subscription.cancel import CancelWhen
from billing.commands.subscription.change import ChangeWhen, Proration
from billing.commands.tax_rate.put import put_tax_rate
from billing.documents.nets import nets
from billing.flows import accrual, changing, disputing, drafts, external_money, operating_drafts, refunding, working
from billing.flows.bookkeeping import close
from billing.flows.charging import charge_once
from billing.flows.correcting import mark_uncollectible, void
from billing.flows.crediting import apply_credit, credit
from billing.flows.documents import document_facts
from billing.flows.operating_profiles import grant
from billing.flows.order import Order
from billing.flows.replacing import replace_invoice
from billing.flows.working import Action
from billing.kernel.errors import Refused
from billing.models import Dispute, Invoice
from billing.queries.books.report import Report, Rows
from billing.queries.books.reports import aging_report, deferred_report
from billing.queries.books.tax import tax_report
from billing.queries.books.trial_balance import trial_balances
from billing.validators.subscription import NewItem
from billing.validators.tax_rate import NewTaxRate
from billing.validators.usage import NewUsage
from tests.flows.company import START, Company

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
                text("""UPDATE billing.seller SET timezone = :zone, revenue_recognition = :policy,
                        draft_review_h = :review, guard_amount = :guard, proration = :unit"""),
                {
                    "zone": self.chance.choice(ZONES),
                    "policy": self.chance.choice(["day", "month"]),
                    "review": self.chance.choice([0, 0, 30, 240]),
                    "guard": self.chance.choice([None, None, 2]),
                    "unit": self.chance.choice(["second", "day"]),
                },
            )
        self.acme.price("gross", 2495, tax_rate="gross")
        self.acme.price("books", 333, tax_rate="reduced")
        self.acme.price("free", 501, tax_rate=None)
        self.acme.price("calls", "7.3", usage="sum", tax_rate="gross")
        self.acme.coupon("third", 33)
        methods = ("pm_card_visa", "pm_card_visa", "pm_card_chargeCustomerFail", "pm_sandbox_processing", None)
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

    def turn(self) -> None:
        """Something is asked of a subscription that leaves its items as they are."""
        id_, parts = self.chance.choice(self.subscriptions), self.acme.parts
        with parts.begin() as session:
            ways: list[Callable[[], object]] = [
                lambda: changing.pause(parts, session, id_),
                lambda: changing.resume(parts, session, id_),
                lambda: changing.cancel(parts, session, id_, when=CancelWhen.PERIOD_END),
                lambda: changing.uncancel(parts, session, id_),
                lambda: changing.apply_coupon(parts, session, id_, coupon_code="third"),
            ]
            self.chance.choice(ways)()

    def review(self) -> None:
        """Somebody looks at a draft."""
        held = [each for each in self.acme.invoices() if each.status == "draft"]
        if not held:
            return
        draft, parts = self.chance.choice(held), self.acme.parts
        place, amount = self.chance.randint(1, len(self.acme.lines(draft))), self.chance.randint(-600, 900)
        ways: list[Callable[[], object]] = [
            lambda: operating_drafts.add_line(
                parts, draft.id, description="As agreed", amount_minor=amount, tax_rate="standard", order=ORDER
            ),
            lambda: operating_drafts.remove_line(parts, draft.id, position=place, order=ORDER),
            lambda: operating_drafts.release(parts, draft.id, order=ORDER),
        ]
        self.chance.choice(ways)()

    def decide(self) -> None:
        """Somebody acts on a work item, in one of the ways that it names."""
        items = [each for each in self.acme.work_items() if each.status in working.LIVE and each.safe_actions]
        if items:
            item = self.chance.choice(items)
            working.act(self.acme.parts, item.id, action=Action(self.chance.choice(item.safe_actions)), order=ORDER)

    def settle_debit(self) -> None:
        """The bank tells of a debit."""
        going = [each for each in self.acme.witness.intents() if each.status == "processing"]
        if going:
            ref, came = self.chance.choice(going).intent_ref, self.chance.random() < 0.7
            self.acme.witness.call("POST", f"payment_intents/{ref}/settle", {"succeeded": came})

    def dispute(self) -> None:
        """A bank takes a payment back, or decides about one that it took."""
        with self.acme.begin() as session:
            known = session.execute(select(Dispute.dispute_ref, Dispute.status, Dispute.id)).all()
        going = [each.dispute_ref for each in known if each.status == "needs_response"]
        lost = [each.id for each in known if each.status == "lost"]
        if lost and self.chance.random() < 0.4:
            way = self.chance.choice([disputing.write_off_loss, disputing.credit_loss])
            way(self.acme.parts, self.chance.choice(lost), order=ORDER)
        elif going and self.chance.random() < 0.6:
            told = {"status": self.chance.choice(["won", "lost"])}
            self.acme.witness.call("POST", f"disputes/{self.chance.choice(going)}/close", told)
        else:
            taken = {each.charge_ref for each in self.acme.witness.disputes()}
            charges = [each for each in self.acme.witness.charges() if each.status == "succeeded"]
            charges = [each for each in charges if each.charge_ref not in taken]
            if charges:
                charge = self.chance.choice(charges)
                given = {} if self.chance.random() < 0.5 else {"amount": max(1, charge.amount_minor // 2)}
                self.acme.witness.call("POST", "disputes", {"charge": charge.charge_ref, **given})

    def go(self) -> None:
        self.acme.set_clock(self.acme.now() + timedelta(hours=self.chance.choice([5, 24, 24 * 7, 24 * 20])))
        self.acme.settle()
        drafts.sweep(self.acme.parts)
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
        if not invoices:
            return
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
            self.subscribe: 2, self.cancel: 1, self.close: 1, self.turn: 3, self.review: 3, self.decide: 2,
            self.settle_debit: 2, self.dispute: 2,
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
