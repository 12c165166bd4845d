"""The stage: parts over a scratch database with the transports in process, and one clock for both sides."""

from __future__ import annotations

import json
import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import psycopg
import structlog
from pydantic import SecretStr
from sqlalchemy import Engine, event, select, text
from sqlalchemy.orm import Session

from billing.commands.slice.cut import cut_charges
from billing.db.session import connect, sessions
from billing.flows import refunding, resolution
from billing.flows.handlers import HANDLERS
from billing.flows.parts import Parts
from billing.flows.start import pin
from billing.kernel.errors import Unavailable
from billing.models import ProviderAccount
from billing.privacy.keyring import Keyring, generate
from billing.providers.stripe.adapter import StripeProvider
from billing.providers.stripe.client import build_client
from billing.providers.stripe.mounted import MountedClient
from billing.providers.witnesses import Witnesses
from billing.queue.buffer import TRANSPORT
from billing.sandbox.scenario.playing.sides import Side
from billing.sandbox.scenario.playing.transports import Line, Mounted, MountedWitness, Receiver
from billing.sandbox.scenario.stopping import STOPPING
from billing.sandbox.stripe.background import run_due
from billing.sandbox.stripe.faults import NoAnswer
from billing.sandbox.stripe.standin import stand_in_over
from billing.sandbox.stripe.store import SPILLED, Store
from billing.settings.given import GivenSettings

ROUNDS = 20
"""Technical waits are run at once, at most so many rounds a moment."""


class PlayedSettings(GivenSettings):
    """Settings of a played scenario: nothing waits on wall time, and one call is made after another."""

    billing_charges_in_flight: int = 100
    billing_provider_calls_per_s: float | None = 2e4
    billing_provider_endpoint_calls_per_s: float | None = 0

    @property
    def calls_in_threads(self) -> bool:
        return False

    @property
    def stream_s(self) -> float:
        """What comes of one slice decides what is in the next."""
        return 0.0

    @property
    def paypal_credentials(self) -> dict[str, tuple[str, str]]:
        """The account of the stand-in that is mounted when a wallet is asked for."""
        return {"default": ("sb-simulate", "simulate")}

    @property
    def back_off_s(self) -> tuple[float, ...]:
        return (0.0,)

    @property
    def breaker_s(self) -> tuple[float, float]:
        """A provider that many payments of a moment find failing is asked again at once, by one of them first."""
        return 0.0, 0.0


class NotSettled(Unavailable):
    """Something did not come to rest within a moment."""


_OPEN = text(
    """
    SELECT 'payment attempt' AS what, id::text FROM billing.payment WHERE status IN ('prepared', 'sent', 'unknown')
    UNION ALL SELECT 'refund', id::text FROM billing.refund WHERE status = 'pending'
    UNION ALL SELECT 'provider event', id::text FROM billing.provider_event WHERE next_try_at IS NOT NULL
    UNION ALL SELECT 'invoice to be tried again', id::text FROM billing.invoice
        WHERE status = 'open' AND hold_id IS NULL AND next_attempt_at = :now AND charge_not_before IS NOT NULL
    UNION ALL SELECT 'slice of work', id::text FROM billing.slice WHERE status IN ('pending', 'running')
    LIMIT 10
    """
)
_LOOKED_AT_BYTES = 64 * 1024
_TRY_AGAIN = text(
    """
    SELECT id FROM billing.invoice
    WHERE status = 'open' AND hold_id IS NULL AND next_attempt_at = :now AND charge_not_before IS NOT NULL
    ORDER BY issued_at, id
    """
)


@dataclass(slots=True)
class PlayedTime:
    """Business time of a played scenario: where the player put it."""

    instant: datetime

    def now(self, _: Session) -> datetime:
        return self.instant


