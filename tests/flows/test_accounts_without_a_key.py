"""A provider account without a key, or one that refuses it: its own work waits for a person, all other goes on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, text

from billing.commands.reconciliation.run import begin_run
from billing.flows import (
    backfill,
    braking,
    collection,
    customer_page,
    links,
    movements,
    on_session,
    reconciliation,
    refunding,
    resolution,
    working,
)
from billing.flows.on_session import Paying
from billing.flows.order import Order
from billing.flows.working import Action
from billing.kernel.errors import Fault, ProviderRefused, ProviderUnavailable, Refused
from billing.models import ProviderAccount, Reconciliation, Refund
from billing.providers.port import Provider
from billing.queries.brakes import BrakeKind
from billing.tasks.base import passes
from billing.validators.subscription import NewItem
from tests.flows.away import probed, unanswered
from tests.flows.cents import ORDER
from tests.flows.company import START, Company, company


def _nowhere(_provider: str, _code: str) -> Provider:
    raise Refused(Fault("provider", "provider_not_configured", "set its key"))


def test_an_account_without_a_key_keeps_its_attempts_unknown_and_tells_a_person(acme: Company) -> None:
    unanswered(acme, 2)
    there = acme.parts.provider_for
    acme.parts = replace(acme.parts, provider_for=_nowhere)
    assert resolution.resolve(acme.parts) == 2
    assert {each.status for each in acme.payments()} == {"unknown"}
    assert {each.error for each in acme.work_items()} == {"provider_not_configured"}
    acme.parts = replace(acme.parts, provider_for=there)
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.payment SET next_check_at = clock_timestamp(), lease_until = NULL"))
    acme.settle()
    assert {each.status for each in acme.payments()} == {"succeeded"}


@pytest.mark.parametrize("status", ["processing", "requires_action"])
def test_what_is_under_way_at_an_account_without_a_key_stays_so_and_tells_a_person(acme: Company, status: str) -> None:
    profile = acme.customer("a1", method="pm_sandbox_processing" if status == "processing" else None)
    acme.subscribe("a1", "s1")
    acme.settle_under_a_brake()
    if status == "requires_action":
        acme.give_method(profile, "pm_card_authenticationRequired")
        acme.settle_under_a_brake()
        on_session.pay(acme.parts, profile_id=profile)
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.payment SET next_check_at = clock_timestamp(), lease_until = NULL"))
    acme.parts = replace(acme.parts, provider_for=_nowhere)
    resolution.resolve(acme.parts)
    assert acme.payments()[-1].status == status
    assert [(each.kind, each.error) for each in acme.work_items()] == [("payment_unknown", "provider_not_configured")]


@pytest.fixture
def shops(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Company]:
    """A company with a second provider account, `archive`, which is looked after first and refuses our key."""
    monkeypatch.setenv("STRIPE_API_KEY__ARCHIVE", "sk_test_archive")
    with company(database_url) as made:
        well = made.parts.provider_for
        made.revoke_key()
        refused = made.parts.provider_for
        made.parts = replace(
            made.parts, provider_for=lambda provider, code: (refused if code == "archive" else well)(provider, code)
        )
        yield made


def _archive(shops: Company) -> UUID:
    with shops.begin() as session:
        return session.scalars(select(ProviderAccount.id).where(ProviderAccount.code == "archive")).one()


def test_an_account_that_refuses_our_key_keeps_no_other_from_its_fees_refunds_and_comparison(shops: Company) -> None:
    for each in ("a1", "a2"):
        shops.customer(each)
        shops.subscribe(each, each)
    shops.settle()
    archive, later = _archive(shops), START + timedelta(days=1, hours=2)
    with shops.parts.begin() as session:
        session.execute(text("UPDATE billing.provider_account SET movements_read_to = :at"), {"at": START})
        begin_run(session, account_id=archive, cause="ordered", from_at=START, to_at=later)
    shops.set_clock(later)
    for sweep in (movements.sweep, reconciliation.tick):
        with pytest.raises(ProviderRefused):
            sweep(shops.parts)
    assert shops.account("provider_fees") > 0
    with shops.begin() as session:
        done = session.scalars(select(Reconciliation.status).where(Reconciliation.provider_account_id != archive))
        assert list(done) == ["done"]
    for invoice in shops.invoices():
        refunding.refund(shops.parts, invoice.id)
    with shops.parts.begin() as session:
        first = session.scalars(select(Refund).order_by(Refund.id)).first()
        assert first is not None
        first.provider_account_id = archive
    refunding.sweep(shops.parts)
    assert [each.status for each in shops.refunds()] == ["pending", "succeeded"]


def test_a_fault_of_one_account_keeps_no_other_from_its_fees_events_and_comparison(shops: Company) -> None:
    """Whatever it is, such as an answer that nobody foresaw: it comes again at each sweep."""
    backfill.sweep(shops.parts)
    shops.customer("a1")
    shops.subscribe("a1", "a1")
    shops.settle()
    well = shops.parts.provider_for

    def unforeseen(provider: str, code: str) -> Provider:
        if code == "archive":
            raise ValueError("unforeseen")
        return well(provider, code)

    shops.parts = replace(shops.parts, provider_for=unforeseen)
    archive, later = _archive(shops), START + timedelta(days=1, hours=3)
    with shops.parts.begin() as session:
        session.execute(text("UPDATE billing.provider_account SET movements_read_to = :at"), {"at": START})
        begin_run(session, account_id=archive, cause="ordered", from_at=START, to_at=later)
    shops.set_clock(later)
    for sweep in (movements.sweep, backfill.sweep, reconciliation.tick):
        with pytest.raises(ValueError, match="unforeseen"):
            sweep(shops.parts)
    assert shops.account("provider_fees") > 0
    with shops.begin() as session:
        others = ProviderAccount.id != archive
        read_to = session.scalars(select(ProviderAccount.events_read_to).where(others)).one()
        done = session.scalars(select(Reconciliation.status).where(Reconciliation.provider_account_id != archive))
        assert (read_to, list(done)) == (later - backfill.OVERLAP, ["done"])


def test_a_fault_of_one_account_is_told_also_while_another_is_away(shops: Company) -> None:
    """Else it is nobody's work for as long as the outage: what passes by itself is left for the next sweep."""
    shops.customer("a1")
    shops.subscribe("a1", "a1")
    shops.settle()

    def unforeseen(_provider: str, code: str) -> Provider:
        raise ProviderUnavailable("away") if code == "archive" else ValueError("unforeseen")

    shops.parts = replace(shops.parts, provider_for=unforeseen)
    later = START + timedelta(days=1, hours=3)
    with shops.parts.begin() as session:
        read_to = "UPDATE billing.provider_account SET movements_read_to = :at, events_read_to = :at"
        session.execute(text(read_to), {"at": START})
        begin_run(session, account_id=_archive(shops), cause="ordered", from_at=START, to_at=later)
    shops.set_clock(later)
    for sweep in (movements.sweep, backfill.sweep, reconciliation.tick):
        with pytest.raises((ProviderUnavailable, ValueError, ExceptionGroup)) as raised:
            sweep(shops.parts)
        assert not passes(raised.value), sweep.__module__


