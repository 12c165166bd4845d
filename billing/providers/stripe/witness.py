"""Reads the stand-in's own books, `/_sandbox/`: the independent witness of what was asked and what money moved.

For audits, the demo and crash tests. The real Stripe has no such doors: there each call ends in `ProviderUnavailable`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

import requests

from billing.kernel.clock import format_instant, parse_instant
from billing.kernel.errors import ProviderUnavailable, Refused
from billing.providers.reading import Raw, Unreadable, code, inner, optional, text, whole
from billing.providers.stripe.facts import amount_minor, dispute_status, moment

PAGE = 1000

T = TypeVar("T")

Amount = Callable[[Raw, str], int]
_UNITS: dict[str, Amount] = {"stripe": amount_minor, "paypal": whole}
"""How an amount of a stand-in's books reads in our minor units. PayPal's keeps those of ISO 4217, as we do."""
_ALL_DECIMALS: dict[str, Amount] = {**_UNITS, "stripe": partial(amount_minor, documented_only=False)}


@dataclass(frozen=True, slots=True)
class WitnessedCharge:
    """One charge that moved money or tried to. The two ids are ours, from the intent's metadata as it is now."""

    charge_ref: str
    intent_ref: str
    customer_ref: str | None
    account_ref: str
    amount_minor: int
    refunded_minor: int
    currency: str
    status: str
    """succeeded | pending | failed"""
    decline_code: str | None
    created: datetime
    """On the stand-in's clock, as everything else but `WitnessedRequest.wall_time`."""
    key: str | None
    """The idempotency key of the request that made it."""
    invoice_id: str | None
    payment_id: str | None


@dataclass(frozen=True, slots=True)
class WitnessedIntent:
    """One payment intent, with how often it was confirmed and every charge that came of it."""

    intent_ref: str
    customer_ref: str | None
    account_ref: str
    amount_minor: int
    currency: str
    status: str
    created: datetime
    confirms: int
    charge_refs: tuple[str, ...]
    invoice_id: str | None
    payment_id: str | None


@dataclass(frozen=True, slots=True)
class WitnessedRefund:
    """One refund of a charge. `refund_id` is ours, from its metadata."""

    refund_ref: str
    charge_ref: str
    account_ref: str
    amount_minor: int
    currency: str
    status: str
    refund_id: str | None


@dataclass(frozen=True, slots=True)
class WitnessedDispute:
    """One dispute of a charge, and what it has moved of our balance, without fees."""

    dispute_ref: str
    charge_ref: str
    account_ref: str
    amount_minor: int
    currency: str
    status: str
    withdrawn_minor: int
    reinstated_minor: int


@dataclass(frozen=True, slots=True)
class WitnessedRequest:
    """One request as it arrived. `params` nest as they were sent; values are text."""

    seq: int
    account_ref: str | None
    """None where the key was refused."""
    wall_time: datetime
    clock: datetime
    method: str
    path: str
    params: Raw
    key: str | None
    status: int | None
    """None: not answered."""
    outcome: str
    """executed | replayed (its key's stored answer again) | refused (nothing was begun)"""
    request_ref: str


@dataclass(frozen=True, slots=True)
class WitnessedEvent:
    """One event, and whether some delivery of it was answered with success."""

    event_ref: str
    account_ref: str
    type: str
    created: datetime
    delivered: bool


@dataclass(frozen=True, slots=True)
class WitnessState:
    """What is still going on at the stand-in. `quiet`: nothing in flight, no webhook waiting, no timer due."""

    quiet: bool
    in_flight_requests: int
    undelivered_webhooks: int
    due_timers: int
    requests: int