@dataclass(slots=True)
class Stage:
    """One scenario's world. `now` is business time, on both sides."""

    parts: Parts
    line: Line
    sides: dict[str, Side]
    now: datetime
    time: PlayedTime
    _looked_at: int | None = None
    """How large the tables that grow were (bytes) when the server last looked; at first, as another play left them."""

    @property
    def witness(self) -> Witnesses:
        """The books of every stand-in."""
        return Witnesses(lambda: [side.witness for side in self.sides.values()])

    @property
    def accounts(self) -> dict[str, UUID]:
        """The account at each provider that the scenario has come to."""
        return {name: side.account_id for name, side in self.sides.items()}

    def account(self, provider: str) -> UUID:
        """The account at a provider, whose stand-in is mounted when it is asked for first."""
        if provider not in self.sides:
            assert provider == "paypal"
            from billing.sandbox.scenario.playing.wallet import paypal_side  # noqa: PLC0415 (slow to load, seldom needed)

            self.sides[provider] = side = paypal_side()
            side.account_id = _pinned(self.parts, provider)
            side.stand_in.clock.set(self.now)
        return self.sides[provider].account_id

    def set_clock(self, now: datetime) -> None:
        """Move business time and the stand-ins' clocks."""
        STOPPING.pause()
        self.time.instant = self.now = now
        for side in self.sides.values():
            side.stand_in.clock.set(now)

    def look_anew(self, size: int) -> None:
        """Let the server look at its tables once they have doubled (bytes of those that grow): it plans by what it last
        saw there.

        Its own look comes once a minute, and years are played meanwhile by plans that were made for empty tables.
        """
        if self._looked_at is None:
            self._looked_at = max(size, _LOOKED_AT_BYTES)
        if size >= 2 * self._looked_at:
            with self.parts.begin() as session:
                session.execute(text("ANALYZE"))
            self._looked_at = size

    def settle(self) -> None:
        """Do what messages ask for, until nothing is under way. Raises `NotSettled` that names what is."""
        busy = self.line.drain(self.parts)
        for _ in range(ROUNDS):
            for side in self.sides.values():
                busy |= bool(run_due(side.stand_in, early=True))
            busy |= self.line.drain(self.parts)
            # Where nobody asked for anything, nothing was begun.
            if not busy or not self._under_way():
                return
            resolution.resolve(self.parts)
            refunding.sweep(self.parts)
            with self.parts.begin() as session:
                again = session.execute(_TRY_AGAIN, {"now": self.now}).scalars().all()
                cut_charges(session, invoices=again)
            self.line.drain(self.parts)
        if left := self._under_way():
            raise NotSettled(f"after {ROUNDS} rounds these are still under way: {', '.join(left)}")

    def _under_way(self) -> list[str]:
        with self.parts.begin() as session:
            return [f"{row.what} {row.id}" for row in session.execute(_OPEN, {"now": self.now})]


def quietly() -> None:
    """Let the flows write no log lines: a refusal that a scenario expects is no news."""
    logging.disable(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


def engine_of(database_url: str) -> Engine:
    """Sessions for plays, one after another: what was planned for one serves the next."""
    engine = connect(database_url, ping=False)
    event.listen(engine, "connect", _keep_plans)
    return engine


def _keep_plans(connection: psycopg.Connection[Any], _: object) -> None:
    """A play asks some 400 statements, most of them seldom; planning one takes longer than carrying it out."""
    connection.prepare_threshold, connection.prepared_max = 0, 2_000
    connection.execute("SET plan_cache_mode = force_generic_plan")
    connection.commit()


@contextmanager
def staged(engine: Engine, *, now: datetime) -> Iterator[Stage]:
    """A fresh stage at `now` on an empty database, closed at the end of the block; its `engine_of` stays."""
    line, receiver, store = Line(), Receiver(), Store(SPILLED)
    stand_in = stand_in_over(store, deliver_many=receiver, seed=1, in_process=True)
    stand_in.configure({"minimums": False, "limits": False, "max_confirms": 1_000_000})
    api_key = "sk_test_" + secrets.token_hex(12)
    mounted = Mounted(stand_in)
    wanted = [("url", "http://receiver/webhooks/stripe"), *(("enabled_events[]", each) for each in sorted(HANDLERS))]
    endpoint, _, _ = mounted(
        "POST", "http://stand-in/v1/webhook_endpoints", {"Authorization": f"Bearer {api_key}"}, urlencode(wanted)
    )
    settings = PlayedSettings(
        database_url=engine.url.render_as_string(hide_password=False),
        stripe_api_key=SecretStr(api_key),
        stripe_webhook_secret=SecretStr(json.loads(endpoint)["secret"]),
        billing_sandbox=True,
    )
    time = PlayedTime(now)
    client = build_client(
        api_key=api_key,
        connect_s=1,
        read_s=1,
        base_address="http://stand-in",
        http_client=MountedClient(mounted, lost=NoAnswer),
    )
    provider = StripeProvider(client=client, livemode=False, documented_only=False)
    sides = {"stripe": Side(stand_in, store, provider, MountedWitness(stand_in))}
    parts = Parts(
        settings=settings,
        sessions=sessions(engine, {TRANSPORT: line}),
        clock=time,
        keyring=Keyring.from_setting(generate()),
        provider_for=lambda name, _code: sides[name].provider,
    )
    receiver.listen(parts)
    try:
        sides["stripe"].account_id = _pinned(parts, "stripe")
        stage = Stage(parts, line, sides, now, time)
        stage.set_clock(now)
        yield stage
    finally:
        for side in sides.values():
            side.store.close()


def _pinned(parts: Parts, provider: str) -> UUID:
    pin(parts, provider=provider, code="default", livemode=False)
    with parts.begin() as session:
        return session.scalars(select(ProviderAccount.id).where(ProviderAccount.provider == provider)).one()
