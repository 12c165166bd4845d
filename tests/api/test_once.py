"""A request's effect and its answer are one: a death beside either leaves both or neither; a repeat does the rest."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import requests
from sqlalchemy import Connection, event, text

from billing.flows import reconciliation
from billing.kernel import failpoints
from billing.privacy.keyring import Keyring, generate
from billing.queries.profile import lock_profile
from billing.sandbox.embedded.processes import wait_until
from tests.api.program import Program, anna, application, basic
from tests.flows.company import START, Company

CONSENT = {"consent_text_version": "v1", "consent_at": "2026-01-30T10:00:00Z"}


def test_another_request_under_a_key_whose_first_one_failed_begins_another_method(acme: Company, shop: Program) -> None:
    profile = shop.ok("POST", "/profiles", anna())["id"]
    key, first = f"begin-{profile}", CONSENT | {"profile_id": profile}
    other = first | {"consent_text_version": "v2"}
    acme.witness.add_faults({"kind": "timeout_before", "next": 1, "path": "/v1/setup_intents", "ms": 0})
    assert shop.ask("POST", "/payment-methods", first, Idempotency_Key=key).status_code == 503
    begun = shop.ok("POST", "/payment-methods", other, Idempotency_Key=key)
    with acme.parts.begin() as session:
        of = text("SELECT id, consent_text_version FROM billing.payment_method WHERE profile_id = :id ORDER BY id")
        agreed = {str(row.id): row.consent_text_version for row in session.execute(of, {"id": profile})}
    assert agreed.pop(begun["id"]) == "v2"
    assert list(agreed.values()) == ["v1"]
    assert shop.ok("POST", "/payment-methods", other, Idempotency_Key=key) == begun


@pytest.fixture
def dying(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Any]]:
    """Within the block the process dies at that failpoint, as far as the request can tell."""

    @contextmanager
    def at(name: str) -> Iterator[None]:
        monkeypatch.setenv("BILLING_FAILPOINTS", f"{name}=raise")
        failpoints.read_environment()
        yield
        monkeypatch.delenv("BILLING_FAILPOINTS")
        failpoints.read_environment()

    yield at
    monkeypatch.delenv("BILLING_FAILPOINTS", raising=False)
    failpoints.read_environment()


def _row(acme: Company, method: str) -> tuple[str, bool, bool]:
    """Its state, whether it is the default, whether its set-up is noted."""
    found = text("SELECT status, is_default, setup_ref IS NOT NULL FROM billing.payment_method WHERE id = :id")
    with acme.parts.begin() as session:
        row = session.execute(found, {"id": method}).one()
        return row[0], row[1], row[2]


def _set_up(acme: Company, setup_ref: str) -> None:
    """What the customer does on the provider's form."""
    requests.post(
        f"{acme.witness_url}/v1/setup_intents/{setup_ref}/confirm",
        data={"payment_method": "pm_card_visa"},
        headers={"Authorization": "Bearer sk_test_company"},
        timeout=5,
    ).raise_for_status()