class Witness:
    """The stand-in at `base_address`. Lists come in pages, oldest first, one page in memory at a time.

    Every method raises `ProviderUnavailable` where the stand-in can't be reached or doesn't answer as a stand-in does.
    """

    def __init__(
        self, base_address: str, *, timeout_s: float = 10, provider: str = "stripe", documented_only: bool = True
    ) -> None:
        """`documented_only` as the adapter's, whose requests the stand-in carried out."""
        self.providers = (provider,)
        self._amount: Amount = _UNITS[provider] if documented_only else _ALL_DECIMALS[provider]
        self._base = base_address.rstrip("/") + "/_sandbox/"
        self._timeout_s = timeout_s

    def charges(self) -> Iterator[WitnessedCharge]:
        """Every charge, of all accounts."""
        return self._pages("charges", partial(_charge, amount=self._amount), lambda charge: charge.charge_ref)

    def intents(self) -> Iterator[WitnessedIntent]:
        """Every payment intent, of all accounts."""
        return self._pages("intents", partial(_intent, amount=self._amount), lambda intent: intent.intent_ref)

    def refunds(self) -> Iterator[WitnessedRefund]:
        """Every refund, of all accounts."""
        return self._pages("refunds", partial(_refund, amount=self._amount), lambda refund: refund.refund_ref)

    def disputes(self) -> Iterator[WitnessedDispute]:
        """Every dispute, of all accounts."""
        return self._pages("disputes", partial(_dispute, amount=self._amount), lambda dispute: dispute.dispute_ref)

    def requests(self, *, after: int = 0) -> Iterator[WitnessedRequest]:
        """Every request received after the one numbered `after`."""
        return self._pages("requests", _request, lambda request: str(request.seq), after=str(after))

    def events(self) -> Iterator[WitnessedEvent]:
        """Every event, of all accounts."""
        return self._pages("events", _event, lambda event: event.event_ref)

    def state(self) -> WitnessState:
        """What is going on right now."""
        return self._asked(lambda: _state(self.call("GET", "state")))

    def clock(self) -> datetime:
        """The stand-in's present instant."""
        return self._asked(lambda: parse_instant(text(self.call("GET", "clock"), "now")))

    def set_clock(self, now: datetime | None) -> None:
        """Stop its clock at this aware instant; None lets it run with the wall's again."""
        self.call("POST", "clock", {"now": None if now is None else format_instant(now)})

    def faults(self) -> list[dict[str, Any]]:
        """The faults switched on, with how often each has hit."""
        return self._asked(lambda: list(self.call("GET", "faults")))

    def add_faults(self, *faults: dict[str, Any]) -> None:
        """Switch on faults, each as `{"kind", "rate" or "next", "path", …}`."""
        self.call("POST", "faults", list(faults))

    def clear_faults(self) -> None:
        """Switch all faults off."""
        self.call("DELETE", "faults")

    def _pages(
        self, door: str, parse: Callable[[Raw], T], place: Callable[[T], str], *, after: str | None = None
    ) -> Iterator[T]:
        while True:
            query = {"limit": str(PAGE), **({} if after is None else {"after": after})}
            rows = self.call("GET", door, query=query)
            page = self._asked(partial(_each, parse, rows))
            yield from page
            if len(page) < PAGE:
                return
            after = place(page[-1])

    def _asked(self, read: Callable[[], T]) -> T:
        try:
            return read()
        except (Unreadable, Refused, AttributeError, TypeError) as error:
            raise ProviderUnavailable(f"witness: unreadable ({error})") from None

    def call(self, method: str, door: str, body: Any = None, *, query: dict[str, str] | None = None) -> Any:
        """One request to the stand-in, over HTTP. A stand-in mounted in process is asked in another way."""
        try:
            with requests.Session() as session:
                session.trust_env = False
                answer = session.request(
                    method,
                    self._base + door,
                    params=query,
                    json=body,
                    timeout=self._timeout_s,
                    allow_redirects=False,
                )
            if answer.status_code != requests.codes.ok:
                raise ProviderUnavailable(f"witness: HTTP {answer.status_code} for {door}")
            return answer.json()
        except requests.RequestException as error:
            raise ProviderUnavailable(f"witness: {type(error).__name__} for {door}") from None


