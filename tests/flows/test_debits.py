"""Debits of a bank account through the real flows, on the stage of a played scenario."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from uuid import UUID

import pytest
from sqlalchemy import select, text

from billing.commands.invoice.retry import retry_invoice
from billing.db.clock import wall_now
from billing.flows import correcting, customer_page, healing, links, movements, payment_methods, restoring
from billing.flows.customer_debits import Mandate
from billing.kernel import failpoints
from billing.kernel.errors import Refused
from billing.models import Dispute, Invoice, Notice, OutboxEvent, Payment, PaymentMethod, ProviderMovement, WorkItem
from billing.providers.stripe.sent import told
from billing.queries.card_tries import card_of
from billing.queries.payouts import sellers_of
from billing.sandbox.scenario.playing.stage import Stage
from billing.sandbox.stripe.doors import DOORS
from billing.validators.payment_method import Consent
from tests.flows.company import Company
from tests.wallets import START, attempts, bill, give, moved, only_invoice, status_of, sweep

FEE = 59
"""The stand-in's, of 10.00."""


def offer(stage: Stage, *kinds: str) -> None:
    with stage.parts.begin() as session:
        session.execute(text("UPDATE billing.seller SET method_kinds = :kinds"), {"kinds": list(kinds)})


def pass_days(stage: Stage, days: float) -> None:
    """The clock moves, and what is due at the provider happens."""
    stage.set_clock(stage.now + timedelta(days=days))
    stage.settle()


def test_a_debit_is_paid_when_the_bank_says_so_and_not_before(stage: Stage, anna: UUID) -> None:
    give(stage, anna, "pm_sandbox_sepa", provider="stripe")
    invoice = bill(stage, anna)
    for _ in range(4):
        pass_days(stage, 1)
        assert [each.status for each in attempts(stage, invoice)] == ["processing"]
    pass_days(stage, 1)
    assert (status_of(stage, invoice), moved(stage, "stripe")) == ("paid", [1000])
    assert [each.method_kind for each in attempts(stage, invoice)] == ["sepa_debit"]


def test_an_account_that_was_made_elsewhere_keeps_the_days_of_notice_of_its_first_hour(
    stage: Stage, anna: UUID
) -> None:
    with stage.parts.begin() as session:
        session.execute(text("UPDATE billing.seller SET debit_notice_days = 9"))
    give(stage, anna, "pm_sandbox_sepa", provider="stripe")
    give(stage, anna, "pm_card_visa", provider="stripe")
    with stage.parts.begin() as session:
        days = session.execute(select(PaymentMethod.kind, PaymentMethod.notice_days).order_by(PaymentMethod.id)).all()
    assert [tuple(each) for each in days] == [("sepa_debit", 9), ("card", None)]


def test_an_account_is_not_debited_in_a_currency_that_it_has_not(stage: Stage, anna: UUID) -> None:
    give(stage, anna, "pm_sandbox_sepa", provider="stripe")
    invoice = bill(stage, anna, currency="usd")
    assert (status_of(stage, invoice), attempts(stage, invoice)) == ("open", [])
    give(stage, anna, "pm_card_visa", provider="stripe")
    stage.settle()
    assert (status_of(stage, invoice), moved(stage, "stripe")) == ("paid", [1000])


def test_one_intent_is_confirmed_with_methods_of_several_kinds(stage: Stage, anna: UUID) -> None:
    give(stage, anna, "pm_card_visa_chargeDeclinedInsufficientFunds", provider="stripe")
    invoice = bill(stage, anna)
    give(stage, anna, "pm_sandbox_sepa_accountClosed", provider="stripe")
    stage.settle()
    pass_days(stage, 5)
    give(stage, anna, "pm_card_visa", provider="stripe")
    stage.settle()
    tried = attempts(stage, invoice)
    assert [each.status for each in tried] == ["declined", "declined", "succeeded"]
    assert [each.method_kind for each in tried] == [None, "sepa_debit", "card"]
    (intent,) = stage.sides["stripe"].witness.intents()
    assert intent.confirms == 3
    assert (status_of(stage, invoice), moved(stage, "stripe")) == ("paid", [1000])
    assert list(told(stage.sides["stripe"].witness.requests())) == []


