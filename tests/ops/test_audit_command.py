"""`billing audit` as an operator meets it: what it prints, and with which status it ends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from click.testing import CliRunner, Result
from sqlalchemy.orm import Session

from billing import wiring
from billing.__main__ import cli
from billing.db.session import connect
from billing.queries.audit import INVARIANTS
from billing.sandbox.stripe.server import serving
from billing.sandbox.stripe.store import MEMORY, Store
from tests import builders
from tests.ops.office import Office, office_of


@pytest.fixture
def world(database_url: str, broker_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Session]:
    """A world in order, and an environment that points at it."""
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "DATABASE_URL": database_url,
        "BROKER_URL": broker_url,
        "BILLING_SECRET_KEY": builders.SECRET_KEY,
        "BILLING_SANDBOX": "true",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("STRIPE_API_BASE", raising=False)
    monkeypatch.setenv("BILLING_STACK", "none-of-these")
    wiring.current.cache_clear()
    engine = connect(database_url)
    with Session(engine) as session:
        builders.world(session)
        session.commit()
        yield session
    engine.dispose()
    wiring.current().sessions.kw["bind"].dispose()
    wiring.current.cache_clear()


def billing_audit(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["audit", *arguments], prog_name="billing")


def test_a_world_in_order_ends_with_status_0_and_says_that_no_witness_was_asked(world: Session) -> None:
    result = billing_audit()

    assert result.exit_code == 0, result.output
    assert "invariants hold" in result.stdout
    assert "no witness" in result.stdout
    assert "could not be asked" not in result.stdout, "none was named"
    total = len(INVARIANTS)
    assert result.stderr.splitlines()[-1] == f"invariants: {total} of {total}", "how far it is, as it goes on"


def test_a_broken_invariant_ends_with_status_1_and_its_row(world: Session) -> None:
    row = builders.event(world, builders.provider_account(world, code="other"), status="dead", error=None)
    world.commit()

    result = billing_audit("--json", "--code", "E3", "--code", "E2")

    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert [each["code"] for each in report["checked"]] == ["E2", "E3"]
    assert report["broken"] is True
    assert [each["subject_id"] for each in report["violations"]] == [str(row.id)]


def test_logs_and_waiting_messages_are_searched(world: Session, broker_url: str, tmp_path: Path) -> None:
    key = "_".join(("sk", "test", "0" * 24))
    logs = tmp_path / "logs"
    logs.mkdir()
    logs.joinpath("worker.log").write_text(f"started\nkey {key}\n", encoding="utf-8")
    address = broker_url.replace("redis+socket:", "unix:").replace("virtual_host=", "db=")
    with redis.Redis.from_url(address) as client:
        client.lpush("charges", json.dumps({"body": "eyJwYXNzd29yZCI6ICJodW50ZXIyIn0="}))

    result = billing_audit("--json", "--code", "S2", "--logs", str(logs))

    found = [each["subject_id"] for each in json.loads(result.stdout)["violations"]]
    assert found == ["worker.log:2", "broker charges"]
    assert key not in result.output


def test_an_unknown_invariant_is_refused_with_status_3(world: Session) -> None:
    result = billing_audit("--code", "X9")

    assert result.exit_code == 3
    assert "unknown_invariant" in result.output


NOBODY = "http://127.0.0.1:9"


def test_where_the_stand_in_is_away_all_that_needs_no_witness_is_checked_and_it_is_said(
    world: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STRIPE_API_BASE", NOBODY)
    wiring.current.cache_clear()
    by_witness = [each.code for each in INVARIANTS if each.witnessed]

    fine = billing_audit()

    assert fine.exit_code == 0, fine.output
    told = " ".join(fine.stdout.splitlines()[-2:])
    assert "The witness could not be asked (witness: ConnectionError for requests)" in told
    assert f"what only it shows of {', '.join(by_witness)} was not looked at" in told
    assert told.endswith(f"All {len(INVARIANTS)} invariants hold on our own side.")
    builders.event(world, builders.provider_account(world, code="other"), status="dead", error=None)
    world.commit()
    broken = billing_audit("--json")
    report = json.loads(broken.stdout)
    assert (broken.exit_code, report["broken"]) == (1, True)
    assert (report["witness_away"], report["unwitnessed"]) == ("witness: ConnectionError for requests", by_witness)
    assert {each["code"] for each in report["checked"] if each["skipped_reason"]} == set(by_witness)


def test_a_witness_that_was_named_and_cannot_be_reached_is_never_passed_over(world: Session) -> None:
    result = billing_audit("--witness", NOBODY)

    assert result.exit_code == 4
    assert "can't be asked" in result.output


def test_a_broker_that_cannot_be_reached_is_never_passed_over(world: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROKER_URL", "redis://127.0.0.1:9/0")
    wiring.current.cache_clear()

    assert billing_audit("--code", "S1").exit_code == 4
    assert billing_audit("--code", "S1", "--no-broker").exit_code == 0


@pytest.fixture
def office(database_url: str, broker_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    with office_of(database_url, broker_url, tmp_path, monkeypatch) as made:
        made.acme.customer("ada")
        made.acme.subscribe("ada", "ada-basic")
        made.acme.settle()
        yield made


def test_the_witness_of_another_account_is_not_asked(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "not looked at" not in office.ok("audit")
    with serving(Store(MEMORY)) as other:
        monkeypatch.setenv("STRIPE_API_BASE", other.url)
        monkeypatch.setenv("STRIPE_API_KEY", "sk_test_of_another_account")
        wiring.current.cache_clear()
        for args in ((), ("--privacy",), ("--code", "P5"), ("--witness", other.url)):
            refused = office.run("audit", *args)
            assert (args, refused.exit_code, refused.stdout) == (args, 3, "")
            assert "STRIPE_API_KEY: wrong_account — this database is pinned to another account" in refused.stderr
        assert office.items() == []
        assert office.run("audit", "--since", "last").exit_code == 0, "it asks no witness"
