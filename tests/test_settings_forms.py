"""Settings have forms and bounds: what would stop billing silently is refused at start, by name and with the mend."""

from __future__ import annotations

import math
import types
import typing
from pathlib import Path

import pytest
from annotated_types import Ge, Gt, Le

from billing.kernel.errors import Fault, Refused
from billing.settings import Settings, load

NUMBERS = {
    name: field
    for name, field in Settings.model_fields.items()
    if {int, float} & {field.annotation, *typing.get_args(field.annotation)}
}


@pytest.fixture(autouse=True)
def _nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("DATABASE_URL", "BROKER_URL", "STRIPE_API_KEY", "STRIPE_WEBHOOK_SECRET", "BILLING_SANDBOX"):
        monkeypatch.delenv(name, raising=False)


def _fault(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> Fault:
    monkeypatch.setenv(name, value)
    with pytest.raises(Refused) as refused:
        load()
    (fault,) = refused.value.faults
    return fault


def _bounds(name: str) -> tuple[float, float]:
    found = NUMBERS[name].metadata
    (least,) = [each.ge if isinstance(each, Ge) else each.gt for each in found if isinstance(each, Ge | Gt)]
    (most,) = [each.le for each in found if isinstance(each, Le)]
    assert isinstance(least, int | float)
    assert isinstance(most, int | float)
    return least, most


def test_the_walk_over_numbers_sees_each_kind() -> None:
    assert {"billing_slice_size", "billing_watch_s", "billing_audit_every_s", "billing_provider_calls_per_s"} <= {
        *NUMBERS
    }
    unions = [
        each.annotation for each in Settings.model_fields.values() if isinstance(each.annotation, types.UnionType)
    ]
    assert all(len(typing.get_args(each)) == 2 for each in unions), "one kind, or unset"


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_has_a_least_and_a_most_and_is_refused_beyond_them(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    least, most = _bounds(name)
    default = NUMBERS[name].default
    assert 0 <= least <= (least if default is None else default) <= most < math.inf
    for beyond in (f"{least - 1:g}", f"{most * 10:.0f}", "nan", "inf", "many"):
        fault = _fault(monkeypatch, name.upper(), beyond)
        assert (fault.field, fault.code) == (name.upper(), "invalid_setting"), beyond
        assert fault.mend.startswith("give a "), beyond
        assert f"{most:,}" in fault.mend, beyond
    monkeypatch.setenv(name.upper(), f"{most}")
    assert getattr(load(), name) == most


@pytest.mark.parametrize(
    ("name", "value", "mend"),
    [
        ("BILLING_SLICE_SIZE", "-5", "give a whole number from 1 to 10,000"),
        ("BILLING_SLICE_SIZE", "0", "give a whole number from 1 to 10,000"),
        ("BILLING_PROVIDER_CALLS_PER_S", "0", "give a number above 0, up to 100,000"),
        ("BILLING_PUBLIC_URL", "nope", "give an address such as https://host.example"),
        ("BILLING_PUBLIC_URL", "https://", "give an address such as https://host.example"),
        ("BILLING_PUBLIC_URL", "https://pay.example.com:http", "give an address such as https://host.example"),
        ("BILLING_PUBLIC_URL", "https://pay.example.com?a=b", "give an address such as https://host.example"),
        ("BILLING_PUBLIC_URL", "https://pay.example .com", "give an address such as https://host.example"),
        ("STRIPE_API_BASE", "nope", "give an address such as https://host.example"),
        ("STRIPE_API_BASE", "ftp://api.example", "give an address such as https://host.example"),
        ("STRIPE_JS_URL", "", "give an address such as https://host.example"),
        ("PAYPAL_API_BASE", "api.paypal.com", "give an address such as https://host.example"),
        ("PAYPAL_API_BASE", "https://me:hush@api.paypal.com", "give an address such as https://host.example"),
        ("ECB_URL", "nope", "give an address such as https://host.example"),
        ("VIES_URL", "", "give an address such as https://host.example"),
        ("BILLING_LOG_LEVEL", "LOUD", "give DEBUG, INFO, WARNING, ERROR or CRITICAL"),
        ("BILLING_CONSOLE", "on", "give off, password or proxy"),
        ("BILLING_EXCHANGE_RATES", "", "give off or ecb, or unset it"),
        ("BILLING_SANDBOX", "perhaps", "give true or false"),
        ("BILLING_LEAST_CHARGES", "EUR:1", "give amounts such as eur:1,usd:0.50"),
        ("BILLING_SECOND_PERSON_ABOVE", "much", "give amounts such as 500,jpy:75000"),
        ("PAYPAL_CERT_ROOTS", "/nope", "give a file of certificates (PEM) that is there and may be read"),
        ("PAYPAL_CERT_ROOTS", ".", "give a file of certificates (PEM) that is there and may be read"),
        ("BILLING_FONTS_DIR", "/nope", "give a folder that is there and may be read"),
        ("BILLING_SENTRY_DSN", "not one", "give the DSN of a Sentry project"),
        ("BILLING_SENTRY_DSN", "https://sentry.example/1", "give the DSN of a Sentry project"),
    ],
)
def test_what_would_fail_later_is_refused_at_start(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, mend: str
) -> None:
    fault = _fault(monkeypatch, name, value)
    assert (fault.field, fault.code) == (name, "invalid_setting")
    assert fault.mend.startswith(mend)
    assert "hush" not in str(fault)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("BILLING_TASK_LIMIT_S", "149", "give at least 150"),
        ("BILLING_E_INVOICE_COUNTRIES", "it", "give countries such as IT,PL"),
        ("BILLING_E_INVOICE_COUNTRIES", "IT;PL", "give countries such as IT,PL"),
        ("DATABASE_URL", "postgresql://db.example:none/billing", "give the address of a PostgreSQL"),
        ("SMTP_URL", "smtp://mail.example:none", "give smtp://user@host:587"),
        ("BILLING_TRACES_URL", "https://collector.example:none/v1/traces", "give an address such as"),
    ],
)
def test_what_is_seen_beside_other_settings_names_its_own(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, told: str
) -> None:
    monkeypatch.setenv("SMTP_FROM", "billing@acme.example")
    fault = _fault(monkeypatch, name, value)
    assert (fault.field, fault.code) == (name, "invalid_setting")
    assert fault.mend.startswith(told)


