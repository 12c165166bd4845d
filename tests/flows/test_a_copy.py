"""A copy of all that is kept about a customer: each table of theirs is in it, or named here with why it is not."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.commands.credit.grant import grant_credit
from billing.db.base import Base
from billing.flows import refunding, rights
from billing.flows.order import Order
from billing.kernel.ids import new_id
from billing.models import (
    Brake,
    EInvoice,
    ExternalPayment,
    FraudWarning,
    Invoice,
    InvoiceLine,
    Notice,
    PastItem,
    Profile,
    ProviderAccount,
    SubscriptionPause,
    UsageRecord,
)
from billing.ops.telling import as_text
from billing.validators.subscription import NewItem
from tests import builders
from tests.flows.company import START, Company

WHY = Order(actor="ada", reason="they asked for it")

EXPORTED = {
    "profile": "profile",
    "provider_customer": "provider_customers",
    "payment_method": "payment_methods",
    "subscription": "subscriptions",
    "subscription_item": "subscription_items",
    "past_item": "past_items",
    "coupon": "coupons",
    "subscription_pause": "pauses",
    "billing_period": "periods",
    "waiting_line": "waiting_lines",
    "usage_record": "usage",
    "invoice": "documents",
    "invoice_line": "documents",
    "e_invoice": "structured_invoices",
    "payment": "payments",
    "external_payment": "external_payments",
    "unapplied_payment": "unapplied_payments",
    "refund": "refunds",
    "dispute": "disputes",
    "fraud_warning": "fraud_warnings",
    "credit_balance": "credit",
    "ledger_entry": "credit_entries",
    "posting": "credit_entries",
    "notice": "messages",
    "brake": "brakes",
    "work_item": "work",
    "audit_trail": "actions",
}
"""Where the copy has each table."""
NOT_EXPORTED = {
    "data_key": "the key itself; what it seals is in the copy, opened",
    "payment_intent": "the provider's side of the payments, which are in the copy",
    "provider_write": "under which keys payments were asked for; nothing of the customer",
    "usage_accrual": "a month's sum of the usage, for the seller's books; the usage is in the copy",
    "line_accrual": "what of a line is a month's, for the seller's books; the line is in the copy",
    "revenue_schedule": "how a line's amount is spread over the seller's months; the line is in the copy",
    "revenue_movement": "the same, day by day",
    "difference": "what our rows and the provider's don't agree on; its work item is in the copy",
    "audit_acceptance": "which finding of the audit was accepted; that it was stands in the trail, in the copy",
    "operator_order": "what was asked for, approved and done stands in the trail, which is in the copy",
    "outbox": "what the host application was told of rows that are in the copy; deleted after some days",
    "delivery": "the same, on its way",
    "delivery_attempt": "the same, tried",
    "slice": "ids of work to do, without a word about whom",
}
"""Why not, of each table of theirs that the copy has not."""
LOOSE = {"subject_id", "object_id", "owner_id", "member_ids", "entry_id", "line_id"}
"""Columns that may name a customer or something of theirs, without a foreign key."""


def _theirs() -> set[str]:
    """Tables that refer to a customer: by a foreign key, or a column named for a table that does."""
    tables, found, before = Base.metadata.sorted_tables, {"profile"}, set[str]()
    while found != before:
        before = set(found)
        for table in tables:
            keys = {key.column.table.name for key in table.foreign_keys}
            names = {f"{name}_id" for name in found} | LOOSE
            if keys & found or names & set(table.columns.keys()):
                found.add(table.name)
    return found


def test_each_table_that_refers_to_a_customer_is_in_the_copy_or_is_named_with_why_not() -> None:
    assert not EXPORTED.keys() & NOT_EXPORTED.keys()
    theirs = _theirs()
    assert theirs - EXPORTED.keys() - NOT_EXPORTED.keys() == set(), "export it, or say here why not"
    assert NOT_EXPORTED.keys() - theirs == set(), "these are no longer theirs"
    assert EXPORTED.keys() <= {table.name for table in Base.metadata.sorted_tables}


@pytest.fixture
def customer(acme: Company) -> UUID:
    """One of whom there is a row in every table, beside another with a paid invoice."""
    acme.coupon("SPRING", 10)
    customers = {name: acme.customer(name) for name in ("a1", "a2")}
    for name in customers:
        acme.begin_subscription(name, f"{name}-basic", NewItem("basic", 1), coupon_code="SPRING")
    acme.settle()
    invoice = acme.invoices()[0]
    who = customers["a1"]
    assert invoice.profile_id == who
    refunding.refund(acme.parts, invoice.id, amount_minor=100, order=Order(actor="fay", reason="they were kind"))
    acme.settle()
    with acme.parts.begin() as session:
        grant_credit(session, profile_id=who, amount_minor=500, currency="eur", now=START)
        _the_rest(session, invoice, session.query(InvoiceLine).filter_by(invoice_id=invoice.id).one())
    return who


def _the_rest(session: Session, invoice: Invoice, line: InvoiceLine) -> None:
    """What would take long to come about."""
    builders.credited_line(session, line, _known(invoice.subscription_id))
    builders.unapplied(session, invoice, at=START, charge_ref="ch_twice")
    builders.dispute(session, invoice, at=START)
    owner, who, of = (
        {"seller_id": invoice.seller_id}, {"profile_id": invoice.profile_id}, {"invoice_id": invoice.id}
    )  # fmt: skip
    bought, money = {"subscription_id": invoice.subscription_id}, {"amount_minor": 100, "currency": "eur"}
    item = builders.work_item(
        session, subject_type="invoice", subject_id=invoice.id, kind="dispute_lost", **owner, **who
    )
    account = session.scalars(select(ProviderAccount.id)).one()
    for row in (
        SubscriptionPause(id=new_id(), **owner, **bought, starts_at=START, ends_at=START + timedelta(days=1)),
        PastItem(
            id=new_id(), **owner, **bought, price_id=line.price_id, quantity=2, counts_from=START, ended_at=START
        ),
        UsageRecord(
            id=new_id(), **owner, **bought, price_id=line.price_id, record_id="r1", quantity=Decimal(3), used_at=START
        ),
        EInvoice(id=new_id(), **owner, **of, country="IT", law="a law", status="sent", closed_at=START),
        ExternalPayment(id=new_id(), **owner, **of, **who, **money, reference="by transfer", received_at=START),
        FraudWarning(
            id=new_id(), **owner, **of, **who, provider_account_id=account, warning_ref="issfr_1", charge_ref="ch_1",
            fraud_type="card_never_received", actionable=True, opened_at=START,
        ),
        Notice(
            id=new_id(), **owner, **who, **of, kind="receipt", occasion=str(new_id()), facts={}, occurred_at=START,
            status="sent", closed_at=START,
        ),
        Brake(
            id=new_id(), **owner, **who, kind="collect", actor="gus", reason="they called", work_item_id=item.id,
            stopped_at=START,
        ),
    ):  # fmt: skip
        builders.add(session, row)


def _known(id_: UUID | None) -> UUID:
    assert id_ is not None
    return id_


def test_a_copy_has_what_every_table_says_of_them(acme: Company, customer: UUID) -> None:
    copy = json.loads(as_text(rights.export(acme.parts, customer, order=WHY)))
    assert {name for name, section in copy.items() if not section} == set()
    assert copy.keys() == set(EXPORTED.values()) | {"personal"}
    (dispute,) = copy["disputes"]
    assert (dispute["status"], dispute["reason"], dispute["currency"]) == ("needs_response", "fraudulent", "eur")
    assert dispute["withdrawn_minor"] == dispute["amount_minor"] > 0
    (refund,) = copy["refunds"]
    assert (refund["amount_minor"], refund["currency"], refund["status"]) == (100, "eur", "succeeded")
    assert refund["credit_note"] != refund["invoice"] == copy["fraud_warnings"][0]["invoice"] == "ACME-000001"
    assert copy["fraud_warnings"][0]["fraud_type"] == "card_never_received"
    (entry,) = copy["credit_entries"]
    assert (entry["kind"], entry["amount_minor"], entry["currency"]) == ("credit_grant", 500, "eur")
    assert (copy["coupons"][0]["coupon"], copy["coupons"][0]["subscription"]) == ("SPRING", "a1-basic")
    assert copy["documents"][0]["lines"][0]["amount_minor"] == 1000
    assert copy["documents"][0]["lines"][0]["discount_minor"] == 100
    assert "they were kind" in [action["reason"] for action in copy["actions"]]
    assert not {"fay", "gus"} & set(json.dumps(copy).split('"')), "who works for the seller is no data of theirs"


def test_a_copy_has_nothing_of_another_customer(acme: Company, customer: UUID) -> None:
    with acme.parts.begin() as session:
        other = session.scalars(select(Profile.id).where(Profile.id != customer)).one()
    copy = rights.export(acme.parts, other, order=WHY)
    assert [document["number"] for document in copy["documents"]] == ["ACME-000002"]
    assert {name for name, section in copy.items() if section} == {
        "profile", "personal", "provider_customers", "payment_methods", "subscriptions", "subscription_items",
        "coupons", "periods", "documents", "payments",
    }  # fmt: skip
