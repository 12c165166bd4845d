"""PayPal through the real flows, on the stage of a played scenario: nothing waits, and its books are asked after."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from pydantic import SecretStr
from sqlalchemy import select, text

from billing.commands.dispute.record import note_dispute
from billing.commands.slice.cut import cut
from billing.flows import (
    adopting,
    audit,
    customer_page,
    dispute_events,
    disputing,
    healing,
    health,
    links,
    movements,
    reconciliation,
    refund_events,
    refunding,
    resolution,
    restoring,
)
from billing.flows.order import Order
from billing.kernel.errors import ProviderUnavailable, Refused
from billing.models import (
    Difference,
    Dispute,
    Invoice,
    PaymentIntent,
    PaymentMethod,
    ProviderAccount,
    ProviderEvent,
    ProviderMovement,
    Refund,
    WorkItem,
)
from billing.providers.paypal.adapter import PayPalProvider
from billing.providers.paypal.client import PayPalClient
from billing.providers.paypal.signature import Certificates
from billing.sandbox.paypal import events, tokens
from billing.sandbox.paypal.doors import DOORS
from billing.sandbox.paypal.serving import mounted
from billing.sandbox.paypal.signing import CERT_PATH, chain, root
from billing.sandbox.scenario.playing.stage import NotSettled, PlayedSettings, Stage
from billing.sandbox.stripe.background import run_due
from billing.sandbox.stripe.standin import Call
from billing.sandbox.stripe.tx import Tx
from billing.webhooks.app import create_app
from tests.wallets import START, attempts, bill, give, moved, only_invoice, status_of, sweep


@pytest.mark.parametrize("wallet", ["GOOD", "FAULT", "TIMEOUTBEFORE", "TIMEOUTAFTER"])
def test_whatever_becomes_of_the_first_answer_the_wallet_is_charged_once(stage: Stage, anna: UUID, wallet: str) -> None:
    give(stage, anna, f"B-SANDBOX-{wallet}")
    invoice = bill(stage, anna)
    assert (status_of(stage, invoice), moved(stage)) == ("paid", [1000])
    assert [each.status for each in attempts(stage, invoice)] == ["succeeded"]


@pytest.mark.parametrize(
    ("wallet", "code", "tries"),
    [
        ("NOFUNDS", "insufficient_funds", 2),
        ("DECLINED", "generic_decline", 2),
        ("LOST", "lost_card", 1),
        ("EXPIRED", "expired_card", 1),
        ("CLOSED", "invalid_account", 1),
        ("RESTRICTED", "restricted_card", 1),
        ("COMPLIANCE", "security_violation", 1),
        ("CANCELED", "revocation_of_authorization", 1),
        ("ACTION", "authentication_required", 1),
        ("DENIED", "generic_decline", 2),
        ("OTHERFUNDING", "generic_decline", 2),
        ("BLOCKED", "blocklist", 1),
        ("ENDED", "revocation_of_authorization", 1),
    ],
)
def test_a_decline_follows_the_dunning_order_and_each_try_is_an_order_of_its_own(
    stage: Stage, anna: UUID, wallet: str, code: str, tries: int
) -> None:
    give(stage, anna, f"B-SANDBOX-{wallet}")
    invoice = bill(stage, anna)
    stage.set_clock(START + timedelta(days=3))
    with stage.parts.begin() as session:
        cut(session, kind="charges", members=[invoice], size=1)
    stage.settle()
    assert [each.decline_code for each in attempts(stage, invoice)] == [code] * tries
    assert moved(stage) == []
    with stage.parts.begin() as session:
        live = session.scalars(select(PaymentIntent).filter_by(invoice_id=invoice, status="open")).all()
    assert live == []


def test_a_word_that_the_money_was_taken_is_no_leave_to_try_again(stage: Stage, anna: UUID) -> None:
    give(stage, anna, "B-SANDBOX-CAPTURED")
    with pytest.raises(NotSettled):
        bill(stage, anna)
    (tried,) = attempts(stage, only_invoice(stage))
    assert (tried.status, tried.reason) == ("unknown", "order_already_captured")


def test_an_account_of_ours_that_paypal_has_closed_is_one_piece_of_work_and_no_attempts(
    stage: Stage, anna: UUID
) -> None:
    give(stage, anna, "B-SANDBOX-PAYEECLOSED")
    with pytest.raises(NotSettled):
        bill(stage, anna)
    with stage.parts.begin() as session:
        assert session.scalars(select(WorkItem.kind)).all() == ["provider_refuses_account"]


def hears(stage: Stage) -> list[tuple[bytes, dict[str, str]]]:
    """Subscribe to everything; what is delivered from now on is kept here, bodies with their headers."""
    side = stage.sides["paypal"]
    with side.stand_in.store.transaction() as tx:
        events.create_webhook(_by_hand(stage, tx, url="http://receiver", event_types=[{"name": "*"}]))
    told: list[tuple[bytes, dict[str, str]]] = []
    side.stand_in.deliver = lambda _, body, headers: told.append((body, headers)) or 200
    return told


def test_a_payment_that_was_pending_is_settled_by_its_webhook(stage: Stage, anna: UUID) -> None:
    told = hears(stage)
    give(stage, anna, "B-SANDBOX-PENDING")
    invoice = bill(stage, anna)
    assert ([each.status for each in attempts(stage, invoice)], moved(stage)) == (["processing"], [])
    stage.set_clock(START + timedelta(days=2))
    run_due(stage.sides["paypal"].stand_in, early=True)
    answers = [_posted(stage, body, headers) for body, headers in told]
    assert set(answers) == {200}
    stage.settle()
    assert (status_of(stage, invoice), moved(stage)) == ("paid", [1000])
    body, headers = told[-1]
    assert _posted(stage, body + b" ", headers) == 400


def test_news_of_what_has_no_id_are_kept_and_ignored(stage: Stage, anna: UUID) -> None:
    """A webhook for everything tells of the seller's own invoices too; a refusal would be delivered for three days."""
    told = hears(stage)
    side = stage.sides["paypal"]
    with side.stand_in.store.transaction() as tx:
        invoice = {"invoice": {"id": "INV2-SANDBOX"}}
        events.happen(_by_hand(stage, tx), "INVOICING.INVOICE.PAID", "invoices", invoice)
    run_due(side.stand_in, early=True)
    assert [_posted(stage, body, headers) for body, headers in told] == [200]
    stage.settle()
    with stage.parts.begin() as session:
        assert session.scalars(select(ProviderEvent.status)).all() == ["ignored"]


