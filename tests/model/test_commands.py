"""Commands against a simple model: whatever is ordered, in whatever order, each customer owes and paid what it says.

The model knows no tables, attempts or webhooks: only who has what, what a month costs, and which card works. After each
step everything that changed is audited too. One company stands for all examples; each brings customers of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import count
from uuid import UUID

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from sqlalchemy import select

from billing.commands.credit.grant import grant_credit
from billing.commands.subscription.cancel import CancelWhen
from billing.commands.subscription.change import ChangeWhen
from billing.db.clock import wall_now
from billing.flows import audit, changing, correcting, external_money, refunding
from billing.kernel.period import Interval, IntervalUnit, boundary
from billing.models import Invoice, Subscription
from billing.validators.seller import SellerPolicy
from billing.validators.subscription import NewItem
from tests.flows.company import Company, company

GOOD, BAD, SILENT = "pm_card_visa", "pm_card_chargeCustomerFail", "pm_sandbox_timeoutAfterCharge"
MONTH = 1190
"""A month of one unit: 10.00 EUR and 19 %."""
KEEP = SellerPolicy(dunning_retries=(timedelta(days=3),), dunning_final="keep")
"""One retry, and nothing is given up: what is owed stays owed until another card comes."""
NAMES = count(1)


@dataclass
class Bill:
    """A document as the model sees it."""

    total: int
    credit: int
    status: str
    by_card: bool = False
    refunded: int = 0

    @property
    def due(self) -> int:
        return self.total - self.credit


@dataclass
class Held:
    """A subscription as the model sees it: billed from its start, a month at a time."""

    id: UUID
    start: datetime
    quantity: int
    months: int = 0
    later: int | None = None
    ends: datetime | None = None
    bills: list[Bill] = field(default_factory=list)

    def begins(self, k: int) -> datetime:
        return boundary(self.start, "Europe/Berlin", Interval(IntervalUnit.MONTH, 1), k)

    def runs(self, now: datetime) -> bool:
        return self.ends is None or self.ends > now


@dataclass
class Customer:
    """A customer as the model sees it."""

    id: UUID
    account: str
    card: str
    credit: int = 0
    held: list[Held] = field(default_factory=list)

    @property
    def bills(self) -> list[Bill]:
        return [bill for each in self.held for bill in each.bills]


class Commands(RuleBasedStateMachine):
    """Every rule orders something, lets all come to rest, and says what must have become of it."""

    def __init__(self, acme: Company) -> None:
        super().__init__()
        self.acme = acme
        self.customers = [self._customer(GOOD), self._customer(BAD)]
        self.since = self._wall()

    def _customer(self, card: str) -> Customer:
        name = f"c{next(NAMES)}"
        return Customer(self.acme.customer(name, method=card), name, card)

    def _wall(self) -> datetime:
        with self.acme.begin() as session:
            return wall_now(session)

    # --- what may be ordered ---

    @rule(who=st.integers(0, 1), quantity=st.integers(1, 3))
    def subscribe(self, who: int, quantity: int) -> None:
        customer = self.customers[who]
        if len(customer.held) == 2:
            return
        now = self.acme.now()
        id_ = self.acme.subscribe(customer.account, f"s{next(NAMES)}", start=now, quantity=quantity)
        customer.held.append(Held(id_, now, quantity))
        self._rest()

    @precondition(lambda self: self._running())
    @rule(data=st.data(), quantity=st.integers(1, 5))
    def change_at_the_end_of_the_period(self, data: st.DataObject, quantity: int) -> None:
        held = data.draw(st.sampled_from(self._running()))
        with self.acme.parts.begin() as session:
            items = [NewItem("basic", quantity)]
            changing.change(self.acme.parts, session, held.id, items=items, when=ChangeWhen.PERIOD_END)
        held.later = quantity
        self._rest()

    @precondition(lambda self: self._running())
    @rule(data=st.data(), when=st.sampled_from(CancelWhen))
    def cancel(self, data: st.DataObject, when: CancelWhen) -> None:
        held = data.draw(st.sampled_from(self._running()))
        with self.acme.parts.begin() as session:
            changing.cancel(self.acme.parts, session, held.id, when=when)
        held.ends = self.acme.now() if when is CancelWhen.NOW else held.begins(held.months)
        self._rest()

    @rule(who=st.integers(0, 1), card=st.sampled_from((GOOD, BAD, SILENT)))
    def give_a_card(self, who: int, card: str) -> None:
        customer = self.customers[who]
        self.acme.give_method(customer.id, card)
        customer.card = card
        self._rest()

    @precondition(lambda self: self._of("paid"))
    @rule(data=st.data())
    def refund(self, data: st.DataObject) -> None:
        invoice, bill = data.draw(st.sampled_from(self._of("paid")))
        left = bill.due - bill.refunded
        if not bill.by_card or not left:
            return
        amount = data.draw(st.integers(1, left))
        refunding.refund(self.acme.parts, invoice.id, amount_minor=amount)
        bill.refunded += amount
        self._rest()

    @precondition(lambda self: self._of("open"))
    @rule(data=st.data(), act=st.sampled_from(("void", "write off", "paid otherwise")))
    def settle_by_hand(self, data: st.DataObject, act: str) -> None:
        invoice, bill = data.draw(st.sampled_from(self._of("open")))
        if act == "void":
            correcting.void(self.acme.parts, invoice.id)
            self._owner(bill).credit += bill.credit
            bill.status = "void"
        elif act == "write off":
            correcting.mark_uncollectible(self.acme.parts, invoice.id)
            bill.status = "uncollectible"
        else:
            external_money.mark_paid(self.acme.parts, invoice.id, reference="by transfer")
            bill.status = "paid"
        self._rest()

    @rule(who=st.integers(0, 1), amount=st.integers(1, 3000))
    def grant_credit(self, who: int, amount: int) -> None:
        customer = self.customers[who]
        with self.acme.parts.begin() as session:
            grant_credit(session, profile_id=customer.id, amount_minor=amount, currency="eur", now=self.acme.now())
        customer.credit += amount
        self._rest()

    @rule(days=st.integers(1, 40))
    def let_time_pass(self, days: int) -> None:
        self.acme.set_clock(self.acme.now() + timedelta(days=days))
        self._rest()

    # --- what must hold ---

    @invariant()
    def what_changed_is_in_order(self) -> None:
        began = self._wall()
        report = audit.run(self.acme.parts, since=self.since)
        assert report.violations == ()
        self.since = began

    @invariant()
    def each_customer_owes_and_paid_what_the_model_says(self) -> None:
        moved = dict.fromkeys((each.id for each in self.customers), 0)
        refs = {self.acme.customer_ref(each.id): each.id for each in self.customers}
        for charge in self.acme.witness.charges():
            if charge.status == "succeeded" and charge.customer_ref in refs:
                moved[refs[charge.customer_ref]] += charge.amount_minor - charge.refunded_minor
        for customer in self.customers:
            said = [self._said(bill) for bill in customer.bills]
            found = [self._found(invoice) for each in customer.held for invoice in self._documents(each)]
            assert found == said
            assert self.acme.credit(customer.id) == customer.credit
            assert moved[customer.id] == sum(each.due - each.refunded for each in customer.bills if each.by_card)

    def teardown(self) -> None:
        """The next example's clock goes on: nobody of this one is billed any more."""
        for held in self._running():
            with self.acme.parts.begin() as session:
                changing.cancel(self.acme.parts, session, held.id, when=CancelWhen.NOW)
        for invoice, _ in self._of("open"):
            correcting.mark_uncollectible(self.acme.parts, invoice.id)

    # --- the model ---

    def _rest(self) -> None:
        """Let the engine come to rest, and the model with it."""
        self.acme.settle()
        now = self.acme.now()
        for customer in self.customers:
            begun = [
                (held.begins(k), place, held)
                for place, held in enumerate(customer.held)
                for k in range(held.months, held.months + 60)
                if held.begins(k) <= now and (held.ends is None or held.begins(k) < held.ends)
            ]
            for _, _, held in sorted(begun, key=lambda each: each[:2]):
                self._bill(customer, held)
            if customer.card != BAD:
                for bill in customer.bills:
                    if bill.status == "open":
                        bill.status, bill.by_card = "paid", True

    def _bill(self, customer: Customer, held: Held) -> None:
        if held.later is not None and held.months:
            held.quantity, held.later = held.later, None
        total = held.quantity * MONTH
        credit = min(total, customer.credit)
        customer.credit -= credit
        held.bills.append(Bill(total, credit, "paid" if credit == total else "open"))
        held.months += 1

    def _running(self) -> list[Held]:
        now = self.acme.now()
        return [held for customer in self.customers for held in customer.held if held.runs(now)]

    def _of(self, status: str) -> list[tuple[Invoice, Bill]]:
        return [
            (invoice, bill)
            for customer in self.customers
            for held in customer.held
            for invoice, bill in zip(self._documents(held), held.bills, strict=True)
            if bill.status == status
        ]

    def _owner(self, bill: Bill) -> Customer:
        return next(customer for customer in self.customers if any(bill is each for each in customer.bills))

    def _documents(self, held: Held) -> list[Invoice]:
        with self.acme.begin() as session:
            query = select(Invoice).where(Invoice.subscription_id == held.id, Invoice.kind == "invoice")
            return list(session.scalars(query.order_by(Invoice.series_no)))

    def _said(self, bill: Bill) -> tuple[int, int, str, int]:
        return bill.total, bill.credit, bill.status, bill.refunded

    def _found(self, invoice: Invoice) -> tuple[int, int, str, int]:
        return invoice.total_minor, invoice.credit_applied_minor, invoice.status, invoice.amount_refunded_minor


@pytest.fixture
def acme(database_url: str) -> Iterator[Company]:
    with company(database_url, policy=KEEP) as made:
        yield made


@pytest.mark.timeout(240)
def test_commands_in_any_order_end_as_the_model_says(acme: Company) -> None:
    run_state_machine_as_test(
        partial(Commands, acme),
        settings=settings(
            max_examples=3,
            phases=(Phase.generate,),
            stateful_step_count=8,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
    with acme.begin() as session:
        assert session.scalars(select(Subscription)).first() is not None
    assert acme.violations() == ()
