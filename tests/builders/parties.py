"""Who sells, and who pays."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy.orm import Session

from billing.kernel.ids import new_id
from billing.models import (
    DataKey,
    PaymentMethod,
    Price,
    Product,
    Profile,
    ProviderAccount,
    ProviderCustomer,
    Seller,
    Series,
    TaxRate,
)
from billing.privacy.sealed import seal
from tests.builders.keys import KEYRING, data_key_of
from tests.builders.rows import add


def seller(session: Session, **given: Any) -> Seller:
    known = {
        "code": f"S{new_id().hex[-6:].upper()}",
        "legal_name": "Example GmbH",
        "country": "DE",
        "address": {"city": "Berlin"},
        "tax_id": "DE000000000",
        "currency": "eur",
        "timezone": "Europe/Berlin",
        "dunning_retry_s": [3 * 86_400, 5 * 86_400],
    }
    return add(session, Seller(id=new_id(), **known | given))


def series(session: Session, owner: Seller, **given: Any) -> Series:
    known = {"kind": "invoice", "prefix": f"{owner.code}-"}
    return add(session, Series(id=new_id(), seller_id=owner.id, **known | given))


def data_key(session: Session, *, purpose: str, owner_id: UUID, year: int = 0) -> DataKey:
    """A key under the keyring of built worlds."""
    id_ = new_id()
    key = KEYRING.wrap(data_key_of(id_), row=id_)
    row = DataKey(id=id_, purpose=purpose, owner_id=owner_id, year=year, master_id=key.master_id, wrapped=key.wrapped)
    return add(session, row)


def tax_rate(session: Session, owner: Seller, **given: Any) -> TaxRate:
    known = {"name": "standard", "percent": Decimal(19), "inclusive": False, "countries": {}}
    return add(session, TaxRate(id=new_id(), seller_id=owner.id, **known | given))


def product(session: Session, owner: Seller, **given: Any) -> Product:
    known = {"code": "seats", "name": "Basic subscription"}
    return add(session, Product(id=new_id(), seller_id=owner.id, **known | given))


def price(session: Session, of: Product, rate: TaxRate | None = None, **given: Any) -> Price:
    known = {"code": of.code, "currency": "eur", "unit_amount": Decimal(1250), "interval_unit": "month"}
    return add(
        session,
        Price(
            id=new_id(),
            seller_id=of.seller_id,
            product_id=of.id,
            tax_rate_id=rate.id if rate else None,
            **known | given,
        ),
    )


def provider_account(session: Session, **given: Any) -> ProviderAccount:
    known = {"provider": "stripe", "code": "default", "livemode": False, "account_ref": "acct_test"}
    return add(session, ProviderAccount(id=new_id(), **known | given))


def profile(session: Session, owner: Seller, **given: Any) -> Profile:
    known = {
        "account_id": f"account-{new_id().hex[-8:]}",
        "anonymous_id": new_id(),
        "country": "DE",
        "timezone": "Europe/Berlin",
        "buyer_kind": "consumer",
        "has_tax_id": False,
    }
    id_ = new_id()
    key = data_key(session, purpose="profile", owner_id=id_)
    sealed = seal(data_key_of(key.id), b"{}", table="profile", row=id_, column="personal")
    return add(session, Profile(id=id_, seller_id=owner.id, personal=sealed, **known | given))


def payment_method(session: Session, of: Profile, account: ProviderAccount, **given: Any) -> PaymentMethod:
    """The profile's default method, and the provider's customer that it belongs to."""
    add(
        session,
        ProviderCustomer(
            id=new_id(),
            seller_id=of.seller_id,
            profile_id=of.id,
            provider_account_id=account.id,
            customer_ref=f"cus_{of.id.hex[-8:]}",
        ),
    )
    known = {
        "kind": "card",
        "status": "active",
        "is_default": True,
        "method_ref": f"pm_{of.id.hex[-8:]}",
        "brand": "visa",
        "last4": "4242",
        "consent_text_version": "1",
        "consent_at": datetime(2026, 1, 1, tzinfo=UTC),
        "consent_channel": "web",
    }
    return add(
        session,
        PaymentMethod(
            id=new_id(), seller_id=of.seller_id, profile_id=of.id, provider_account_id=account.id, **known | given
        ),
    )