def test_a_wallet_that_was_removed_at_paypal_is_charged_no_more(stage: Stage, anna: UUID) -> None:
    told = hears(stage)
    give(stage, anna, "B-SANDBOX-GOOD")
    with stage.parts.begin() as session:
        ref = session.scalars(select(PaymentMethod.method_ref)).one()
    side = stage.sides["paypal"]
    with side.stand_in.store.transaction() as tx:
        tokens.delete(replace(_by_hand(stage, tx), args={"id": ref}))
    run_due(side.stand_in, early=True)
    assert any(b"PAYMENT-TOKEN.DELETED" in body for body, _ in told)
    assert {_posted(stage, body, headers) for body, headers in told} == {200}
    stage.settle()
    with stage.parts.begin() as session:
        assert session.scalars(select(PaymentMethod.status)).one() == "detached"
        assert session.scalars(select(ProviderEvent.status).filter_by(object_ref=ref)).all() == ["processed"]
    bill(stage, anna)
    assert moved(stage) == []


def _by_hand(stage: Stage, tx: Tx, **params: object) -> Call:
    side = stage.sides["paypal"]
    with stage.parts.begin() as session:
        account = session.get_one(ProviderAccount, side.account_id).account_ref
    return Call(side.stand_in, tx, account, side.stand_in.clock.now(), params=params)


def _posted(stage: Stage, body: bytes, headers: dict[str, str]) -> int:
    """What the receiver answers, with the webhook's id and the stand-in's root in its settings."""
    return _door(stage).post("/webhooks/paypal", data=body, headers=headers).status_code


def _door(stage: Stage, *, proxies: int = 0) -> FlaskClient:
    """The receiver of a process that was just started: it knows no certificate."""
    side = stage.sides["paypal"]
    assert isinstance(side.provider, PayPalProvider)

    def fetch(url: str) -> bytes:
        if not url.endswith(CERT_PATH):
            raise ConnectionError
        return chain(side.stand_in).encode()

    side.provider._certificates = Certificates(
        fetch=fetch, roots=root(side.stand_in).encode(), livemode=False, own_origin="http://stand-in"
    )
    with side.stand_in.store.transaction() as tx:
        (webhook,) = tx.walk(events.WEBHOOK)
    settings = stage.parts.settings.model_copy(update={"paypal_webhook_id": webhook.id, "billing_proxies": proxies})
    return create_app(replace(stage.parts, settings=settings)).test_client()


