"""Ground for `./run bench charges`: issued invoices of customers that the stand-in knows, and the stand-in itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import requests
from pydantic import SecretStr
from sqlalchemy import Engine, text

from billing.flows import renewal
from billing.flows.start import pin
from billing.kernel.ids import new_ids
from billing.queries.due import profiles_to_renew
from billing.sandbox import processes
from billing.sandbox.bench.company import DUE, seed, set_clock, settle
from billing.sandbox.bench.figures import Report
from billing.sandbox.bench.scratch import Scratch, cut_slices, parts_of, scratch
from billing.sandbox.embedded import Embedded
from billing.sandbox.embedded.processes import wait_until
from billing.sandbox.environment import place_of
from billing.sandbox.plan import Plan
from billing.sandbox.probes import HOST, answers, port_for
from billing.sandbox.processes import Program
from billing.sandbox.programs import STRIPE, child_environment, command
from billing.sandbox.stripe import Store, objects
from billing.sandbox.stripe.cards import CARDS
from billing.sandbox.stripe.credentials import account_of
from billing.settings import Settings

KEY = "sk_test_bench_of_charges"
_VISA = "pm_card_visa"
_PARKED = "'2999-01-01'"
_READY_S = 60.0


@dataclass(frozen=True, slots=True)
class Ground:
    """A database whose invoices wait to be released, and a stand-in of its own process at `url`."""

    engine: Engine
    made: Scratch
    url: str
    account_id: UUID
    spare: list[tuple[str, str]]
    """(customer, method) that the stand-in knows and no invoice is of: for the floor."""

    def configure(self, **knobs: float) -> None:
        """Set the stand-in's knobs."""
        requests.post(f"{self.url}/_sandbox/config", json=knobs, timeout=10).raise_for_status()

    def release(self, invoices: int) -> None:
        """Make so many parked invoices due."""
        statement = f"""
            UPDATE billing.invoice SET next_attempt_at = :due WHERE id IN (
                SELECT id FROM billing.invoice WHERE next_attempt_at >= {_PARKED} ORDER BY id LIMIT :invoices)"""  # noqa: S608
        with self.engine.begin() as connection:
            connection.execute(text(statement), {"due": DUE, "invoices": invoices})

    def count(self, query: str) -> int:
        """One number out of the database."""
        with self.engine.connect() as connection:
            return int(connection.execute(text(query)).scalar_one())


@contextmanager
def charging_ground(servers: Embedded, *, invoices: int, spare: int, report: Report) -> Iterator[Ground]:
    """So many issued and parked invoices, each of a customer with a card."""
    place = place_of("bench")
    place.folder.mkdir(mode=0o700, exist_ok=True)
    for left in place.folder.glob("stripe.sqlite*"):
        left.unlink()
    refs = _known_to_the_stand_in(str(place.folder / "stripe.sqlite"), invoices + spare)
    plan = Plan(stripe_port=port_for(None, None))
    url = f"http://{HOST}:{plan.stripe_port}"
    processes.launch(place.folder, Program(STRIPE, command(STRIPE, place, plan), child_environment(place, {})))
    try:
        if not wait_until(lambda: answers(f"{url}/_sandbox/state"), seconds=_READY_S):
            raise RuntimeError("the stand-in does not answer")
        with scratch(servers) as bare:
            given = bare.settings.model_dump(exclude_unset=True)
            settings = Settings(**given | {"stripe_api_key": SecretStr(KEY), "stripe_api_base": url})
            made = replace(bare, settings=settings)
            report.progress(f"issuing {invoices:,} invoices ...")
            account = _issue(made, invoices, refs[:invoices])
            yield Ground(made.engine, made, url, account, refs[invoices:])
    finally:
        processes.stop(place.folder, [STRIPE])


def _known_to_the_stand_in(path: str, number: int) -> list[tuple[str, str]]:
    """Customers with a Visa card, written into its books before it starts."""
    account, _ = account_of(f"Bearer {KEY}")
    now, refs = 1_767_225_600, []
    store = Store(path)
    try:
        with store.transaction() as tx:
            for _ in range(number):
                customer = objects.customer(now, {})
                method: dict[str, Any] = objects.payment_method(now, CARDS[_VISA]) | {"customer": customer["id"]}
                tx.add(account, customer)
                tx.add(account, method, {"card": _VISA})
                refs.append((customer["id"], method["id"]))
    finally:
        store.close()
    return refs


def _issue(made: Scratch, invoices: int, refs: list[tuple[str, str]]) -> UUID:
    seed(made.engine, made.keyring, due=invoices, total=invoices)
    set_clock(made.engine, DUE)
    with parts_of(made) as parts:
        pin(parts, provider="stripe", code="default", livemode=False)
        with parts.begin() as session:
            account: UUID = session.execute(text("SELECT id FROM billing.provider_account")).scalar_one()
            profiles = profiles_to_renew(session, now=DUE, most=invoices)
        _give_methods(made.engine, account, profiles, refs)
        size = parts.settings.billing_slice_size
        for slice_id in cut_slices(parts, made.engine, first=0, most=invoices, size=size):
            renewal.bill(parts, slice_id)
    with made.engine.begin() as connection:
        connection.execute(text("DELETE FROM billing.slice"))
        connection.execute(text(f"UPDATE billing.invoice SET next_attempt_at = {_PARKED}"))  # noqa: S608
    settle(made.engine, ("invoice", "payment_method", "provider_customer"))
    return account


def _give_methods(engine: Engine, account: UUID, profiles: list[UUID], refs: list[tuple[str, str]]) -> None:
    rows = [
        {"profile": profile, "account": account, "customer": customer, "method": method, "one": one, "two": two}
        for profile, (customer, method), one, two in zip(
            profiles, refs, new_ids(len(refs)), new_ids(len(refs)), strict=True
        )
    ]
    with engine.begin() as connection:
        connection.execute(
            text(
                """
                INSERT INTO billing.provider_customer (id, seller_id, profile_id, provider_account_id, customer_ref)
                SELECT :one, seller_id, id, :account, :customer FROM billing.profile WHERE id = :profile
                """
            ),
            rows,
        )
        connection.execute(
            text(
                """
                INSERT INTO billing.payment_method (id, seller_id, profile_id, provider_account_id, kind, status,
                    is_default, method_ref, consent_text_version, consent_at, consent_channel, version)
                SELECT :two, seller_id, id, :account, 'card', 'active', true, :method, '1', now(), 'import', 1
                FROM billing.profile WHERE id = :profile
                """
            ),
            rows,
        )
