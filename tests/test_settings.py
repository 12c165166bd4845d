"""Settings: closed where a live key is about, accounts by name, errors that name the variable and never its value."""

from __future__ import annotations

from pathlib import Path

import pytest

from billing.kernel.errors import Refused
from billing.settings import Settings, load
from billing.settings.given import GivenSettings

LIVE = "sk_live_" + "x" * 24


@pytest.fixture(autouse=True)
def _nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("DATABASE_URL", "BROKER_URL", "STRIPE_API_KEY", "STRIPE_WEBHOOK_SECRET", "BILLING_SANDBOX"):
        monkeypatch.delenv(name, raising=False)


def test_a_live_key_without_database_and_broker_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIPE_API_KEY", LIVE)
    with pytest.raises(Refused) as refused:
        load()
    assert "DATABASE_URL, BROKER_URL" in str(refused.value)
    assert LIVE not in str(refused.value)


@pytest.mark.parametrize("name", ["STRIPE_API_KEY", "STRIPE_API_KEY__SHOP"])
@pytest.mark.parametrize(
    "key",
    [
        f" {LIVE}",
        f"\t{LIVE}",
        f"{LIVE} ",
        f"{LIVE}\n",
        f'"{LIVE}"',
        f"'{LIVE}'",
        "sk_test_",
        "sk_prod_abcdefgh",
        "pk_test_abcdefgh",
        "rk_org_live_abcdefgh",
        "whsec_abcdefgh",
        " ",
    ],
)
def test_a_key_that_stripe_never_gave_is_refused_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, name: str, key: str
) -> None:
    _live_stack(monkeypatch)
    monkeypatch.setenv(name, key)
    with pytest.raises(Refused, match=rf"{name}: invalid_setting \(give the key as Stripe shows it") as refused:
        load()
    assert not key.strip() or key.strip("\"' \t\n") not in str(refused.value)


@pytest.mark.parametrize(
    ("key", "live"),
    [
        (LIVE, True),
        ("rk_live_abc", True),
        ("sk_org_live_abc", True),
        ("sk_test_abc", False),
        ("rk_test_abc", False),
        ("sk_org_test_abc", False),
    ],
)
def test_the_key_says_whether_it_moves_real_money(monkeypatch: pytest.MonkeyPatch, *, key: str, live: bool) -> None:
    _live_stack(monkeypatch)
    monkeypatch.setenv("STRIPE_API_KEY__SHOP", key)
    assert (load().live, load().provider_accounts) == (live, {("stripe", "shop"): live})


def test_a_live_key_never_runs_under_the_sandbox_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIPE_API_KEY__SHOP", LIVE)
    monkeypatch.setenv("DATABASE_URL", "postgresql://x/y")
    monkeypatch.setenv("BROKER_URL", "redis://x")
    monkeypatch.setenv("BILLING_SANDBOX", "1")
    with pytest.raises(Refused, match="BILLING_SANDBOX"):
        load()


@pytest.mark.parametrize(
    ("names", "keys"),
    [
        (("STRIPE_API_KEY", "STRIPE_PUBLISHABLE_KEY"), ("sk_test_a", "sk_test_a")),
        (("STRIPE_API_KEY", "STRIPE_PUBLISHABLE_KEY"), ("sk_test_a", "rk_live_a")),
        (("STRIPE_API_KEY", "STRIPE_PUBLISHABLE_KEY"), ("sk_test_a", "pk_live_a")),
        (("STRIPE_API_KEY", "STRIPE_PUBLISHABLE_KEY"), (LIVE, "pk_test_a")),
        (("STRIPE_API_KEY__SHOP", "STRIPE_PUBLISHABLE_KEY__SHOP"), ("rk_live_a", "pk_test_a")),
        (("STRIPE_API_KEY__SHOP", "STRIPE_PUBLISHABLE_KEY__SHOP"), ("sk_test_a", "whsec_a")),
    ],
)
def test_a_browser_gets_a_publishable_key_of_the_accounts_mode(
    monkeypatch: pytest.MonkeyPatch, names: tuple[str, str], keys: tuple[str, str]
) -> None:
    _live_stack(monkeypatch)
    for name, key in zip(names, keys, strict=True):
        monkeypatch.setenv(name, key)
    with pytest.raises(Refused) as refused:
        load()
    assert names[1] in str(refused.value)
    assert keys[1] not in str(refused.value)


