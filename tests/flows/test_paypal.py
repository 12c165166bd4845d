"""PayPal through the real flows, on the stage of a played scenario: nothing waits, and its books are asked after."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from pydantic import SecretStr
from sqlalchemy import select, text

from billing.commands.slice.cut import cut
from billing.flows import (
    adopting,
    customer_page,
    healing,
    health,
    links,
    reconciliation,
    refunding,
    resolution,
    restoring,
)
from billing.kernel.errors import ProviderUnavailable, Refused
from billing.models import (
    Difference,
    PaymentIntent,
    PaymentMethod,
    ProviderAccount,
    ProviderEvent,
    Refund,
    WorkItem,
)
from billing.providers.paypal.adapter import PayPalProvider
from billing.providers.paypal.client import PayPalClient
from billing.providers.paypal.signature import Certificates
from billing.providers.road import Answered
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


def test_an_answer_that_does_not_show_what_it_captured_is_asked_for_again_and_charges_nothing_more(
    stage: Stage, anna: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Taken for a payer who has to act, the next try would charge once more, or meet PayPal's lock for ever."""
    give(stage, anna, "B-SANDBOX-GOOD")
    client, cut = stage.sides["paypal"].provider._client, list[str]()
    send = client._send

    def without_captures(method: str, url: str, headers: Mapping[str, str], body: Any) -> Answered:
        raw, status, told = send(method, url, headers, body)
        if "/v2/checkout/orders" in url and len(cut) < 2:
            order = json.loads(raw)
            del order["purchase_units"][0]["payments"]
            cut.append(method)
            return json.dumps(order).encode(), status, told
        return raw, status, told

    monkeypatch.setattr(client, "_send", without_captures)
    invoice = bill(stage, anna)
    assert (status_of(stage, invoice), moved(stage), len(cut)) == ("paid", [1000], 2)
    assert [each.status for each in attempts(stage, invoice)] == ["succeeded"]


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


@pytest.mark.parametrize(
    ("type_", "kind"),
    [
        ("PAYMENT.CAPTURE.COMPLETED", "capture"),
        ("PAYMENT.CAPTURE.DENIED", "capture"),
        ("PAYMENT.CAPTURE.REFUNDED", "refund"),
        ("PAYMENT.REFUND.FAILED", "refund"),
    ],
)
def test_what_another_shop_on_the_same_account_sells_is_nobodys_work(
    stage: Stage, anna: UUID, type_: str, kind: str
) -> None:
    """Sales by PayPal's older API have no order, and neither they nor their refunds can be read by ours."""
    told = hears(stage)
    with stage.sides["paypal"].stand_in.store.transaction() as tx:
        sold = {"id": "4RR959492F879224U", "state": "completed", "amount": {"total": "7.47", "currency": "USD"}}
        events.happen(_by_hand(stage, tx), type_, kind, sold)
    run_due(stage.sides["paypal"].stand_in, early=True)
    assert {_posted(stage, body, headers) for body, headers in told} == {200}
    stage.settle()
    with stage.parts.begin() as session:
        (event,) = session.scalars(select(ProviderEvent))
        assert (event.status, event.tries) == ("ignored", 1)
        assert session.scalars(select(WorkItem)).all() == []


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


def _delivered(stage: Stage, anna: UUID) -> tuple[bytes, dict[str, str]]:
    """The first delivery about a payment of hers, as PayPal sends it."""
    told = hears(stage)
    give(stage, anna, "B-SANDBOX-GOOD")
    bill(stage, anna)
    run_due(stage.sides["paypal"].stand_in, early=True)
    return told[0]


@pytest.mark.parametrize("said", [None, "text/plain", "application/octet-stream"])
def test_a_delivery_counts_by_its_signature_whatever_type_its_body_is_said_to_be(
    stage: Stage, anna: UUID, said: str | None
) -> None:
    body, headers = _delivered(stage, anna)
    plain = {name: text for name, text in headers.items() if name.lower() != "content-type"}
    sent = plain if said is None else plain | {"Content-Type": said}
    assert _posted(stage, body + b" ", sent) == 400
    with stage.parts.begin() as session:
        assert session.scalars(select(ProviderEvent)).all() == []
    assert _posted(stage, body, sent) == 200
    stage.settle()
    with stage.parts.begin() as session:
        assert session.scalars(select(ProviderEvent.status)).all() == ["processed"]


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
    body, headers = _delivered(stage, anna)
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
