"""What the player keeps between two moments."""

import datetime as dt
from dataclasses import dataclass, field
from fractions import Fraction
from zoneinfo import ZoneInfo

from tests.oracle import times
from tests.oracle.times import Moment

Period = tuple[Moment, Moment]


class Refused(Exception):
    """A step that the contract refuses, with its code."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(kw_only=True)
class Customer:
    """A customer, its default method and its balances."""

    name: str
    country: str
    zone: ZoneInfo
    tax_id: str | None
    method: str | None
    balances: dict[str, int] = field(default_factory=dict)

    def credit(self, *, currency: str, amount: int) -> None:
        self.balances[currency] = self.balances.get(currency, 0) + amount

    @property
    def party(self) -> dict:
        return {"country": self.country, "tax_id": self.tax_id}


@dataclass(kw_only=True, eq=False)
class Line:
    """A line, waiting as long as it has no document."""

    kind: str
    price: str | None
    rate: str
    quantity: Fraction
    amount: int
    period: Period | None
    discount: int = 0
    document: "Document | None" = None
    credits: "Line | None" = None  # the line that a proration credit takes back
    counted: Period | None = None  # a usage line's records, counted when it is issued
    only_if_used: bool = False


@dataclass(kw_only=True, eq=False)
class Document:
    """An issued document; a credited note keeps the signs of the invoice that it stands for."""

    place: int
    kind: str
    customer: Customer
    subscription: "Subscription | None"
    status: str
    currency: str
    issued_at: Moment
    period: Period | None
    lines: list[Line]
    subtotal: int
    discount: int
    tax: int
    tax_on_top: int
    reverse_charge: bool
    total: int
    due_at: Moment | None = None
    credit_applied: int = 0
    amount_due: int = 0
    amount_paid: int = 0
    amount_refunded: int = 0
    automatic: bool = True
    provider_paid: int = 0
    tried: bool = False
    failed: bool = False
    hard: bool = False
    retry_at: Moment | None = None
    retried: int = 0
    credits: list[Line] = field(default_factory=list)  # proration credits written for its lines elsewhere
    notes: "list[Document]" = field(default_factory=list)

    @property
    def order(self) -> tuple:
        sub = self.subscription.name if self.subscription else ""
        return (self.issued_at, bool(self.subscription), sub, self.period or (), self.place)


@dataclass(kw_only=True)
class Item:
    """A recurring item and the line that last charged it."""

    price: str
    quantity: int
    since: Moment
    line: Line | None = None


@dataclass(kw_only=True)
class Record:
    """A usage record; `counts_at` differs from its stamp where its period was already invoiced."""

    price: str
    stamp: Moment
    counts_at: Moment
    quantity: Fraction


@dataclass(kw_only=True, eq=False)
class Subscription:
    """A subscription and its running period."""

    name: str
    customer: Customer
    started: Moment
    anchor: Moment
    start: Moment
    end: Moment
    k: int  # the running period is [boundary(k), boundary(k + 1)); -1 in a stub and in a trial
    interval: str
    count: int
    currency: str
    status: str
    automatic: bool
    days_until_due: int
    items: list[Item]
    trial: bool = False
    trial_end: Moment | None = None
    billed: bool = True
    waiting: list[Line] = field(default_factory=list)
    charges: list[Line] = field(default_factory=list)  # recurring lines and proration charges of the running period
    scheduled: list[dict] | None = None
    canceling: bool = False
    coupon: dict | None = None
    coupon_left: int | None = None
    pauses: list[list[Moment | None]] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    invoiced: list[tuple[str, Moment, Moment]] = field(default_factory=list)  # price, and what of its usage

    def boundary(self, *, k: int) -> Moment:
        return times.boundary(
            anchor=self.anchor, k=k, interval=self.interval, count=self.count, zone=self.customer.zone
        )

    @property
    def full_start(self) -> Moment:
        return self.boundary(k=self.k)

    @property
    def first_billed(self) -> Moment:
        return self.trial_end or self.started

    def drained(self) -> list[Line]:
        lines, self.waiting = self.waiting, []
        return lines


@dataclass(kw_only=True)
class World:
    """Everything that a scenario has come to so far."""

    seller: dict
    prices: dict[str, dict]
    coupons: dict[str, dict]
    customers: dict[str, Customer]
    retries: list[dt.timedelta]
    final: str
    now: Moment
    outages: list[Period] = field(default_factory=list)  # sorted
    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    documents: list[Document] = field(default_factory=list)
    payments: list[dict] = field(default_factory=list)
    late_usage: list[dict] = field(default_factory=list)
    skipped_periods: list[dict] = field(default_factory=list)
    refusals: list[dict] = field(default_factory=list)

    def metered(self, *, price: str) -> bool:
        return bool(self.prices[price].get("usage"))

    def rate(self, *, price: str) -> str:
        return self.prices[price].get("tax_rate") or "standard"

    @property
    def by_day(self) -> bool:
        return self.seller.get("proration", "second") == "day"

    def ordered(self) -> list[Document]:
        return sorted(self.documents, key=lambda document: document.order)
