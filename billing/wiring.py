"""Wiring: the only place that picks implementations. One set of parts a process, made on first use and after a fork."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path

import requests
from celery import Celery

from billing.db.clock import DatabaseClock, SandboxTime
from billing.db.session import connect, sessions
from billing.flows.parts import Parts
from billing.kernel.errors import Fault, Refused
from billing.privacy.keyring import Keyring
from billing.privacy.logging import configure_logging
from billing.privacy.tracing import flush_traces, trace_with
from billing.providers.paypal.adapter import PayPalProvider
from billing.providers.paypal.client import CERTIFICATE_S, LIVE, SANDBOX, PayPalClient, fetched
from billing.providers.paypal.signature import Certificates
from billing.providers.port import Provider
from billing.providers.road import Road
from billing.providers.stripe.adapter import StripeProvider
from billing.providers.stripe.client import build_client
from billing.queue.background import Background
from billing.queue.buffer import TRANSPORT, Transport
from billing.queue.celery import Broker, CeleryTransport, make_app
from billing.registers.rates import Ecb, Rates
from billing.registers.vat import VatRegister, Vies
from billing.settings import Settings, load

SET_OR_START = (
    'set it, or start the embedded stack with `billing up`; a program of your own gets it by `eval "$(billing env)"`'
)


def build(settings: Settings, *, transport: Transport | None = None, in_background: bool = False) -> Parts:
    """Parts by these settings. Without a transport, messages go through Celery to the broker.

    `in_background`: by a thread of their own, for processes in which somebody waits for an answer.

    Raises `Refused`: `database_missing`, `broker_missing`, `secret_key_missing`.
    """
    if not settings.database_url:
        raise Refused(Fault("DATABASE_URL", "database_missing", SET_OR_START))
    if transport is None:
        transport = CeleryTransport(_app(settings, only_publishes=True), pause_s=settings.connect_timeout_s)
        transport = Background(transport) if in_background else transport
    secret = settings.billing_secret_key.get_secret_value() if settings.billing_secret_key else ""
    return Parts(
        settings=settings,
        sessions=sessions(connect(settings.database_url), {TRANSPORT: transport}),
        clock=SandboxTime() if settings.billing_sandbox else DatabaseClock(),
        keyring=Keyring.from_setting(secret),
        provider_for=Providers(settings),
        transport=transport,
        rates=_rates(settings),
        vat_register=_vat_register(settings),
    )


def _vat_register(settings: Settings) -> VatRegister | None:
    if not settings.asks_vat_register:
        return None
    return Vies(Road(connect_s=settings.connect_timeout_s, read_s=settings.read_timeout_s).send, base=settings.vies_url)


def _rates(settings: Settings) -> Rates | None:
    if not settings.reads_rates:
        return None
    return Ecb(Road(connect_s=settings.connect_timeout_s, read_s=settings.read_timeout_s).send, base=settings.ecb_url)


def observe(settings: Settings, *, service: str) -> None:
    """Set up this process's logs, and its traces and reports of errors where they are configured. May be called again.

    Raises `Refused` (`extra_missing`) where the package for one of them is not installed.
    """
    configure_logging(json=settings.billing_log_json, level=settings.billing_log_level)
    if settings.billing_traces_url:
        with _extra("BILLING_TRACES_URL", "otel"):
            from billing.privacy.spans import over_http  # noqa: PLC0415 (only where it is wanted and installed)

            trace_with(over_http(settings.billing_traces_url, service=f"billing-{service}"))
    if settings.billing_sentry_dsn:
        with _extra("BILLING_SENTRY_DSN", "sentry"):
            from billing.privacy.reporting import Reports  # noqa: PLC0415 (only where it is wanted and installed)

            dsn = settings.billing_sentry_dsn.get_secret_value()
            logging.getLogger().addHandler(Reports(dsn, service=f"billing-{service}", live=settings.live))


def send_last_words() -> None:
    """Send spans and errors that wait, within seconds: a worker's child ends without Python's farewell."""
    flush_traces()
    for handler in logging.getLogger().handlers:
        handler.flush()


@contextmanager
def _extra(setting: str, name: str) -> Iterator[None]:
    try:
        yield
    except ImportError:
        mend = f"install billing-engine[{name}], or unset it"
        raise Refused(Fault(setting, "extra_missing", mend)) from None


def broker(settings: Settings) -> Broker:
    """The broker of these settings, for whoever asks about it or sends a tick. Raises `Refused` (`broker_missing`)."""
    return Broker(_app(settings))


def _app(settings: Settings, *, only_publishes: bool = False) -> Celery:
    if not settings.broker_url:
        raise Refused(Fault("BROKER_URL", "broker_missing", SET_OR_START))
    return make_app(settings, only_publishes=only_publishes)


class Providers:
    """(provider, code) → its adapter, made once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._made: dict[tuple[str, str], Provider] = {}

    def __call__(self, provider: str, code: str) -> Provider:
        """Raises `Refused` (`provider_not_configured`)."""
        if (provider, code) not in self._made:
            self._made[provider, code] = self._make(provider, code)
        return self._made[provider, code]

    def _make(self, provider: str, code: str) -> Provider:
        if provider == "paypal":
            return self._paypal(code)
        settings = self._settings
        key = settings.stripe_keys.get(code) if provider == "stripe" else None
        if key is None:
            name = "STRIPE_API_KEY" if code == "default" else f"STRIPE_API_KEY__{code.upper()}"
            raise Refused(Fault(name, "provider_not_configured", f"set the key of {provider} account {code}"))
        client = build_client(
            api_key=key,
            connect_s=settings.connect_timeout_s,
            read_s=settings.read_timeout_s,
            base_address=settings.stripe_api_base,
        )
        return StripeProvider(client=client, livemode=settings.provider_accounts[provider, code])

    def _paypal(self, code: str) -> Provider:
        settings = self._settings
        if code not in settings.paypal_credentials:
            name = "PAYPAL_CLIENT_ID" if code == "default" else f"PAYPAL_CLIENT_ID__{code.upper()}"
            raise Refused(Fault(name, "provider_not_configured", f"set id and secret of paypal account {code}"))
        client_id, client_secret = settings.paypal_credentials[code]
        live = settings.provider_accounts["paypal", code]
        road = Road(connect_s=settings.connect_timeout_s, read_s=settings.read_timeout_s)
        client = PayPalClient(
            road.send,
            base_address=settings.paypal_api_base or (LIVE if live else SANDBOX),
            client_id=client_id,
            client_secret=client_secret,
        )
        roots = settings.paypal_cert_roots or requests.utils.DEFAULT_CA_BUNDLE_PATH
        certificates = Certificates(
            fetch=partial(fetched, Road(connect_s=CERTIFICATE_S, read_s=CERTIFICATE_S)),
            roots=Path(roots).read_bytes(),
            livemode=live,
            own_origin=settings.paypal_api_base and settings.paypal_api_base.rstrip("/"),
        )
        return PayPalProvider(client=client, certificates=certificates, livemode=live)


@lru_cache(maxsize=1)
def current() -> Parts:
    """This process's parts, by its environment. Connections are never shared across a fork."""
    return build(load())


os.register_at_fork(after_in_child=current.cache_clear)
