"""While it is open whether the database was restored no document gets a number, whoever orders it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from uuid import UUID

import pytest
from celery import current_app
from sqlalchemy import text

import billing.tasks  # noqa: F401 (registers them)
from billing.flows import charging, crediting, drafts, inbox, incomplete, operating_drafts, renewal, resolution
from billing.flows.order import Order
from billing.kernel.errors import ProviderUnavailable, Refused
from billing.models import Invoice
from billing.queue.names import RENEWALS_BILL, RENEWALS_TICK
from billing.tasks.base import passes
from billing.validators.seller import SellerPolicy
from billing.validators.subscription import NewItem
from tests.flows.company import START, Company, company

WHY = Order(actor="mara", reason="asked for")


@pytest.fixture
def acme(database_url: str) -> Iterator[Company]:
    with company(database_url, policy=SellerPolicy(draft_review_h=24)) as fresh:
        yield fresh


def _another_server(acme: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rows live elsewhere, and the provider can't be asked whether some are missing."""

    def away(_self: object, **_: object) -> None:
        raise ProviderUnavailable("away")

    monkeypatch.setattr("billing.flows.metered.Metered.newest_charges", away)
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.database_pin SET fingerprint = 'the server before'"))


def _pinned_again(acme: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    renewal.plan(acme.parts)


def _draft(acme: Company) -> Invoice:
    acme.customer("a1")
    acme.subscribe("a1", "s1")
    acme.settle()
    (draft,) = acme.invoices()
    assert draft.status == "draft"
    return draft


def _numbers(acme: Company) -> list[str | None]:
    return [each.number for each in acme.invoices()]


def test_no_sweep_issues_a_draft_or_gives_a_subscription_up(acme: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    _draft(acme)
    acme.customer("a2", method=None)
    acme.begin_subscription("a2", "s2", NewItem("basic", 1), first_payment=True)
    acme.set_clock(START + timedelta(days=2))
    _another_server(acme, monkeypatch)
    assert current_app.tasks[RENEWALS_TICK.name].run.__wrapped__(acme.parts) == 0
    assert drafts.sweep(acme.parts) == incomplete.sweep(acme.parts) == 0
    assert [each.status for each in acme.invoices()] == ["draft", "draft"]
    assert acme.work_items() == []
    _pinned_again(acme, monkeypatch)
    assert (drafts.sweep(acme.parts), incomplete.sweep(acme.parts)) == (1, 1)


def _charge(acme: Company, draft: Invoice) -> object:
    with acme.parts.begin() as session:
        return charging.charge_once(
            acme.parts, session, draft.profile_id, amount_minor=100, currency="eur", description="a mug"
        )


def _subscribe(acme: Company, _draft: Invoice) -> object:
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.seller SET draft_review_h = 0"))
    return acme.begin_subscription("a1", "s2", NewItem("basic", 1))


def _release(acme: Company, draft: Invoice) -> object:
    return operating_drafts.release(acme.parts, draft.id, order=WHY)


@pytest.mark.parametrize("ordered", [_charge, _subscribe, _release])
def test_what_is_ordered_is_refused_until_it_is_known(
    acme: Company, monkeypatch: pytest.MonkeyPatch, ordered: Callable[[Company, Invoice], object]
) -> None:
    draft = _draft(acme)
    _another_server(acme, monkeypatch)
    with pytest.raises(Refused) as refused:
        ordered(acme, draft)
    assert refused.value.code == "not_reconciled"
    assert _numbers(acme) == [None]
    _pinned_again(acme, monkeypatch)
    ordered(acme, draft)
    assert "ACME-000001" in _numbers(acme)


def test_a_draft_found_before_another_server_took_over_is_held_for_nobody(
    acme: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = _draft(acme)
    _another_server(acme, monkeypatch)
    with pytest.raises(Refused) as refused:
        drafts._issue(acme.parts, [draft.id])
    assert refused.value.code == "not_reconciled"
    assert acme.work_items() == []


def test_a_credit_note_is_refused_too(acme: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    draft = _draft(acme)
    _release(acme, draft)
    acme.settle()
    _another_server(acme, monkeypatch)
    with pytest.raises(Refused) as refused:
        crediting.credit(acme.parts, draft.id, amount_minor=100, order=WHY)
    assert refused.value.code == "not_reconciled"
    assert len(acme.invoices()) == 1


def test_a_slice_that_was_claimed_before_is_given_back_whole(acme: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    acme.customer("a1")
    acme.subscribe("a1", "s1")
    renewal.plan(acme.parts)
    (slice_id,) = (UUID(ids[0]) for task, ids in acme.line.messages if task.name == RENEWALS_BILL.name)

    def another_server_then(name: str) -> None:
        if name == "renewals.claimed":
            _another_server(acme, monkeypatch)

    monkeypatch.setattr("billing.flows.renewal.failpoint", another_server_then)
    assert renewal.bill(acme.parts, slice_id) == 0
    assert acme.invoices() == []
    assert acme.work_items() == []


def test_a_first_payment_waits_until_it_is_known_and_is_nobodys_work(
    acme: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.seller SET draft_review_h = 0"))
    acme.customer("a1", method="pm_sandbox_processing")
    subscription = acme.begin_subscription("a1", "s1", NewItem("basic", 1), first_payment=True)
    acme.settle_under_a_brake()
    (payment,) = acme.payments()
    assert payment.status == "processing"
    _another_server(acme, monkeypatch)
    acme.set_clock(START + timedelta(days=1))
    # The bank ends the debit by a timer of its own.
    acme.wait_for(lambda: [each.status for each in acme.witness.intents()] == ["succeeded"])
    for _ in range(inbox.MOST_TRIES + 1):
        acme.wait_for(lambda: acme.witness.state().undelivered_webhooks == 0)
        inbox.sweep(acme.parts)
        acme.run_messages()
        with acme.parts.begin() as session:
            waits = "next_try_at = now(), lease_until = NULL WHERE status IN ('received', 'processing')"
            session.execute(text(f"UPDATE billing.provider_event SET {waits}"))
            session.execute(text("UPDATE billing.payment SET next_check_at = now(), lease_until = NULL"))
        with pytest.raises(Refused) as refused:
            resolution.resolve(acme.parts)
        assert passes(refused.value)
    assert (acme.subscription(subscription).status, acme.work_items()) == ("incomplete", [])
    _pinned_again(acme, monkeypatch)
    acme.settle()
    assert (acme.subscription(subscription).status, [each.status for each in acme.invoices()]) == ("active", ["paid"])
    assert acme.violations() == ()
