"""`billing operator`: who may enter the console, and what is told once."""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path

import pytest
from sqlalchemy import text

from billing.flows.entering import Given, enter, entered
from billing.privacy.keyring import generate
from billing.privacy.one_time_code import code_at
from tests.ops.office import Office, office_of

WHY = ("--reason", "joins the team", "--by", "root")


def test_an_operator_is_added_given_another_role_reset_and_disabled(
    database_url: str, broker_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with office_of(database_url, broker_url, tmp_path, monkeypatch) as office:
        made = json.loads(office.ok("operator", "add", "ada", "--role", "operator", *WHY, "--json"))
        assert made["otpauth"].startswith("otpauth://totp/")
        told = office.ok("operator", "reset", "ada", *WHY)
        assert made["password"] not in told
        assert "told this once" in told
        fresh = json.loads(office.ok("operator", "reset", "ada", *WHY, "--json"))
        secret = _secret(fresh["setup_key"])
        given = Given("ada", fresh["password"], code_at(secret, time.time()))
        token = enter(office.acme.parts, given, network="192.0.2.1")
        found = entered(office.acme.parts, token, active=True)
        assert found is not None
        assert (found.name, found.role) == ("ada", "operator")
        assert "is finance from the next login on" in office.ok("operator", "role", "ada", "finance", *WHY)
        assert "already" in office.ok("operator", "role", "ada", "finance", *WHY)
        assert entered(office.acme.parts, token, active=True) is None
        office.ok("operator", "disable", "ada", *WHY)
        office.ok("operator", "add", "bob", "--role", "viewer", "--without-password", *WHY)
        rows = json.loads(office.ok("operator", "list", "--json"))
        assert [(row["name"], row["role"], row["status"], row["has_password"]) for row in rows] == [
            ("ada", "finance", "off", True),
            ("bob", "viewer", "on", False),
        ]
        assert "may come in again" in office.ok("operator", "enable", "ada", *WHY)
        for name, code in (("Ada Lovelace", "operator_name_shape"), ("bob", "operator_name_taken")):
            refused = office.run("operator", "add", name, "--role", "viewer", *WHY)
            assert (refused.exit_code, code in refused.stderr) == (3, True)
        assert "operator_not_found" in office.run("operator", "reset", "zoe", *WHY).stderr
        assert "bob" in office.ok("operator", "list")


def test_a_verb_with_a_master_key_that_opens_nothing_seals_nothing_under_it(
    database_url: str, broker_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with office_of(database_url, broker_url, tmp_path, monkeypatch) as office:
        # Without a method: what the provider told of one would come in, and be sealed, while we compare.
        office.acme.customer("a1", method=None)
        monkeypatch.setenv("BILLING_SECRET_KEY", generate())
        for order in (
            ("operator", "add", "ada", "--role", "viewer"),
            ("endpoints", "add", "shop", "https://host.example.com/hooks"),
        ):
            before = _everything(office)
            refused = office.run(*order, *WHY)
            assert (refused.exit_code, "wrong_secret_key" in refused.stderr) == (3, True), refused.output
            assert _everything(office) == before
        assert office.read("operator", "list") == [], "what needs no key is told"


def _everything(office: Office) -> list[tuple[object, ...]]:
    with office.acme.begin() as session:
        return [
            tuple(session.scalars(text(f"SELECT t::text FROM billing.{name} t ORDER BY 1")))
            for name in ("data_key", "operator", "endpoint", "audit_trail")
        ]


def _secret(setup_key: str) -> bytes:

    return base64.b32decode(setup_key.replace(" ", ""))