def test_only_a_kind_that_the_seller_offers_is_set_up(stage: Stage, anna: UUID) -> None:
    consent = Consent(text_version="test", given_at=START - timedelta(days=1))

    def begin(kind: str | None) -> str:
        account = stage.account("stripe")
        begun = payment_methods.add(
            stage.parts, profile_id=anna, provider_account_id=account, consent=consent, kind=kind
        )
        with stage.parts.begin() as session:
            return session.get_one(PaymentMethod, begun.method_id).kind

    assert (begin(None), begin("card")) == ("card", "card")
    with pytest.raises(Refused) as refused:
        begin("sepa_debit")
    assert refused.value.code == "method_kind_not_offered"
    offer(stage, "sepa_debit")
    assert (begin(None), begin("sepa_debit")) == ("sepa_debit", "sepa_debit")
    with pytest.raises(Refused):
        begin("card")


@pytest.fixture
def announced(stage: Stage, anna: UUID) -> UUID:
    """Anna, whose seller announces debits five days before."""
    with stage.parts.begin() as session:
        session.execute(text("UPDATE billing.seller SET debit_notice_days = 5, creditor_id = 'DE98ZZZ09999999999'"))
    return anna


def notices(stage: Stage) -> list[Notice]:
    with stage.parts.begin() as session:
        return list(session.scalars(select(Notice).where(Notice.kind == "debit_upcoming").order_by(Notice.id)))


def day(stage: Stage, invoice: UUID, days: int, *, step: int = 1) -> list[str]:
    """Days later, with a tick each `step` of them: what has become of the attempts."""
    for _ in range(0, days, step):
        pass_days(stage, step)
        sweep(stage, invoice)
    return [each.status for each in attempts(stage, invoice)]


def test_a_debit_waits_for_the_days_of_its_notice(stage: Stage, announced: UUID) -> None:
    give(stage, announced, "pm_sandbox_sepa", provider="stripe")
    invoice = bill(stage, announced)
    assert day(stage, invoice, 4) == []
    assert day(stage, invoice, 1) == ["processing"]
    (notice,) = notices(stage)
    facts = notice.facts
    assert (facts["debit_at"], facts["amount_minor"], facts["again"]) == ("2026-01-20T00:00:00Z", 1000, False)
    assert (facts["creditor_id"], facts["number"]) == ("DE98ZZZ09999999999", "SCENARIO-000001")
    assert day(stage, invoice, 5) == ["succeeded"]
    with stage.parts.begin() as session:
        told = session.scalars(select(OutboxEvent).where(OutboxEvent.topic == "invoice.debit_upcoming")).all()
    assert [each.payload for each in told] == [facts]


def test_a_debit_of_another_amount_or_account_is_announced_anew(stage: Stage, announced: UUID) -> None:
    give(stage, announced, "pm_sandbox_sepa", provider="stripe")
    invoice = bill(stage, announced)
    day(stage, invoice, 2)
    with stage.parts.begin() as session:
        session.execute(text("UPDATE billing.invoice SET next_attempt_at = :now"), {"now": stage.now})
    day(stage, invoice, 1)
    assert len(notices(stage)) == 1, "who asks sooner waits for the day that was told"
    give(stage, announced, "pm_sandbox_sepa_de", provider="stripe")
    stage.settle()
    assert day(stage, invoice, 4) == []
    assert day(stage, invoice, 1) == ["processing"]
    days = [each.facts["debit_at"] for each in notices(stage)]
    assert days == ["2026-01-20T00:00:00Z", "2026-01-23T00:00:00Z"]


def test_a_card_that_comes_meanwhile_is_charged_and_the_debit_never_made(stage: Stage, announced: UUID) -> None:
    give(stage, announced, "pm_sandbox_sepa", provider="stripe")
    invoice = bill(stage, announced)
    day(stage, invoice, 2)
    give(stage, announced, "pm_card_visa", provider="stripe")
    stage.settle()
    assert day(stage, invoice, 10, step=5) == ["succeeded"]
    assert moved(stage, "stripe") == [1000]


