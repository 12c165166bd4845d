"""`import billing`: the host's rows and billing's are committed together, by SQLAlchemy and by Django."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from sqlalchemy import create_engine, select, text
from sqlalchemy.orm import Session

import billing
from billing import host
from billing.kernel.errors import PROVIDER_ERRORS
from billing.kernel.ids import new_id
from billing.models import PaymentMethod
from tests.flows.company import START, Company, company

EXAMPLES = Path(__file__).parents[2] / "examples" / "host"
SIGN_UP = {"email": "anna@example.com", "name": "Anna Beispiel", "country": "DE", "plan": "basic"}


@pytest.fixture
def acme(database_url: str) -> Iterator[Company]:
    with company(database_url, patience_s=30) as made:
        yield made


def _counts(acme: Company) -> tuple[int, int, int]:
    with acme.parts.begin() as session:
        row = session.execute(
            text(
                "SELECT (SELECT count(*) FROM shop_user), (SELECT count(*) FROM billing.subscription), "
                "(SELECT count(*) FROM billing.invoice)"
            )
        ).one()
    return row[0], row[1], row[2]


def _given(acme: Company, client_secret: str) -> None:
    """The customer gives their card on the provider's form; then workers do what they do."""
    requests.post(
        f"{acme.witness_url}/v1/setup_intents/{client_secret.partition('_secret_')[0]}/confirm",
        data={"payment_method": "pm_card_visa"},
        headers={"Authorization": "Bearer sk_test_company"},
        timeout=5,
    ).raise_for_status()
    acme.settle()


def _statuses(acme: Company) -> list[str]:
    return [each.status for each in acme.invoices()]


