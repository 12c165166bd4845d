"""`billing check`, `db` and `tick`: what is right, what is to be mended, and the nudge by hand."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from celery.contrib.testing.worker import start_worker
from sqlalchemy import text

from billing import wiring
from billing.flows import restoring
from billing.flows.upkeep import beat
from billing.privacy.keyring import Keyring, generate
from billing.queries.same_database import notice_server
from billing.queue.celery import Broker, make_app
from billing.queue.names import QUEUES, TICKS
from billing.settings import load
from tests.ops.office import WHY, Office, office_of


@pytest.fixture
def office(database_url: str, broker_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Office]:
    with office_of(database_url, broker_url, tmp_path, monkeypatch) as ready:
        yield ready


def _lines(office: Office) -> dict[str, tuple[str, str]]:
    result = office.run("check", "--json")
    facts = json.loads(result.stdout)
    assert result.exit_code == (0 if facts["ok"] else 1)
    return {line["name"]: (line["state"], line["told"]) for line in facts["lines"]}


def test_what_nobody_does_is_a_finding_with_what_to_start(office: Office) -> None:
    lines = _lines(office)
    assert lines["database"][0] == "ok"
    assert lines["broker"] == ("ok", "answers")
    assert lines["stripe default"][0] == "ok"
    assert "test mode, pinned" in lines["stripe default"][1]
    assert lines["stripe default webhooks"] == ("ok", "STRIPE_WEBHOOK_SECRET is set")
    assert {lines[f"queue {name}"][0] for name in QUEUES} == {"mend"}
    assert {lines[f"tick {tick.name}"] for tick in TICKS} == {("mend", "has never run; start beat and a worker")}
    assert lines["work items"] == ("ok", "none is open")
    told = office.run("check")
    assert told.exit_code == 1
    verdict = f"{len(QUEUES) + len(TICKS)} to mend; nothing waits for a person."
    assert (told.stdout.splitlines()[0], told.stdout.splitlines()[-1]) == (verdict, verdict)


def test_a_role_that_was_given_too_much_or_too_little_by_hand_is_a_finding(office: Office) -> None:
    name = "row-level security"
    assert _lines(office)[name] == ("ok", "the API sees one seller's rows, as billing_seller")
    office.execute("GRANT SELECT ON billing.operator_order TO billing_seller")
    office.execute("REVOKE SELECT ON billing.line_accrual FROM billing_seller")
    state, told = _lines(office)[name]
    assert (state, "line_accrual, operator_order" in told, "docs/run.md" in told) == ("mend", True, True)
    office.execute("GRANT SELECT ON billing.line_accrual TO billing_seller")
    office.execute("REVOKE SELECT ON billing.operator_order FROM billing_seller")
    assert _lines(office)[name][0] == "ok"


def test_a_working_installation_has_no_finding(office: Office) -> None:
    for tick in TICKS:
        beat(office.acme.parts, tick, worker="here")
    app = make_app(load())
    with start_worker(app, perform_ping_check=False, pool="solo"):
        lines = _lines(office)
    told = {name: told for name, (state, told) in lines.items() if state != "ok"}
    assert told.pop("fonts").startswith("none for ")
    assert told == {"mail": "no SMTP_URL: what customers are told leaves as events alone"}


def test_a_late_tick_is_a_finding_and_open_work_is_only_told(office: Office) -> None:
    for tick in TICKS:
        beat(office.acme.parts, tick, worker="here")
    office.execute("UPDATE billing.heartbeat SET seen_at = seen_at - interval '5 minutes' WHERE tick = 'inbox.tick'")
    office.held_subscription("s1")
    lines = _lines(office)
    assert lines["tick inbox.tick"][0] == "mend"
    assert "ago; start beat and a worker" in lines["tick inbox.tick"][1]
    assert lines["tick renewals.tick"][0] == "ok"
    assert lines["work items"] == ("note", "1 subscription_not_billed open; see `billing work list`")


def test_what_is_to_be_mended_stands_first_and_the_verdict_says_what_needs_a_person(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.held_subscription("s1", "s2")
    office.ok("collect", "stop", "--customer", "of-s1", *WHY)
    result = json.loads(office.run("check", "--json").stdout)
    assert (result["ok"], result["need_a_person"]) == (False, 3)
    told = office.run("check").stdout.splitlines()
    states = [state for line in told if (state := line.partition(" ")[0]) in {"mend", "note", "ok"}]
    assert states == sorted(states, key=["mend", "note", "ok"].index)
    assert told.index("Settings in effect:") > max(told.index(line) for line in told if line.startswith("ok "))
    assert told[0] == told[-1] == f"{states.count('mend')} to mend; 3 items need a person: `billing work list`."
    office.mend()
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    narrow = office.run("check").stdout.partition("\nSettings in effect:")[0].splitlines()
    assert max(map(len, narrow)) <= 80, "a long line, such as that of fonts, goes on below itself"
    (row,) = (number for number, line in enumerate(narrow) if line.startswith("note  fonts"))
    assert narrow[row + 1].startswith(" " * narrow[row].index("none for"))


def test_settings_are_shown_and_secrets_only_as_set_or_unset(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    result = office.run("check", "--json")
    settings = json.loads(result.stdout)["settings"]
    assert (settings["STRIPE_API_KEY"], settings["BILLING_SECRET_KEY"]) == ("set", "set")
    assert settings["BILLING_SLICE_SIZE"] == 500
    secrets = load()
    assert secrets.billing_secret_key is not None
    for secret in (*secrets.stripe_keys.values(), *secrets.webhook_secrets("default")):
        assert secret not in result.output
    assert secrets.billing_secret_key.get_secret_value() not in result.output


@pytest.mark.parametrize(
    ("name", "value", "line", "told"),
    [
        ("STRIPE_API_BASE", "http://127.0.0.1:1", "stripe default", "can't be reached"),
        ("STRIPE_WEBHOOK_SECRET", "", "stripe default webhooks", "every event is refused"),
        ("STRIPE_API_KEY", "", "stripe", "nothing can be charged"),
        ("PAYPAL_CLIENT_ID", "sb-nobody", "paypal default webhooks", "PAYPAL_WEBHOOK_ID is not set: every event"),
        ("BROKER_URL", "redis://127.0.0.1:1/0", "broker", "can't be reached"),
        ("DATABASE_URL", "postgresql://127.0.0.1:1/none", "database", "can't be reached"),
        ("BILLING_SECRET_KEY", "short", "BILLING_SECRET_KEY[1]", "32 random bytes"),
    ],
)
def test_each_thing_that_is_wrong_is_a_line_of_its_own(
    office: Office, monkeypatch: pytest.MonkeyPatch, *, name: str, value: str, line: str, told: str
) -> None:
    if name == "PAYPAL_CLIENT_ID":
        monkeypatch.setenv("PAYPAL_CLIENT_SECRET", "nobody's")
    monkeypatch.setenv("PAYPAL_API_BASE", "http://127.0.0.1:1")
    monkeypatch.setenv(name, value)
    state, said = _lines(office)[line]
    assert state == "mend"
    assert told in said


@pytest.mark.parametrize(("given", "state"), [("{new}", "mend"), ("{id}:{new}", "mend"), ("{new},{old}", "ok")])
def test_a_master_key_that_data_keys_need_and_that_is_not_there_is_a_finding(
    office: Office, monkeypatch: pytest.MonkeyPatch, given: str, state: str
) -> None:
    office.held_subscription("s1")
    old = os.environ["BILLING_SECRET_KEY"]
    (id_,) = Keyring.from_setting(old).master_ids
    monkeypatch.setenv("BILLING_SECRET_KEY", given.format(new=generate(), id=id_, old=old))
    found, told = _lines(office)["master keys"]
    assert found == state
    assert (f"data keys are under {id_}, which BILLING_SECRET_KEY has not" in told) == (state == "mend")


def test_of_all_data_keys_it_is_told_how_many_each_master_key_wraps(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    office.held_subscription("s1")
    old = os.environ["BILLING_SECRET_KEY"]
    (id_,) = Keyring.from_setting(old).master_ids
    with office.acme.parts.begin() as session:
        number = session.scalar(text("SELECT count(*) FROM billing.data_key"))
    monkeypatch.setenv("BILLING_SECRET_KEY", f"2027:{generate()},{old},2019:{generate()}")
    told = f"2027 wraps no data key, {id_} wraps {number}, 2019 wraps no data key"
    assert office.ok("db", "rewrap", "--dry-run", *WHY) == f"{number} data keys would be wrapped anew: {told}.\n"
    wrapped = office.read("db", "rewrap", *WHY)
    assert wrapped == {"wrapped": number, "dry_run": False, "data_keys": {"2027": number, id_: 0, "2019": 0}}
    told = f"2027 wraps {number}, {id_} wraps no data key, 2019 wraps no data key"
    assert office.ok("db", "rewrap", *WHY) == f"0 data keys are wrapped anew: {told}.\n"


def test_another_database_server_is_told_of_until_the_provider_has_said_what_it_knows(office: Office) -> None:
    def server(change: str | None = None) -> tuple[str, str]:
        if change:
            with office.acme.parts.begin() as session:
                session.execute(text(f"UPDATE billing.database_pin SET {change}"))
        return _lines(office)["database server"]

    assert server() == ("ok", "the one to which the rows are pinned")
    state, told = server("fingerprint = 'another', timeline = '00000000'")
    assert (state, "noticed 0 s ago" in told, "for 4 s more" in told) == ("note", True, True)
    with office.acme.parts.begin() as session:
        notice_server(session)
    state, told = server("noticed_at = noticed_at - interval '1 hour'")
    assert (state, "let beat, a worker" in told) == ("mend", True)
    restoring.recognise(office.acme.parts)
    assert server()[0] == "ok"


def test_no_tick_is_sent_on_a_database_that_is_not_migrated(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    monkeypatch.setattr(Broker, "send_tick", lambda _, tick: sent.append(tick.name))
    office.ok("tick", "renewals.tick")
    office.execute("DELETE FROM billing.alembic_version")
    refused = office.run("tick", "renewals.tick")
    assert (refused.exit_code, "not_migrated" in refused.stderr, sent) == (3, True, ["renewals.tick"])


def test_a_tick_that_no_broker_takes_says_so(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROKER_URL", "redis://127.0.0.1:1/0")
    away = office.run("tick", "upkeep.tick")
    assert (away.exit_code, "start it, or mend BROKER_URL" in away.stderr) == (4, True)


def test_every_command_says_the_same_of_a_database_that_is_newer_than_the_code(office: Office) -> None:
    office.execute("UPDATE billing.alembic_version SET version_num = '9999'")
    told = "database: migration_unknown"
    for args in (("db", "upgrade"), ("invoice", "list")):
        refused = office.run(*args)
        assert (args, refused.exit_code, told in refused.stderr) == (args, 3, True), refused.stderr
    assert _lines(office)["database"][1].startswith("migration_unknown")


def test_a_database_without_tables_is_found_upgraded_and_right(
    office: Office, monkeypatch: pytest.MonkeyPatch, database_url: str
) -> None:
    plain = database_url.replace("postgresql+psycopg:", "postgresql:")
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute("DROP SCHEMA billing CASCADE")
    check = office.run("db", "check")
    assert (check.exit_code, "not_migrated" in check.stderr) == (1, True)
    check = office.run("db", "check", "--json")
    assert (check.exit_code, "not_migrated" in json.loads(check.stdout)["faults"][0]) == (1, True)
    refused = office.run("invoice", "list")
    assert (refused.exit_code, "run `billing db upgrade`" in refused.stderr) == (3, True)
    assert _lines(office)["database"] == ("mend", "not_migrated: run `billing db upgrade`")
    for _ in range(2):
        assert "The database is at revision" in office.ok("db", "upgrade")
    assert "as this code needs it" in office.ok("db", "check")
    needed = json.loads(office.ok("db", "check", "--json"))
    assert needed["faults"] == []
    assert json.loads(office.ok("db", "upgrade", "--json")) == {"revision": needed["needed"]}


@pytest.mark.valkey
def test_a_tick_by_hand_is_the_message_that_beat_sends(office: Office) -> None:
    for tick in TICKS:
        assert f"Sent {tick.name}" in office.ok("tick", tick.name)
        assert tick.name in office.ok("tick", "--help")
    for queue in QUEUES:
        assert office.waiting_in(queue) == sum(tick.queue == queue for tick in TICKS), queue
    sent = json.loads(office.ok("tick", TICKS[0].name, "--json"))
    assert sent == {"sent": TICKS[0].name, "queue": TICKS[0].queue}


def test_check_says_which_wallets_and_kinds_customers_can_give_and_the_pages_domain_is_registered_once(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = office.run("domain", "register")
    assert (refused.exit_code, "BILLING_PUBLIC_URL" in refused.stderr) == (3, True)
    monkeypatch.setenv("BILLING_PUBLIC_URL", "https://pay.example.com/billing")
    monkeypatch.setenv("STRIPE_PUBLISHABLE_KEY", "pk_test_company")
    wiring.current.cache_clear()
    offer = ("--set", "method_kinds=card stripe_paypal")
    office.ok("seller", "change", str(office.acme.seller_id), *offer, *WHY)
    office.acme.witness.call("POST", "config", {"paypal": False})
    lines = _lines(office)
    state, told = lines["stripe default wallets"]
    assert (state, told.partition(":")[0]) == ("note", "pay.example.com is not registered")
    state, told = lines["stripe default stripe_paypal"]
    assert (state, "not switched on for this account" in told) == ("note", True)
    first = office.read("domain", "register")
    assert (first["name"], first["ready"]) == ("pay.example.com", ["apple_pay", "google_pay", "link"])
    assert office.read("domain", "register") == first
    assert "it may offer Apple Pay, Google Pay, Link." in office.ok("domain", "register")
    offered = "pay.example.com may offer apple_pay, google_pay, link"
    assert _lines(office)["stripe default wallets"] == ("ok", offered)
    monkeypatch.setenv("BILLING_PUBLIC_URL", "https://unverified.example.com")
    wiring.current.cache_clear()
    unready = office.run("domain", "register")
    assert (unready.exit_code, "Not ready: Apple Pay" in unready.stdout) == (1, True)