def test_for_want_of_funds_a_debit_is_presented_twice_more_and_each_is_announced(stage: Stage, announced: UUID) -> None:
    give(stage, announced, "pm_sandbox_sepa_insufficientFunds", provider="stripe")
    invoice = bill(stage, announced)
    # Five days of notice and five at the bank; then the retry's delay of 3 and of 5 days, from the failure on.
    assert day(stage, invoice, 10, step=5) == ["declined"]
    assert day(stage, invoice, 3 + 4) == ["declined"]
    assert day(stage, invoice, 1 + 5) == ["declined"] * 2
    assert day(stage, invoice, 5 + 5 + 5, step=5) == ["declined"] * 3
    assert [each.facts["again"] for each in notices(stage)] == [False, True, True]
    assert day(stage, invoice, 40, step=20) == ["declined"] * 3
    with stage.parts.begin() as session:
        row = session.get_one(Invoice, invoice)
        assert (row.waits_for_method, row.final_decision, row.next_attempt_at) == (True, "cancel", None)
        with pytest.raises(Refused) as refused:
            retry_invoice(session, invoice_id=invoice, now=stage.now, wall=wall_now(session))
    assert refused.value.code == "debit_limit_reached"
    give(stage, announced, "pm_card_visa", provider="stripe")
    stage.settle()
    assert (status_of(stage, invoice), moved(stage, "stripe")) == ("paid", [1000])


def test_funds_that_came_by_the_second_time_pay_it(stage: Stage, anna: UUID) -> None:
    give(stage, anna, "pm_sandbox_sepa_insufficientFundsOnce", provider="stripe")
    invoice = bill(stage, anna)
    assert day(stage, invoice, 5) == ["declined"]
    assert day(stage, invoice, 2) == ["declined"], "the delay counts from the day on which the bank told"
    assert day(stage, invoice, 6) == ["declined", "succeeded"]
    assert (status_of(stage, invoice), moved(stage, "stripe")) == ("paid", [1000])


def test_any_other_failure_waits_for_another_method(stage: Stage, anna: UUID) -> None:
    give(stage, anna, "pm_sandbox_sepa_debitNotAuthorized", provider="stripe")
    invoice = bill(stage, anna)
    assert day(stage, invoice, 5 + 20, step=5) == ["declined"]
    assert (status_of(stage, invoice), moved(stage, "stripe")) == ("open", [])
    with stage.parts.begin() as session:
        kinds = list(session.scalars(select(Notice.kind).order_by(Notice.id)))
    assert kinds == ["debit_upcoming", "action_needed", "collection_ended"]


def test_while_a_debit_is_under_way_nothing_overtakes_it(stage: Stage, anna: UUID) -> None:
    give(stage, anna, "pm_sandbox_sepa", provider="stripe")
    with stage.parts.begin() as session:
        session.execute(text("UPDATE billing.seller SET fall_back = true"))
    invoice = bill(stage, anna)
    give(stage, anna, "pm_card_visa", provider="stripe")
    assert day(stage, invoice, 2) == ["processing"]
    with pytest.raises(Refused) as refused:
        correcting.void(stage.parts, invoice)
    assert refused.value.code == "payment_in_flight"
    restoring.pause(stage.parts, evidence="a test")
    healing.heal(stage.parts)
    assert day(stage, invoice, 2) == ["processing"]
    assert day(stage, invoice, 1) == ["succeeded"]
    assert moved(stage, "stripe") == [1000]


def test_another_method_is_tried_after_the_banks_word_alone(stage: Stage, anna: UUID) -> None:
    with stage.parts.begin() as session:
        session.execute(text("UPDATE billing.seller SET fall_back = true"))
    give(stage, anna, "pm_card_visa", provider="stripe")
    give(stage, anna, "pm_sandbox_sepa_accountClosed", provider="stripe")
    invoice = bill(stage, anna)
    assert day(stage, invoice, 4) == ["processing"]
    assert day(stage, invoice, 1) == ["declined", "succeeded"]


def test_money_taken_back_is_owed_as_disputed_and_not_collected_again(stage: Stage, anna: UUID) -> None:
    give(stage, anna, "pm_sandbox_sepa_returnedLater", provider="stripe")
    invoice = bill(stage, anna)
    assert day(stage, invoice, 5) == ["succeeded"]
    assert day(stage, invoice, 7 + 28, step=7) == ["succeeded"]
    with stage.parts.begin() as session:
        dispute = session.scalars(select(Dispute)).one()
        assert (dispute.status, dispute.reopened_minor, dispute.withdrawn_minor) == ("lost", 1000, 1000)
        items = session.scalars(select(WorkItem).where(WorkItem.status == "open")).all()
        assert [each.kind for each in items] == ["dispute_lost"]
        assert session.get_one(Invoice, invoice).next_attempt_at is None