def test_in_the_sandbox_whose_calls_are_short_so_may_tasks_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BILLING_SANDBOX", "1")
    monkeypatch.setenv("BILLING_TASK_LIMIT_S", "2")
    assert load().billing_task_limit_s == 2


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("BILLING_PUBLIC_URL", "https://pay.example.com/billing/", "https://pay.example.com/billing/"),
        ("STRIPE_API_BASE", "http://127.0.0.1:12111", "http://127.0.0.1:12111"),
        ("STRIPE_API_BASE", "http://[::1]:12111", "http://[::1]:12111"),
        ("STRIPE_API_BASE", "", None),
        ("PAYPAL_API_BASE", "", None),
        ("BILLING_PUBLIC_URL", "", None),
        ("PAYPAL_CERT_ROOTS", "", None),
        ("BILLING_FONTS_DIR", ".", "."),
        ("BILLING_LOG_LEVEL", "debug", "DEBUG"),
        ("BILLING_WATCH_S", "0", 0),
        ("BILLING_AUDIT_EVERY_S", "0", 0),
        ("BILLING_AUDIT_WHOLE_EVERY_S", "0", 0),
        ("BILLING_PROVIDER_ENDPOINT_CALLS_PER_S", "0", 0),
        ("BILLING_PROXIES", "0", 0),
        ("BILLING_E_INVOICE_COUNTRIES", "IT, PL", "IT, PL"),
    ],
)
def test_what_is_off_unset_or_right_is_kept(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, kept: str | int | None
) -> None:
    monkeypatch.setenv(name, value)
    assert getattr(load(), name.lower()) == kept


def test_a_file_of_certificates_holds_some(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    roots = tmp_path / "roots.pem"
    roots.write_text("nothing of the kind")
    assert "certificates" in _fault(monkeypatch, "PAYPAL_CERT_ROOTS", str(roots)).mend
    roots.write_text("-----BEGIN CERTIFICATE-----\n")
    assert load().paypal_cert_roots == str(roots)