def test_an_account_without_a_key_keeps_no_other_from_being_asked_and_tried(shops: Company) -> None:
    unanswered(shops, 1)
    profile, archive = shops.customer("gone"), _archive(shops)
    shops.subscribe("gone", "gone")
    with shops.parts.begin() as session:
        for table in ("payment_method", "provider_customer"):
            session.execute(
                text(f"UPDATE billing.{table} SET provider_account_id = :archive WHERE profile_id = :profile"),
                {"archive": archive, "profile": profile},
            )
    well = shops.parts.provider_for
    shops.parts = replace(
        shops.parts, provider_for=lambda provider, code: (_nowhere if code == "archive" else well)(provider, code)
    )
    for _ in range(3):
        shops.sweep()
        with shops.parts.begin() as session:
            session.execute(text("UPDATE billing.payment SET next_check_at = clock_timestamp(), lease_until = NULL"))
    told = {each.provider_account_id == archive: (each.status, each.reason) for each in shops.payments()}
    assert told == {False: ("succeeded", "succeeded"), True: ("not_sent", "provider_not_configured")}
    (item,) = [each for each in shops.work_items() if each.status == "open"]
    assert (item.kind, item.subject_id) == ("provider_refuses_account", archive)


@pytest.fixture
def moved(shops: Company) -> UUID:
    """A customer whose first try was declined at `archive`, which has no key here any more; their card is elsewhere."""
    profile = shops.customer("moved", method="pm_card_visa_chargeDeclinedInsufficientFunds")
    shops.subscribe("moved", "moved")
    shops.settle()
    _move_to_archive(shops, profile)
    shops.give_method(profile, "pm_card_visa")
    return profile


def _move_to_archive(shops: Company, profile: UUID) -> None:
    """As if all that was tried of the customer had been so there."""
    with shops.parts.begin() as session:
        for table, whose in (
            ("payment", "profile_id = :profile"),
            ("payment_method", "profile_id = :profile"),
            ("payment_intent", "invoice_id IN (SELECT id FROM billing.invoice WHERE profile_id = :profile)"),
        ):
            session.execute(
                text(f"UPDATE billing.{table} SET provider_account_id = :archive WHERE {whose}"),
                {"archive": _archive(shops), "profile": profile},
            )