@pytest.mark.parametrize("proxies", [0, 1])
def test_a_stranger_takes_nobody_elses_turn_to_have_a_certificate_fetched(
    stage: Stage, anna: UUID, proxies: int
) -> None:
    told = hears(stage)
    give(stage, anna, "B-SANDBOX-GOOD")
    bill(stage, anna)
    run_due(stage.sides["paypal"].stand_in, early=True)
    (body, headers), *_ = told
    door = _door(stage, proxies=proxies)

    def come(address: str, url: str) -> int:
        there = {"X-Forwarded-For": address} if proxies else {}
        place = {} if proxies else {"REMOTE_ADDR": address}
        given = headers | {"PAYPAL-CERT-URL": url} | there
        return door.post("/webhooks/paypal", data=body, headers=given, environ_overrides=place).status_code

    invented = [f"http://stand-in/v1/notifications/certs/CERT-{number}" for number in range(20)]
    assert {come("203.0.113.7", url) for url in invented} == {503}
    assert come("203.0.113.7", headers["PAYPAL-CERT-URL"]) == 503, "who has had its turns waits, whatever it names"
    assert come("198.51.100.1", headers["PAYPAL-CERT-URL"]) == 200
    assert come("203.0.113.7", headers["PAYPAL-CERT-URL"]) == 200, "one that is known is fetched for nobody"


def test_what_is_older_than_its_key_is_found_in_the_report(stage: Stage, anna: UUID) -> None:
    give(stage, anna, "B-SANDBOX-GOOD")
    faults = stage.sides["paypal"].stand_in.faults
    faults.add([{"kind": "timeout_after", "rate": 1, "path": "/v2/checkout/orders"}])
    with pytest.raises(NotSettled):
        bill(stage, anna)
    faults.clear()
    stage.set_clock(START + timedelta(hours=13))
    _close_the_breaker(stage)
    resolution.resolve(stage.parts)
    (tried,) = attempts(stage, only_invoice(stage))
    assert (tried.status, moved(stage)) == ("succeeded", [1000])


def test_one_that_paypal_holds_is_found_there_too_and_not_charged_again(stage: Stage, anna: UUID) -> None:
    """The report leaves out what is pending, unless it is asked for; absent from two lists is proof of absence."""
    give(stage, anna, "B-SANDBOX-PENDING")
    side = stage.sides["paypal"]
    side.stand_in.configure({"processing_s": 6 * 86_400})
    side.stand_in.faults.add([{"kind": "timeout_after", "rate": 1, "path": "/v2/checkout/orders"}])
    with pytest.raises(NotSettled):
        bill(stage, anna)
    side.stand_in.faults.clear()
    for hours in (13, 25, 37):
        stage.set_clock(START + timedelta(hours=hours))
        _close_the_breaker(stage)
        resolution.resolve(stage.parts)
    (tried,) = attempts(stage, only_invoice(stage))
    assert (tried.status, moved(stage)) == ("processing", [])
    stage.set_clock(START + timedelta(days=7))
    run_due(side.stand_in, early=True)
    resolution.resolve(stage.parts)
    assert (status_of(stage, only_invoice(stage)), moved(stage)) == ("paid", [1000])


def _close_the_breaker(stage: Stage) -> None:
    """It has opened over so many calls without an answer; its pause is wall time."""
    with stage.parts.begin() as session:
        session.execute(text("DELETE FROM billing.provider_rate"))
    stage.parts.permits.clear()


