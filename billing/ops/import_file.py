"""An import file, read: bytes of CSV or YAML into what the intake flow takes, with the line of every field."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TypeVar

from billing.flows.intake_input import Given, Intake, LineFault, NewCustomer
from billing.ops.import_csv import read_csv
from billing.ops.import_rows import Row
from billing.ops.import_yaml import read_yaml
from billing.validators.address import Address
from billing.validators.coupon import NewCoupon
from billing.validators.payment_method import Consent
from billing.validators.price import NewPrice, NewTier
from billing.validators.product import NewProduct
from billing.validators.profile import NewProfile, Personal
from billing.validators.seller import NewSeller, SellerPolicy
from billing.validators.subscription import NewItem, NewSubscription
from billing.validators.tax_rate import NewRateChange, NewTaxRate

T = TypeVar("T")
MOST_BYTES = 64 * 1024 * 1024
_CONSENT_VERSION = "import"


def read_file(raw: bytes, *, is_yaml: bool) -> Intake:
    """Read what can be read; faults of reading stand in the intake's `faults`."""
    faults: list[LineFault] = []
    text = _decoded(raw, faults)
    rows = (read_yaml if is_yaml else read_csv)(text, faults) if text else {}
    if not rows and not faults:
        faults.append(LineFault(1, "file", "empty_file", "give at least one seller, customer or subscription"))
    only = _only_seller(rows)

    def every(section: str, make: Callable[[Row], T]) -> tuple[Given[T], ...]:
        return tuple(_given(row, make, only) for row in rows.get(section, ()))

    return Intake(
        sellers=tuple(_given_seller(row) for row in rows.get("sellers", ())),
        tax_rates=every("tax_rates", _tax_rate),
        products=every("products", _product),
        prices=every("prices", _price),
        coupons=every("coupons", _coupon),
        customers=every("customers", _customer),
        subscriptions=every("subscriptions", _subscription),
        faults=tuple(faults),
    )


def _decoded(raw: bytes, faults: list[LineFault]) -> str:
    if len(raw) > MOST_BYTES:
        faults.append(LineFault(1, "file", "file_too_large", f"at most {MOST_BYTES // 1024 // 1024} MiB; split it"))
        return ""
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        faults.append(LineFault(line, "file", "not_utf8", "save the file as UTF-8"))
        return ""


def _only_seller(rows: dict[str, list[Row]]) -> str | None:
    """The one seller that a file speaks of: rows that name none belong to it."""
    named = {row.text("code") for row in rows.get("sellers", ())}
    named |= {row.text("seller") for section, each in rows.items() if section != "sellers" for row in each}
    named.discard("")
    return named.pop() if len(named) == 1 else None


def _given(row: Row, make: Callable[[Row], T], only: str | None) -> Given[T]:
    seller = row.text("seller") or only
    if seller is None:
        row.fault("seller", "missing", "say which seller's it is: the file has not exactly one")
    value = make(row)
    row.refuse_unused()
    return Given(seller or "", row.line, value, row.lines, row.names)


def _given_seller(row: Row) -> Given[NewSeller]:
    value = seller_of(row)
    row.refuse_unused()
    return Given(value.code, row.line, value, row.lines, row.names)


def seller_of(row: Row) -> NewSeller:
    """A seller as its row gives it; what is left out is as for a new one."""
    policy = SellerPolicy()
    row.mapping("dunning")
    retries = row.delays("dunning.retries")
    return NewSeller(
        code=row.needed("code"),
        legal_name=row.text("legal_name"),
        country=row.text("country"),
        currency=row.text("currency"),
        timezone=row.text("timezone", "UTC"),
        address=_address(row),
        tax_id=row.optional_text("tax_id"),
        policy=SellerPolicy(
            catch_up=row.text("catch_up", policy.catch_up),
            catch_up_limit=row.whole("catch_up_limit", policy.catch_up_limit),
            dunning_retries=policy.dunning_retries if retries is None else retries,
            dunning_final=row.text("dunning.final", policy.dunning_final),
            dunning_hours=row.hours("dunning.hours") if row.has("dunning.hours") else policy.dunning_hours,
            card_limit=row.text("dunning.card_limit", policy.card_limit),
            proration=row.text("proration", policy.proration),
            oss=row.text("oss", policy.oss),
            draft_review_h=row.whole("draft_review_h", policy.draft_review_h),
            guard_volume=row.optional_whole("guard_volume"),
            guard_amount=row.optional_whole("guard_amount"),
            guard_catch_up=row.optional_whole("guard_catch_up"),
            upcoming_days=row.whole("upcoming_days", policy.upcoming_days),
            revenue_recognition=row.text("revenue_recognition", policy.revenue_recognition),
            complete_documents=row.flag("complete_documents", default=policy.complete_documents),
            e_invoices=row.text("e_invoices", policy.e_invoices),
            mail_documents=row.text("mail_documents", policy.mail_documents),
            dispute_stops_charging=row.flag("dispute_stops_charging", default=policy.dispute_stops_charging),
            fall_back=row.flag("fall_back", default=policy.fall_back),
            method_kinds=row.words("method_kinds") or policy.method_kinds,
            debit_notice_days=row.whole("debit_notice_days", policy.debit_notice_days),
            creditor_id=row.optional_text("creditor_id"),
        ),
        next_number=row.whole("next_number", 1),
        payment_instructions=row.text_lines("payment_instructions"),
        document_footer=row.text_lines("document_footer"),
        number_prefix=row.optional_text("number_prefix"),
        credit_note_prefix=row.optional_text("credit_note_prefix"),
    )