def _each(parse: Callable[[Raw], T], rows: list[Raw]) -> list[T]:
    return [parse(row) for row in rows]


def _charge(raw: Raw, amount: Amount) -> WitnessedCharge:
    metadata = inner(raw, "metadata")
    return WitnessedCharge(
        charge_ref=text(raw, "id"),
        intent_ref=text(raw, "payment_intent"),
        customer_ref=optional(raw, "customer"),
        account_ref=text(raw, "account"),
        amount_minor=amount(raw, "amount"),
        refunded_minor=amount(raw, "amount_refunded"),
        currency=text(raw, "currency"),
        status=text(raw, "status"),
        decline_code=code(raw, "decline_code", "failure_code"),
        created=moment(raw),
        key=optional(raw, "idempotency_key"),
        invoice_id=_invoice(metadata),
        payment_id=optional(metadata, "payment_id"),
    )


def _invoice(metadata: Raw) -> str | None:
    """The invoice's id; PayPal's name of it may say more (`paypal.naming`)."""
    named = optional(metadata, "invoice_id")
    return named.partition(".")[0] if named else None


def _intent(raw: Raw, amount: Amount) -> WitnessedIntent:
    metadata = inner(raw, "metadata")
    return WitnessedIntent(
        intent_ref=text(raw, "id"),
        customer_ref=optional(raw, "customer"),
        account_ref=text(raw, "account"),
        amount_minor=amount(raw, "amount"),
        currency=text(raw, "currency"),
        status=text(raw, "status"),
        created=moment(raw),
        confirms=whole(raw, "confirms"),
        charge_refs=tuple(raw["charges"]),
        invoice_id=_invoice(metadata),
        payment_id=optional(metadata, "payment_id"),
    )


def _refund(raw: Raw, amount: Amount) -> WitnessedRefund:
    return WitnessedRefund(
        refund_ref=text(raw, "id"),
        charge_ref=text(raw, "charge"),
        account_ref=text(raw, "account"),
        amount_minor=amount(raw, "amount"),
        currency=text(raw, "currency"),
        status=text(raw, "status"),
        refund_id=optional(inner(raw, "metadata"), "refund_id"),
    )


def _dispute(raw: Raw, amount: Amount) -> WitnessedDispute:
    moves = [amount(each, "amount") for each in raw["balance_transactions"]]
    return WitnessedDispute(
        dispute_ref=text(raw, "id"),
        charge_ref=text(raw, "charge"),
        account_ref=text(raw, "account"),
        amount_minor=amount(raw, "amount"),
        currency=text(raw, "currency"),
        status=dispute_status(raw),
        withdrawn_minor=-sum(each for each in moves if each < 0),
        reinstated_minor=sum(each for each in moves if each > 0),
    )


def _request(raw: Raw) -> WitnessedRequest:
    return WitnessedRequest(
        seq=whole(raw, "seq"),
        account_ref=optional(raw, "account"),
        wall_time=parse_instant(text(raw, "time")),
        clock=parse_instant(text(raw, "clock")),
        method=text(raw, "method"),
        path=text(raw, "path"),
        params=inner(raw, "params"),
        key=optional(raw, "idempotency_key"),
        status=whole(raw, "status") if raw.get("status") is not None else None,
        outcome=text(raw, "outcome"),
        request_ref=text(raw, "request_id"),
    )


def _event(raw: Raw) -> WitnessedEvent:
    return WitnessedEvent(
        event_ref=text(raw, "id"),
        account_ref=text(raw, "account"),
        type=text(raw, "type"),
        created=moment(raw),
        delivered=raw.get("delivered") is True,
    )


def _state(raw: Raw) -> WitnessState:
    names = ("in_flight_requests", "undelivered_webhooks", "due_timers", "requests")
    return WitnessState(quiet=raw.get("quiet") is True, **{name: whole(raw, name) for name in names})