def test_a_payer_whom_paypal_wants_connects_the_wallet_anew_and_is_not_sent_round_in_a_circle(
    stage: Stage, anna: UUID
) -> None:
    told = {"billing_public_url": "https://pay.example.com", "paypal_client_id": "sb", "paypal_client_secret": "s"}
    settings = PlayedSettings.model_validate(stage.parts.settings.model_dump() | told)
    page = replace(stage.parts, settings=settings)
    give(stage, anna, "B-SANDBOX-ACTION")
    invoice = bill(stage, anna)
    with page.begin() as session:
        token = links.profile_link(page, session, anna).rpartition("/")[2]
    shown = customer_page.show(page, token)
    assert (shown.message, shown.can_pay, shown.wallet) == ("payment_method_refused", False, "paypal")

    begun = customer_page.begin_wallet(page, token, text_version="page-1-paypal-en")
    with pytest.raises(Refused) as refused:
        customer_page.finish_card(page, token, begun.method_id)
    assert refused.value.code == "setup_not_complete", "nobody has agreed at PayPal yet"
    DOORS["POST", "setup-tokens/<id>/approve"](stage.sides["paypal"].stand_in, begun.setup_ref, {})
    for _ in range(2):
        customer_page.finish_card(page, token, begun.method_id)
    sweep(stage, invoice)
    assert (status_of(stage, invoice), moved(stage)) == ("paid", [1000])
    with stage.parts.begin() as session:
        kept = session.get_one(PaymentMethod, begun.method_id)
        assert (kept.kind, kept.is_default, kept.consent_text_version) == ("paypal", True, "page-1-paypal-en")
        assert (kept.consent_channel, kept.consent_at) == ("web", START)


def test_a_refund_goes_back_by_the_capture_once(stage: Stage, anna: UUID) -> None:
    give(stage, anna, "B-SANDBOX-GOOD")
    invoice = bill(stage, anna)
    faults = stage.sides["paypal"].stand_in.faults
    faults.add([{"kind": "timeout_after", "next": 1, "path": "/v2/payments/captures"}])
    refunding.refund(stage.parts, invoice, amount_minor=400)
    stage.settle()
    with stage.parts.begin() as session:
        (made,) = session.scalars(select(Refund)).all()
    assert (made.status, made.amount_minor) == ("succeeded", 400)
    assert [each.amount_minor for each in stage.sides["paypal"].witness.refunds()] == [400]


def test_an_inquiry_that_the_buyer_wins_takes_the_money_and_one_reversed_later_gives_it_back(
    stage: Stage, anna: UUID
) -> None:
    give(stage, anna, "B-SANDBOX-GOOD")
    bill(stage, anna)
    side = stage.sides["paypal"]
    (charge,) = side.witness.charges()
    opened = DOORS["POST", "disputes"](side.stand_in, "", {"charge": charge.charge_ref, "inquiry": True})
    for end, back in (("lost", 0), ("won", 1000)):
        DOORS["POST", "disputes/<id>/close"](side.stand_in, opened["dispute_id"], {"status": end})
        dispute_events.adopt_dispute(stage.parts, side.account_id, opened["dispute_id"])
        with stage.parts.begin() as session:
            row = session.scalars(select(Dispute)).one()
            assert (row.status, row.withdrawn_minor, row.reinstated_minor) == (end, 1000, back)
            assert row.reopened_minor == 1000 - back


def test_a_claim_and_a_chargeback_of_one_capture_open_its_debt_once(stage: Stage, anna: UUID) -> None:
    give(stage, anna, "B-SANDBOX-GOOD")
    invoice = bill(stage, anna)
    side = stage.sides["paypal"]
    (charge,) = side.witness.charges()
    for _ in range(2):
        ref = DOORS["POST", "disputes"](side.stand_in, "", {"charge": charge.charge_ref})["dispute_id"]
        DOORS["POST", "disputes/<id>/close"](side.stand_in, ref, {"status": "lost"})
        dispute_events.adopt_dispute(stage.parts, side.account_id, ref)
    with stage.parts.begin() as session:
        first, second = session.scalars(select(Dispute).order_by(Dispute.id)).all()
        assert [(each.withdrawn_minor, each.reopened_minor, each.decision) for each in (first, second)] == [
            (1000, 1000, None),
            (1000, 0, "write_off"),
        ]
        told = text("SELECT account, sum(amount_minor) FROM billing.posting GROUP BY account")
        books = {account: int(amount) for account, amount in session.execute(told)}
    assert (books["receivable"], books["write_off"], books["provider_clearing"]) == (1000, 1000, -1000)
    made = disputing.credit_loss(stage.parts, first.id, order=Order(actor="mara", reason="the bank's letter"))
    assert (made.amount_minor, made.given_up_minor) == (1000, 0)
    assert [each.code for each in audit.run(stage.parts).violations] == []
    assert status_of(stage, invoice) == "paid"