def _lose_the_key(shops: Company) -> None:
    well = shops.parts.provider_for
    shops.parts = replace(
        shops.parts, provider_for=lambda provider, code: (_nowhere if code == "archive" else well)(provider, code)
    )


def _page(shops: Company, profile: UUID) -> tuple[str | None, bool]:
    """What the customer's page says above all when it opens, and whether it lets them pay."""
    with shops.parts.begin() as session:
        token = links.profile_link(shops.parts, session, profile).rpartition("/")[2]
    shown = customer_page.show(shops.parts, token)
    return shown.message, shown.can_pay


def _stuck(shops: Company) -> list[tuple[str, str, str | None]]:
    return [(each.kind, each.status, each.error) for each in shops.work_items()]


def test_what_is_open_at_an_account_without_a_key_is_told_to_the_customer_and_to_a_person(
    shops: Company, moved: UUID
) -> None:
    _lose_the_key(shops)
    assert _page(shops, moved) == (None, True)
    with pytest.raises(Refused) as refused:
        on_session.pay(shops.parts, profile_id=moved)
    assert refused.value.code == "earlier_payment_open"
    assert _page(shops, moved) == ("earlier_payment_open", False)
    assert _stuck(shops) == [("intent_not_canceled", "open", "provider_not_configured")]
    shops.sweep()
    assert [each.hold_id for each in shops.invoices()] == [None], "nothing is wrong with the invoice"
    assert _stuck(shops) == [("intent_not_canceled", "open", "provider_not_configured")]
    assert [each.status for each in shops.witness.charges()] == ["failed"]


@pytest.mark.parametrize("least", ["", "eur:20.00"])
def test_what_is_open_at_an_account_without_a_key_keeps_no_other_from_a_place_of_the_plan(
    shops: Company, moved: UUID, least: str
) -> None:
    """It has been due for longest, and is looked at again and again: to be tried, or to be carried forward."""
    _lose_the_key(shops)
    braking.stop(shops.parts, BrakeKind.COLLECT, order=ORDER)
    shops.set_clock(START + timedelta(hours=1))
    shops.customer("a2")
    shops.subscribe("a2", "a2", start=START + timedelta(hours=1))
    shops.settle_under_a_brake()
    braking.start(shops.parts, BrakeKind.COLLECT, order=ORDER)
    small = {"billing_plan_limit": 1, "billing_least_charges": least}
    shops.parts = replace(shops.parts, settings=shops.parts.settings.model_copy(update=small))
    for hours in (2, 3):
        shops.set_clock(START + timedelta(hours=hours))
        shops.sweep()
        with shops.parts.begin() as session:
            session.execute(text("UPDATE billing.invoice SET charge_not_before = NULL"))
    assert [each.status for each in shops.invoices()] == ["open", "paid"]


def test_a_first_payment_that_waits_for_an_account_without_a_key_does_not_take_the_place_of_each_probe(
    shops: Company,
) -> None:
    """Whoever waits to begin goes first; but it asks nothing of the account that is to be asked whether it is back."""
    begins = shops.customer("begins", method="pm_card_visa_chargeDeclinedInsufficientFunds")
    shops.begin_subscription("begins", "begins", NewItem("basic", 1), first_payment=True)
    shops.settle()
    _move_to_archive(shops, begins)
    shops.give_method(begins, "pm_card_visa")
    _lose_the_key(shops)
    braking.stop(shops.parts, BrakeKind.COLLECT, order=ORDER)
    shops.customer("a2")
    shops.subscribe("a2", "a2")
    shops.settle_under_a_brake()
    braking.start(shops.parts, BrakeKind.COLLECT, order=ORDER)
    for hours in (1, 2):
        shops.set_clock(START + timedelta(hours=hours))
        probed(shops, ours=True)
        collection.plan(shops.parts)
        shops.run_messages()
        with shops.parts.begin() as session:
            session.execute(text("UPDATE billing.invoice SET charge_not_before = NULL"))
    assert [each.status for each in shops.invoices()] == ["paid", "draft"]


def test_once_it_has_its_key_again_that_is_ended_and_the_customer_pays(shops: Company, moved: UUID) -> None:
    there = replace(shops.parts)
    _lose_the_key(shops)
    with pytest.raises(Refused):
        on_session.pay(shops.parts, profile_id=moved)
    well = there.provider_for
    shops.parts = replace(there, provider_for=lambda provider, _: well(provider, "default"))
    (item,) = shops.work_items()
    order = Order(actor="mara", reason="the key is set again")
    assert working.act(shops.parts, item.id, action=Action.RETRY, order=order).changed
    assert _stuck(shops) == [("intent_not_canceled", "resolved", "provider_not_configured")]
    assert _page(shops, moved) == (None, True)
    assert on_session.pay(shops.parts, profile_id=moved).status is Paying.PAID
    assert [each.status for each in shops.witness.charges()] == ["failed", "succeeded"]
