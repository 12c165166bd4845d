"""`billing import` beside what is there: another account's customer, a forgotten person, another import at once."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
import requests
from sqlalchemy import select, text

from billing import wiring
from billing.db import session
from billing.flows import intake
from billing.flows.intake_input import IntakeReport
from billing.flows.intake_methods import BroughtBy
from billing.flows.order import Order
from billing.flows.parts import Parts
from billing.flows.rekeying import rewrap
from billing.flows.rights import erase
from billing.flows.start import start
from billing.kernel.errors import Fault, Refused
from billing.models import Profile, TaxRate
from billing.ops.import_file import read_file
from billing.ops.importing import import_file
from billing.privacy.keyring import generate
from billing.sandbox.paypal.app import create_app as paypal_app
from billing.sandbox.stripe.server import serving
from billing.sandbox.stripe.store import MEMORY, Store
from tests.ops.conftest import Desk
from tests.ops.import_files import GOOD, counts


def _provider(desk: Desk, path: str, **data: str) -> str:
    headers = {"Authorization": "Bearer sk_test_desk"}
    answer = requests.post(f"{desk.server.url}/v1/{path}", data=data, headers=headers, timeout=5)
    return str(answer.json()["id"])


@pytest.fixture
def moving(desk: Desk) -> str:
    """A file that brings `acct-1` with the customer and the method that the provider keeps."""
    customer = _provider(desk, "customers")
    method = _provider(desk, "payment_methods/pm_card_visa/attach", customer=customer)
    return GOOD.replace("pm_card_visa", f"{method}\n    provider_customer_id: {customer}")


def _faults(desk: Desk, text: str, *more: str) -> list[str]:
    """Line, field and code of each fault; nothing is written."""
    before = counts(desk)
    result = desk.run(import_file, desk.write("b.yaml", text), *more)
    assert (result.exit_code, counts(desk)) == (3, before), result.output
    return [line.split(" (")[0] for line in result.stderr.splitlines() if line.startswith("b.yaml")]


def test_a_providers_customer_of_another_account_is_told_by_its_line(desk: Desk, moving: str) -> None:
    assert desk.run(import_file, desk.write("a.yaml", moving)).exit_code == 0
    other = moving.replace("acct-1", "acct-9").replace("sub-1", "sub-9")
    assert _faults(desk, other) == ["b.yaml:17: provider_customer_id: customer_of_another_account"]
    elsewhere = other.replace("NORD", "SUED")
    assert _faults(desk, elsewhere) == ["b.yaml:17: provider_customer_id: customer_of_another_account"]


def test_one_line_may_not_give_two_accounts_one_customer(desk: Desk) -> None:
    customer = _provider(desk, "customers")
    both = ", ".join(
        f"{{account_id: {account}, name: Anna, country: DE, provider_customer_id: {customer}}}" for account in "ab"
    )
    told = _faults(desk, f"{GOOD[: GOOD.index('customers:')]}customers: [{both}]\n")
    assert told == ["b.yaml:10: provider_customer_id: given_twice"]


def test_who_has_come_to_another_provider_too_is_still_found(desk: Desk, moving: str) -> None:
    path = desk.write("a.yaml", moving)
    assert desk.run(import_file, path).exit_code == 0
    with desk.new_session() as session, session.begin():
        session.execute(
            text(
                "INSERT INTO billing.provider_account (id, provider, code, livemode, account_ref) "
                "VALUES (gen_random_uuid(), 'paypal', 'default', false, 'merchant')"
            )
        )
        session.execute(
            text(
                "INSERT INTO billing.provider_customer (id, seller_id, profile_id, provider_account_id, customer_ref) "
                "SELECT gen_random_uuid(), p.seller_id, p.id, a.id, 'payer' "
                "FROM billing.profile p, billing.provider_account a "
                "WHERE p.account_id = 'acct-1' AND a.provider = 'paypal'"
            )
        )
    assert "nothing changed" in desk.run(import_file, path).stdout
    told = _faults(desk, moving.replace("provider_customer_id: cus_", "provider_customer_id: cus_x"))
    assert told == ["b.yaml:17: provider_customer_id: exists_and_differs"]


def test_a_person_who_was_forgotten_is_told_by_the_line_and_to_no_provider(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = GOOD[: GOOD.index("subscriptions:")]
    assert desk.run(import_file, desk.write("a.yaml", ended)).exit_code == 0
    parts = wiring.current()
    with desk.new_session() as session:
        profile = session.scalars(select(Profile.id).where(Profile.account_id == "acct-1")).one()
    erase(parts, profile, order=Order(actor="ada", reason="asked for it"))
    made = requests.get(f"{desk.server.url}/_sandbox/state", timeout=5).json()["objects"]
    assert made["customer"] == 1
    for more in ((), ("--dry-run",)):
        assert _faults(desk, ended, *more) == ["b.yaml:11: account_id: profile_erased"]
    assert requests.get(f"{desk.server.url}/_sandbox/state", timeout=5).json()["objects"] == made
    parts.sessions.kw["bind"].dispose()
    monkeypatch.setenv("BILLING_SECRET_KEY", f"{generate()},{os.environ['BILLING_SECRET_KEY']}")
    wiring.current.cache_clear()
    assert _faults(desk, ended) == ["b.yaml:11: account_id: profile_erased"], "under another master key too"


def test_another_card_with_the_same_consent_is_told(desk: Desk, moving: str) -> None:
    path = desk.write("a.yaml", moving)
    assert desk.run(import_file, path).exit_code == 0
    assert "nothing changed" in desk.run(import_file, path).stdout
    told = _faults(desk, moving.replace("provider_payment_method_id: pm_", "provider_payment_method_id: pm_x"))
    assert told == ["b.yaml:16: provider_payment_method_id: exists_and_differs"]


def test_another_test_name_with_the_same_consent_is_told(desk: Desk) -> None:
    """The provider gives such a name another id: what the file called it is kept beside that."""
    path = desk.write("a.yaml", GOOD)
    assert desk.run(import_file, path).exit_code == 0
    assert "nothing changed" in desk.run(import_file, path).stdout
    told = _faults(desk, GOOD.replace("pm_card_visa", "pm_card_mastercard"))
    assert told == ["b.yaml:16: provider_payment_method_id: exists_and_differs"]
    with desk.new_session() as session, session.begin():
        session.execute(text("UPDATE billing.payment_method SET given_ref = NULL"))
    again = desk.run(import_file, desk.write("c.yaml", GOOD.replace("pm_card_visa", "pm_card_mastercard")))
    assert "nothing changed" in again.stdout, "of one that was taken in before that was kept, only the consent is known"


def test_another_agreement_at_paypal_with_the_same_consent_is_told(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(Store(MEMORY), make=paypal_app) as paypal:
        monkeypatch.setenv("PAYPAL_API_BASE", paypal.url)
        monkeypatch.setenv("PAYPAL_CLIENT_ID", "sb-desk")
        monkeypatch.setenv("PAYPAL_CLIENT_SECRET", "desk")
        wallet = GOOD.replace("pm_card_visa", "B-SANDBOX-GOOD\n    provider: paypal")
        path = desk.write("a.yaml", wallet)
        result = desk.run(import_file, path)
        assert result.exit_code == 0, result.output
        assert "nothing changed" in desk.run(import_file, path).stdout
        told = _faults(desk, wallet.replace("GOOD", "OTHER"))
    assert told == ["b.yaml:16: provider_payment_method_id: exists_and_differs"]


def test_a_known_customer_who_is_forgotten_while_the_provider_is_asked_is_told_by_the_line(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = GOOD[: GOOD.index("subscriptions:")]
    assert desk.run(import_file, desk.write("a.yaml", known)).exit_code == 0
    bring = intake._bring

    def forgotten_meanwhile(*given: Any) -> BroughtBy:
        with desk.new_session() as session:
            profile = session.scalars(select(Profile.id).where(Profile.account_id == "acct-1")).one()
        erase(wiring.current(), profile, order=Order(actor="ada", reason="asked for it"))
        return bring(*given)

    monkeypatch.setattr(intake, "_bring", forgotten_meanwhile)
    more = GOOD.replace("customers:", "customers:\n  - {account_id: acct-3, name: New, country: DE}")
    assert _faults(desk, more) == ["b.yaml:21: customer: profile_erased"]


def test_a_lock_that_others_hold_too_long_is_no_database_that_is_away(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = counts(desk)
    options = session._SERVER_OPTIONS
    monkeypatch.setattr(session, "_SERVER_OPTIONS", options.replace("lock_timeout=10000", "lock_timeout=100"))
    wiring.current.cache_clear()
    start(wiring.current())
    with desk.new_session() as other, other.begin():
        other.execute(text("LOCK TABLE billing.product IN ACCESS EXCLUSIVE MODE"))
        result = desk.run(import_file, desk.write("a.yaml", GOOD))
    assert (result.exit_code, counts(desk)) == (4, before), result.output
    assert "Nothing was written, run it again: the database can't be used now: LockNotAvailable" in result.stderr


def test_a_customer_whom_a_broken_off_import_made_is_found_after_a_rotation_too(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken_off(*_: object, **__: object) -> None:
        raise Refused(Fault("import", "broken_off", "the process died before it wrote"))

    path = desk.write("a.yaml", GOOD)
    with monkeypatch.context() as dying:
        dying.setattr(intake, "write", broken_off)
        assert desk.run(import_file, path).exit_code == 1
    old, new = os.environ["BILLING_SECRET_KEY"], generate()
    for masters in (f"{new},{old}", new):
        wiring.current().sessions.kw["bind"].dispose()
        monkeypatch.setenv("BILLING_SECRET_KEY", masters)
        wiring.current.cache_clear()
        rewrap(wiring.current(), order=Order(actor="ada", reason="the yearly rotation"))
    assert desk.run(import_file, path).exit_code == 0
    made = requests.get(f"{desk.server.url}/_sandbox/state", timeout=5).json()["objects"]
    assert made["customer"] == 1


def test_of_two_imports_at_once_none_changes_the_others_tax_rate(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = wiring.current()
    start(parts)
    assert desk.run(import_file, desk.write("a.yaml", GOOD[: GOOD.index("tax_rates:")])).exit_code == 0
    head = GOOD[: GOOD.index("products:")]
    files = [head, head.replace('percent: "19"', 'percent: "21"')]
    both, bring = Barrier(2), intake._bring
    monkeypatch.setattr(intake, "_bring", lambda *given: (both.wait(20), bring(*given))[1])

    def take(file: str) -> IntakeReport | list[str]:
        try:
            return _take_in(file)
        except Refused as refused:
            return [fault.code for fault in refused.faults]

    _take_in = _taking(parts)
    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(take, files))
    assert ["tax_rate_taken"] in answers
    (written,) = [file for file, answer in zip(files, answers, strict=True) if isinstance(answer, IntakeReport)]
    with desk.new_session() as session:
        assert f'"{session.scalars(select(TaxRate.percent)).one().normalize():f}"' in written


def _taking(parts: Parts) -> Callable[[str], IntakeReport]:
    return lambda file: intake.take_in(
        parts,
        read_file(file.encode(), is_yaml=True),
        actor="ada",
        reason="moving in",
        dry_run=False,
        progress=lambda *_: None,
    )
