"""`billing endpoints`, as an operator types it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest

from billing.flows import delivery
from billing.sandbox.earpiece import Earpiece, earpiece
from tests.flows.listening import settle_on
from tests.ops.office import WHY, Office, office_of


@pytest.fixture
def ear() -> Iterator[Earpiece]:
    with earpiece() as made:
        yield made


@pytest.fixture
def office(database_url: str, broker_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    monkeypatch.setenv("BILLING_ENDPOINT_NETWORKS", "127.0.0.0/8")
    with office_of(database_url, broker_url, tmp_path, monkeypatch) as ready:
        settle_on(ready.acme, billing_endpoint_networks="127.0.0.0/8")
        yield ready


def test_an_endpoint_from_its_first_day_to_its_last(office: Office, ear: Earpiece) -> None:
    told = office.ok("endpoints", "add", "shop", ear.url, "--topic", "product.*", *WHY)
    secret = told.splitlines()[-1]
    assert secret.startswith("whsec_")
    assert "it took event" in office.ok("endpoints", "test", "shop", *WHY)
    assert ear.heard[0].event["type"] == "endpoint.test"
    delivery.sweep(office.acme.parts)
    ((shown),) = office.read("endpoints", "list")
    assert (shown["endpoint"], shown["status"], shown["waiting"]) == ("shop", "on", 0)

    assert "off; what happens meanwhile waits for it" in office.ok("endpoints", "off", "shop", *WHY)
    assert "it is off already" in office.ok("endpoints", "off", "shop", *WHY)
    assert "would be sent" in office.ok("endpoints", "test", "shop", "--dry-run", *WHY)
    refused = office.run("endpoints", "replay", "shop", "--from", "2026-01-01", "--to", "2027-01-01", *WHY)
    assert (refused.exit_code, "endpoint_is_off" in refused.stderr) == (3, True)
    assert "on; it gets 0 events" in office.ok("endpoints", "on", "shop", *WHY)
    assert "events are delivered again" in office.ok(
        "endpoints", "replay", "shop", "--from", "2026-01-01", "--to", "2027-01-01", *WHY
    )
    facts = office.read("endpoints", "show", "shop")
    assert facts["waiting"] > 0
    assert {row["topic"].partition(".")[0] for row in facts["deliveries"]} == {"product"}

    (row, *_) = facts["deliveries"]
    assert delivery.deliver(office.acme.parts, UUID(facts["id"])) > 0
    (tried,) = office.read("endpoints", "show", "shop", "--event", row["event"])["attempts"]
    assert tried["outcome"] == "delivered"

    (rotated,) = office.read("endpoints", "rotate", "shop", *WHY)
    assert rotated["secret"].startswith("whsec_")
    assert rotated["secret"] != secret
    assert [row.action for row in office.trail()] == [
        "endpoint.add", "endpoint.test", "endpoint.off", "endpoint.on", "endpoint.replay", "endpoint.rotate",
    ]  # fmt: skip
    assert secret not in json.dumps(facts)


def test_a_test_that_fails_says_how_and_ends_with_3(office: Office, ear: Earpiece) -> None:
    office.ok("endpoints", "add", "shop", ear.url, *WHY)
    ear.status = 500
    failed = office.run("endpoints", "test", "shop", *WHY)
    assert (failed.exit_code, "http_500" in failed.stdout) == (3, True)


def test_every_fault_of_an_endpoint_is_named_and_a_dry_run_makes_none(office: Office) -> None:
    wrong = ("-bad", "ftp://shop.example/", "--topic", "invoice.sung")
    refused = office.run("endpoints", "add", *WHY, "--", *wrong[:2])
    assert refused.exit_code == 3
    assert "not_a_code" in refused.stderr
    assert "not_an_address" in refused.stderr
    unknown = office.run("endpoints", "add", "shop", "https://shop.example/", *wrong[2:], *WHY)
    assert "unknown_topic" in unknown.stderr
    inside = office.run("endpoints", "add", "shop", "python:os:system", *WHY)
    assert "unknown_subscriber" in inside.stderr
    named = office.run("endpoints", "add", "shop", "https://me:secret@shop.example/", *WHY)
    assert "credentials_in_address" in named.stderr
    assert "whsec_" not in office.ok("endpoints", "add", "shop", "https://shop.example/", "--dry-run", *WHY)
    assert office.read("endpoints", "list") == []
    office.ok("endpoints", "add", "shop", "https://shop.example/", *WHY)
    taken = office.run("endpoints", "add", "shop", "https://shop.example/", *WHY)
    assert (taken.exit_code, "endpoint_code_taken" in taken.stderr) == (3, True)
