"""Sending a refund: once whatever dies or lies, and under a second key only once the first is proven to have failed."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest

from billing.flows import refunding
from billing.flows.refunding import refund
from billing.kernel import failpoints
from billing.models import Invoice
from billing.providers.stripe.adapter import KEY_LIFE_S
from billing.settings import Settings
from tests.flows.company import START, Company
from tests.flows.refunds import ask_again, at_provider, books, hasten, paid_invoice, sent

OVER = timedelta(seconds=KEY_LIFE_S)
"""The age at which a key is no longer to be trusted."""


@pytest.fixture
def paid(acme: Company) -> Invoice:
    return paid_invoice(acme)


def test_one_whose_worker_never_came_is_sent_by_the_sweep(acme: Company, paid: Invoice) -> None:
    refund(acme.parts, paid.id)
    acme.line.messages.clear()
    assert refunding.sweep(acme.parts) == 1
    assert refunding.sweep(acme.parts) == 0
    assert acme.refunds()[0].status == "succeeded"
    assert len(at_provider(acme)) == 1


def test_it_is_in_one_pair_of_hands(acme: Company, paid: Invoice) -> None:
    (id_,) = refund(acme.parts, paid.id).refund_ids
    with ThreadPoolExecutor(4) as pool:
        taken = sum(pool.map(lambda _: refunding.send(acme.parts, id_), range(4)))
    assert taken == 1
    assert len(sent(acme)) == 1


class _Late(Settings):
    """What is taken is too old at once."""

    @property
    def lease_s(self) -> float:
        return 0.0


def test_one_that_was_held_for_too_long_is_sent_no_more(acme: Company, paid: Invoice) -> None:
    (id_,) = refund(acme.parts, paid.id).refund_ids
    late = replace(acme.parts, settings=_Late.model_validate(acme.parts.settings.model_dump()))
    assert refunding.send(late, id_) == 1
    assert sent(acme) == []
    hasten(acme)
    assert refunding.send(acme.parts, id_) == 1
    assert acme.refunds()[0].status == "succeeded"
    assert len(at_provider(acme)) == 1


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
    assert (acme.refunds(), acme.invoices()[1:], acme.invoices()[0].amount_refunded_minor) == ([], [], 0)
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
    ask_again(acme)
    assert [(key, outcome) for key, outcome in sent(acme)] == [
        (f"refund-{id_}", outcome) for outcome in ("executed", "replayed")[:sendings]
    ]
    assert (acme.refunds()[0].status, len(at_provider(acme)), books(acme)) == ("succeeded", 1, (0, 0))
    assert acme.violations() == ()


@pytest.mark.parametrize("fault", ["timeout_before", "timeout_after", "disconnect_after", "rate_limit"])
def test_without_an_answer_it_is_sent_again_under_the_same_key(acme: Company, paid: Invoice, fault: str) -> None:
    acme.witness.add_faults({"kind": fault, "next": 1, "path": "/v1/refunds"})
    (id_,) = refund(acme.parts, paid.id).refund_ids
    acme.settle()
    assert {key for key, _ in sent(acme)} == {f"refund-{id_}"}
    assert len(sent(acme)) == 2
    assert (acme.refunds()[0].status, len(at_provider(acme)), books(acme)) == ("succeeded", 1, (0, 0))
    assert acme.work_items() == []
    assert acme.violations() == ()


def test_under_a_key_that_is_too_old_nothing_is_sent_and_the_refund_is_found(acme: Company, paid: Invoice) -> None:
    (id_,) = _unanswered(acme, paid, "timeout_after")
    acme.set_clock(START + OVER)
    ask_again(acme)
    assert len(sent(acme)) == 1
    (found,) = at_provider(acme)
    assert (found.metadata_refund, acme.refunds()[0].refund_ref) == (str(id_), found.refund_ref)
    assert (acme.refunds()[0].status, books(acme)) == ("succeeded", (0, 0))
    assert acme.violations() == ()


def test_just_under_that_age_it_is_sentask_again(acme: Company, paid: Invoice) -> None:
    _unanswered(acme, paid, "timeout_before")
    acme.set_clock(START + OVER - timedelta(seconds=1))
    ask_again(acme)
    assert (len(sent(acme)), acme.refunds()[0].status) == (2, "succeeded")


def test_what_is_not_found_within_the_day_is_not_sent_anew_but_a_persons_work(acme: Company, paid: Invoice) -> None:
    _unanswered(acme, paid, "timeout_before")
    acme.set_clock(START + OVER)
    for _ in range(2):
        hasten(acme)
        refunding.sweep(acme.parts)
    assert (len(sent(acme)), at_provider(acme)) == (1, [])
    (row,) = acme.refunds()
    assert (row.status, row.reason) == ("pending", "refund_not_found")
    (item,) = acme.work_items()
    assert (item.kind, item.subject_id, item.amount_minor, item.tries) == ("refund_not_sent", row.id, 1190, 2)
    assert books(acme) == (-1190, 1190)


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
    assert len(acme.invoices()[1:]) == 1, "the note stands"
    acme.restore_key()
    ask_again(acme)
    assert [(item.kind, item.status) for item in acme.work_items()] == [("refund_not_sent", "resolved")]
    assert acme.refunds()[0].status == "succeeded"
    assert acme.violations() == ()


def test_one_that_the_provider_leaves_pending_for_weeks_is_a_persons_work_until_it_ends(
    acme: Company, paid: Invoice
) -> None:
    acme.witness.call("POST", "config", {"refunds_pending": True})
    refund(acme.parts, paid.id)
    acme.settle()
    acme.set_clock(START + timedelta(days=20))
    ask_again(acme)
    assert acme.work_items() == []
    acme.set_clock(START + timedelta(days=21))
    ask_again(acme)
    assert [(item.kind, item.status) for item in acme.work_items()] == [("refund_not_sent", "open")]
    acme.witness.call("POST", f"refunds/{acme.refunds()[0].refund_ref}", {"status": "succeeded"})
    ask_again(acme)
    assert [(item.kind, item.status) for item in acme.work_items()] == [("refund_not_sent", "resolved")]
    assert acme.violations() == ()


def test_after_a_500_that_did_nothing_the_money_goes_back_in_the_end(acme: Company, paid: Invoice) -> None:
    _unanswered(acme, paid, "error_500_before")
    for age in (timedelta(hours=1), OVER, OVER * 2):
        acme.set_clock(START + age)
        hasten(acme)
        refunding.sweep(acme.parts)
    assert acme.refunds()[0].status == "succeeded"
    assert [key for key, _ in sent(acme)] == [f"refund-{acme.refunds()[0].id}"] * 2 + [
        f"refund-{acme.refunds()[0].id}-2"
    ]
    assert (len(at_provider(acme)), books(acme)) == (1, (0, 0))
    assert acme.violations() == ()


def test_after_a_500_that_did_it_all_the_refund_is_found_and_never_made_again(acme: Company, paid: Invoice) -> None:
    _unanswered(acme, paid, "error_500_after")
    ask_again(acme)
    assert {key for key, _ in sent(acme)} == {f"refund-{acme.refunds()[0].id}"}
    assert (acme.refunds()[0].status, len(at_provider(acme)), books(acme)) == ("succeeded", 1, (0, 0))
    assert acme.violations() == ()


def test_one_list_without_it_proves_nothing(acme: Company, paid: Invoice) -> None:
    _unanswered(acme, paid, "error_500_before")
    hasten(acme)
    refunding.sweep(acme.parts)
    (row,) = acme.refunds()
    assert (row.status, row.key_no, row.absent_lists) == ("pending", 1, 1)
    assert len({key for key, _ in sent(acme)}) == 1


def test_a_day_after_a_sending_without_answer_two_lists_prove_that_nothing_was_done(
    acme: Company, paid: Invoice
) -> None:
    _unanswered(acme, paid, "timeout_before")
    acme.set_clock(START + timedelta(hours=24))
    for _ in range(2):
        assert len(sent(acme)) == 1
        hasten(acme)
        refunding.sweep(acme.parts)
    ask_again(acme)
    assert [key for key, _ in sent(acme)][1:] == [f"refund-{acme.refunds()[0].id}-2"]
    assert (acme.refunds()[0].status, len(at_provider(acme)), books(acme)) == ("succeeded", 1, (0, 0))
    assert acme.violations() == ()


def test_lists_without_the_first_sending_prove_nothing_of_the_second(acme: Company, paid: Invoice) -> None:
    _unanswered(acme, paid, "timeout_before")
    acme.set_clock(START + timedelta(hours=24))
    for _ in range(2):
        hasten(acme)
        refunding.sweep(acme.parts)
    (row,) = acme.refunds()
    assert (row.key_no, row.absent_lists, row.reason) == (2, 0, "proven_absent")
    acme.witness.add_faults({"kind": "timeout_before", "next": 1, "path": "/v1/refunds"})
    hasten(acme)
    refunding.sweep(acme.parts)
    (row,) = acme.refunds()
    assert (row.key_no, row.absent_lists) == (2, 0), "it has just been sent under its new key"
    acme.set_clock(START + timedelta(hours=48))
    hasten(acme)
    refunding.sweep(acme.parts)
    (row,) = acme.refunds()
    assert (row.key_no, row.absent_lists) == (2, 1)
    ask_again(acme)
    assert [key for key, _ in sent(acme)][-1] == f"refund-{row.id}-3"
    assert (acme.refunds()[0].status, len(at_provider(acme)), books(acme)) == ("succeeded", 1, (0, 0))
