"""Rows that the tests of commands begin with, made by the commands themselves."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.payment_method.activate import activate_method
from billing.commands.payment_method.begin import begin_method
from billing.commands.price.create import create_price
from billing.commands.product.create import create_product
from billing.commands.profile.create import create_profile
from billing.commands.seller.create import create_seller
from billing.commands.tax_rate.put import put_tax_rate
from billing.kernel.ids import new_id
from billing.models import PaymentMethod, Price, Profile, ProviderAccount, Seller
from billing.privacy.keyring import Keyring
from billing.providers.port import MethodFacts
from billing.validators.payment_method import Consent
from billing.validators.price import NewPrice
from billing.validators.product import NewProduct
from billing.validators.profile import NewProfile, Personal
from billing.validators.seller import NewSeller
from billing.validators.tax_rate import NewTaxRate

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
CONSENT = Consent(text_version="2026-01", given_at=NOW)


def make_seller(session: Session, **change: Any) -> Seller:
    values: dict[str, Any] = {"code": "NORD", "legal_name": "Nordlicht GmbH", "country": "DE", "currency": "eur"}
    new = NewSeller(**(values | change))
    return create_seller(session, new=new, actor="test", reason="set-up", now=NOW)


def make_price(session: Session, seller: Seller, code: str = "basic", **change: Any) -> Price:
    put_tax_rate(session, seller_id=seller.id, new=NewTaxRate(name="standard", percent=Decimal(19)))
    create_product(session, seller_id=seller.id, new=NewProduct(code=f"{code}-product", name="Basic"), now=NOW)
    values: dict[str, Any] = {
        "code": code,
        "product_code": f"{code}-product",
        "currency": "eur",
        "unit_amount": Decimal(1000),
        "interval_unit": "month",
    }
    return create_price(session, seller_id=seller.id, new=NewPrice(**(values | change)), now=NOW)


def make_profile(session: Session, keyring: Keyring, seller: Seller, account_id: str = "acct-1") -> Profile:
    new = NewProfile(account_id=account_id, country="DE", personal=Personal(name="Ada", email="ada@example.com"))
    return create_profile(session, keyring, seller_id=seller.id, new=new, now=NOW)


def make_provider_account(session: Session) -> UUID:
    account = ProviderAccount(id=new_id(), provider="stripe", code="default", livemode=False, account_ref="acct_test")
    session.add(account)
    session.flush()
    return account.id


def begun_method(
    session: Session, profile: Profile, account_id: UUID, *, id_: UUID | None = None, consent: Consent = CONSENT
) -> PaymentMethod:
    """One whose set-up has begun."""
    return begin_method(
        session,
        method_id=id_ or new_id(),
        profile_id=profile.id,
        provider_account_id=account_id,
        kind="card",
        consent=consent,
        now=NOW,
    )


def make_method(session: Session, profile: Profile, account_id: UUID, ref: str = "pm_1") -> PaymentMethod:
    """An active method."""
    method = begun_method(session, profile, account_id)
    facts = MethodFacts(method_ref=ref, kind="card", customer_ref="cus_1", brand="visa", last4="4242")
    activate_method(session, method=method, facts=facts, now=NOW)
    return method