def test_each_account_has_a_key_for_browsers_of_its_own_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    _live_stack(monkeypatch)
    monkeypatch.setenv("STRIPE_API_KEY", LIVE)
    monkeypatch.setenv("STRIPE_PUBLISHABLE_KEY", "pk_live_a")
    monkeypatch.setenv("STRIPE_API_KEY__SHOP", "sk_test_b")
    monkeypatch.setenv("STRIPE_PUBLISHABLE_KEY__SHOP", "pk_test_b")
    settings = load()
    assert [settings.publishable_key(code) for code in ("default", "shop", "other")] == ["pk_live_a", "pk_test_b", None]


def test_with_a_live_key_the_providers_script_comes_over_https(monkeypatch: pytest.MonkeyPatch) -> None:
    _live_stack(monkeypatch)
    monkeypatch.setenv("STRIPE_API_KEY", LIVE)
    monkeypatch.setenv("STRIPE_JS_URL", "http://js.stripe.com/endive/stripe.js")
    with pytest.raises(Refused, match="STRIPE_JS_URL"):
        load()
    monkeypatch.setenv("STRIPE_API_KEY", "sk_test_a")
    assert load().stripe_js_url.startswith("http://")


def _live_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://x/y")
    monkeypatch.setenv("BROKER_URL", "redis://x")


@pytest.mark.parametrize("name", ["STRIPE_API_BASE", "PAYPAL_API_BASE", "ECB_URL", "VIES_URL"])
def test_with_a_live_key_whoever_is_asked_about_money_is_asked_over_https(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    _live_stack(monkeypatch)
    monkeypatch.setenv("STRIPE_API_KEY", LIVE)
    monkeypatch.setenv(name, "http://127.0.0.1:12111")
    with pytest.raises(Refused, match=f"^{name}: invalid_setting") as refused:
        load()
    assert LIVE not in str(refused.value)
    monkeypatch.setenv(name, "https://gate.example")
    assert getattr(load(), name.lower()) == "https://gate.example"


def test_a_wrong_value_is_named_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BILLING_SLICE_SIZE", "a-secret-by-mistake")
    with pytest.raises(Refused) as refused:
        load()
    assert [fault.field for fault in refused.value.faults] == ["BILLING_SLICE_SIZE"]
    assert "a-secret-by-mistake" not in str(refused.value)


def test_accounts_have_keys_and_secrets_of_their_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STRIPE_API_KEY", "sk_test_one")
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", "whsec_new, whsec_old")
    (tmp_path / ".env").write_text("STRIPE_API_KEY__SHOP=sk_test_two\nSTRIPE_WEBHOOK_SECRET__SHOP=whsec_shop\n")
    settings = load()
    assert settings.stripe_keys == {"default": "sk_test_one", "shop": "sk_test_two"}
    assert settings.webhook_secrets("default") == ["whsec_new", "whsec_old"]
    assert settings.webhook_secrets("shop") == ["whsec_shop"]
    assert settings.webhook_secrets("other") == []


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"PAYPAL_CLIENT_ID": "hush-one"}, "PAYPAL_CLIENT_SECRET"),
        ({"PAYPAL_CLIENT_SECRET": "hush-one"}, "PAYPAL_CLIENT_ID"),
        ({"PAYPAL_CLIENT_ID__SHOP": "hush-one", "PAYPAL_CLIENT_SECRET": ""}, "PAYPAL_CLIENT_SECRET__SHOP"),
        ({"PAYPAL_CLIENT_SECRET__SHOP": "hush-one", "PAYPAL_CLIENT_ID__OTHER": ""}, "PAYPAL_CLIENT_ID__SHOP"),
        ({"STRIPE_API_KEY__shop": "sk_test_hush"}, "STRIPE_API_KEY__shop"),
        ({"stripe_webhook_secret__SHOP": "whsec_hush"}, "stripe_webhook_secret__SHOP"),
        ({"STRIPE_API_KEY__": "sk_test_hush"}, "STRIPE_API_KEY__"),
        ({"STRIPE_PUBLISHABLE_KEY__MY-SHOP": "pk_test_hush"}, "STRIPE_PUBLISHABLE_KEY__MY-SHOP"),
        ({"PAYPAL_WEBHOOK_ID__Shop": "hush"}, "PAYPAL_WEBHOOK_ID__Shop"),
        ({"STRIPE_API_KEY__DEFAULT": "sk_test_hush"}, "STRIPE_API_KEY__DEFAULT"),
    ],
)
def test_an_account_that_would_be_none_in_silence_is_refused(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], field: str
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(Refused) as refused:
        load()
    assert [(fault.field, fault.code) for fault in refused.value.faults] == [(field, "invalid_setting")]
    assert "hush" not in str(refused.value)