def _address(row: Row) -> Address:
    row.mapping("address")
    return Address(
        line1=row.text("address.line1"),
        line2=row.text("address.line2"),
        city=row.text("address.city"),
        postal_code=row.text("address.postal_code"),
        region=row.text("address.region"),
    )


def _tax_rate(row: Row) -> NewTaxRate:
    changes = [
        NewRateChange(
            starts_on=row.day(f"{change}.starts_on"),
            percent=row.number(f"{change}.percent") if row.has(f"{change}.percent") else None,
            countries=_countries(row, f"{change}.countries"),
        )
        for change in row.places("changes")
    ]
    return NewTaxRate(
        name=row.needed("name"),
        percent=row.number("percent"),
        inclusive=row.flag("inclusive"),
        countries=_countries(row, "countries"),
        changes=tuple(changes),
    )


def _countries(row: Row, inside: str) -> dict[str, Decimal]:
    row.mapping(inside)
    return {name.removeprefix(f"{inside}."): row.number(name) for name in [*row.cells] if name.startswith(f"{inside}.")}


def _product(row: Row) -> NewProduct:
    return NewProduct(code=row.needed("code"), name=row.text("name"))


def _price(row: Row) -> NewPrice:
    tiers = _tiers(row)
    return NewPrice(
        code=row.needed("code"),
        product_code=row.text("product"),
        currency=row.text("currency"),
        unit_amount=row.number("unit_amount") if row.has("unit_amount") or not tiers else None,
        interval_unit=None if row.says_null("interval") else row.text("interval"),
        interval_count=row.whole("interval_count", 1),
        tax_rate=row.optional_text("tax_rate"),
        model=row.text("model", "per_unit"),
        tiers=tiers,
        package_size=row.optional_whole("package_size"),
        usage=row.optional_text("usage"),
    )


def _tiers(row: Row) -> tuple[NewTier, ...]:
    return tuple(
        NewTier(
            up_to=_bound(row, f"{tier}.up_to"),
            unit=row.number(f"{tier}.unit"),
            flat=row.number(f"{tier}.flat") if row.has(f"{tier}.flat") else Decimal(0),
        )
        for tier in row.places("tiers")
    )


def _bound(row: Row, name: str) -> Decimal | None:
    """Where a tier ends; the last one has no end, or `inf`."""
    return row.number(name) if row.has(name) and row.cells[name].text != "inf" else None


def _coupon(row: Row) -> NewCoupon:
    return NewCoupon(
        code=row.needed("code"),
        percent=row.number("percent") if row.has("percent") else None,
        amount_minor=row.optional_whole("amount"),
        currency=row.optional_text("currency"),
        duration=row.text("duration", "once"),
        periods=row.optional_whole("periods"),
    )


def _customer(row: Row) -> NewCustomer:
    tax_id = row.optional_text("tax_id")
    profile = NewProfile(
        account_id=row.needed("account_id"),
        country=row.text("country"),
        personal=Personal(
            name=row.text("name"), email=row.optional_text("email"), address=_address(row), tax_id=tax_id
        ),
        timezone=row.text("timezone", "UTC"),
        buyer_kind=row.text("buyer_kind", "business" if tax_id else "consumer"),
    )
    version, given_at = row.text("consent_version", _CONSENT_VERSION), row.optional_instant("consent_at")
    return NewCustomer(
        profile=profile,
        method_ref=row.optional_text("provider_payment_method_id"),
        customer_ref=row.optional_text("provider_customer_id"),
        provider=row.text("provider", "stripe"),
        consent=None if given_at is None else Consent(version, given_at, "import"),
    )


def _subscription(row: Row) -> NewSubscription:
    both = row.has("start") and row.has("anchor")
    return NewSubscription(
        code=row.needed("code"),
        account_id=row.needed("customer"),
        items=_items(row),
        # An anchor alone is the start, as a business that moves in calls it; often it was long ago.
        start=row.instant("anchor" if row.has("anchor") and not both else "start"),
        anchor=row.optional_instant("anchor") if both else None,
        trial_days=row.optional_whole("trial_days"),
        coupon_code=row.optional_text("coupon"),
        timezone=row.optional_text("timezone"),
        paid_through=row.optional_instant("paid_through"),
        collection=row.text("collection", "automatic"),
        days_until_due=row.whole("days_until_due", 30),
    )


def _items(row: Row) -> tuple[NewItem, ...]:
    return tuple(
        NewItem(price_code=row.needed(f"{item}.price"), quantity=row.optional_whole(f"{item}.quantity"))
        for item in row.places("items")
    )