@pytest.mark.parametrize("mixed", [False, True])
def test_a_claim_and_a_chargeback_of_one_capture_are_both_won_after_all(
    stage: Stage, anna: UUID, *, mixed: bool
) -> None:
    give(stage, anna, "B-SANDBOX-GOOD")
    bill(stage, anna)
    side = stage.sides["paypal"]
    (charge,) = side.witness.charges()
    for _ in range(2):
        ref = DOORS["POST", "disputes"](side.stand_in, "", {"charge": charge.charge_ref})["dispute_id"]
        DOORS["POST", "disputes/<id>/close"](side.stand_in, ref, {"status": "lost"})
        dispute_events.adopt_dispute(stage.parts, side.account_id, ref)
    with stage.parts.begin() as session:
        for row in session.scalars(select(Dispute).order_by(Dispute.id)).all():
            shown = stage.parts.provider(side.account_id).read_dispute(row.dispute_ref)
            facts = replace(shown, due_by=None, status="won", reinstated_minor=1000, mixed=mixed)
            invoice = session.get_one(Invoice, row.invoice_id)
            note_dispute(session, dispute=row, invoice=invoice, facts=facts, now=START)
        session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
        told = text("SELECT account, sum(amount_minor) FROM billing.posting GROUP BY 1 HAVING sum(amount_minor) <> 0")
        books = {account: int(amount) for account, amount in session.execute(told)}
        assert books == {"provider_clearing": 1000, "deferred_revenue": -1000}
        session.rollback()


def test_reconciling_finds_no_difference_and_reads_the_fees(stage: Stage, anna: UUID) -> None:
    give(stage, anna, "B-SANDBOX-GOOD")
    invoice = bill(stage, anna)
    refunding.refund(stage.parts, invoice, amount_minor=400)
    stage.settle()
    stage.set_clock(START + timedelta(days=2))
    (paypal,) = (each for each in reconciliation.reconcile(stage.parts) if each.account == "paypal default")
    with stage.parts.begin() as session:
        assert [(each.kind, each.detail) for each in session.scalars(select(Difference))] == []
    assert (paypal.charges, paypal.refunds, paypal.differences, paypal.done) == (1, 1, 0, True)


def test_fees_are_booked_though_the_report_is_later_than_it_promises(stage: Stage, anna: UUID) -> None:
    give(stage, anna, "B-SANDBOX-GOOD")
    bill(stage, anna)
    side = stage.sides["paypal"]
    side.stand_in.configure({"search_lag_s": 30 * 3600})
    stage.set_clock(START + timedelta(hours=29))
    with pytest.raises(ProviderUnavailable):
        movements.read(stage.parts, side.account_id)
    side.stand_in.configure({"search_lag_s": 3600})
    movements.read(stage.parts, side.account_id)
    assert _fees(stage) == 65


def test_the_fee_of_a_payment_that_was_held_for_days_is_booked(stage: Stage, anna: UUID) -> None:
    """The report shows it at the day it was begun, long since read, once it moves the balance."""
    give(stage, anna, "B-SANDBOX-PENDING")
    side = stage.sides["paypal"]
    side.stand_in.configure({"processing_s": 6 * 86_400, "search_lag_s": 3 * 3600})
    invoice = bill(stage, anna)
    for hours in (5, 30, 60, 145, 149, 153):
        stage.set_clock(START + timedelta(hours=hours))
        run_due(side.stand_in, early=True)
        resolution.resolve(stage.parts)
        movements.sweep(stage.parts)
    assert (status_of(stage, invoice), moved(stage), _fees(stage)) == ("paid", [1000], 65)


def test_the_hours_of_several_that_were_held_are_read_once(stage: Stage, anna: UUID) -> None:
    give(stage, anna, "B-SANDBOX-PENDING")
    side = stage.sides["paypal"]
    side.stand_in.configure({"processing_s": 6 * 86_400})
    for hours in (4, 5, 14):
        stage.set_clock(START + timedelta(hours=hours))
        bill(stage, anna)
    assert _windows_read(stage, at=START + timedelta(hours=30)) == ["01-15T03:00 to 01-16T06:00"]
    told = _windows_read(stage, at=START + timedelta(days=6, hours=16))
    assert told == ["01-16T02:00 to 01-21T16:00", "01-15T03:55 to 01-15T10:05", "01-15T13:55 to 01-15T19:05"]


