"""Refunding: never more than was paid, sent once whatever happens, and what can't go back is owed and seen."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from billing.commands.credit.grant import grant_credit
from billing.commands.refund.record import note_facts
from billing.commands.subscription.cancel import CancelWhen
from billing.flows import changing, refunding
from billing.flows.refunding import refund
from billing.kernel import failpoints
from billing.kernel.errors import Refused
from billing.models import Invoice, Refund
from billing.providers.port import KEY_LIFE_S, RefundFacts
from billing.validators.subscription import NewItem
from tests.flows.company import START, Company

HALF = START + timedelta(days=14)
OVER = timedelta(seconds=KEY_LIFE_S)
"""The age at which a key is no longer to be trusted."""


@pytest.fixture
def paid(acme: Company) -> Invoice:
    """1190 = 1000 and 19 %, paid by card."""
    return _paid(acme, "pm_card_visa")


def _paid(acme: Company, method: str) -> Invoice:
    acme.customer("a1", method=method)
    acme.subscribe("a1", "s1")
    acme.settle()
    (invoice,) = acme.invoices()
    assert invoice.status == "paid"
    return invoice


def _refusal(acme: Company, invoice_id: UUID, amount_minor: int | None = None) -> str:
    before = len(acme.invoices())
    with pytest.raises(Refused) as refusal:
        refund(acme.parts, invoice_id, amount_minor=amount_minor)
    assert len(acme.invoices()) == before
    return refusal.value.code


def _notes(acme: Company) -> list[Invoice]:
    return [each for each in acme.invoices() if each.status == "refunded"]


def _at_provider(acme: Company) -> list[RefundFacts]:
    """Every refund that the provider has, of all charges."""
    provider = acme.parts.provider(acme.account_id)
    return [each for charge in acme.witness.charges() for each in provider.list_refunds(charge_ref=charge.charge_ref)]


def _sent(acme: Company) -> list[tuple[str | None, str]]:
    """Key and outcome of each sending."""
    return [
        (each.key, each.outcome)
        for each in acme.witness.requests()
        if each.path == "/v1/refunds" and each.method == "POST"
    ]


def _hasten(acme: Company) -> None:
    """The next question is due now, whoever held the refund is gone."""
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.refund SET next_check_at = now(), lease_until = NULL"))


def _again(acme: Company) -> None:
    _hasten(acme)
    acme.settle()


def _books(acme: Company) -> tuple[int, int]:
    return acme.account("refunds_in_flight"), acme.account("provider_clearing")


def test_a_full_refund_is_a_note_and_one_refund_at_the_provider(acme: Company, paid: Invoice) -> None:
    refunded = refund(acme.parts, paid.id)
    assert (refunded.amount_minor, refunded.note.number) == (1190, "ACME-CN-000001")
    assert [(row.status, row.amount_minor) for row in acme.refunds()] == [("pending", 1190)]
    assert _books(acme) == (-1190, 1190)
    acme.settle()
    invoice, note = acme.invoices()
    assert (invoice.status, invoice.amount_paid_minor, invoice.amount_refunded_minor) == ("paid", 1190, 1190)
    assert (note.kind, note.status, note.corrects_id) == ("credit_note", "refunded", invoice.id)
    assert (note.subtotal_minor, note.tax_minor, note.total_minor) == (1000, 190, 1190)
    assert acme.lines(note) == []
    (row,) = acme.refunds()
    assert (row.status, row.credit_note_id, row.closed_at) == ("succeeded", note.id, START)
    assert [(each.refund_ref, each.metadata_refund) for each in _at_provider(acme)] == [(row.refund_ref, str(row.id))]
    assert _sent(acme) == [(f"refund-{row.id}", "executed")]
    assert [acme.account(name) for name in ("receivable", "deferred_revenue", "tax_payable")] == [0, 0, 0]
    assert _books(acme) == (0, 0)
    assert acme.credit(invoice.profile_id) == 0
    assert [payload["status"] for _, payload in acme.told("refund.updated")] == ["succeeded"]
    assert acme.violations() == ()


def test_parts_add_up_to_the_invoice_and_its_tax_and_never_to_more(acme: Company, paid: Invoice) -> None:
    for amount in (333, 333):
        refund(acme.parts, paid.id, amount_minor=amount)
    assert _refusal(acme, paid.id, 525) == "refund_exceeds_paid"
    assert refund(acme.parts, paid.id).amount_minor == 524
    assert _refusal(acme, paid.id) == "refund_exceeds_paid"
    assert _refusal(acme, paid.id, 1) == "refund_exceeds_paid"
    acme.settle()
    assert [(note.total_minor, note.tax_minor) for note in _notes(acme)] == [(333, 53), (333, 53), (524, 84)]
    assert sum(note.subtotal_minor for note in _notes(acme)) == 1000
    assert sum(each.amount_minor for each in _at_provider(acme)) == 1190
    assert acme.invoices()[0].amount_refunded_minor == 1190
    assert acme.violations() == ()


@pytest.mark.parametrize("amount", [0, -1, 1191])
def test_an_amount_that_was_not_paid_does_not_go_back(acme: Company, paid: Invoice, amount: int) -> None:
    assert _refusal(acme, paid.id, amount) == "refund_exceeds_paid"
    assert acme.refunds() == []


def test_only_what_came_through_the_provider_goes_back(acme: Company) -> None:
    profile = acme.customer("a1")
    with acme.parts.begin() as session:
        grant_credit(session, profile_id=profile, amount_minor=500, currency="eur", now=START)
    acme.subscribe("a1", "s1")
    acme.settle()
    (invoice,) = acme.invoices()
    assert _refusal(acme, invoice.id, 691) == "refund_exceeds_paid"
    assert refund(acme.parts, invoice.id).amount_minor == 690
    acme.settle()
    assert acme.credit(profile) == 0
    assert acme.violations() == ()


def test_what_a_change_has_credited_already_does_not_go_back(acme: Company, paid: Invoice) -> None:
    acme.set_clock(HALF)
    assert paid.subscription_id is not None
    with acme.parts.begin() as session:
        changing.change(acme.parts, session, paid.subscription_id, items=[NewItem("basic", 2)])
    assert _refusal(acme, paid.id, 596) == "refund_exceeds_paid"
    assert refund(acme.parts, paid.id).amount_minor == 595
    acme.settle()
    assert acme.violations() == ()


def test_what_was_refunded_is_not_credited_again(acme: Company, paid: Invoice) -> None:
    acme.set_clock(HALF)
    refund(acme.parts, paid.id, amount_minor=595)
    assert paid.subscription_id is not None
    with acme.parts.begin() as session:
        changing.cancel(acme.parts, session, paid.subscription_id, when=CancelWhen.NOW, prorate=True)
    (note,) = [each for each in acme.invoices() if each.status == "credited"]
    assert note.subtotal_minor == 250, "half of the half that was left"
    acme.settle()
    assert acme.violations() == ()


def test_what_is_open_or_a_note_or_unknown_is_not_refunded(acme: Company) -> None:
    acme.customer("a1", method="pm_card_chargeCustomerFail")
    acme.subscribe("a1", "s1")
    acme.settle()
    assert _refusal(acme, acme.invoices()[0].id) == "refund_exceeds_paid"
    assert _refusal(acme, uuid4()) == "invoice_not_found"
    acme.give_method(acme.invoices()[0].profile_id, "pm_card_visa")
    acme.settle()
    refund(acme.parts, acme.invoices()[0].id)
    assert _refusal(acme, _notes(acme)[0].id) == "refund_exceeds_paid"


def test_of_two_at_once_one_is_refused(acme: Company, paid: Invoice) -> None:
    def attempt(_: int) -> str:
        try:
            refund(acme.parts, paid.id, amount_minor=1000)
        except Refused as refusal:
            return refusal.code
        return "done"

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(attempt, range(2))) == ["done", "refund_exceeds_paid"]
    acme.settle()
    assert [each.amount_minor for each in _at_provider(acme)] == [1000]
    assert acme.violations() == ()


def test_a_refund_that_takes_days_is_asked_about_and_booked_when_it_has_arrived(acme: Company) -> None:
    invoice = _paid(acme, "pm_card_pendingRefund")
    refund(acme.parts, invoice.id)
    acme.settle()
    (row,) = acme.refunds()
    assert (row.status, row.refund_ref is not None) == ("pending", True)
    assert row.next_check_at is not None
    assert row.next_check_at > datetime.now(UTC) + timedelta(minutes=50)
    assert _books(acme) == (-1190, 1190)
    acme.set_clock(START + timedelta(days=2))
    acme.wait_for(lambda: [each.status for each in _at_provider(acme)] == ["succeeded"])
    _again(acme)
    assert (acme.refunds()[0].status, _books(acme)) == ("succeeded", (0, 0))
    assert len(_sent(acme)) == 1
    assert acme.violations() == ()


def test_a_refund_that_fails_is_owed_in_the_books_and_a_persons_work(acme: Company, paid: Invoice) -> None:
    acme.witness.call("POST", "config", {"refunds_pending": True})
    refund(acme.parts, paid.id)
    acme.settle()
    acme.witness.call("POST", f"refunds/{acme.refunds()[0].refund_ref}", {"status": "failed"})
    _again(acme)
    (row,) = acme.refunds()
    assert (row.status, row.reason, row.next_check_at) == ("failed", "expired_or_canceled_card", None)
    assert _books(acme) == (-1190, 1190)
    (item,) = acme.work_items()
    assert (item.kind, item.status, item.subject_id, item.amount_minor) == ("refund_failed", "open", row.id, 1190)
    assert [payload["status"] for _, payload in acme.told("refund.updated")] == ["failed"]
    assert len(_notes(acme)) == 1, "the note stands"
    assert _refusal(acme, paid.id) == "refund_exceeds_paid"
    assert acme.violations() == ()


def test_a_refund_that_a_bank_sends_back_later_is_owed_again(acme: Company, paid: Invoice) -> None:
    refund(acme.parts, paid.id)
    acme.settle()
    (row,) = acme.refunds()
    assert row.refund_ref is not None
    facts = RefundFacts(
        refund_ref=row.refund_ref,
        status="failed",
        amount_minor=1190,
        currency="eur",
        charge_ref=row.charge_ref,
        metadata_refund=str(row.id),
        failure_reason="lost_or_stolen_card",
    )
    with acme.parts.begin() as session:
        locked = session.get_one(Refund, row.id, with_for_update=True)
        note_facts(session, refund=locked, facts=facts, now=START, wall=datetime.now(UTC))
    assert (acme.refunds()[0].status, _books(acme)) == ("failed", (-1190, 1190))
    assert [item.kind for item in acme.work_items()] == ["refund_failed"]


def test_that_a_refund_failed_after_it_had_succeeded_is_learnt(acme: Company) -> None:
    invoice = _paid(acme, "pm_card_refundFail")
    refund(acme.parts, invoice.id)
    acme.settle()
    acme.set_clock(START + timedelta(days=2))
    acme.wait_for(lambda: [each.status for each in _at_provider(acme)] == ["failed"])
    acme.settle()
    assert acme.refunds()[0].status == "failed"


def test_one_whose_worker_never_came_is_sent_by_the_sweep(acme: Company, paid: Invoice) -> None:
    refund(acme.parts, paid.id)
    acme.line.messages.clear()
    assert refunding.sweep(acme.parts) == 1
    assert refunding.sweep(acme.parts) == 0
    assert acme.refunds()[0].status == "succeeded"
    assert len(_at_provider(acme)) == 1


def test_it_is_in_one_pair_of_hands(acme: Company, paid: Invoice) -> None:
    (id_,) = refund(acme.parts, paid.id).refund_ids
    with ThreadPoolExecutor(4) as pool:
        taken = sum(pool.map(lambda _: refunding.send(acme.parts, id_), range(4)))
    assert taken == 1
    assert len(_sent(acme)) == 1


@pytest.fixture
def dying(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """Set `BILLING_FAILPOINTS` with it and read the environment anew."""
    yield monkeypatch
    monkeypatch.delenv("BILLING_FAILPOINTS", raising=False)
    failpoints.read_environment()


def _die(dying: pytest.MonkeyPatch, point: str) -> None:
    dying.setenv("BILLING_FAILPOINTS", f"{point}=raise")
    failpoints.read_environment()


def test_who_dies_before_the_end_of_the_reservation_leaves_nothing(
    acme: Company, paid: Invoice, dying: pytest.MonkeyPatch
) -> None:
    _die(dying, "refund.reserved")
    with pytest.raises(failpoints.FailpointError):
        refund(acme.parts, paid.id)
    assert (acme.refunds(), _notes(acme), acme.invoices()[0].amount_refunded_minor) == ([], [], 0)
    assert not acme.line.messages


@pytest.mark.parametrize(("point", "sendings"), [("refund.sending", 1), ("refund.answered", 2)])
def test_who_dies_around_the_call_is_followed_under_the_same_key(
    acme: Company, paid: Invoice, dying: pytest.MonkeyPatch, point: str, sendings: int
) -> None:
    (id_,) = refund(acme.parts, paid.id).refund_ids
    acme.line.messages.clear()
    _die(dying, point)
    with pytest.raises(failpoints.FailpointError):
        refunding.send(acme.parts, id_)
    assert acme.refunds()[0].status == "pending"
    assert refunding.sweep(acme.parts) == 0, "the dead one's lease still runs"
    _again(acme)
    assert [(key, outcome) for key, outcome in _sent(acme)] == [
        (f"refund-{id_}", outcome) for outcome in ("executed", "replayed")[:sendings]
    ]
    assert (acme.refunds()[0].status, len(_at_provider(acme)), _books(acme)) == ("succeeded", 1, (0, 0))
    assert acme.violations() == ()


@pytest.mark.parametrize("fault", ["timeout_before", "timeout_after", "disconnect_after", "rate_limit"])
def test_without_an_answer_it_is_sent_again_under_the_same_key(acme: Company, paid: Invoice, fault: str) -> None:
    acme.witness.add_faults({"kind": fault, "next": 1, "path": "/v1/refunds"})
    (id_,) = refund(acme.parts, paid.id).refund_ids
    acme.settle()
    assert {key for key, _ in _sent(acme)} == {f"refund-{id_}"}
    assert len(_sent(acme)) == 2
    assert (acme.refunds()[0].status, len(_at_provider(acme)), _books(acme)) == ("succeeded", 1, (0, 0))
    assert acme.work_items() == []
    assert acme.violations() == ()


def test_under_a_key_that_is_too_old_nothing_is_sent_and_the_refund_is_found(acme: Company, paid: Invoice) -> None:
    (id_,) = _unanswered(acme, paid, "timeout_after")
    acme.set_clock(START + OVER)
    _again(acme)
    assert len(_sent(acme)) == 1
    (found,) = _at_provider(acme)
    assert (found.metadata_refund, acme.refunds()[0].refund_ref) == (str(id_), found.refund_ref)
    assert (acme.refunds()[0].status, _books(acme)) == ("succeeded", (0, 0))
    assert acme.violations() == ()


def test_just_under_that_age_it_is_sent_again(acme: Company, paid: Invoice) -> None:
    _unanswered(acme, paid, "timeout_before")
    acme.set_clock(START + OVER - timedelta(seconds=1))
    _again(acme)
    assert (len(_sent(acme)), acme.refunds()[0].status) == (2, "succeeded")


def test_what_is_not_found_is_never_sent_anew_but_a_persons_work(acme: Company, paid: Invoice) -> None:
    _unanswered(acme, paid, "timeout_before")
    acme.set_clock(START + OVER)
    for _ in range(2):
        _hasten(acme)
        refunding.sweep(acme.parts)
    assert (len(_sent(acme)), _at_provider(acme)) == (1, [])
    (row,) = acme.refunds()
    assert (row.status, row.reason) == ("pending", "refund_not_found")
    (item,) = acme.work_items()
    assert (item.kind, item.subject_id, item.amount_minor, item.tries) == ("refund_not_sent", row.id, 1190, 2)
    assert _books(acme) == (-1190, 1190)


def _unanswered(acme: Company, invoice: Invoice, fault: str) -> tuple[UUID, ...]:
    """A refund of which no answer came."""
    acme.witness.add_faults({"kind": fault, "next": 1, "path": "/v1/refunds"})
    ids = refund(acme.parts, invoice.id).refund_ids
    acme.line.messages.clear()
    refunding.sweep(acme.parts)
    assert (acme.refunds()[0].status, acme.refunds()[0].refund_ref) == ("pending", None)
    return ids


def test_what_the_provider_refuses_is_a_persons_work_until_it_is_taken(acme: Company, paid: Invoice) -> None:
    acme.revoke_key()
    refund(acme.parts, paid.id)
    acme.run_messages()
    assert [(item.kind, item.status) for item in acme.work_items()] == [("refund_not_sent", "open")]
    assert len(_notes(acme)) == 1, "the note stands"
    acme.restore_key()
    _again(acme)
    assert [(item.kind, item.status) for item in acme.work_items()] == [("refund_not_sent", "resolved")]
    assert acme.refunds()[0].status == "succeeded"
    assert acme.violations() == ()


@pytest.mark.xfail(strict=True, reason="the provider keeps a 500 under the key; found absent, it is never sent anew")
def test_after_a_500_that_did_nothing_the_money_goes_back_in_the_end(acme: Company, paid: Invoice) -> None:
    _unanswered(acme, paid, "error_500_before")
    for age in (timedelta(hours=1), OVER, OVER * 2):
        acme.set_clock(START + age)
        _hasten(acme)
        refunding.sweep(acme.parts)
    assert acme.refunds()[0].status == "succeeded"
