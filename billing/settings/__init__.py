"""Settings: read once from the environment (and `.env`), checked at start, listed by `billing check`."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import SettingsConfigDict

from billing.kernel.errors import Refused
from billing.settings.accounts import Accounts
from billing.settings.forms import (
    CENTURY_DAYS,
    YEAR_S,
    AddressOrNone,
    Network,
    SentryDsn,
    fault_of,
    has_port,
    listed,
    networks,
    spoken_over_http,
)

_SUBSCRIBER = re.compile(r"python:[\w.]+:\w+|celery:[\w.-]+:[\w.-]+")
_POSTGRESQL = "postgresql://", "postgresql+psycopg://", "postgres://"
_BROKERS = ("redis://", "rediss://", "redis+socket://")
_CLUSTERS = ("amqp://", "amqps://")
_ASKED_ABOUT_MONEY = ("stripe_api_base", "paypal_api_base", "ecb_url", "vies_url")
"""Who gets our keys, or says what was paid and what tax is owed."""


LogLevel = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], BeforeValidator(str.upper)]


class Settings(Accounts):
    """Every value that deployment decides. Durations are seconds of wall time unless said."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True)

    database_url: str | None = None
    broker_url: str | None = None
    billing_secret_key: SecretStr | None = None
    """Master keys for sealing, newest first (`billing.privacy.keyring`)."""

    billing_public_url: AddressOrNone = None
    """Where customers reach this service's pages, such as https://pay.example.com; without it there are no links."""
    billing_proxies: int = Field(default=0, ge=0, le=16)
    """How many proxies stand before the web application: the last so many say who asks (`X-Forwarded-For`)."""
    billing_link_days: int = Field(default=30, ge=1, le=3650)
    """How long a link to the customer's page is good (days of wall time)."""

    smtp_url: str | None = None
    """The mail server: smtp://user@host:587 (encrypted by STARTTLS) or smtps://user@host:465. Without it no mail."""
    smtp_password: SecretStr | None = None
    smtp_from: str | None = None
    """The address that mails to customers come from; the name before it is the seller's."""

    billing_endpoint_networks: str = ""
    """Networks beside the public ones that events may be posted to, in plain HTTP too: 10.1.0.0/16,127.0.0.1/32."""
    billing_subscribers: str = ""
    """What endpoints may name besides addresses: python:shop.billing:on_event, celery:shop:shop.tasks.on_event."""
    billing_delivery_every_s: float = Field(default=2.0, ge=0.1, le=60)
    """Seconds between looks for new events to hand over: so long one waits at most, and so often the broker is used."""
    billing_outbox_days: int = Field(default=30, ge=4, le=CENTURY_DAYS)
    """How long events that were handed over are kept for replay (days of wall time), with their deliveries."""

    billing_api_requests_per_minute: int = Field(default=6000, ge=1, le=1_000_000)
    """What one key of the HTTP API may ask in a minute of wall time."""

    billing_event_body_days: int = Field(default=90, ge=30, le=CENTURY_DAYS)
    """How long the sealed bodies of provider events are kept after handling (days of business time)."""
    billing_work_item_days: int = Field(default=730, ge=30, le=CENTURY_DAYS)
    """How long closed work items (days of business time) and the console's ended orders (wall time) are kept."""
    billing_notice_days: int = Field(default=1095, ge=400, le=CENTURY_DAYS)
    """How long it is kept what customers were told (days of business time), but for announced debits."""

    billing_log_json: bool = True
    billing_log_level: LogLevel = "INFO"

    billing_slice_size: int = Field(default=500, ge=1, le=10_000)
    """Profiles in one renewal slice."""
    billing_plan_limit: int = Field(default=20_000, ge=1, le=10_000_000)
    """Most of a kind that one tick takes up: profiles, invoices, slices, events, notices."""
    billing_webhook_body_limit: int = Field(default=1_048_576, ge=262_144, le=104_857_600)
    """Bytes. Below the least, events of long invoices would be refused."""
    billing_task_limit_s: int = Field(default=300, ge=1, le=86_400)
    """Seconds after which a task that hangs is killed with its process: far more than any call and its time-outs."""
    billing_watch_s: float = Field(default=60, ge=0, le=3600)
    """Seconds in which a worker hears nothing before it asks itself whether it still can; 0: never. Deaf, it exits."""
    billing_audit_every_s: int | None = Field(default=None, ge=0, le=YEAR_S)
    """Seconds between audits of what changed; 0: none. Unset: 900, and none in the sandbox, whose clock jumps."""
    billing_audit_whole_every_s: int | None = Field(default=None, ge=0, le=YEAR_S)
    """Seconds between audits of everything; 0: none. Unset: a day, and none in the sandbox."""
    billing_traces_url: str | None = None
    """Where steps of runs go as spans, by OTLP over HTTP: https://collector.example/v1/traces; see docs/operate."""
    billing_sentry_dsn: SentryDsn = None
    """Where errors that are logged go too, stripped of all that may be personal: the DSN of a Sentry project."""
    billing_metrics_token: SecretStr | None = None
    """Bearer token of whoever scrapes `/metrics`; without it there is no such page."""

    @model_validator(mode="after")
    def _closed_by_default(self) -> Self:  # noqa: N804 (an "after" validator is an instance's)
        if self.live and self.billing_sandbox:
            raise ValueError("BILLING_SANDBOX: a live provider key never runs under the sandbox clock; unset it")
        if self.live and not (self.database_url and self.broker_url):
            raise ValueError("DATABASE_URL, BROKER_URL: a live provider key needs both; embedded ones are for trials")
        if self.live and self.billing_public_url and not self.billing_public_url.startswith("https://"):
            raise ValueError("BILLING_PUBLIC_URL: customers pay over https only; give such an address")
        if self.live and not self.stripe_js_url.startswith("https://"):
            raise ValueError("STRIPE_JS_URL: a script that takes cards is loaded over https only; give such an address")
        for name in _ASKED_ABOUT_MONEY if self.live else ():
            asked = getattr(self, name)
            if asked and not asked.startswith("https://"):
                mend = "with a live key it is asked over https only; give such an address, or unset it"
                raise ValueError(f"{name.upper()}: {mend}")
        return self

    @model_validator(mode="after")
    def _servers_are_ones_that_we_speak(self) -> Self:  # noqa: N804 (an "after" validator is an instance's)
        database = self.database_url
        if database and not (database.startswith(_POSTGRESQL) and has_port(database)):
            raise ValueError("DATABASE_URL: give the address of a PostgreSQL, as postgresql://user@host:5432/database")
        # Depths and readiness are asked of it; a broker that we can't ask would look healthy and dumb.
        nodes = (self.broker_url or "").split(";")
        known = len(nodes) == 1 and (not nodes[0] or nodes[0].startswith(_BROKERS))
        known = (known or all(each.startswith(_CLUSTERS) for each in nodes)) and all(map(has_port, nodes))
        if not known:
            mend = "give the redis:// or rediss:// address of a Redis or Valkey, or the amqp:// or amqps:// one of a"
            raise ValueError(f"BROKER_URL: {mend} RabbitMQ (of several nodes with ; between them)")
        return self

    @model_validator(mode="after")
    def _mail_is_whole(self) -> Self:  # noqa: N804 (an "after" validator is an instance's)
        if self.smtp_url is None:
            return self
        parts = urlsplit(self.smtp_url)
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname or not has_port(self.smtp_url):
            raise ValueError("SMTP_URL: give smtp://user@host:587 or smtps://user@host:465")
        if parts.password is not None:
            raise ValueError("SMTP_URL: the password goes into SMTP_PASSWORD, which is never shown")
        if not self.smtp_from or "@" not in self.smtp_from:
            raise ValueError("SMTP_FROM: give the address that mails come from")
        return self

    @model_validator(mode="after")
    def _networks_are_networks(self) -> Self:  # noqa: N804 (an "after" validator is an instance's)
        _ = self.endpoint_networks
        return self

    @model_validator(mode="after")
    def _traces_have_an_address(self) -> Self:  # noqa: N804 (an "after" validator is an instance's)
        if self.billing_traces_url is None:
            return self
        url = self.billing_traces_url
        if not spoken_over_http(url) or urlsplit(url).password is not None:
            mend = "give an address such as https://collector.example/v1/traces; a token goes into"
            raise ValueError(f"BILLING_TRACES_URL: {mend} OTEL_EXPORTER_OTLP_HEADERS")
        return self

    @model_validator(mode="after")
    def _subscribers_are_named(self) -> Self:  # noqa: N804 (an "after" validator is an instance's)
        if not all(_SUBSCRIBER.fullmatch(each) for each in self.subscribers):
            raise ValueError("BILLING_SUBSCRIBERS: give python:package.module:function or celery:queue:task.name")
        return self

    @model_validator(mode="after")
    def _tasks_may_end(self) -> Self:  # noqa: N804 (an "after" validator is an instance's)
        # One that charges goes on for `stream_s`, and what it has sent by then runs under a lease.
        least_s = int(self.stream_s + self.lease_s)
        if not self.billing_sandbox and self.billing_task_limit_s < least_s:
            raise ValueError(f"BILLING_TASK_LIMIT_S: give at least {least_s}: tasks that charge take so long")
        return self

    @property
    def endpoint_networks(self) -> list[Network]:
        """Networks that are not public and may be posted to all the same."""
        return networks("BILLING_ENDPOINT_NETWORKS", self.billing_endpoint_networks)

    @property
    def subscribers(self) -> list[str]:
        """Callables and tasks of the host application that endpoints may name."""
        return listed(self.billing_subscribers)

    def calls_per_s(self, *, provider: str = "stripe", livemode: bool) -> float:
        """Calls a second that the provider allows an account of that mode. PayPal says no number: this is a start."""
        if self.billing_provider_calls_per_s is not None:
            return self.billing_provider_calls_per_s
        if provider == "paypal":
            return 10.0 if self.paypal_api_base is None else 2000.0
        if self.stripe_api_base is not None:
            return 2000.0
        return 100.0 if livemode else 25.0

    @property
    def endpoint_calls_per_s(self) -> float | None:
        """Calls a second that it allows one operation; None: as many as the account."""
        if self.billing_provider_endpoint_calls_per_s is not None:
            return self.billing_provider_endpoint_calls_per_s or None
        return None if self.stripe_api_base is not None else 25.0

    @property
    def delivery_every_s(self) -> float:
        """Period of the tick that hands events over: it is what their latency is made of."""
        return min(self.tick_s, self.billing_delivery_every_s)

    @property
    def audit_every_s(self) -> int:
        """Seconds of wall time between audits of what changed; 0: none."""
        if self.billing_audit_every_s is not None:
            return self.billing_audit_every_s
        return 0 if self.billing_sandbox else 900

    @property
    def audit_whole_every_s(self) -> int:
        """Seconds of wall time between audits of everything; 0: none."""
        if self.billing_audit_whole_every_s is not None:
            return self.billing_audit_whole_every_s
        return 0 if self.billing_sandbox else 86_400


def load() -> Settings:
    """Read the environment. Raises `Refused` that names each wrong variable, without its value."""
    try:
        return Settings()
    except ValidationError as error:
        told = error.errors(include_input=False, include_url=False)
        raise Refused([fault_of(each, Settings.model_fields) for each in told]) from None