def _windows_read(stage: Stage, *, at: datetime) -> list[str]:
    """What of the report is read for the balance."""
    side = stage.sides["paypal"]
    stage.set_clock(at)
    run_due(side.stand_in, early=True)
    resolution.resolve(stage.parts)
    before = sum(1 for _ in side.witness.requests())
    movements.sweep(stage.parts)
    asked = [
        each.params for each in list(side.witness.requests())[before:] if each.path == "/v1/reporting/transactions"
    ]
    return [f"{each['start_date'][5:16]} to {each['end_date'][5:16]}" for each in asked if each["page_size"] != "1"]


def test_a_refund_that_was_pending_for_days_is_among_the_movements(stage: Stage, anna: UUID) -> None:
    give(stage, anna, "B-SANDBOX-GOOD")
    side = stage.sides["paypal"]
    invoice = bill(stage, anna)
    side.stand_in.configure({"refunds_pending": True, "search_lag_s": 3 * 3600})
    refunding.refund(stage.parts, invoice, amount_minor=400)
    with pytest.raises(NotSettled):
        stage.settle()
    (made,) = side.witness.refunds()
    for hours in (5, 30, 60):
        stage.set_clock(START + timedelta(hours=hours))
        movements.sweep(stage.parts)
    DOORS["POST", "refunds/<id>"](side.stand_in, made.refund_ref, {"status": "succeeded"})
    refund_events.reread_refund(stage.parts, side.account_id, made.refund_ref)
    for hours in (61, 65, 69):
        stage.set_clock(START + timedelta(hours=hours))
        movements.sweep(stage.parts)
    with stage.parts.begin() as session:
        told = select(ProviderMovement.type, ProviderMovement.amount_minor).order_by(ProviderMovement.amount_minor)
        assert [tuple(row) for row in session.execute(told)] == [("refund", -400), ("charge", 1000)]


def _fees(stage: Stage) -> int:
    with stage.parts.begin() as session:
        told = text("SELECT coalesce(sum(amount_minor), 0) FROM billing.posting WHERE account = 'provider_fees'")
        return int(session.scalar(told))


def test_what_paypal_takes_back_by_itself_becomes_work(stage: Stage, anna: UUID) -> None:
    give(stage, anna, "B-SANDBOX-GOOD")
    invoice = bill(stage, anna)
    side = stage.sides["paypal"]
    (charge,) = side.witness.charges()
    DOORS["POST", "captures/<id>/reverse"](side.stand_in, charge.charge_ref, {})
    assert _differences(stage) == [("refund_without_record", invoice, 1000)]


def test_what_a_lost_dispute_took_is_told_once(stage: Stage, anna: UUID) -> None:
    """Where PayPal ends a claim by taking the payment back, its report shows that as a reversal."""
    give(stage, anna, "B-SANDBOX-GOOD")
    bill(stage, anna)
    side = stage.sides["paypal"]
    (charge,) = side.witness.charges()
    opened = DOORS["POST", "disputes"](side.stand_in, "", {"charge": charge.charge_ref})
    dispute_events.adopt_dispute(stage.parts, side.account_id, opened["dispute_id"])
    DOORS["POST", "captures/<id>/reverse"](side.stand_in, charge.charge_ref, {})
    assert _differences(stage) == []


def _differences(stage: Stage) -> list[tuple[str, UUID | None, int | None]]:
    """What a comparison two days later finds."""
    stage.set_clock(START + timedelta(days=2))
    reconciliation.reconcile(stage.parts)
    with stage.parts.begin() as session:
        found = session.scalars(select(Difference).where(Difference.resolved_at.is_(None)))
        return [(each.kind, each.invoice_id, each.amount_minor) for each in found]


def test_a_comparison_goes_further_back_than_paypal_lists_disputes(stage: Stage, anna: UUID) -> None:
    """It lists those of 180 days. A run that can't be done would keep the account's daily one from it for good."""
    give(stage, anna, "B-SANDBOX-GOOD")
    bill(stage, anna)
    side = stage.sides["paypal"]
    (charge,) = side.witness.charges()
    stage.set_clock(START + timedelta(days=300))
    opened = DOORS["POST", "disputes"](side.stand_in, "", {"charge": charge.charge_ref})
    stage.set_clock(START + timedelta(days=400))
    found = reconciliation.reconcile(stage.parts, since=START - timedelta(days=1))
    (paypal,) = (each for each in found if each.account == "paypal default")
    assert (paypal.charges, paypal.done) == (1, True)
    with stage.parts.begin() as session:
        assert session.scalars(select(Dispute.dispute_ref)).all() == [opened["dispute_id"]]


