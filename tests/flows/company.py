"""A small company for tests of flows: real PostgreSQL, the real SDK over HTTP against the stand-in, the real receiver.

Messages are run from a list instead of a broker, by task name and id, so that a test decides when; stories that need
real workers are in tests/crash and tests/sandbox.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import requests
from pydantic import SecretStr
from sqlalchemy import select, text

from billing.commands.coupon.create import create_coupon
from billing.commands.price.create import create_price
from billing.commands.product.create import create_product
from billing.commands.profile.create import create_profile
from billing.commands.seller.create import create_seller
from billing.commands.subscription.subscribe import subscribe
from billing.commands.tax_rate.put import put_tax_rate
from billing.commands.usage.record import Recorded, record_usage
from billing.flows import audit, subscribing
from billing.flows.audit_report import Violation
from billing.flows.parts import Parts
from billing.flows.payment_methods import adopt
from billing.flows.start import start
from billing.kernel.ids import new_id
from billing.models import ProviderAccount
from billing.privacy.keyring import generate
from billing.providers.stripe.adapter import StripeProvider
from billing.providers.stripe.client import build_client
from billing.providers.stripe.witness import Witness
from billing.sandbox.stripe.server import serving
from billing.sandbox.stripe.store import MEMORY, Store
from billing.settings.given import GivenSettings
from billing.validators.address import Address
from billing.validators.coupon import NewCoupon
from billing.validators.payment_method import Consent
from billing.validators.price import NewPrice
from billing.validators.product import NewProduct
from billing.validators.profile import NewProfile, Personal
from billing.validators.seller import NewSeller, SellerPolicy
from billing.validators.subscription import NewItem, NewSubscription
from billing.validators.tax_rate import NewTaxRate
from billing.validators.usage import NewUsage
from billing.wiring import build
from tests.events.told import check_outbox
from tests.flows.line import SWEEPS, WORK, Line, still_due
from tests.flows.receiver import Receiver
from tests.flows.rows import Rows

START = datetime(2026, 1, 31, tzinfo=UTC)
_CALLS_AT_ONCE = 8
"""That its stand-in answers: threads that are made before each test."""


class CompanySettings(GivenSettings):
    """Given, as all of the environment takes longer to read than the rest to make; it may name other accounts."""

    @property
    def surroundings(self) -> dict[str, str | None]:
        return dict(os.environ)


@dataclass(slots=True)
class Company(Rows):
    """One seller with a monthly price `basic` (10.00 EUR), and levers on its clock, queue and provider."""

    line: Line
    witness: Witness
    witness_url: str
    receiver: str
    heard: list[bytes]
    """Every request that our web application had: its line, then its body."""
    seller_id: UUID
    account_id: UUID

    def set_clock(self, now: datetime) -> None:
        """Move business time and the stand-in's clock."""
        with self.parts.begin() as session:
            session.execute(
                text(
                    "INSERT INTO billing.sandbox_clock (one, instant) VALUES (1, :now) "
                    "ON CONFLICT (one) DO UPDATE SET instant = excluded.instant"
                ),
                {"now": now},
            )
        self.witness.set_clock(now)

    def customer(self, account: str, *, method: str | None = "pm_card_visa", country: str = "DE") -> UUID:
        """A profile with (unless None) a payment method by the stand-in's test name."""
        with self.parts.begin() as session:
            profile = create_profile(
                session,
                self.parts.keyring,
                seller_id=self.seller_id,
                new=NewProfile(
                    account_id=account,
                    country=country,
                    personal=Personal(
                        name=f"Person {account}",
                        email=f"{account}@example.com",
                        address=Address("Street 1", city="Town", postal_code="10115"),
                    ),
                ),
                now=self.parts.clock.now(session),
            )
        if method is not None:
            self.give_method(profile.id, method)
        return profile.id

    def give_method(self, profile_id: UUID, method: str, *, another: bool = False) -> None:
        """Adopt a test method as the profile's default. Of a name that they have already: that one, or `another`."""
        adopt(
            self.parts,
            profile_id=profile_id,
            provider_account_id=self.account_id,
            method_ref=method,
            consent=Consent(text_version="v1", given_at=START - timedelta(days=1), channel="import"),
            method_id=new_id() if another else None,
            as_default=True,
        )

    def subscribe(
        self, account: str, code: str, *, start: datetime = START, price: str = "basic", quantity: int = 1
    ) -> UUID:
        """A subscription, due at its start."""
        with self.parts.begin() as session:
            row = subscribe(
                session,
                seller_id=self.seller_id,
                new=NewSubscription(code=code, account_id=account, items=(NewItem(price, quantity),), start=start),
                now=self.parts.clock.now(session),
            )
        return row.id

    def price(self, code: str, amount: int | str | None, **given: Any) -> None:
        """A price of the product `basic` in EUR, monthly unless told otherwise; None where tiers are given."""
        known = {"product_code": "basic", "currency": "eur", "interval_unit": "month"}
        unit_amount = None if amount is None else Decimal(amount)
        with self.parts.begin() as session:
            create_price(
                session,
                seller_id=self.seller_id,
                new=NewPrice(code=code, unit_amount=unit_amount, **known | given),
                now=self.parts.clock.now(session),
            )

    def coupon(self, code: str, percent: int | None = None, **given: Any) -> None:
        """A discount, of a percent or of `amount_minor`."""
        exact = None if percent is None else Decimal(percent)
        with self.parts.begin() as session:
            create_coupon(session, seller_id=self.seller_id, new=NewCoupon(code=code, percent=exact, **given))

    def begin_subscription(self, account: str, code: str, *items: NewItem, **given: Any) -> UUID:
        """Subscribe as the host application does, with anything that may be said; what is due of it is billed."""
        new = NewSubscription(code=code, account_id=account, items=items, **{"start": self.now(), **given})
        return subscribing.subscribe(self.parts, seller_id=self.seller_id, new=new).subscription_id

    def use(self, *records: NewUsage) -> Recorded:
        """Record usage, all or nothing."""
        with self.parts.begin() as session:
            return record_usage(session, seller_id=self.seller_id, new=records, now=self.parts.clock.now(session))

    def violations(self) -> tuple[Violation, ...]:
        """What the audit finds, with the stand-in as its witness."""
        return audit.run(self.parts, witness=self.witness).violations

    def run_messages(self, *, most: int = 10_000) -> int:
        """Run what is in the line, and what that sends, to the end."""
        ran = 0
        while self.line.messages:
            task, ids = self.line.messages.popleft()
            if task.name in WORK:
                WORK[task.name](self.parts, *map(UUID, ids))
            ran += 1
            assert ran < most, "the line never empties"
        return ran

    def sweep(self) -> None:
        """One round of beat: every sweep once, then the line to its end."""
        for each in SWEEPS:
            each(self.parts)
            self.run_messages()

    def settle(self, *, seconds: float = 15.0) -> None:
        """Sweep until nothing waits: no message, live slice, open attempt, refund that is due soon, event, delivery."""
        deadline = datetime.now(UTC) + timedelta(seconds=seconds)
        while True:
            self.sweep()
            waiting = self.waiting()
            if not waiting:
                return
            assert datetime.now(UTC) < deadline, f"still waiting: {waiting}"

    def waiting(self) -> dict[str, int]:
        """What is due in our rows, and what the provider has still to do by itself; empty where all is quiet."""
        # Asked first: what the provider has delivered by then is in our rows.
        state = self.witness.state()
        theirs = {"deliveries": state.undelivered_webhooks, "timers": state.due_timers}
        return still_due(self.parts) | {name: number for name, number in theirs.items() if number}

    def settle_under_a_brake(self) -> None:
        """A few rounds of beat: what a brake holds stays due, so that all is never quiet."""
        for _ in range(3):
            self.sweep()

    def wait_for(self, condition: Callable[[], bool], *, seconds: float = 10.0) -> None:
        """Look until it is so."""
        deadline = datetime.now(UTC) + timedelta(seconds=seconds)
        while not condition():
            assert datetime.now(UTC) < deadline, "it never came"

    def limit_confirms(self, most: int) -> None:
        """So many confirms cancel an intent at the provider."""
        requests.post(f"{self.witness_url}/_sandbox/config", json={"max_confirms": most}, timeout=5).raise_for_status()

    def revoke_key(self) -> None:
        """From now on the provider refuses our key."""
        self._provider("key_that_was_revoked")

    def restore_key(self) -> None:
        """The key works again."""
        self._provider("sk_test_company")

    def _provider(self, api_key: str) -> None:
        self.parts = replace(self.parts, provider_for=_adapter(self.witness_url, api_key=api_key, patience_s=1))

    def pay_behind_our_back(self, profile_id: UUID, *, card: str = "pm_card_visa") -> None:
        """Somebody confirms the profile's one intent in the provider's dashboard, with a card that works."""
        customer = self.customer_ref(profile_id)
        (intent,) = [each for each in self.witness.intents() if each.customer_ref == customer]
        self.confirm_behind_our_back(intent.intent_ref, profile_id, card=card)

    def confirm_behind_our_back(self, intent_ref: str, profile_id: UUID, *, card: str = "pm_card_visa") -> None:
        """The same of this one of their intents."""
        method = self.parts.provider(self.account_id).attach_method(
            customer_ref=self.customer_ref(profile_id), method_ref=card, key="behind-our-back"
        )
        requests.post(
            f"{self.witness_url}/v1/payment_intents/{intent_ref}/confirm",
            data={"payment_method": method.method_ref, "off_session": "true"},
            headers={"Authorization": "Bearer sk_test_company"},
            timeout=5,
        ).raise_for_status()

    def pay_by_hand(self) -> None:
        """Every open invoice is paid in some other way."""
        statement = """
            UPDATE billing.invoice SET status = 'paid', amount_paid_minor = amount_due_minor,
                amount_remaining_minor = 0, next_attempt_at = NULL
            WHERE status = 'open'"""
        with self.parts.begin() as session:
            session.execute(text(statement))


