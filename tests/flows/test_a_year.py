"""A subscription's life from the first invoice on, through the real parts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from billing.commands.credit.grant import grant_credit
from billing.commands.subscription.cancel import CancelWhen
from billing.flows import changing, correcting, refunding
from billing.flows.charging import charge_once
from billing.validators.subscription import NewItem
from billing.validators.usage import NewUsage
from tests.flows.company import Company


def test_a_monthly_subscription_is_billed_and_paid_at_every_boundary_of_its_anchor(acme: Company) -> None:
    acme.customer("a1")
    acme.subscribe("a1", "s1")
    acme.settle()
    for month, day in ((2, 28), (3, 31), (4, 30)):
        acme.set_clock(datetime(2026, month, day, tzinfo=UTC))
        acme.settle()
    invoices = acme.invoices()
    assert [invoice.number for invoice in invoices] == [f"ACME-{n:06d}" for n in (1, 2, 3, 4)]
    assert [(invoice.status, invoice.total_minor, invoice.amount_paid_minor) for invoice in invoices] == [
        ("paid", 1190, 1190)
    ] * 4
    assert [invoice.period_start.date().isoformat() for invoice in invoices if invoice.period_start] == [
        "2026-01-31",
        "2026-02-28",
        "2026-03-31",
        "2026-04-30",
    ]
    assert sum(charge.amount_minor for charge in acme.witness.charges() if charge.status == "succeeded") == 4 * 1190
    assert acme.violations() == ()


METHODS = {"fine": "pm_card_visa", "slow": "pm_sandbox_timeoutAfterCharge", "poor": "pm_card_chargeCustomerFail"}
ITEMS = (NewItem("basic", 2), NewItem("calls"))


@dataclass(frozen=True, slots=True)
class _Month:
    """The middle of a month, in which operators and the host application do things."""

    acme: Company
    profiles: dict[str, UUID]
    subscriptions: dict[str, UUID]

    def change(self, of: str, *items: NewItem) -> None:
        with self.acme.parts.begin() as session:
            changing.change(self.acme.parts, session, self.subscriptions[of], items=items)

    def order(self, act: Callable[..., object], of: str, **given: Any) -> None:
        with self.acme.parts.begin() as session:
            act(self.acme.parts, session, self.subscriptions[of], **given)

    def correct(self, act: Callable[..., object], of: str, status: str, **given: Any) -> None:
        """The customer's latest invoice of that status."""
        own = [
            each
            for each in self.acme.invoices()
            if each.profile_id == self.profiles[of] and each.kind == "invoice" and each.status == status
        ]
        act(self.acme.parts, own[-1].id, **given)

    def charge(self, of: str, amount_minor: int) -> None:
        with self.acme.parts.begin() as session:
            charge_once(
                self.acme.parts,
                session,
                self.profiles[of],
                amount_minor=amount_minor,
                currency="eur",
                description="Set-up",
            )

    def grant(self, of: str, amount_minor: int) -> None:
        with self.acme.parts.begin() as session:
            grant_credit(
                session,
                profile_id=self.profiles[of],
                amount_minor=amount_minor,
                currency="eur",
                now=self.acme.now(),
            )


HAPPENS: dict[int, tuple[Callable[[_Month], None], ...]] = {
    2: (lambda month: month.correct(correcting.void, "poor", "open"),),
    3: (lambda month: month.change("fine", NewItem("basic", 3), NewItem("calls")),),
    4: (
        lambda month: month.change("fine", NewItem("basic", 1)),
        lambda month: month.charge("poor", 1200),
        lambda month: month.correct(correcting.mark_uncollectible, "poor", "open"),
    ),
    5: (
        lambda month: month.change("fine", *ITEMS),
        lambda month: month.correct(refunding.refund, "fine", "paid", amount_minor=300),
        lambda month: month.change("slow", NewItem("yearly")),
    ),
    6: (lambda month: month.order(changing.pause, "fine"), lambda month: month.grant("poor", 1)),
    7: (lambda month: month.order(changing.resume, "fine"), lambda month: month.charge("poor", 700)),
    8: (lambda month: month.correct(refunding.refund, "slow", "paid"),),
    9: (lambda month: month.charge("fine", 900),),
    10: (
        lambda month: month.order(changing.cancel, "slow", when=CancelWhen.NOW, prorate=True),
        lambda month: month.correct(refunding.refund, "fine", "paid", amount_minor=200),
        lambda month: month.order(changing.cancel, "fine", when=CancelWhen.NOW, prorate=True),
    ),
}


def test_a_year_in_which_everything_happens_breaks_no_invariant(acme: Company) -> None:
    acme.price("calls", "0.5", usage="sum")
    acme.price("yearly", 10_000, interval_unit="year")
    acme.coupon("half", 50, duration="repeating", periods=2)
    profiles = {name: acme.customer(name, method=method) for name, method in METHODS.items()}
    subscriptions = {name: acme.begin_subscription(name, name, *ITEMS, coupon_code="half") for name in METHODS}
    acme.begin_subscription("fine", "trial", NewItem("basic"), trial_days=45)
    for month, acts in HAPPENS.items():
        acme.set_clock(datetime(2026, month, 15, 12, tzinfo=UTC))
        acme.settle()
        if month != 5:
            acme.use(NewUsage("fine", "calls", f"in-{month}", Decimal(month * 100)))
        for act in acts:
            act(_Month(acme, profiles, subscriptions))
        acme.settle()
        assert acme.violations() == ()
    assert {(each.kind, each.status) for each in acme.invoices()} == {
        ("invoice", "paid"),
        ("invoice", "open"),
        ("invoice", "void"),
        ("invoice", "uncollectible"),
        ("cancellation", "credited"),
        ("credit_note", "credited"),
        ("credit_note", "refunded"),
    }