def test_a_mandate_that_ends_takes_the_account_off(stage: Stage, anna: UUID) -> None:
    give(stage, anna, "pm_sandbox_sepa", provider="stripe")
    with stage.parts.begin() as session:
        account = session.scalars(select(PaymentMethod)).one()
    side = stage.sides["stripe"].stand_in
    DOORS["POST", "mandates"](side, "", {"payment_method": account.method_ref})
    stage.settle()
    with stage.parts.begin() as session:
        assert session.get_one(PaymentMethod, account.id).status == "detached"
    invoice = bill(stage, anna)
    assert attempts(stage, invoice) == []


def test_no_network_counts_a_bank_account(stage: Stage, anna: UUID) -> None:
    give(stage, anna, "pm_sandbox_sepa_insufficientFunds", provider="stripe")
    invoice = bill(stage, anna)
    (attempt,) = attempts(stage, invoice)
    assert attempt.card_fingerprint is None
    with stage.parts.begin() as session:
        assert card_of(session.scalars(select(PaymentMethod)).one()) is None


def test_the_page_takes_an_account_under_the_mandate_that_was_read(stage: Stage, announced: UUID) -> None:
    offer(stage, "card", "sepa_debit")
    keyed = stage.parts.settings.model_copy(
        update={"billing_public_url": "https://pay.example.com", "stripe_publishable_key": "pk_test_1"}
    )
    page = replace(stage.parts, settings=keyed)
    with page.begin() as session:
        token = links.profile_link(page, session, announced).rpartition("/")[2]
    assert customer_page.show(page, token).mandate == Mandate("DE98ZZZ09999999999", 5)
    with pytest.raises(Refused) as refused:
        customer_page.begin_account(page, token, text_version="page-1-sepa-2d-en", days=2)
    assert refused.value.code == "consent_missing"
    begun = customer_page.begin_account(page, token, text_version="page-1-sepa-5d-en", days=5)
    typed = {"client_secret": begun.client_secret, "iban": "DE89370400440532013000", "name": "N", "email": "n@e.net"}
    DOORS["POST", "js/confirm_setup"](stage.sides["stripe"].stand_in, "", typed)
    invoice = bill(stage, announced)
    customer_page.finish_card(page, token, begun.method_id)
    stage.settle()
    shown = customer_page.show(page, token)
    assert (shown.can_pay, shown.card and shown.card.last4) == (False, "3000")
    assert [each.debit_on for each in shown.bills] == [date(2026, 1, 20)]
    with stage.parts.begin() as session:
        session.execute(text("UPDATE billing.seller SET debit_notice_days = 1"))
        method = session.get_one(PaymentMethod, begun.method_id)
        assert (method.notice_days, bool(method.mandate_reference)) == (5, True)
    with pytest.raises(Refused) as refused:
        customer_page.pay(page, token)
    assert refused.value.code == "debit_needs_notice"
    assert day(stage, invoice, 5) == ["processing"]
    shown = customer_page.show(page, token)
    assert (shown.message, shown.bills[0].arrives_by) == ("debit_in_flight", date(2026, 1, 27))


