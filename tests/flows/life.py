"""A company's life as chance leads it: what customers, sellers, operators, banks and reviewers do, in any order.

Here is who lives; what each may do is in the modules `life_of_...`, what must be true after it in `life_truths`.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import text

from billing.commands.product.create import create_product
from billing.commands.seller.create import create_seller
from billing.commands.tax_rate.put import put_tax_rate
from billing.flows.order import Order
from billing.flows.payment_methods import adopt
from billing.flows.rates import read_rates
from billing.kernel.errors import PROVIDER_ERRORS, Refused, Stale
from billing.registers.rates import Rate
from billing.sandbox.scenario.playing.sides import Side
from billing.sandbox.stripe.background import run_due
from billing.sandbox.stripe.errors import ApiError
from billing.validators.address import Address
from billing.validators.payment_method import Consent
from billing.validators.price import NewTier
from billing.validators.product import NewProduct
from billing.validators.seller import NewSeller
from billing.validators.subscription import NewItem
from billing.validators.tax_rate import NewRateChange, NewTaxRate
from tests.flows.company import START, Company
from tests.flows.passing import is_only

ORDER = Order(actor="mara", reason="so it goes")
COUNTRIES = ("DE", "DE", "FR", "CY", "US")
ZONES = ("Europe/Berlin", "America/Los_Angeles", "Pacific/Kiritimati", "America/Santiago")
CARDS = (
    "pm_card_visa", "pm_card_visa", "pm_card_chargeCustomerFail", "pm_sandbox_processing", "pm_sandbox_processingFails",
    "pm_sandbox_declineThenSucceed", "pm_card_pendingRefund", "pm_card_refundFail", "pm_card_authenticationRequired",
    "pm_card_createDispute", "pm_card_createDisputeInquiry", "pm_sandbox_sepa", "pm_sandbox_sepa_insufficientFundsOnce",
    "pm_sandbox_sepa_returnedLater", "pm_sandbox_paypal", "pm_sandbox_paypal_disputed",
)  # fmt: skip
WALLETS = tuple(
    f"B-SANDBOX-{name}"
    for name in (
        "GOOD", "GOOD", "GOOD", "NOFUNDS", "DECLINEONCE", "LOST", "ACTION", "PENDING", "PENDINGFAILS", "BYHAND",
        "FAULT", "TIMEOUTAFTER", "TIMEOUTBEFORE", "DENIED",
    )
)  # fmt: skip
"""At PayPal itself."""
GROUPS: Mapping[str, tuple[str, ...]] = {
    "eur month": ("basic", "gross", "books", "free", "calls", "seats", "peak", "level", "boxes", "setup"),
    "eur year": ("basic-year", "gross-year", "calls-year"),
    "eur week": ("basic-week", "peak-week", "cents-week"),
    "jpy month": ("yen", "yen-calls"),
    "kwd month": ("dinar", "dinar-calls"),
    "usd month": ("dollar", "dollar-gross"),
}
"""Prices that may stand in one subscription."""
METERED = ("calls", "peak", "level", "calls-year", "peak-week", "yen-calls", "dinar-calls")
COUPONS = ("third", "tenner", "half")

Act = Callable[["Life"], None]


class Published:
    """What a euro is worth, every day the same."""

    source = "ecb"

    def read(self, *, history: bool) -> list[Rate]:
        first = START.date() - timedelta(days=60)
        days = [first + place * timedelta(days=1) for place in range(2000)]
        worth = {"usd": Decimal("1.0837"), "jpy": Decimal("163.91"), "kwd": Decimal("0.33417")}
        return [Rate(day, currency, per_euro) for day in days for currency, per_euro in worth.items()]


@dataclass
class Life:
    """One company, and what chance does to it."""

    acme: Company
    chance: random.Random
    acts: Mapping[Act, int]
    paypal: Side
    profiles: list[UUID] = field(default_factory=list)
    accounts: dict[UUID, str] = field(default_factory=dict)
    """By profile, of all who ever were: what our host application calls them."""
    subscriptions: list[UUID] = field(default_factory=list)
    houses: list[Company] = field(default_factory=list)
    """The company through the eyes of each seller; the first is twice as likely."""
    house_of: dict[UUID, Company] = field(default_factory=dict)
    """By profile, and by subscription."""
    groups: dict[UUID, str] = field(default_factory=dict)
    """By subscription: which prices fit its own."""
    closed: list[tuple[date, list[Any]]] = field(default_factory=list)
    """Months, and what was told of each when it was closed."""
    done: list[str] = field(default_factory=list)
    stripes: dict[UUID, str] = field(default_factory=dict)
    """Our accounts at Stripe, each with its name there."""
    settles: bool = False
    """Whether their balances are in euros, whatever they charge."""
    audited_to: datetime | None = None
    """Up to when the audit has looked (wall time)."""
    quiet: bool = True
    """Whether all came to rest after the last act; else the next one meets what is under way."""

    def begin(self) -> None:
        least = self.chance.choice(["", "", "eur:12.50,usd:25"])
        settings = self.acme.parts.settings.model_copy(update={"billing_least_charges": least})
        self.acme.parts = replace(self.acme.parts, settings=settings, rates=Published())
        read_rates(self.acme.parts)
        with self.acme.parts.begin() as session:
            new = NewSeller(
                "OTHER",
                "Other GmbH",
                "DE",
                "eur",
                address=Address("Street 3", city="Town", postal_code="10115"),
                tax_id="DE123456788",
            )
            made = create_seller(session, new=new, actor="mara", reason="a second one", now=START)
            session.flush()
            other = replace(self.acme, seller_id=made.id)
            standard = NewTaxRate("standard", Decimal(19), countries={"FR": Decimal(20)})
            put_tax_rate(session, seller_id=other.seller_id, new=standard)
            create_product(session, seller_id=other.seller_id, new=NewProduct("basic", "Basic"), now=START)
        self.houses = [self.acme, self.acme, other]
        other.price("basic", 1000)
        for house in (self.acme, other):
            self._rates(house)
            self._prices(house)
        self._policy()
        for method in ("pm_card_visa", *self.chance.sample(CARDS, 2), *self.chance.sample(WALLETS, 2)):
            self.add_customer(method)

    def add_customer(self, method: str | None) -> None:
        account = f"a{len(self.accounts)}"
        house = self.chance.choice(self.houses)
        at_paypal = method is not None and method in WALLETS
        id_ = house.customer(account, method=None if at_paypal else method, country=self.chance.choice(COUNTRIES))
        self.accounts[id_], self.house_of[id_] = account, house
        self.profiles.append(id_)
        if at_paypal:
            self.give_wallet(id_, str(method))

    def give_wallet(self, profile_id: UUID, wallet: str) -> None:
        """They agree to be charged through PayPal."""
        adopt(
            self.acme.parts,
            profile_id=profile_id,
            provider_account_id=self.paypal.account_id,
            method_ref=wallet,
            consent=Consent(text_version="v1", given_at=START, channel="import"),
            as_default=True,
        )

    def items(self, group: str) -> list[NewItem]:
        codes = self.chance.sample(GROUPS[group], self.chance.randint(1, min(4, len(GROUPS[group]))))
        return [NewItem(code) if code in METERED else NewItem(code, self.chance.randint(1, 3)) for code in codes]

    def _rates(self, house: Company) -> None:
        """Both change while it lasts, on days that are known from the first."""
        soon, later = (START.date() + timedelta(days=days) for days in (20, 75))
        gross = NewTaxRate(
            "gross",
            Decimal(19),
            inclusive=True,
            countries={"CY": Decimal(19), "FR": Decimal(20)},
            changes=(NewRateChange(later, None, {"FR": Decimal(21)}), NewRateChange(soon, Decimal("20.5"))),
        )
        reduced = NewTaxRate(
            "reduced",
            Decimal(7),
            countries={"FR": Decimal("5.5")},
            changes=(NewRateChange(soon, None, {"FR": Decimal(6), "CY": Decimal(9)}), NewRateChange(later, Decimal(8))),
        )
        with house.parts.begin() as session:
            for rate in (gross, reduced):
                put_tax_rate(session, seller_id=house.seller_id, new=rate)

    def _prices(self, house: Company) -> None:
        """What `GROUPS` names, and the discounts."""
        put = house.price
        put("gross", 2495, tax_rate="gross")
        put("books", 333, tax_rate="reduced")
        put("free", 501, tax_rate=None)
        put("calls", "7.3", usage="sum", tax_rate="gross")
        graduated = (NewTier(Decimal(1), Decimal(900)), NewTier(None, Decimal("333.3"), Decimal(50)))
        volume = (NewTier(Decimal(20), Decimal(11)), NewTier(None, Decimal("7.77")))
        put("seats", None, model="graduated", tiers=graduated)
        put("peak", 13, usage="max")
        put("level", None, model="volume", tiers=volume, usage="last", tax_rate="reduced")
        put("boxes", 450, model="package", package_size=2)
        put("setup", 1900, interval_unit=None)
        put("basic-year", 9900, interval_unit="year")
        put("gross-year", 24_999, interval_unit="year", tax_rate="gross")
        put("calls-year", "6.1", interval_unit="year", usage="sum")
        put("basic-week", 275, interval_unit="week", interval_count=2)
        put("cents-week", 12, interval_unit="week", interval_count=2)
        put("peak-week", 9, interval_unit="week", interval_count=2, usage="max", tax_rate="gross")
        put("yen", 1499, currency="jpy")
        put("yen-calls", "0.7", currency="jpy", usage="sum", tax_rate="gross")
        put("dinar", 12_340, currency="kwd")
        put("dinar-calls", "3.3", currency="kwd", usage="sum")
        put("dollar", 1999, currency="usd")
        put("dollar-gross", 1000, currency="usd", tax_rate="gross")
        house.coupon("third", 33)
        house.coupon("tenner", amount_minor=1000, currency="eur", duration="repeating", periods=2)
        house.coupon("half", 50, duration="forever")

    def _policy(self) -> None:
        policy = {
            "zone": self.chance.choice(ZONES),
            "policy": self.chance.choice(["day", "month"]),
            "review": self.chance.choice([0, 0, 0, 30, 240]),
            "guard": self.chance.choice([None, None, 2]),
            "unit": self.chance.choice(["second", "day"]),
            "catch_up": self.chance.choice(["bill_each", "merge", "skip"]),
            "final": self.chance.choice(["cancel", "unpaid", "keep"]),
            "stops": self.chance.random() < 0.5,
        }
        statement = """
            UPDATE billing.seller SET timezone = :zone, revenue_recognition = :policy, draft_review_h = :review,
                guard_amount = :guard, proration = :unit, catch_up = :catch_up, dunning_final = :final,
                dispute_stops_charging = :stops"""
        with self.acme.parts.begin() as session:
            session.execute(text(statement), policy)

    def go(self, time: timedelta) -> None:
        """That long later."""
        now = self.acme.now() + time
        self.acme.set_clock(now)
        self.paypal.stand_in.clock.set(now)
        self.settle()

    def calm(self) -> None:
        """No provider is in trouble any more."""
        self.acme.witness.clear_faults()
        self.paypal.stand_in.faults.clear()

    def settle(self) -> None:
        """Until all is quiet; under a brake that never comes."""
        run_due(self.paypal.stand_in, early=True)
        self._settle_ours()
        while run_due(self.paypal.stand_in, early=True):
            self._settle_ours()

    def _settle_ours(self) -> None:
        with self.acme.begin() as session:
            held = session.scalar(text("SELECT EXISTS (SELECT FROM billing.brake)"))
        if held:
            self.acme.settle_under_a_brake()
        else:
            self.acme.settle()

    def step(self) -> None:
        (act,) = self.chance.choices(list(self.acts), list(self.acts.values()))
        self.do(act)

    def do(self, act: Act) -> None:
        """It is done, or refused; then all comes to rest, or the next comes in between."""
        self.done.append(self.told(act))
        self.rest()

    def told(self, act: Act) -> str:
        """It is done, or refused; returns what the life is told by afterwards. Several accounts may be away at once."""
        try:
            act(self)
        except Refused as refused:
            return f"{act.__name__}: {refused.code}"
        except Exception as away:
            if not is_only(away, (*PROVIDER_ERRORS, ApiError, Stale)):
                raise
            return f"{act.__name__}: {type(away).__name__}"
        return act.__name__

    def rest(self) -> None:
        """Mostly all comes to rest now."""
        self.quiet = self.chance.random() < 0.6
        if self.quiet:
            self.settle()
