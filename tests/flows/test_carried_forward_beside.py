"""What is carried forward beside all else that may happen: holds, brakes, disputes, refunds, and who comes second."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import event, select, text

from billing.commands.credit.write_off import write_off_carried_forward
from billing.commands.subscription.cancel import CancelWhen, Unused
from billing.commands.subscription.change import Proration
from billing.flows import (
    changing,
    collection,
    correcting,
    disputing,
    drafts,
    on_session,
    refunding,
    rights,
)
from billing.flows.charging import charge_once
from billing.flows.crediting import credit
from billing.flows.external_money import mark_paid
from billing.flows.ordering import CARRIED_OUT, Wanted
from billing.flows.previewing import apply, preview_change
from billing.flows.replacing import replace_invoice
from billing.kernel.errors import Refused, Stale
from billing.kernel.ids import new_id
from billing.models import Invoice, OutboxEvent, Slice
from billing.queries.operations.timeline import timeline
from billing.validators.subscription import NewItem
from tests.flows.cents import MONTHS, ORDER, forwarded, invoices, small
from tests.flows.company import START, Company
from tests.flows.disputes import end, open_dispute, the_dispute


def _paid_third(acme: Company) -> Invoice:
    """One of 72 that brings 48 forward, and is paid."""
    small(acme)
    for month in MONTHS[1:3]:
        acme.set_clock(month)
        acme.settle()
    found = invoices(acme)[2]
    assert (found.status, found.amount_paid_minor) == ("paid", 72)
    return found


def test_a_document_in_place_of_one_that_was_carried_forward_claims_no_payment(acme: Company) -> None:
    small(acme)
    made = replace_invoice(acme.parts, invoices(acme)[0].id, order=ORDER)
    (new,) = [each for each in invoices(acme) if each.number == made.replaced_by]
    assert (new.status, new.amount_paid_minor, new.amount_carried_forward_minor) == ("paid", 0, 24)
    assert acme.violations() == ()


def test_what_nobody_has_paid_is_not_sent_back_from_what_was_paid_for_another(acme: Company) -> None:
    """A cancel that refunds: its note is over what is still owed, by way of the next invoice."""
    profile_id = small(acme)
    acme.begin_subscription("a1", "s2", NewItem("basic"))
    acme.settle()
    first, other = invoices(acme)
    assert (first.amount_carried_forward_minor, other.brought_forward_minor) == (24, 24)
    acme.begin_subscription("a1", "s3", NewItem("small"))
    acme.settle()
    third = invoices(acme)[2]
    assert third.subscription_id is not None
    assert (forwarded(acme), third.amount_carried_forward_minor) == (24, 24)
    with acme.parts.begin() as session:
        changing.cancel(
            acme.parts, session, third.subscription_id, when=CancelWhen.NOW, prorate=True, unused=Unused.REFUND
        )
    acme.settle()
    assert (acme.credit(profile_id), forwarded(acme)) == (24, 24)
    assert acme.violations() == ()


def test_a_loss_of_one_that_brought_something_forward_is_written_off_whole(acme: Company) -> None:
    third = _paid_third(acme)
    end(acme, open_dispute(acme), "lost")
    assert the_dispute(acme).reopened_minor == 72
    with pytest.raises(Refused):
        refunding.refund(acme.parts, third.id)
    with pytest.raises(Refused) as refused:
        credit(acme.parts, third.id, order=ORDER)
    assert "-" not in str(refused.value).replace("ACME-", "")
    assert acme.violations() == ()
    disputing.write_off_loss(acme.parts, the_dispute(acme).id, order=ORDER)
    assert (acme.account("write_off"), forwarded(acme)) == (72, 0)
    assert acme.violations() == ()


def test_a_note_over_such_a_loss_is_over_its_own_total(acme: Company) -> None:
    _paid_third(acme)
    end(acme, open_dispute(acme), "lost")
    made = disputing.credit_loss(acme.parts, the_dispute(acme).id, order=ORDER)
    assert (made.amount_minor, made.given_up_minor) == (24, 48)
    assert acme.violations() == ()


def test_of_a_part_that_is_lost_its_own_total_is_credited_and_nothing_goes_back_beside_it(acme: Company) -> None:
    third = _paid_third(acme)
    end(acme, open_dispute(acme, amount=48), "lost")
    made = disputing.credit_loss(acme.parts, the_dispute(acme).id, order=ORDER)
    assert (made.amount_minor, made.given_up_minor) == (24, 24)
    with pytest.raises(Refused):
        refunding.refund(acme.parts, third.id)
    assert acme.violations() == ()


def test_such_a_loss_that_is_repaid(acme: Company) -> None:
    third = _paid_third(acme)
    end(acme, open_dispute(acme), "lost")
    mark_paid(acme.parts, third.id, amount_minor=72, reference="bank 1", received_at=acme.now(), order=ORDER)
    assert the_dispute(acme).decision == "paid"
    assert acme.violations() == ()


@pytest.mark.parametrize("amounts", [[24], [10, 14], [24, 1]])
def test_what_goes_back_of_it_is_its_own_total(acme: Company, amounts: list[int]) -> None:
    """What it brought forward was the price of other documents."""
    third = _paid_third(acme)
    for amount in amounts:
        if sum(amounts) > 24 and amount == 1:
            with pytest.raises(Refused):
                refunding.refund(acme.parts, third.id, amount_minor=amount)
        else:
            refunding.refund(acme.parts, third.id, amount_minor=amount)
        acme.settle()
    assert invoices(acme)[2].amount_refunded_minor == 24
    assert forwarded(acme) == 0
    assert acme.violations() == ()


def test_a_slice_needs_one_connection_at_a_time(acme: Company) -> None:
    """Else workers that have taken all that there are would wait for each other."""
    profile_id = small(acme, method=None)
    acme.give_method(profile_id, "pm_card_visa")
    collection.plan(acme.parts)
    with acme.begin() as session:
        slice_id = session.scalars(select(Slice.id).where(Slice.kind == "charges", Slice.status == "pending")).one()
    pool, ours = acme.parts.sessions.kw["bind"].pool, threading.get_ident()
    held, most = [0], [0]

    def moves(by: int) -> None:
        if threading.get_ident() == ours:
            held[0] += by
            most[0] = max(most[0], held[0])

    event.listen(pool, "checkout", lambda *_: moves(1))
    event.listen(pool, "checkin", lambda *_: moves(-1))
    collection.charge(replace(acme.parts, permits={}), slice_id)
    assert (most[0], forwarded(acme)) == (1, 24)


def test_what_cannot_be_carried_forward_now_is_looked_at_again_a_little_later(
    acme: Company, owed: Invoice, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not by each sweep, which would ask the provider every few seconds."""
    credit(acme.parts, owed.id, amount_minor=1180, order=ORDER)
    acme.give_method(owed.profile_id, "pm_card_visa")
    monkeypatch.setattr(correcting, "cancel_intents", lambda *_: False)
    acme.sweep()
    acme.run_messages()
    (invoice,) = invoices(acme)
    assert (invoice.status, invoice.amount_remaining_minor) == ("open", 10)
    assert invoice.charge_not_before is not None