def test_a_month_of_more_than_paypal_lists_is_read_in_narrower_windows(stage: Stage, anna: UUID) -> None:
    give(stage, anna, "B-SANDBOX-GOOD")
    for day in range(4):
        stage.set_clock(START + timedelta(days=day, hours=day))
        bill(stage, anna)
    stage.sides["paypal"].stand_in.configure({"report_most": 1})
    stage.set_clock(START + timedelta(days=9))
    provider = stage.parts.provider(stage.sides["paypal"].account_id)
    pages = provider.charge_pages(created_from=START, created_to=stage.now)
    charges = {each.charge_ref for each in stage.sides["paypal"].witness.charges()}
    assert [len(page) for page in pages] == [4]
    assert {each.charge_ref for each in provider.newest_charges(now=stage.now)} < charges
    (paypal,) = (each for each in reconciliation.reconcile(stage.parts) if each.account == "paypal default")
    assert (paypal.charges, paypal.differences, paypal.done) == (4, 0, True)


def test_a_restored_database_starts_again_only_once_the_report_reaches_to_where_it_stopped(
    stage: Stage, anna: UUID
) -> None:
    give(stage, anna, "B-SANDBOX-GOOD")
    bill(stage, anna)
    stage.sides["paypal"].stand_in.configure({"search_lag_s": 3 * 3600})
    with pytest.raises(ProviderUnavailable):
        healing.heal(stage.parts)
    with stage.parts.begin() as session:
        assert restoring.is_restored(session), "what the report does not show yet would be charged again"
    stage.set_clock(START + timedelta(hours=3, minutes=1))
    healing.heal(stage.parts)
    with stage.parts.begin() as session:
        assert not restoring.is_restored(session)


def test_an_order_that_somebody_else_made_for_our_invoice_is_adopted_and_the_audit_takes_it(
    stage: Stage, anna: UUID
) -> None:
    give(stage, anna, "B-SANDBOX-NOFUNDS")
    invoice = bill(stage, anna)
    stranger = PayPalClient(
        lambda method, url, headers, body: mounted(stage.sides["paypal"].stand_in, method, url, headers, body),
        base_address="http://stand-in",
        client_id="sb-simulate",
        client_secret="other",
    )
    agreed = {"payment_source": {"token": {"id": "B-SANDBOX-GOOD", "type": "BILLING_AGREEMENT"}}}
    token = stranger.post("/v3/vault/payment-tokens", agreed, key="theirs-1").body["id"]
    unit = {"invoice_id": str(invoice), "amount": {"currency_code": "EUR", "value": "10.00"}}
    order = {
        "intent": "CAPTURE",
        "purchase_units": [unit],
        "payment_source": {"paypal": {"vault_id": token}},
    }
    stranger.post("/v2/checkout/orders", order, key="theirs-2")
    reconciliation.reconcile(stage.parts)
    with stage.parts.begin() as session:
        (found,) = session.scalars(select(Difference.id).where(Difference.resolved_at.is_(None))).all()
    adopting.adopt(stage.parts, found)
    stage.settle()
    assert (status_of(stage, invoice), moved(stage)) == ("paid", [1000])
    assert attempts(stage, invoice)[-1].kind == "adopted"


def test_check_says_which_feature_of_the_application_is_switched_off(stage: Stage, anna: UUID) -> None:
    """Charges go through without it; what is missing or was taken back would be noticed nowhere."""
    settings = stage.parts.settings.model_copy(
        update={"paypal_client_id": "sb-simulate", "paypal_client_secret": SecretStr("simulate")}
    )
    settings.__dict__.pop("paypal_credentials", None)
    parts = replace(stage.parts, settings=settings)
    stand_in = stage.sides["paypal"].stand_in

    def lists() -> list[tuple[str, str]]:
        return [(each.state, each.told) for each in health._lists(parts, "default")]

    assert lists() == [("ok", "transactions and disputes can be read")]
    stand_in.configure({"paypal_lists": False})
    assert [state for state, _ in lists()] == ["mend", "mend"]
    assert "Transaction Search is refused (permission_denied)" in lists()[0][1]
    assert "Customer Disputes is refused (permission_denied)" in lists()[1][1]
    stand_in.faults.add([{"kind": "error_500_before", "rate": 1, "path": "/v1/reporting"}])
    assert [told.split(" is ")[0] for _, told in lists()] == ["Customer Disputes"]
