"""Money that met no debt is kept apart: what its charge moved is booked, nothing else, and a person decides."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, text

from billing.commands.invoice.hold import hold_invoice
from billing.commands.payment.unapplied import keep_charge, spend
from billing.commands.work_item.raise_item import raise_item
from billing.flows import collection, correcting, external_money, reconciliation, working
from billing.flows.evidence import Question, of_intent
from billing.flows.order import Order
from billing.flows.parts import Parts
from billing.flows.sending import Attempt
from billing.kernel.errors import Refused
from billing.kernel.hold import Hold
from billing.kernel.ids import new_id
from billing.kernel.status import PaymentStatus
from billing.kernel.work import WorkKind
from billing.models import Invoice, Payment, PaymentIntent, UnappliedPayment, WorkItem
from billing.providers.port import ChargeFacts, ChargeRequest, IntentFacts
from billing.queries.invoice import lock_invoice
from tests.flows.apart import (
    WHY,
    accused,
    declined,
    end,
    held,
    invoice_of,
    item_of,
    kept,
    lose,
    refund_in_dashboard,
    stray,
)  # fmt: skip
from tests.flows.company import START, Company, company
from tests.flows.disputes import show
from tests.flows.refunds import ask_again, at_provider, sent
from tests.flows.settling import stands


@pytest.fixture
def acme(database_url: str) -> Iterator[Company]:
    with company(database_url) as fresh:
        yield fresh


def as_before_it_was_spent(acme: Company) -> None:
    """The rows as the release before left them: the intent open, though it takes no try any more."""
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.payment_intent SET status = 'open'"))


def intents(acme: Company) -> list[str]:
    """The states of all intents, in the order in which they were made."""
    with acme.begin() as session:
        return list(session.scalars(select(PaymentIntent.status).order_by(PaymentIntent.id)))


def test_a_charge_of_another_amount_than_was_asked_for_pays_nothing_and_is_kept_apart(acme: Company) -> None:
    profile = declined(acme)
    acme.give_method(profile, "pm_card_visa")
    acme.settle()
    invoice = invoice_of(acme)
    assert [each.amount_minor for each in acme.witness.charges() if each.status == "succeeded"] == [500]
    assert (invoice.status, invoice.amount_paid_minor) == ("open", 0)
    assert (acme.account("provider_clearing"), acme.account("unapplied_payments")) == (500, -500)
    assert kept(acme) == [(500, "eur", "held")]
    assert [(each.status, each.reason) for each in acme.payments()][-1] == ("canceled", "charge_differs")
    (item,) = [each for each in acme.work_items() if each.status == "open"]
    assert (item.kind, invoice.hold_id) == ("payment_unapplied", item.id)
    assert intents(acme) == ["spent"]


@pytest.mark.parametrize(("amount", "currency"), [(1189, "eur"), (1190, "usd")])
@pytest.mark.parametrize(("status", "end"), [("succeeded", "canceled"), ("pending", "processing")])
def test_evidence_takes_no_money_of_another_amount_or_currency_for_ours_whoever_the_provider_is(
    amount: int, currency: str, status: str, end: str
) -> None:
    request = ChargeRequest(new_id(), new_id(), "cus_1", "pm_1", 1190, "eur", intent_ref="order_1")
    attempt = Attempt(request.payment_id, 1, new_id(), request, START, sent_before=True, hold=Hold(1.0))
    question = Question(attempt, PaymentStatus.UNKNOWN, "order_1", frozenset(), True, 0, START)
    charge = ChargeFacts("capture_1", status, amount, currency, START)
    facts = IntentFacts("order_1", status, 1190, "eur", "cus_1", START, None, None, charge)
    outcome = of_intent(facts, question)
    assert outcome is not None
    assert (outcome.outcome, outcome.charge_ref, outcome.stray) == (
        (end, None, charge) if end == "canceled" else (end, "capture_1", None)
    )


def test_once_a_person_has_dealt_with_it_the_invoice_is_charged_on_a_successor(acme: Company) -> None:
    stray(acme)
    acme.give_method(invoice_of(acme).profile_id, "pm_card_visa")
    acme.settle()
    assert invoice_of(acme).status == "open"
    working.act(acme.parts, item_of(acme).id, action=working.Action.PAID, order=WHY)
    assert invoice_of(acme).hold_id is None
    acme.settle()
    assert (invoice_of(acme).status, intents(acme)) == ("paid", ["spent", "succeeded"])
    assert acme.account("provider_clearing") == 1690


def test_an_attempt_that_was_opened_before_it_came_is_not_sent_until_a_person_has_looked(
    acme: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme.customer("a1")
    acme.subscribe("a1", "s1")

    def money_of_an_earlier_intent(name: str) -> None:
        if name != "charge.frozen":
            return
        monkeypatch.setattr(collection, "failpoint", lambda _: None)
        with acme.parts.begin() as session:
            invoice = lock_invoice(session, invoice_of(acme).id)
            (payment,) = session.scalars(select(Payment)).all()
            charge = ChargeFacts("ch_earlier", "succeeded", 1190, "eur", START)
            keep_charge(session, invoice=invoice, payment=payment, charge=charge, now=START)

    monkeypatch.setattr(collection, "failpoint", money_of_an_earlier_intent)
    acme.settle()
    assert kept(acme) == [(1190, "eur", "held")]
    assert list(acme.witness.charges()) == []
    assert [(each.status, each.reason) for each in acme.payments()] == [("not_sent", "stopped_before_sending")]
    working.act(acme.parts, item_of(acme).id, action=working.Action.PAID, order=WHY)
    acme.settle()
    assert [(each.status, invoice_of(acme).status) for each in acme.payments()] == [("succeeded", "paid")]


def test_who_has_an_invoice_that_was_not_charged_tried_again_lets_go_no_money_that_came_since(acme: Company) -> None:
    stray(acme)
    hold_beside(acme)
    (first,) = [each for each in acme.work_items() if each.kind == "invoice_not_charged"]
    acme.give_method(invoice_of(acme).profile_id, "pm_card_visa")
    with pytest.raises(Refused) as refused:
        working.act(acme.parts, first.id, action=working.Action.RETRY, order=WHY)
    assert refused.value.code == "on_hold"
    acme.settle()
    assert (invoice_of(acme).hold_id, invoice_of(acme).status) == (item_of(acme).id, "open")
    working.act(acme.parts, item_of(acme).id, action=working.Action.PAID, order=WHY)
    acme.settle()
    assert invoice_of(acme).status == "paid"
    assert [each.status for each in acme.work_items()].count("open") == 0


def hold_beside(acme: Company) -> None:
    """The invoice was held for a person before that money came."""
    with acme.parts.begin() as session:
        invoice = lock_invoice(session, invoice_of(acme).id)
        held_by = invoice.hold_id
        hold_invoice(session, invoice=invoice, summary="It was not charged.", error="of_its_own", now=START)
        invoice.hold_id = held_by


def test_other_money_of_the_invoice_that_waits_for_a_person_holds_it_on(acme: Company) -> None:
    first = stray(acme)
    with acme.parts.begin() as session:
        row = session.get_one(UnappliedPayment, first.id)
        other = UnappliedPayment(
            id=new_id(),
            seller_id=row.seller_id,
            invoice_id=row.invoice_id,
            provider_account_id=row.provider_account_id,
            charge_ref="ch_other",
            amount_minor=7,
            currency="eur",
        )
        session.add(other)
        first_id = session.scalars(select(WorkItem.id)).one()
        raised = raise_item(
            session,
            kind=WorkKind.PAYMENT_UNAPPLIED,
            subject_type="unapplied_payment",
            subject_id=other.id,
            seller_id=row.seller_id,
            profile_id=session.get_one(Invoice, row.invoice_id).profile_id,
            summary="Money came.",
            error="charge ch_other",
            safe_actions=["paid"],
            now=START,
        )
        other_id = raised.id
    working.act(acme.parts, first_id, action=working.Action.PAID, order=WHY)
    assert invoice_of(acme).hold_id == other_id
    working.act(acme.parts, other_id, action=working.Action.PAID, order=WHY)
    assert invoice_of(acme).hold_id is None


CORRECTIONS: dict[str, Callable[[Parts, UUID], object]] = {
    "void": lambda parts, id_: correcting.void(parts, id_, order=WHY),
    "uncollectible": lambda parts, id_: correcting.mark_uncollectible(parts, id_, order=WHY),
    "paid": lambda parts, id_: external_money.mark_paid(parts, id_, reference="bank", order=WHY),
}


@pytest.mark.parametrize("before", [as_before_it_was_spent, intents])
@pytest.mark.parametrize("status", CORRECTIONS)
def test_an_invoice_is_corrected_though_money_of_its_intent_is_kept_apart(
    acme: Company, status: str, before: Callable[[Company], object]
) -> None:
    stray(acme)
    before(acme)
    CORRECTIONS[status](acme.parts, invoice_of(acme).id)
    assert (invoice_of(acme).status, intents(acme)) == (status, ["spent"])


def test_an_intent_that_was_not_known_to_be_spent_is_tried_once_then_left(acme: Company) -> None:
    stray(acme)
    as_before_it_was_spent(acme)
    working.act(acme.parts, item_of(acme).id, action=working.Action.PAID, order=WHY)
    acme.give_method(invoice_of(acme).profile_id, "pm_card_visa")
    acme.settle()
    ends = [(each.status, each.reason) for each in acme.payments()]
    assert ends[1:] == [("canceled", "intent_spent"), ("succeeded", "succeeded")]
    assert (invoice_of(acme).status, intents(acme)) == ("paid", ["spent", "succeeded"])


def test_it_is_sent_back_once_by_a_persons_order_and_leaves_the_books(acme: Company) -> None:
    stray(acme)
    item = item_of(acme)
    done = working.act(acme.parts, item.id, action=working.Action.REFUND, order=WHY)
    assert (done.changed, held(acme)) == (True, (0, 500, 500))
    again = working.act(acme.parts, item.id, action=working.Action.REFUND, order=WHY)
    assert (again.changed, invoice_of(acme).hold_id) == (False, None)
    acme.settle()
    assert held(acme) == (0, 0, 0)
    assert [(each.amount_minor, each.status) for each in at_provider(acme)] == [(500, "succeeded")]
    assert kept(acme) == [(500, "eur", "refunded")]
    assert accused(acme) == []
    (refund,) = acme.refunds()
    assert (refund.payment_id, refund.credit_note_id, sent(acme)) == (None, None, [(f"refund-{refund.id}", "executed")])


def test_a_try_of_the_order_changes_nothing(acme: Company) -> None:
    stray(acme)
    tried = Order(actor="mara", reason="to see", dry_run=True)
    assert working.act(acme.parts, item_of(acme).id, action=working.Action.REFUND, order=tried).changed
    acme.settle()
    assert (held(acme), acme.refunds(), at_provider(acme)) == ((500, 0, 500), [], [])


def test_an_answer_that_never_came_makes_no_second_refund_of_it(acme: Company) -> None:
    stray(acme)
    acme.witness.add_faults({"kind": "timeout_after", "next": 1, "path": "/v1/refunds"})
    working.act(acme.parts, item_of(acme).id, action=working.Action.REFUND, order=WHY)
    acme.settle()
    ask_again(acme)
    assert ([each.amount_minor for each in at_provider(acme)], held(acme)) == ([500], (0, 0, 0))


def test_it_is_not_sent_back_while_it_is_disputed(acme: Company) -> None:
    acme.witness.call("POST", "disputes", {"charge": stray(acme).charge_ref})
    acme.settle()
    with pytest.raises(Refused, match="charge_disputed"):
        working.act(acme.parts, item_of(acme).id, action=working.Action.REFUND, order=WHY)
    assert acme.refunds() == []


def test_what_is_sent_back_in_the_dashboard_is_taken_over_and_the_rest_stays_work(acme: Company) -> None:
    charge = stray(acme).charge_ref
    refund_in_dashboard(acme, charge, 200)
    acme.settle()
    assert (held(acme), item_of(acme).amount_minor, kept(acme)) == ((300, 0, 300), 300, [(500, "eur", "held")])
    refund_in_dashboard(acme, charge, 300)
    acme.settle()
    assert (held(acme), kept(acme), invoice_of(acme).hold_id) == ((0, 0, 0), [(500, "eur", "refunded")], None)
    assert [each for each in acme.work_items() if each.closed_at is None] == []
    assert accused(acme) == []


def test_a_refund_whose_event_was_lost_is_a_difference_that_is_taken_over(acme: Company) -> None:
    charge = stray(acme).charge_ref
    for type_ in ("refund", "charge.refund"):
        acme.witness.add_faults({"kind": "event_lost", "rate": 1, "type": type_})
    refund_in_dashboard(acme, charge, 500)
    acme.settle()
    acme.set_clock(START + timedelta(days=2))
    reconciliation.reconcile(acme.parts)
    (item,) = [each for each in acme.work_items() if each.kind == "refund_without_record"]
    working.act(acme.parts, item.id, action=working.Action.REREAD, order=WHY)
    assert held(acme) == (0, 0, 0)
    assert {each.status for each in acme.work_items()} == {"resolved"}


def test_a_lost_dispute_of_a_part_leaves_the_rest_with_us_and_as_work(acme: Company) -> None:
    lose(acme, stray(acme).charge_ref, amount=200)
    assert (held(acme), acme.account("disputes"), kept(acme)) == ((300, 0, 300), 0, [(500, "eur", "held")])
    assert (item_of(acme).amount_minor, invoice_of(acme).hold_id) == (300, item_of(acme).id)
    with pytest.raises(Refused, match="charge_disputed"):
        working.act(acme.parts, item_of(acme).id, action=working.Action.REFUND, order=WHY)


def test_a_lost_dispute_of_all_ends_it_and_what_comes_back_after_is_owed_again(acme: Company) -> None:
    ref = lose(acme, stray(acme).charge_ref)
    assert (held(acme), acme.account("disputes"), kept(acme)) == ((0, 0, 0), 0, [(500, "eur", "refunded")])
    assert invoice_of(acme).hold_id is None
    end(acme, ref, "won")
    assert (held(acme), acme.account("disputes"), kept(acme)) == ((500, 0, 500), 0, [(500, "eur", "held")])
    assert (item_of(acme).amount_minor, invoice_of(acme).hold_id) == (500, item_of(acme).id)
    assert accused(acme) == []


def test_a_dispute_of_it_in_the_cardholders_currency_is_booked_in_each_currency(acme: Company) -> None:
    lose(acme, stray(acme).charge_ref, amount=550, currency="usd")
    assert (held(acme), acme.account("disputes"), kept(acme)) == ((0, 0, 0), 0, [(500, "eur", "refunded")])


def test_a_dispute_of_what_had_been_sent_back_is_lost_and_takes_nothing_twice(acme: Company) -> None:
    row = stray(acme)
    working.act(acme.parts, item_of(acme).id, action=working.Action.REFUND, order=WHY)
    acme.settle()
    lose(acme, row.charge_ref)
    assert (held(acme), acme.account("disputes"), acme.account("write_off")) == ((0, 0, -500), 0, 500)


def _lost_after_it_went_back(acme: Company) -> str:
    """At an account whose balance is in another currency: kept apart, sent back, and a dispute of it lost; its name."""
    acme.witness.call("POST", "config", {"settlement": {"usd": {"eur": 1.1}}})
    row = stray(acme)
    working.act(acme.parts, item_of(acme).id, action=working.Action.REFUND, order=WHY)
    acme.settle()
    return lose(acme, row.charge_ref)


def test_what_had_been_sent_back_is_lost_no_more_once_its_dispute_is_won_though_our_balance_is_another(
    acme: Company,
) -> None:
    ref = _lost_after_it_went_back(acme)
    assert stands(acme, "write_off", "disputes", "unapplied_payments") == {("write_off", "eur"): 500}
    end(acme, ref, "won")
    assert stands(acme, "write_off", "disputes", "unapplied_payments", "exchange_differences") == {}
    assert accused(acme) == []


def test_what_a_lost_dispute_takes_later_is_exchange_and_no_second_loss_of_what_had_been_sent_back(
    acme: Company,
) -> None:
    ref = _lost_after_it_went_back(acme)
    for told in ({"withdrawn_minor": 600}, {"withdrawn_minor": 600, "reinstated_minor": 40}, {"withdrawn_minor": 640}):
        show(acme, ref, status="lost", **told)
        assert stands(acme, "write_off", "disputes", "unapplied_payments") == {("write_off", "eur"): 500}
    show(acme, ref, status="won", withdrawn_minor=640, reinstated_minor=640)
    assert stands(acme, "write_off", "disputes", "unapplied_payments") == {}


def test_what_is_lost_and_won_in_another_currency_is_kept_apart_again(acme: Company) -> None:
    acme.witness.call("POST", "config", {"settlement": {"usd": {"eur": 1.1}}})
    ref = lose(acme, stray(acme).charge_ref)
    assert stands(acme, "write_off", "disputes", "unapplied_payments") == {}
    end(acme, ref, "won")
    assert stands(acme, "write_off", "disputes", "unapplied_payments") == {("unapplied_payments", "eur"): -500}
    assert accused(acme) == []


def test_what_came_back_of_it_before_the_loss_is_heard_of_is_kept_apart_still(acme: Company) -> None:
    row = stray(acme)
    ref = acme.witness.call("POST", "disputes", {"charge": row.charge_ref})["id"]
    acme.settle()
    show(acme, ref, status="lost", reinstated_minor=200)
    assert (held(acme), acme.account("disputes"), acme.account("write_off")) == ((200, 0, 200), 0, 0)
    assert kept(acme) == [(500, "eur", "held")]


@pytest.mark.parametrize(("shown", "status"), [("pi_1", "open"), ("pi_2", "spent")])
def test_an_intent_is_spent_by_what_it_moved_itself_and_not_by_an_earlier_one(shown: str, status: str) -> None:
    intent = PaymentIntent(status="open", intent_ref="pi_2")
    spend(intent, intent_ref=shown)
    assert intent.status == status