def test_a_persons_export_tells_what_was_carried_forward(acme: Company) -> None:
    profile_id = small(acme)
    acme.set_clock(MONTHS[1])
    acme.settle()
    documents = rights.export(acme.parts, profile_id, order=ORDER)["documents"]
    told = [(each["brought_forward_minor"], each["amount_carried_forward_minor"]) for each in documents]
    assert sorted(told) == [(0, 24), (24, 48)]


def test_the_line_of_a_customers_time_says_that_it_was_carried_forward(acme: Company) -> None:
    profile_id = small(acme)
    with acme.begin() as session:
        told = [(each["state"], each["amount_minor"]) for each in timeline(session, profile_id)]
    assert ("carried forward", 24) in told
    assert "paid" not in {state for state, _ in told}


def test_of_two_that_are_billed_at_once_the_first_asks_for_it_and_no_other(acme: Company) -> None:
    """Their customer's store is one, whoever bills them."""
    small(acme)
    acme.begin_subscription("a1", "s2", NewItem("basic"))
    acme.begin_subscription("a1", "s3", NewItem("basic"))
    assert sorted(each.brought_forward_minor for each in invoices(acme)) == [0, 0, 24]
    acme.settle()
    acme.set_clock(MONTHS[1])
    acme.settle()
    assert forwarded(acme) in (0, 24)
    acme.set_clock(MONTHS[3])
    acme.settle()
    brought = sum(each.brought_forward_minor for each in invoices(acme))
    on = sum(each.amount_carried_forward_minor for each in invoices(acme))
    assert on == brought + forwarded(acme)
    assert acme.violations() == ()