@contextmanager
def company(
    database_url: str, *, policy: SellerPolicy | None = None, patience_s: float | None = None
) -> Iterator[Company]:
    """A fresh company at `START`, closed again at the end of the block.

    `patience_s`: how long it waits for the provider, for stories in which a busy machine's late answer is none of the
    story; by default as the sandbox does.
    """
    line = Line()
    with serving(Store(MEMORY), seed=1, threads=_CALLS_AT_ONCE) as standing:
        receiver = Receiver()
        endpoint = requests.post(
            f"{standing.url}/v1/webhook_endpoints",
            data={"url": f"{receiver.url}/webhooks/stripe", "enabled_events[]": "*"},
            headers={"Authorization": "Bearer sk_test_company"},
            timeout=5,
        ).json()
        settings = CompanySettings(
            database_url=database_url,
            stripe_api_key=SecretStr("sk_test_company"),
            stripe_api_base=standing.url,
            stripe_webhook_secret=SecretStr(endpoint["secret"]),
            billing_secret_key=SecretStr(generate()),
            billing_sandbox=True,
            billing_public_url=receiver.url,
            stripe_js_url=f"{standing.url}/_sandbox/js",
            stripe_publishable_key="pk_test_company",
        )
        parts = build(settings, transport=line)
        if patience_s is not None:
            parts = replace(parts, provider_for=_adapter(standing.url, patience_s=patience_s))
        receiver.serve(parts)
        start(parts)
        made = Company(
            parts, line, Witness(standing.url), standing.url, receiver.url, receiver.heard, *_seller(parts, policy)
        )
        made.set_clock(START)
        try:
            yield made
            with parts.begin() as session:
                check_outbox(session)
        finally:
            receiver.close()
            parts.sessions.kw["bind"].dispose()