def test_of_a_payment_method_nothing_stands_without_its_answer(
    acme: Company, shop: Program, dying: Callable[[str], Any]
) -> None:
    acme.witness.add_faults({"kind": "webhook_drop", "rate": 1})
    profile = shop.ok("POST", "/profiles", anna())["id"]
    begin, key = CONSENT | {"profile_id": profile}, f"begin-{profile}"
    with dying("once.keep"):
        assert shop.ask("POST", "/payment-methods", begin, Idempotency_Key=key).status_code == 500
    with acme.parts.begin() as session:
        of = text("SELECT id FROM billing.payment_method WHERE profile_id = :id")
        (method,) = session.scalars(of, {"id": profile})
    assert _row(acme, method) == ("pending", False, False)
    begun = shop.ok("POST", "/payment-methods", begin, Idempotency_Key=key)
    assert (begun["id"], begun["approve_url"]) == (str(method), None)

    path, key = f"/payment-methods/{method}", f"complete-{profile}"
    _set_up(acme, begun["setup_ref"])
    with dying("once.keep"):
        assert shop.ask("POST", f"{path}/complete", Idempotency_Key=key).status_code == 500
    assert _row(acme, method) == ("pending", False, True)
    with dying("api.answer"):
        assert shop.ask("POST", f"{path}/complete", Idempotency_Key=key).status_code == 500
    assert _row(acme, method) == ("active", True, True)
    again = shop.ask("POST", f"{path}/complete", Idempotency_Key=key)
    assert (json.loads(again.data)["status"], again.headers["Idempotent-Replayed"]) == ("active", "true")

    adopt, key = begin | {"method_ref": "pm_card_mastercard"}, f"adopt-{profile}"
    with dying("once.keep"):
        assert shop.ask("POST", "/payment-methods/adopt", adopt, Idempotency_Key=key).status_code == 500
    assert len(shop.ok("GET", f"/payment-methods?profile_id={profile}")["data"]) == 1
    spare = shop.ok("POST", "/payment-methods/adopt", adopt, Idempotency_Key=key)
    assert (spare["brand"], spare["is_default"]) == ("mastercard", False)

    path, key = f"/payment-methods/{spare['id']}/make-default", f"default-{profile}"
    with dying("once.keep"):
        assert shop.ask("POST", path, Idempotency_Key=key).status_code == 500
    assert _row(acme, method)[1]
    assert shop.ok("POST", path, Idempotency_Key=key)["is_default"]
    assert len(shop.ok("GET", f"/payment-methods?profile_id={profile}")["data"]) == 2


def test_what_is_adopted_is_adopted_with_its_answer_and_its_line_in_the_trail(
    acme: Company, shop: Program, dying: Callable[[str], Any]
) -> None:
    customer = anna()
    profile = UUID(shop.ok("POST", "/profiles", customer)["id"])
    acme.give_method(profile, "pm_card_visa_chargeDeclinedInsufficientFunds")
    invoice = shop.ok("POST", "/subscriptions", basic(customer))["latest_invoice"]["id"]
    acme.settle()
    acme.witness.add_faults({"kind": "webhook_drop", "rate": 1})
    acme.pay_behind_our_back(profile)
    reconciliation.reconcile(acme.parts, since=START - timedelta(days=1))
    (item,) = [each for each in shop.ok("GET", "/work-items")["data"] if each["profile_id"] == str(profile)]
    path, act, key = f"/work-items/{item['id']}/act", {"action": "adopt", "reason": "seen there"}, f"act-{uuid4()}"
    assert shop.refused("POST", path, act, If_Match=str(item["version"] + 1)) == (412, "stale")
    with dying("once.keep"):
        assert shop.ask("POST", path, act, Idempotency_Key=key).status_code == 500
    assert shop.ok("GET", f"/invoices/{invoice}")["status"] == "open"
    with dying("api.answer"):
        assert shop.ask("POST", path, act, Idempotency_Key=key).status_code == 500
    assert shop.ok("GET", f"/invoices/{invoice}")["status"] == "paid"
    again = shop.ask("POST", path, act, Idempotency_Key=key)
    assert (json.loads(again.data)["status"], again.headers["Idempotent-Replayed"]) == ("resolved", "true")
    with acme.parts.begin() as session:
        noted = text("SELECT count(*) FROM billing.audit_trail WHERE action = 'work.adopt' AND subject_id = :id")
        assert session.scalar(noted, {"id": item["id"]}) == 1