def test_an_invoice_that_charges_once_asks_for_it(acme: Company) -> None:
    profile_id = small(acme)
    with acme.parts.begin() as session:
        charge_once(acme.parts, session, profile_id, description="Help", amount_minor=1000, currency="eur")
    acme.settle()
    assert [each.amount_minor for each in acme.payments()] == [1214]
    assert (forwarded(acme), acme.violations()) == (0, ())


def test_a_draft_asks_for_what_is_there_when_it_is_issued(acme: Company) -> None:
    """Not for what was there when it was written: another invoice has asked for that."""
    profile_id = small(acme)
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.seller SET draft_review_h = 24"))
    acme.begin_subscription("a1", "s2", NewItem("basic"))
    draft = invoices(acme)[1]
    assert (draft.status, draft.brought_forward_minor, draft.amount_due_minor, forwarded(acme)) == (
        "draft",
        0,
        1190,
        24,
    )
    acme.set_clock(START + timedelta(hours=25))
    drafts.sweep(acme.parts)
    acme.settle()
    issued = invoices(acme)[1]
    assert (issued.brought_forward_minor, issued.amount_due_minor, issued.amount_paid_minor) == (24, 1214, 1214)
    assert (acme.credit(profile_id), forwarded(acme), acme.violations()) == (0, 0, ())


def test_a_change_is_previewed_with_what_its_document_asks_for_and_stale_once_that_is_more(acme: Company) -> None:
    profile_id = small(acme)
    id_ = acme.begin_subscription("a1", "s2", NewItem("basic"), collection="send_invoice", days_until_due=14)
    acme.begin_subscription("a1", "s3", NewItem("small"))
    acme.settle()
    assert forwarded(acme) == 24
    more = (NewItem("basic", 3),)
    with acme.parts.begin() as session:
        shown = preview_change(acme.parts, session, id_, items=more, proration=Proration.INVOICE_NOW)
    (document,) = shown.documents
    assert (document.totals.brought_forward_minor, document.totals.amount_due_minor) == (24, 2404)
    with acme.parts.begin() as session:
        write_off_carried_forward(session, profile_id=profile_id, now=acme.now())
    with pytest.raises(Stale), acme.parts.begin() as session:
        apply(acme.parts, session, shown.token)


def test_what_waits_for_a_fact_leaves_it_where_it_was_until_it_is_issued(acme: Company) -> None:
    small(acme)
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.seller SET tax_id = NULL, complete_documents = true"))
    acme.begin_subscription("a1", "s2", NewItem("basic"))
    draft = invoices(acme)[1]
    assert (draft.status, draft.brought_forward_minor, draft.amount_due_minor) == ("draft", 0, 1190)
    assert forwarded(acme) == 24
    drafts.sweep(acme.parts)
    assert (invoices(acme)[1].status, forwarded(acme)) == ("draft", 24)
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.seller SET tax_id = 'DE136695976'"))
    drafts.sweep(acme.parts)
    acme.settle()
    issued = invoices(acme)[1]
    assert (issued.status, issued.brought_forward_minor, issued.amount_paid_minor) == ("paid", 24, 1214)
    assert (forwarded(acme), acme.violations()) == (0, ())


def test_a_second_person_approves_what_was_shown_and_nothing_else(acme: Company) -> None:
    profile_id = small(acme)
    wanted = Wanted(new_id(), "carried_forward_write_off", "profile", profile_id, {"eur": 24}, {})
    acme.begin_subscription("a1", "s2", NewItem("small"), collection="send_invoice", days_until_due=14)
    with pytest.raises(Refused):
        on_session.pay(acme.parts, profile_id=profile_id)
    assert forwarded(acme) == 48
    with pytest.raises(Refused) as refused:
        CARRIED_OUT["carried_forward_write_off"](acme.parts, wanted, ORDER)
    assert (refused.value.code, forwarded(acme)) == ("order_changed", 48)
    CARRIED_OUT["carried_forward_write_off"](acme.parts, replace(wanted, amounts={"eur": 48}), ORDER)
    assert (forwarded(acme), acme.violations()) == (0, ())


def test_the_host_is_told_how_much_of_a_paid_invoice_nobody_has_paid(acme: Company) -> None:
    small(acme)
    with acme.begin() as session:
        (paid,) = session.scalars(select(OutboxEvent).where(OutboxEvent.topic == "invoice.paid"))
    assert (paid.payload["amount_paid_minor"], paid.payload["amount_carried_forward_minor"]) == (0, 24)
