"""Sellers, rates, products, prices: created once, numbered from the place that was asked for, never doubled."""

from __future__ import annotations

from decimal import Decimal

import pytest
from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from billing.commands.price.create import create_prices
from billing.commands.product.create import create_products
from billing.commands.seller.change import change_seller
from billing.commands.tax_rate.put import put_tax_rate
from billing.kernel.errors import Refused, Stale
from billing.models import AuditRecord, OutboxEvent, Price, Series
from billing.validators.address import Address
from billing.validators.price import NewPrice
from billing.validators.product import NewProduct
from billing.validators.seller import SellerChange, SellerPolicy
from billing.validators.tax_rate import NewTaxRate
from tests.commands.making import NOW, make_price, make_seller


def test_a_seller_gets_a_series_for_invoices_and_one_for_credit_notes(session: Session) -> None:
    seller = make_seller(session, next_number=1042)
    session.commit()
    query = select(Series.kind, Series.prefix, Series.next_no).order_by(Series.kind)
    series = [tuple(row) for row in session.execute(query)]
    assert series == [("credit_note", "NORD-CN-", 1), ("invoice", "NORD-", 1042)]
    assert seller.dunning_retry_s == [259200, 432000, 604800]
    assert session.scalars(select(AuditRecord)).one().action == "seller.create"


def test_a_seller_code_is_given_once(session: Session) -> None:
    make_seller(session)
    with pytest.raises(Refused) as refusal:
        make_seller(session)
    assert refusal.value.code == "seller_code_taken"


def _change(**values: object) -> SellerChange:
    state = {"legal_name": "Nordlicht GmbH", "timezone": "UTC", "address": Address(), "tax_id": None}
    return SellerChange(**({"policy": SellerPolicy()} | state | values))  # type: ignore[arg-type]


def test_a_change_of_a_seller_writes_what_changed_and_why(session: Session) -> None:
    seller = make_seller(session)
    change = _change(legal_name="Nordlicht SE", policy=SellerPolicy(catch_up="merge"))
    changed = change_seller(session, seller_id=seller.id, change=change, actor="ada", reason="new form", now=NOW)
    assert (changed.legal_name, changed.catch_up, changed.version) == ("Nordlicht SE", "merge", 2)
    record = session.scalars(select(AuditRecord).where(AuditRecord.action == "seller.change")).one()
    assert record.before == {"legal_name": "Nordlicht GmbH", "catch_up": "bill_each"}
    assert record.after == {"legal_name": "Nordlicht SE", "catch_up": "merge"}


def test_a_change_that_changes_nothing_writes_nothing(session: Session) -> None:
    seller = make_seller(session)
    change_seller(session, seller_id=seller.id, change=_change(), actor="ada", reason="none", now=NOW)
    assert seller.version == 1
    assert session.scalar(select(func.count()).select_from(AuditRecord)) == 1


def test_a_change_of_a_version_that_is_gone_is_stale(session: Session) -> None:
    seller = make_seller(session)
    with pytest.raises(Stale):
        change_seller(
            session, seller_id=seller.id, change=_change(), actor="a", reason="b", now=NOW, expected_version=7
        )


def test_putting_a_rate_twice_changes_nothing_and_another_percent_changes_it(session: Session) -> None:
    seller = make_seller(session)
    rate = NewTaxRate(name="standard", percent=Decimal(19), countries={"FR": Decimal("5.5")})
    first = put_tax_rate(session, seller_id=seller.id, new=rate)
    assert first.countries == {"FR": "5.5"}
    again = put_tax_rate(session, seller_id=seller.id, new=rate)
    assert (again.id, again.version) == (first.id, 1)
    raised = put_tax_rate(session, seller_id=seller.id, new=NewTaxRate(name="standard", percent=Decimal(20)))
    assert (raised.id, raised.percent, raised.countries, raised.version) == (first.id, 20, {}, 2)


def test_a_price_is_never_changed(session: Session) -> None:
    seller = make_seller(session)
    make_price(session, seller)
    with pytest.raises(IntegrityError, match="never changed"):
        session.execute(update(Price).values(unit_amount=1))


def test_prices_name_every_product_and_rate_that_is_missing(session: Session) -> None:
    seller = make_seller(session)
    price = NewPrice(
        code="a", product_code="nothing", currency="eur", unit_amount=Decimal(1), interval_unit="month", tax_rate="no"
    )
    with pytest.raises(Refused) as refusal:
        create_prices(session, seller_id=seller.id, new=[price], now=NOW)
    assert [fault.code for fault in refusal.value.faults] == ["product_not_found", "tax_rate_not_found"]


def test_codes_of_products_and_prices_are_given_once(session: Session) -> None:
    seller = make_seller(session)
    price = make_price(session, seller)
    with pytest.raises(Refused) as refusal:
        create_products(session, seller_id=seller.id, new=[NewProduct(code="basic-product", name="B")], now=NOW)
    assert refusal.value.code == "product_code_taken"
    again = NewPrice(
        code=price.code, product_code="basic-product", currency="eur", unit_amount=Decimal(1), interval_unit="month"
    )
    with pytest.raises(Refused) as refusal:
        create_prices(session, seller_id=seller.id, new=[again], now=NOW)
    assert refusal.value.code == "price_code_taken"


def test_the_host_is_told_of_products_and_prices(session: Session) -> None:
    make_price(session, make_seller(session))
    topics = session.scalars(select(OutboxEvent.topic).order_by(OutboxEvent.id)).all()
    assert topics == ["product.created", "price.created"]