def _adapter(url: str, *, patience_s: float, api_key: str = "sk_test_company") -> Callable[[str, str], StripeProvider]:
    client = build_client(api_key=api_key, connect_s=patience_s, read_s=patience_s, base_address=url)
    adapter = StripeProvider(client=client, livemode=False)
    return lambda _provider, _code: adapter


def _seller(parts: Parts, policy: SellerPolicy | None) -> tuple[UUID, UUID]:
    with parts.begin() as session:
        now = START
        seller = create_seller(
            session,
            new=NewSeller(
                code="ACME",
                legal_name="Acme GmbH",
                country="DE",
                currency="eur",
                address=Address("Street 2", city="Town", postal_code="10115"),
                tax_id="DE123456788",
                policy=policy or SellerPolicy(dunning_hours=None),
            ),
            actor="test",
            reason="a test company",
            now=now,
        )
        session.flush()
        put_tax_rate(
            session, seller_id=seller.id, new=NewTaxRate("standard", Decimal(19), countries={"FR": Decimal(20)})
        )
        create_product(session, seller_id=seller.id, new=NewProduct("basic", "Basic"), now=now)
        create_price(
            session, seller_id=seller.id, new=NewPrice("basic", "basic", "eur", Decimal(1000), "month"), now=now
        )
        account = session.scalars(select(ProviderAccount).filter_by(provider="stripe", code="default")).one()
        return seller.id, account.id