def test_a_flask_shop_signs_up_in_one_transaction_and_is_paid(acme: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", acme.parts.settings.database_url or "")
    monkeypatch.syspath_prepend(str(EXAMPLES))
    import flask_shop  # noqa: PLC0415 (the example is found by the path set above)

    shop = billing.Billing(acme.parts, acme.seller_id)
    client = flask_shop.create_app(shop).test_client()
    assert client.post("/sign-up", json=SIGN_UP | {"plan": "none"}).status_code == 422
    assert _counts(acme) == (0, 0, 0)
    made = client.post("/sign-up", json=SIGN_UP)
    assert made.status_code == 201
    assert _counts(acme) == (1, 1, 1)
    assert acme.line.messages, "workers were woken"
    stranger = flask_shop.create_app(shop).test_client()
    assert stranger.post("/card", json=made.json).status_code == 401
    _given(acme, client.post("/card").get_json()["client_secret"])
    assert _statuses(acme) == ["paid"]


def test_a_django_shop_signs_up_in_one_transaction_and_is_paid(acme: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    # A process of its own: Django is configured once.
    story = f"""
import json, sys, uuid
sys.path.insert(0, {str(EXAMPLES)!r})
import django_shop, billing
from django.test import Client
from pydantic import SecretStr
from billing.settings import Settings
from billing.wiring import build
class Line:
    sent = []
    def send(self, messages): self.sent += messages
settings = Settings.model_validate_json(sys.stdin.read())
shop = billing.Billing(build(settings, transport=Line()), uuid.UUID({str(acme.seller_id)!r}))
django_shop.configure(shop)
client, told = Client(), []
for said in ({SIGN_UP | {"plan": "none"}!r}, {SIGN_UP!r}):
    answer = client.post("/sign-up", said, content_type="application/json")
    told += [answer.status_code, len(Line.sent)]
told.append(Client().post("/card", answer.json(), content_type="application/json").status_code)
told.append(client.post("/card").json()["client_secret"])
print(json.dumps(told))
"""
    settings = acme.parts.settings
    secret = settings.billing_secret_key
    assert secret is not None
    said = json.dumps(
        {
            "database_url": settings.database_url,
            "billing_secret_key": secret.get_secret_value(),
            "billing_sandbox": True,
            "stripe_api_key": "sk_test_company",
            "stripe_api_base": acme.witness_url,
        }
    )
    monkeypatch.setenv("DATABASE_URL", settings.database_url or "")
    done = subprocess.run(
        [sys.executable, "-c", story], input=said, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    refused, nothing, made, woken, of_a_stranger, client_secret = json.loads(done.stdout.splitlines()[-1])
    assert (refused, nothing, made, of_a_stranger) == (422, 0, 201, 401)
    assert woken > 0
    assert _counts(acme) == (1, 1, 1)
    _given(acme, client_secret)
    assert _statuses(acme) == ["paid"]


def test_a_refusal_is_taken_back_and_the_host_goes_on(acme: Company) -> None:
    shop = billing.Billing(acme.parts, acme.seller_id)
    engine = create_engine(acme.parts.settings.database_url or "")
    customer = billing.NewProfile(account_id="one", country="DE", personal=billing.Personal(name="Anna"))
    with Session(engine) as session, session.begin():
        shop.create_profile(customer, session=session)
        with pytest.raises(billing.Refused):
            shop.create_profile(customer, session=session)
        assert not acme.line.messages
        made = shop.subscribe(
            billing.NewSubscription("s", "one", (billing.NewItem("basic"),), start=shop.now()), session=session
        )
        assert not acme.line.messages, "nobody is woken before the host has committed"
    assert acme.line.messages
    shown = shop.subscription(made.subscription_id)
    assert (shown["account_id"], shown["latest_invoice"]["status"]) == ("one", "open")
    seen = shop.preview_change(made.subscription_id, [billing.NewItem("basic", 3)])
    shop.apply_preview(seen.token)
    shop.cancel(made.subscription_id, expected_version=shop.subscription(made.subscription_id)["version"])
    (invoice,) = shop.invoices(shown["profile_id"])
    assert shop.invoice(invoice["id"])["lines"][0]["price"] == "basic"
    with Session(engine, autoflush=False) as session, pytest.raises(billing.Refused):
        shop.subscribe(billing.NewSubscription("t", "one", (billing.NewItem("basic"),), shop.now()), session=session)
    engine.dispose()


def test_what_hosts_may_take_is_one_list() -> None:
    assert sorted(billing._FOR_HOSTS) == sorted(host.__all__)
    assert set(host.__all__) <= set(dir(billing)), "as a prompt completes it"
    assert {error.__name__ for error in PROVIDER_ERRORS} <= set(host.__all__), "what a call may raise can be caught"
    with pytest.raises(AttributeError):
        _ = billing.nothing_of_this_name


def _state(acme: Company) -> list[str]:
    """What the verbs below would change."""
    tables = ("subscription", "invoice", "credit_balance", "payment_method", "refund", "waiting_line")
    with acme.parts.begin() as session:
        return [
            row for name in tables for row in session.scalars(text(f"SELECT t::text FROM billing.{name} t ORDER BY 1"))
        ]


def test_what_is_another_sellers_is_like_what_is_nobodys(acme: Company) -> None:
    profile = acme.customer("a1")
    subscription = acme.subscribe("a1", "s1")
    acme.settle()
    invoice = acme.invoices()[0].id
    order = billing.Order(actor="ada", reason="a mistake")
    consent = billing.Consent(text_version="1", given_at=START, channel="web")
    stranger = billing.Billing(acme.parts, new_id())
    acme.price("pro", 2000)
    token = billing.Billing(acme.parts, acme.seller_id).preview_change(subscription, [billing.NewItem("pro")]).token
    with acme.begin() as session:
        method = session.scalars(select(PaymentMethod.id)).one()
    before = _state(acme)
    for noun, act in (
        ("subscription", lambda: stranger.change(subscription, [billing.NewItem("basic")])),
        ("subscription", lambda: stranger.preview_change(subscription, [billing.NewItem("basic")])),
        ("subscription", lambda: stranger.preview_cancel(subscription)),
        ("subscription", lambda: stranger.apply_preview(token)),
        ("subscription", lambda: stranger.cancel(subscription)),
        ("subscription", lambda: stranger.uncancel(subscription)),
        ("subscription", lambda: stranger.pause(subscription)),
        ("subscription", lambda: stranger.resume(subscription)),
        ("subscription", lambda: stranger.apply_coupon(subscription, "tenth")),
        ("subscription", lambda: stranger.subscription(subscription)),
        ("profile", lambda: stranger.grant_credit(profile, amount_minor=100, currency="eur")),
        ("profile", lambda: stranger.charge(profile, amount_minor=100, currency="eur", description="A thing")),
        ("profile", lambda: stranger.begin_payment_method(profile, consent)),
        ("invoice", lambda: stranger.void(invoice, order=order)),
        ("invoice", lambda: stranger.mark_paid(invoice, order=order)),
        ("invoice", lambda: stranger.refund(invoice, order=order)),
        ("invoice", lambda: stranger.write_off(invoice, order=order)),
        ("invoice", lambda: stranger.credit(invoice, order=order)),
        ("invoice", lambda: stranger.apply_credit(invoice, order=order)),
        ("invoice", lambda: stranger.replace(invoice, order=order)),
        ("invoice", lambda: stranger.retry(invoice, order=order)),
        ("invoice", lambda: stranger.pay_link(invoice)),
        ("invoice", lambda: stranger.document(invoice)),
        ("invoice", lambda: stranger.invoice(invoice)),
        ("profile", lambda: stranger.pay_out(profile, currency="eur")),
        ("profile", lambda: stranger.profile_link(profile)),
        ("profile", lambda: stranger.profile_of("a1")),
        ("profile", lambda: stranger.adopt_payment_method(profile, "pm_card_visa", consent)),
        ("payment_method", lambda: stranger.complete_payment_method(method)),
        ("payment_method", lambda: stranger.make_default(method)),
        ("payment_method", lambda: stranger.remove_payment_method(method)),
    ):
        with pytest.raises(billing.Refused) as refused:
            act()
        assert refused.value.code == f"{noun}_not_found"
    assert _state(acme) == before


def test_a_word_is_the_choice_that_it_spells_and_any_other_is_refused(acme: Company) -> None:
    shop: Any = billing.Billing(acme.parts, acme.seller_id)
    acme.customer("a1")
    subscription = acme.subscribe("a1", "s1")
    acme.settle()
    items, version = [billing.NewItem("basic", 2)], shop.subscription(subscription)["version"]
    for act in (
        lambda: shop.cancel(subscription, when="end_of_period"),
        lambda: shop.cancel(subscription, when="now", unused="refnd"),
        lambda: shop.change(subscription, items, when="next"),
        lambda: shop.change(subscription, items, proration="no"),
        lambda: shop.preview_change(subscription, items, when="next"),
        lambda: shop.preview_cancel(subscription, when="next"),
    ):
        with pytest.raises(billing.Refused) as refused:
            act()
        assert refused.value.code == "not_one_of"
    assert shop.subscription(subscription)["version"] == version, "nothing of it was done"
    shop.cancel(subscription, when="now")
    assert shop.subscription(subscription)["status"] == "canceled", "now, and not when the period is over"


@pytest.mark.parametrize("amount", [19.9, "1990", True])
def test_an_amount_that_is_no_whole_number_moves_nothing(acme: Company, amount: Any) -> None:
    shop = billing.Billing(acme.parts, acme.seller_id)
    profile = acme.customer("a1")
    for act in (
        lambda: shop.charge(profile, amount_minor=amount, currency="eur", description="Training"),
        lambda: shop.grant_credit(profile, amount_minor=amount, currency="eur"),
        lambda: shop.pay_out(profile, amount_minor=amount, currency="eur"),
        lambda: shop.subscribe(billing.NewSubscription("s1", "a1", (billing.NewItem("basic", amount),), shop.now())),
    ):
        with pytest.raises(billing.Refused) as refused:
            act()
        assert refused.value.code == "out_of_range"
    assert acme.invoices() == []
