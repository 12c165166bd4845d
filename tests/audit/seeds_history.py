"""Seeds for what was written down and must stay so: L3, L4, N4, N5, E7, J1, J7, J8, S3, S4, S5."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import select

from billing.commands.work_item.raise_item import raise_item
from billing.kernel.ids import new_id
from billing.kernel.work import WorkKind
from billing.models import AuditSeal, OutboxEvent, Payment, PaymentMethod, ProviderEvent, WorkItem
from billing.queries.audit.seals import SEALED_TABLES
from tests import builders
from tests.audit.seeds import Accused, Planting, seed


def _sealed(planting: Planting, table: str) -> AuditSeal:
    """A seal over all that the table holds now."""
    columns = SEALED_TABLES[table]
    id_ = columns.partition(",")[0]
    found = planting.session.connection().exec_driver_sql(
        f"SELECT count(*), sum(hashtextextended(ROW({columns})::text, 0))::text, max({id_}::text) FROM billing.{table}"
    )
    rows, digest, upto = found.one()
    row = AuditSeal(id=new_id(), table_name=table, upto=upto, rows=rows, digest=digest)
    return builders.add(planting.session, row)


@seed("L3")
def sides_of_the_ledger_can_be_changed(planting: Planting) -> Accused:
    planting.run("ALTER TABLE billing.posting DISABLE TRIGGER posting_append_only")
    return "trigger", "posting_append_only"


@seed("L3")
def two_sides_of_an_entry_were_changed_alike(planting: Planting) -> Accused:
    """It still balances, and so does everything else: only the seal tells."""
    kept = _sealed(planting, "posting")
    planting.run("UPDATE billing.posting SET account = 'external_money' WHERE account = 'promotional_credit'")
    return "audit_seal", str(kept.id)


@seed("L4")
def an_invoice_says_that_less_remains_than_the_books(planting: Planting) -> Accused:
    planting.run(
        "UPDATE billing.invoice SET amount_remaining_minor = amount_remaining_minor - 1 WHERE id = :id",
        id=planting.world.open.id,
    )
    return "invoice", str(planting.world.open.id)


@seed("N4")
def an_issued_document_says_something_else(planting: Planting) -> Accused:
    planting.run("UPDATE billing.invoice SET buyer_kind = 'business' WHERE id = :id", id=planting.world.paid.id)
    return "invoice", str(planting.world.paid.id)


@seed("N4")
def the_parties_of_two_documents_were_exchanged(planting: Planting) -> Accused:
    planting.run(
        "UPDATE billing.invoice i SET parties = o.parties FROM billing.invoice o WHERE i.id = :id AND o.id = :other",
        id=planting.world.paid.id,
        other=planting.world.open.id,
    )
    return "invoice", str(planting.world.paid.id)


@seed("N4")
def a_note_corrects_the_invoice_of_another_customer(planting: Planting) -> Accused:
    other = planting.world.paid.id
    found = planting.session.connection().exec_driver_sql("SELECT id FROM billing.invoice WHERE status = 'refunded'")
    note = found.scalar_one()
    planting.run("UPDATE billing.invoice SET amount_refunded_minor = CASE id WHEN :id THEN 1000 ELSE 0 END", id=other)
    planting.run("UPDATE billing.invoice SET corrects_id = :other WHERE id = :id", id=note, other=other)
    return "invoice", str(note)


@seed("N4")
def issued_documents_can_be_changed(planting: Planting) -> Accused:
    planting.run("DROP TRIGGER invoice_frozen ON billing.invoice")
    return "trigger", "invoice_frozen"


@seed("N5")
def an_issued_document_has_no_number(planting: Planting) -> Accused:
    planting.drop("invoice", "ck_invoice_numbered_when_issued")
    planting.run("UPDATE billing.invoice SET number = NULL WHERE id = :id", id=planting.world.open.id)
    return "invoice", str(planting.world.open.id)


@seed("E7")
def what_was_told_to_be_paid_is_open(planting: Planting) -> Accused:
    builders.outbox(planting.session, planting.world.open, topic="invoice.paid")
    return "invoice", str(planting.world.open.id)


@seed("E7")
def what_was_told_to_have_succeeded_did_not(planting: Planting) -> Accused:
    payment = planting.session.connection().exec_driver_sql(
        "SELECT id FROM billing.payment WHERE status = 'declined' LIMIT 1"
    )
    id_ = payment.scalar_one()
    row = builders.outbox(planting.session, planting.world.open, topic="payment.succeeded")
    row.object_type, row.object_id = "payment", id_
    return "payment", str(id_)


@seed("E7")
def what_was_told_to_be_over_runs_on(planting: Planting) -> Accused:
    row = builders.outbox(planting.session, planting.world.open, topic="subscription.canceled")
    row.object_type, row.object_id = "subscription", planting.world.running.id
    return "subscription", str(planting.world.running.id)


@seed("J1")
def an_invoice_was_told_of_twice(planting: Planting) -> Accused:
    first = planting.session.scalars(
        select(OutboxEvent).where(
            OutboxEvent.object_id == planting.world.paid.id, OutboxEvent.topic == "invoice.issued"
        )
    ).one()
    builders.outbox(planting.session, planting.world.paid)
    return "outbox", str(first.id)


@seed("J1")
def nobody_was_told_of_an_invoice(planting: Planting) -> Accused:
    planting.run("DELETE FROM billing.outbox WHERE object_id = :id", id=planting.world.open.id)
    return "invoice", str(planting.world.open.id)


@seed("J7")
def nobody_wrote_down_who_parked_an_item(planting: Planting) -> Accused:
    item = planting.session.scalars(select(WorkItem).where(WorkItem.status == "parked")).one()
    planting.run("DELETE FROM billing.audit_trail")
    return "work_item", str(item.id)


@seed("J8", "E7")
def a_paid_invoice_was_told_to_be_void(planting: Planting) -> Accused:
    for topic in ("invoice.paid", "invoice.voided"):
        builders.outbox(planting.session, planting.world.paid, topic=topic)
    return "invoice", str(planting.world.paid.id)


@seed("S3")
def a_customer_stands_in_the_clear(planting: Planting) -> Accused:
    planting.run("UPDATE billing.profile SET personal = 'nobody'::bytea WHERE id = :id", id=planting.world.profile.id)
    return "profile", str(planting.world.profile.id)


@seed("S3")
def the_key_of_a_customer_is_lost(planting: Planting) -> Accused:
    planting.run("DELETE FROM billing.data_key WHERE owner_id = :id", id=planting.world.profile.id)
    return "profile", str(planting.world.profile.id)


@seed("S3")
def a_key_is_under_a_master_that_nobody_has(planting: Planting) -> Accused:
    row = builders.data_key(planting.session, purpose="inbox", owner_id=planting.world.account.id)
    planting.run("UPDATE billing.data_key SET master_id = 'gone' WHERE id = :id", id=row.id)
    return "data_key", str(row.id)


@seed("S3")
def the_body_of_an_event_stands_in_the_clear(planting: Planting) -> Accused:
    row = planting.session.scalars(select(ProviderEvent).where(ProviderEvent.status == "processed")).one()
    row.body = b'{"id": "evt_1", "object": "event", "type": "payment_intent.succeeded"}'
    return "provider_event", str(row.id)


_ERASED = "UPDATE billing.profile SET erased_at = now(), personal = '', account_id = 'erased-' || id WHERE id = :id"


@seed("S5")
def the_key_of_an_erased_customer_lives(planting: Planting) -> Accused:
    planting.run(_ERASED, id=planting.world.profile.id)
    planting.run(
        "UPDATE billing.payment_method SET fingerprint = NULL, brand = NULL, last4 = NULL, exp_month = NULL,"
        " exp_year = NULL, mandate_ref = NULL WHERE profile_id = :id",
        id=planting.world.profile.id,
    )
    return "profile", str(planting.world.profile.id)


@seed("S5")
def a_card_of_an_erased_customer_says_which_it_was(planting: Planting) -> Accused:
    planting.run(_ERASED, id=planting.world.profile.id)
    planting.run("DELETE FROM billing.data_key WHERE owner_id = :id", id=planting.world.profile.id)
    of = select(PaymentMethod.id).where(PaymentMethod.profile_id == planting.world.profile.id)
    return "payment_method", str(planting.session.scalars(of).one())


@seed("S5")
def an_attempt_of_an_erased_customer_says_which_card_it_was(planting: Planting) -> Accused:
    the_key_of_an_erased_customer_lives(planting)
    planting.run("DELETE FROM billing.data_key WHERE owner_id = :id", id=planting.world.profile.id)
    planting.run(
        "UPDATE billing.payment SET card_fingerprint = 'fp_1' WHERE profile_id = :id", id=planting.world.profile.id
    )
    of = select(Payment.id).where(Payment.profile_id == planting.world.profile.id)
    return "payment", str(planting.session.scalars(of).first())


@seed("S5")
def the_item_of_an_erased_customers_brake_names_their_account(planting: Planting) -> Accused:
    the_key_of_an_erased_customer_lives(planting)
    planting.run("DELETE FROM billing.data_key WHERE owner_id = :id", id=planting.world.profile.id)
    item = raise_item(
        planting.session,
        kind=WorkKind.COLLECTING_STOPPED,
        subject_type="brake",
        subject_id=new_id(),
        profile_id=planting.world.profile.id,
        summary="Charging is stopped for customer anna by ada: talks",
        safe_actions=["retry", "park"],
        now=datetime.now(UTC),
    )
    return "work_item", str(item.id)


@seed("S4")
def lines_of_the_audit_trail_can_be_deleted(planting: Planting) -> Accused:
    planting.run("ALTER TABLE billing.audit_trail DISABLE TRIGGER audit_trail_append_only")
    return "trigger", "audit_trail_append_only"


@seed("S4")
def the_reason_in_the_audit_trail_was_changed(planting: Planting) -> Accused:
    kept = _sealed(planting, "audit_trail")
    planting.run("UPDATE billing.audit_trail SET reason = 'another'")
    return "audit_seal", str(kept.id)
