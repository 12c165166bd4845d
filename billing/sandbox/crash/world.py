"""The small company of a cycle: customers with their cards and subscriptions, and how each must end."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

from sqlalchemy import select, text

from billing.commands.price.create import create_price
from billing.commands.product.create import create_product
from billing.commands.profile.create import create_profile
from billing.commands.seller.create import create_seller
from billing.commands.subscription.subscribe import subscribe
from billing.commands.tax_rate.put import put_tax_rate
from billing.flows.parts import Parts
from billing.flows.payment_methods import adopt
from billing.models import ProviderAccount
from billing.validators.address import Address
from billing.validators.payment_method import Consent
from billing.validators.price import NewPrice
from billing.validators.product import NewProduct
from billing.validators.profile import NewProfile, Personal
from billing.validators.seller import NewSeller, SellerPolicy
from billing.validators.subscription import NewItem, NewSubscription
from billing.validators.tax_rate import NewTaxRate

START = datetime(2026, 1, 31, tzinfo=UTC)

VISA = "pm_card_visa"
NO_FUNDS = "pm_card_visa_chargeDeclinedInsufficientFunds"
DECLINES_ONCE = "pm_sandbox_declineThenSucceed"
SILENT_AFTER = "pm_sandbox_timeoutAfterCharge"
SILENT_BEFORE = "pm_sandbox_timeoutBeforeCharge"

WALLETS = {
    VISA: "B-SANDBOX-GOOD",
    NO_FUNDS: "B-SANDBOX-NOFUNDS",
    DECLINES_ONCE: "B-SANDBOX-DECLINEONCE",
    SILENT_AFTER: "B-SANDBOX-TIMEOUTAFTER",
    SILENT_BEFORE: "B-SANDBOX-TIMEOUTBEFORE",
    "pm_card_mastercard": "B-SANDBOX-OTHER",
    "pm_card_authenticationRequired": "B-SANDBOX-ACTION",
    "pm_sandbox_processing": "B-SANDBOX-PENDING",
}
"""By card: the wallet at PayPal that behaves so."""


@dataclass(frozen=True, slots=True)
class Customer:
    """One profile. Each of its monthly subscriptions costs 11.90 EUR and is billed from `START` on."""

    account: str
    card: str = VISA
    subscriptions: int = 1
    pays: bool = True
    """Whether every invoice must be paid in the end; otherwise none may be."""
    timezone: str = "UTC"


@dataclass(frozen=True, slots=True)
class World:
    """Who is there, and the moments (business time, each when all is quiet) through which a cycle plays."""

    customers: tuple[Customer, ...]
    moments: tuple[datetime, ...] = (START,)
    months: int = 1
    """Documents that each subscription has in the end."""
    amount_minor: int = 1190
    provider: str = "stripe"
    """By whom all of them pay."""
    paid_out: bool = False
    """Whether the provider pays its balance out at the second moment. PayPal never does."""

    @property
    def documents(self) -> int:
        return self.months * sum(each.subscriptions for each in self.customers)

    def method(self, card: str) -> str:
        """The provider's test name of a method that behaves as this card."""
        return card if self.provider == "stripe" else WALLETS[card]


ORDINARY = World(
    customers=(
        Customer("a1"),
        Customer("a2", subscriptions=2),
        Customer("a3", card=NO_FUNDS, pays=False),
        Customer("a4", card=SILENT_AFTER),
        Customer("a5", card=DECLINES_ONCE),
    ),
    moments=(START, START + timedelta(days=3)),
    paid_out=True,
)
"""Every turn of a charge: paid, declined, unknown and resolved, declined and paid at the next try; and a payout."""


def found(parts: Parts, world: World) -> None:
    """Make the company. The parts are pinned to a fresh account of the stand-in."""
    with parts.begin() as session:
        seller = create_seller(
            session,
            new=NewSeller(
                code="ACME",
                legal_name="Acme GmbH",
                country="DE",
                currency="eur",
                address=Address("Street 2", city="Town", postal_code="10115"),
                tax_id="DE123456788",
                # Moments are exact here, and one test card stands for many people's.
                policy=SellerPolicy(dunning_hours=None, card_limit="off", upcoming_days=0),
            ),
            actor="crash",
            reason="a company to be killed",
            now=START,
        )
        session.flush()
        put_tax_rate(session, seller_id=seller.id, new=NewTaxRate("standard", Decimal(19)))
        create_product(session, seller_id=seller.id, new=NewProduct("basic", "Basic"), now=START)
        price = NewPrice("basic", "basic", "eur", Decimal(1000), "month")
        create_price(session, seller_id=seller.id, new=price, now=START)
        account_id = session.scalars(select(ProviderAccount.id)).one()
        seller_id = seller.id
    for customer in world.customers:
        profile_id = _customer(parts, customer, seller_id=seller_id)
        give_method(parts, profile_id, world.method(customer.card), account_id=account_id)


def _customer(parts: Parts, customer: Customer, *, seller_id: UUID) -> UUID:
    name = customer.account
    person = Personal(f"Person {name}", f"{name}@example.com", Address("Street 1", city="Town", postal_code="10115"))
    with parts.begin() as session:
        new = NewProfile(account_id=name, country="DE", personal=person, timezone=customer.timezone)
        profile_id = create_profile(session, parts.keyring, seller_id=seller_id, new=new, now=START).id
        for number in range(1, customer.subscriptions + 1):
            bought = NewSubscription(
                code=f"{name}-{number}", account_id=name, items=(NewItem("basic", 1),), start=START
            )
            subscribe(session, seller_id=seller_id, new=bought, now=START)
    return profile_id


def give_method(parts: Parts, profile_id: UUID, name: str, *, account_id: UUID) -> None:
    """Adopt a test method as the profile's default."""
    adopt(
        parts,
        profile_id=profile_id,
        provider_account_id=account_id,
        method_ref=name,
        consent=Consent(text_version="v1", given_at=START - timedelta(days=1), channel="import"),
        as_default=True,
    )


def set_clock(parts: Parts, now: datetime) -> None:
    """Move business time."""
    with parts.begin() as session:
        session.execute(
            text(
                "INSERT INTO billing.sandbox_clock (one, instant) VALUES (1, :now) "
                "ON CONFLICT (one) DO UPDATE SET instant = excluded.instant"
            ),
            {"now": now},
        )