def test_what_is_set_to_nothing_is_no_account(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("STRIPE_API_KEY", "STRIPE_API_KEY__shop", "PAYPAL_CLIENT_ID", "PAYPAL_CLIENT_SECRET__SHOP"):
        monkeypatch.setenv(name, "")
    assert load().provider_accounts == {}


def test_no_secret_shows_in_the_text_of_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRIPE_API_KEY", "sk_test_hidden")
    monkeypatch.setenv("BILLING_SECRET_KEY", "also-hidden")
    assert "hidden" not in repr(Settings())


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BILLING_ENDPOINT_NETWORKS", "10.1.0.0/99"),
        ("BILLING_ENDPOINT_NETWORKS", "shop.example"),
        ("BILLING_SUBSCRIBERS", "shop.billing:on_event"),
        ("BILLING_SUBSCRIBERS", "celery:shop.tasks.on_event"),
    ],
)
def test_where_events_may_go_is_named_wholly(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(Refused, match=name):
        load()


def test_networks_and_subscribers_are_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BILLING_ENDPOINT_NETWORKS", "10.1.0.0/16, ::1/128")
    monkeypatch.setenv("BILLING_SUBSCRIBERS", "python:shop.billing:on_event,celery:shop:shop.tasks.on_event")
    settings = load()
    assert [str(each) for each in settings.endpoint_networks] == ["10.1.0.0/16", "::1/128"]
    assert settings.subscribers == ["python:shop.billing:on_event", "celery:shop:shop.tasks.on_event"]


@pytest.mark.parametrize("url", ["garbage", "mysql://a/b", "sqlite:///billing.db"])
def test_a_database_that_is_no_postgresql_is_refused_and_not_shown(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("DATABASE_URL", url)
    with pytest.raises(Refused, match=r"DATABASE_URL: invalid_setting \(give the address of a PostgreSQL") as refused:
        load()
    assert url not in str(refused.value)


@pytest.mark.parametrize(
    "url", ["sqs://", "amqp://a//;redis://b/0", "redis://a/0;redis://b/0", "memory://", "http://127.0.0.1"]
)
def test_a_broker_that_we_cannot_ask_is_refused(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("BROKER_URL", url)
    with pytest.raises(Refused, match="BROKER_URL"):
        load()


@pytest.mark.parametrize(
    "url",
    [
        "rediss://127.0.0.1:6379/0",
        "redis+socket:///run/valkey.sock",
        "amqp://a:5672//",
        "amqps://u:w@a//;amqps://u:w@b//",
    ],
)
def test_these_brokers_are_spoken_to(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("BROKER_URL", url)
    assert load().broker_url == url


@pytest.mark.parametrize("given", ["eur:0.505", "jpy:0.5", "xyz:1", "eur", "EUR:1", "eur:-1", "eur:1,"])
def test_least_charges_are_amounts_of_currencies(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("BILLING_LEAST_CHARGES", given)
    with pytest.raises(Refused, match="BILLING_LEAST_CHARGES"):
        load()


def test_least_charges_are_read_in_minor_units(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BILLING_LEAST_CHARGES", "eur:1.20,jpy:60,kwd:0.100,usd:0")
    assert load().least_charges == {"eur": 120, "jpy": 60, "kwd": 100, "usd": 0}


def test_of_settings_that_are_given_neither_the_environment_nor_a_file_has_a_say(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".env").write_text(f"BILLING_SLICE_SIZE=7\nSTRIPE_API_KEY__FILE={LIVE}\n")
    monkeypatch.setenv("BILLING_PLAN_LIMIT", "none")
    monkeypatch.setenv("STRIPE_API_KEY__SHOP", LIVE)
    given = GivenSettings(stripe_api_key="sk_test_x")
    assert given.billing_slice_size == Settings.model_fields["billing_slice_size"].default
    assert given.stripe_keys == {"default": "sk_test_x"}