def test_who_saw_another_version_of_an_endpoint_or_a_work_item_changes_nothing(acme: Company, shop: Program) -> None:
    why = {"reason": "the shop moves"}
    add = why | {"code": f"e-{uuid4()}", "target": "https://shop.example.com/billing"}
    made = shop.ok("POST", "/endpoints", add)["endpoint"]
    path, seen = f"/endpoints/{made['id']}", str(made["version"])
    off = shop.ok("POST", f"{path}/off", why, If_Match=seen)
    assert off["status"] == "off"
    for verb, body in (("on", why), ("rotate", why), ("off", why)):
        assert shop.refused("POST", f"{path}/{verb}", body, If_Match=seen) == (412, "stale"), verb
    assert shop.ok("POST", f"{path}/on", why, If_Match=str(off["version"]))["status"] == "on"


def test_each_of_two_refunds_at_once_tells_of_its_own(acme: Company, shop: Program) -> None:
    customer = anna()
    profile = UUID(shop.ok("POST", "/profiles", customer)["id"])
    acme.give_method(profile, "pm_card_visa")
    invoice = shop.ok("POST", "/subscriptions", basic(customer))["latest_invoice"]["id"]
    acme.settle()
    waiting = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )

    def refund(amount: int) -> list[int]:
        program = Program(shop.client.application, shop.token)
        made = program.ok("POST", f"/invoices/{invoice}/refund", {"reason": "agreed", "amount_minor": amount})
        return [each["amount_minor"] for each in made["refunds"]]

    def both_wait() -> bool:
        with acme.begin() as session:
            return bool(session.scalar(waiting) == 2)

    with ThreadPoolExecutor(2) as pool:
        with acme.parts.begin() as session:
            lock_profile(session, profile)
            asked = [pool.submit(refund, amount) for amount in (100, 200)]
            assert wait_until(both_wait, seconds=10)
        assert [each.result(timeout=10) for each in asked] == [[100], [200]]


def test_who_waits_too_long_for_a_row_is_told_to_ask_again(acme: Company, shop: Program) -> None:
    profile = shop.ok("POST", "/profiles", anna())["id"]
    path, give = f"/profiles/{profile}/credit", {"amount_minor": 100, "currency": "eur", "reason": "late"}
    engine = acme.parts.sessions.kw["bind"]

    def hurry(connection: Connection) -> None:
        connection.exec_driver_sql("SET LOCAL lock_timeout = '100ms'")

    event.listen(engine, "begin", hurry)
    with acme.parts.begin() as session:
        lock_profile(session, UUID(profile))
        assert shop.refused("POST", path, give, Idempotency_Key="waits") == (503, "unavailable")
    event.remove(engine, "begin", hurry)
    assert shop.ok("POST", path, give, Idempotency_Key="waits")["data"] == [
        {"currency": "eur", "amount_minor": 100, "carried_forward_minor": 0}
    ]


def test_a_repeat_at_a_process_without_the_new_master_key_is_told_to_ask_again(acme: Company, shop: Program) -> None:
    old = acme.parts.settings.billing_secret_key.get_secret_value()
    both = replace(acme.parts, keyring=Keyring.from_setting(f"{generate()},{old}"))
    newer = Program(application(both), shop.token)
    profile = shop.ok("POST", "/profiles", anna())["id"]
    path, give, key = (
        f"/profiles/{profile}/credit",
        {"amount_minor": 100, "currency": "eur", "reason": "late"},
        "new-key",
    )
    made = newer.ok("POST", path, give, Idempotency_Key=key)
    assert shop.refused("POST", path, give, Idempotency_Key=key) == (503, "unavailable")
    assert newer.ok("POST", path, give, Idempotency_Key=key) == made
    assert newer.refused("POST", path, give | {"amount_minor": 200}, Idempotency_Key=key) == (
        422,
        "idempotency_key_reused",
    )
    # What was answered under the old one is known to both, and so is what a release before wrote, without the id.
    made = shop.ok("POST", path, give, Idempotency_Key="old-key")
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.api_answer SET master_id = NULL WHERE key = 'old-key'"))
    assert newer.ok("POST", path, give, Idempotency_Key="old-key") == made
    assert shop.ok("GET", path)["data"] == [{"currency": "eur", "amount_minor": 200, "carried_forward_minor": 0}]