@pytest.mark.parametrize("point", ["charge.answered", "charge.record"])
def test_a_worker_that_dies_while_the_bank_is_asked_debits_nobody_twice(
    stage: Stage, anna: UUID, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    give(stage, anna, "pm_sandbox_sepa", provider="stripe")
    with monkeypatch.context() as dying:
        dying.setenv("BILLING_FAILPOINTS", f"{point}=raise")
        failpoints.read_environment()
        with pytest.raises(failpoints.FailpointError):
            bill(stage, anna)
    failpoints.read_environment()
    invoice = only_invoice(stage)
    assert [each.status for each in attempts(stage, invoice)] == ["sent"]
    with stage.parts.begin() as session:
        # Its lease runs out, and another worker looks.
        session.execute(text("UPDATE billing.payment SET lease_until = now(), next_check_at = now()"))
    stage.settle()
    assert day(stage, invoice, 1) == ["processing"]
    assert day(stage, invoice, 4) == ["succeeded"]
    assert [each.status for each in stage.sides["stripe"].witness.charges()] == ["succeeded"]


def test_an_account_that_stripe_took_over_brings_its_mandate_along(stage: Stage, anna: UUID) -> None:
    provider = stage.sides["stripe"].provider
    given = {"profile_id": anna, "provider_account_id": stage.account("stripe")}
    owner = payment_methods.ensure_customer(stage.parts, **given)
    kept, other = (
        provider.attach_method(customer_ref=owner, method_ref=name, key=name)
        for name in ("pm_sandbox_sepa", "pm_sandbox_sepa_de")
    )
    with stage.sides["stripe"].store.transaction() as tx:
        mandates = {each.body["payment_method"]: each.id for each in tx.walk("mandate")}
    consent = Consent(text_version="paper-2019", given_at=START - timedelta(days=900), channel="import")

    def adopt(mandate_ref: str) -> PaymentMethod:
        return payment_methods.adopt(
            stage.parts, **given, method_ref=kept.method_ref, consent=consent, mandate_ref=mandate_ref
        )

    with pytest.raises(Refused) as refused:
        adopt(mandates[other.method_ref])
    assert refused.value.code == "mandate_of_another_method"
    method = adopt(mandates[kept.method_ref])
    assert method.mandate_ref == mandates[kept.method_ref]
    bill(stage, anna)
    (notice,) = notices(stage)
    assert notice.facts["mandate_reference"] == method.mandate_reference is not None


def test_a_debit_under_way_is_asked_about_rarely(acme: Company) -> None:
    acme.customer("a1", method="pm_sandbox_sepa")
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.payment_method SET notice_days = 0"))
    acme.subscribe("a1", "s1")
    acme.settle()
    with acme.parts.begin() as session:
        payment = session.scalars(select(Payment)).one()
        assert payment.status == "processing"
        assert payment.next_check_at is not None
        pause = payment.next_check_at - payment.updated_at
    assert timedelta(seconds=11) < pause < timedelta(seconds=13)


def _balance(stage: Stage) -> list[tuple[str, int, bool]]:
    """What the account's movements are, and whether each is booked."""
    with stage.parts.begin() as session:
        rows = session.scalars(select(ProviderMovement).order_by(ProviderMovement.occurred_at, ProviderMovement.type))
        return [(each.type, each.amount_minor, each.booked_at is not None) for each in rows]


def _fees(stage: Stage) -> int:
    total = "SELECT coalesce(sum(amount_minor), 0) FROM billing.posting WHERE account = 'provider_fees'"
    with stage.parts.begin() as session:
        return int(session.execute(text(total)).scalar_one())


def test_the_fee_of_a_debit_is_booked_once_the_bank_has_paid_though_the_balance_shows_it_before(
    stage: Stage, anna: UUID
) -> None:
    give(stage, anna, "pm_sandbox_sepa", provider="stripe")
    bill(stage, anna)
    pass_days(stage, 1)
    movements.sweep(stage.parts)
    assert (_balance(stage), _fees(stage)) == ([("payment", 1000, False)], 0)
    pass_days(stage, 5)
    movements.sweep(stage.parts)
    assert (_balance(stage), _fees(stage)) == ([("payment", 1000, True)], FEE)


def test_a_debit_that_fails_leaves_its_fee_in_the_books_and_nothing_that_waits(stage: Stage, anna: UUID) -> None:
    """It came to the balance when it was begun, and goes out of it when the bank says no."""
    give(stage, anna, "pm_sandbox_sepa_accountClosed", provider="stripe")
    invoice = bill(stage, anna)
    pass_days(stage, 1)
    movements.sweep(stage.parts)
    pass_days(stage, 5)
    assert [each.status for each in attempts(stage, invoice)] == ["declined"]
    movements.sweep(stage.parts)
    assert _balance(stage) == [("payment", 1000, True), ("payment_failure_refund", -1000, True)]
    assert _fees(stage) == FEE
    with stage.parts.begin() as session:
        account = session.scalars(select(ProviderMovement.provider_account_id)).first()
        refs = session.scalars(select(ProviderMovement.balance_ref)).all()
        assert account is not None
        whose = sellers_of(session, account_id=account, balance_refs=refs)
    assert whose is not None
    assert list(whose.values()) == [-FEE]
