"""The audit: a world in order has no violation; each invariant, broken in each way, is named, and no other with it."""

from __future__ import annotations

import copy
import json
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction

import psycopg
import pytest
from sqlalchemy import event, select, text

from billing.db.clock import wall_now
from billing.flows import audit
from billing.flows.audit import grace_for, run
from billing.flows.audit_report import NO_WITNESS
from billing.flows.handlers import HANDLERS
from billing.flows.parts import Parts
from billing.kernel.errors import Refused
from billing.kernel.ids import new_id
from billing.models import AuditSeal, InvoiceLine, Product, UsageRecord
from billing.privacy.scan import find_card_numbers
from billing.queries.audit import INVARIANTS, invariant, secrets
from billing.queries.audit.invariant import Reading, Text
from billing.queries.audit.witness import load_witness
from billing.rules.lines import settled
from billing.wiring import build
from tests import builders
from tests.audit import seeds_jobs, seeds_payments
from tests.audit.planted import SEEDS
from tests.audit.seeds import Planting, Seed
from tests.audit.witness_rows import HandMade, charge_of
from tests.privacy.credentials import SECRETS
from tests.stack import Noted, settings_for


@pytest.fixture
def parts(database_url: str) -> Iterator[Parts]:
    made = replace(build(settings_for(database_url, "http://127.0.0.1:9"), transport=Noted()), keyring=builders.KEYRING)
    yield made
    made.sessions.kw["bind"].dispose()


def test_a_world_in_order_has_no_violation(world_parts: Parts, planting: Planting) -> None:
    report = run(world_parts, witness=planting.witness)

    assert report.violations == ()
    assert not report.broken
    assert all(each.rows > 0 for each in report.checked)
    assert all(each.skipped_reason is None for each in report.checked)


def test_an_empty_database_has_no_violation(parts: Parts) -> None:
    assert run(parts, witness=HandMade("acct_test")).violations == ()


@pytest.mark.parametrize("seed", SEEDS, ids=lambda seed: seed.sentence)
def test_exactly_the_broken_invariant_is_named(world_parts: Parts, planting: Planting, seed: Seed) -> None:
    accused = seed.plant(planting)
    planting.session.commit()

    report = run(world_parts, witness=planting.witness)

    named = {violation.code for violation in report.violations}
    assert named == {seed.code, *seed.also}, report.violations
    assert accused in [(each.subject_type, each.subject_id) for each in report.violations if each.code == seed.code]
    assert report.broken


def test_every_invariant_is_broken_by_some_seed() -> None:
    assert {seed.code for seed in SEEDS} == {invariant.code for invariant in INVARIANTS}
    assert len({invariant.code for invariant in INVARIANTS}) == len(INVARIANTS)


def test_every_single_check_is_broken_by_some_seed(world_parts: Parts, planting: Planting) -> None:
    checks = {
        (invariant.code, place): check
        for invariant in INVARIANTS
        for place, check in enumerate((*invariant.checks, *invariant.witnessed))
    }
    silent, session = set(checks), planting.session
    for seed in SEEDS:
        each = Planting(session, planting.world, copy.deepcopy(planting.witness))
        seed.plant(each)
        session.flush()
        load_witness(session, each.witness)
        wall = wall_now(session)
        grace, keyring = grace_for(world_parts.settings), builders.KEYRING
        reading = Reading(
            session, planting.world.now, wall, grace, keyring, witness_from=wall, event_types=tuple(HANDLERS)
        )
        silent -= {name for name in silent if name[0] == seed.code and any(checks[name](reading))}
        session.rollback()

    assert silent == set()


def test_what_several_invariants_speak_of_is_counted_once(world_parts: Parts, planting: Planting) -> None:
    asked: Counter[str] = Counter()
    count = lambda _connection, _cursor, statement, *_: asked.update([statement])  # noqa: E731
    event.listen(world_parts.sessions.kw["bind"], "before_cursor_execute", count)

    run(world_parts, witness=planting.witness)

    several = {invariant.counted for invariant in INVARIANTS if text(invariant.counted).compile().params == {}}
    assert "SELECT count(*) FROM billing.invoice" in several
    assert {statement: asked[statement] for statement in several} == dict.fromkeys(several, 1)


@pytest.mark.parametrize(("few", "paged"), [(0, True), (1 << 40, False)])
def test_large_tables_are_read_page_by_page_and_what_is_found_is_the_same(
    world_parts: Parts, planting: Planting, monkeypatch: pytest.MonkeyPatch, few: int, *, paged: bool
) -> None:
    in_pages = list[int]()
    stream = psycopg.Cursor.stream
    monkeypatch.setattr(invariant, "_FEW", few)
    monkeypatch.setattr(
        psycopg.Cursor, "stream", lambda *given, size: in_pages.append(size) or stream(*given, size=size)
    )
    seed = SEEDS[0]
    seed.plant(planting)
    planting.session.commit()

    report = run(world_parts, witness=planting.witness)

    assert {violation.code for violation in report.violations} == {seed.code, *seed.also}
    assert set(in_pages) == ({invariant.PAGE} if paged else set())


@pytest.mark.parametrize("breaks", [False, True])
@pytest.mark.parametrize("since", [None, datetime(2020, 1, 1, tzinfo=UTC)])
def test_its_connection_keeps_no_temporary_table(
    world_parts: Parts, planting: Planting, since: datetime | None, monkeypatch: pytest.MonkeyPatch, *, breaks: bool
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise RuntimeError("in the middle")

    with monkeypatch.context() as patch, pytest.raises(RuntimeError) if breaks else nullcontext():
        if breaks:
            patch.setattr(audit, "_check", failing)
        run(world_parts, witness=planting.witness, since=since)

    theirs = "SELECT count(*) FROM pg_class WHERE relpersistence = 't'"
    with world_parts.begin() as session:
        assert session.scalar(text(theirs)) == 0


def test_without_a_witness_the_report_says_what_was_not_checked(world_parts: Parts, planting: Planting) -> None:
    report = run(world_parts)

    assert [each.code for each in report.checked if each.skipped_reason == NO_WITNESS] == [
        invariant.code for invariant in INVARIANTS if invariant.witnessed
    ]


def test_all_violations_are_counted_and_the_first_are_shown(world_parts: Parts, planting: Planting) -> None:
    with world_parts.begin() as session:
        account = session.merge(planting.world.account)
        for _ in range(5):
            builders.event(session, account, status="dead", error=None)

    report = run(world_parts, codes=["E3"], shown=2)

    assert [(each.code, each.violations) for each in report.checked] == [("E3", 5)]
    assert len(report.violations) == 2


def test_a_charge_whose_attempt_is_still_asked_about_is_not_held_against_the_books(
    world_parts: Parts, planting: Planting
) -> None:
    world, session = planting.world, planting.session
    payment = builders.attempt(session, world.open, at=world.now, status="unknown")
    intent = seeds_payments.payments_of(planting, world.open)[0][1]
    session.commit()
    path = f"/v1/payment_intents/{intent.intent_ref}/confirm"
    planting.witness.asked(path, key=str(payment.id), at=world.now)
    planting.witness.charge_rows.append(
        charge_of(payment, intent, planting.witness.account_ref, charge_ref="ch_unseen", status="succeeded")
    )

    assert run(world_parts, witness=planting.witness).violations == ()


def test_a_charge_of_an_account_that_is_not_ours_is_none_of_ours(world_parts: Parts, planting: Planting) -> None:
    payment, intent = seeds_payments.payments_of(planting, planting.world.paid)[0]
    planting.witness.charge_rows.append(charge_of(payment, intent, "acct_stranger", charge_ref="ch_theirs"))

    assert run(world_parts, witness=planting.witness).violations == ()


def test_secrets_are_found_in_logs_and_waiting_messages_without_being_repeated(parts: Parts) -> None:
    card, key = seeds_jobs.card_number(), seeds_jobs.provider_key()
    texts = [
        Text("worker.log:7", f"paid with {card}"),
        Text("queue charges", f"api_key={key}"),
        Text("fine", "nothing"),
    ]

    report = run(parts, codes=["S1", "S2"], texts=lambda: texts)

    found = {(each.code, each.subject_id) for each in report.violations}
    assert found == {("S1", "worker.log:7"), ("S2", "queue charges")}
    assert card not in repr(report)
    assert key not in repr(report)


def test_a_digest_that_looks_like_a_card_number_is_none(parts: Parts) -> None:
    with parts.begin() as session:
        session.add(
            AuditSeal(id=new_id(), table_name="posting", upto=new_id(), rows=0, digest=seeds_jobs.card_number())
        )

    assert run(parts, codes=["S1"]).violations == ()


def test_an_id_of_the_hosts_that_looks_like_a_card_number_is_none(world_parts: Parts, planting: Planting) -> None:
    world, at = planting.world, planting.world.paid.period_start
    line = planting.session.scalars(select(InvoiceLine).where(InvoiceLine.invoice_id == world.paid.id)).first()
    assert line is not None
    record = {
        "id": new_id(), "seller_id": line.seller_id, "subscription_id": world.running.id, "price_id": line.price_id,
        "record_id": seeds_jobs.card_number(), "quantity": 1, "used_at": at, "counts_at": at,
    }  # fmt: skip
    builders.add(planting.session, UsageRecord(**record))
    planting.session.commit()

    assert run(world_parts, codes=["S1"]).violations == ()


def test_a_fraction_that_looks_like_a_card_number_is_none(world_parts: Parts, planting: Planting) -> None:
    """2,999,999 IDR a month, and 15 days, 12 hours and 7 minutes of 31 days are left."""
    made = settled(Fraction(299_999_900 * 1_339_621, 31 * 86_400), {})
    assert find_card_numbers(str(made.how["numerator"])) != []
    planting.run("UPDATE billing.invoice_line SET how = CAST(:how AS jsonb)", how=json.dumps(made.how))
    planting.session.commit()

    assert run(world_parts, codes=["S1"]).violations == ()
    told = json.dumps({**made.how, "quantity": seeds_jobs.card_number()})
    planting.run("UPDATE billing.invoice_line SET how = CAST(:how AS jsonb)", how=told)
    planting.session.commit()
    assert run(world_parts, codes=["S1"]).violations != ()


def test_an_amount_that_looks_like_a_card_number_is_none(world_parts: Parts, planting: Planting) -> None:
    groups = [{"base_minor": int(seeds_jobs.card_number()), "tax_minor": 0, "percent": "0"}]
    planting.run("UPDATE billing.invoice SET tax_groups = CAST(:groups AS jsonb)", groups=json.dumps(groups))
    planting.session.commit()
    assert run(world_parts, codes=["S1"]).violations == ()
    groups[0]["percent"] = seeds_jobs.card_number()
    planting.run("UPDATE billing.invoice SET tax_groups = CAST(:groups AS jsonb)", groups=json.dumps(groups))
    planting.session.commit()
    assert run(world_parts, codes=["S1"]).violations != ()


def test_a_product_may_be_called_basic_subscription(parts: Parts) -> None:
    report = run(parts, codes=["S2"], texts=lambda: [Text("line", "Basic subscription")])

    assert report.violations == ()


def test_a_product_may_be_called_secret(world_parts: Parts, planting: Planting) -> None:
    for product in planting.session.scalars(select(Product)):
        product.name = "Secret: Garden, with a password manager"
    planting.session.commit()

    assert run(world_parts, codes=["S2"]).violations == ()


def test_a_credential_of_each_kind_is_found_in_a_table(world_parts: Parts, planting: Planting) -> None:
    product = planting.session.scalars(select(Product).limit(1)).one()
    for kind, found, _ in SECRETS:
        product.name = found
        planting.session.commit()

        hits = {(each.subject_id, each.detail.split(" at ")[0]) for each in run(world_parts, codes=["S2"]).violations}
        assert (str(product.id), f"name: {kind}") in hits


def test_every_column_that_may_hold_any_words_is_searched(world_parts: Parts, planting: Planting) -> None:
    session, grace = planting.session, grace_for(world_parts.settings)
    words = "words text CHECK (words <> ''), more jsonb, listed text CHECK (listed IN ('a', 'b')), several text[]"
    session.execute(text(f"CREATE TABLE billing.application (id uuid, {words}, number int)"))
    reading = Reading(session, planting.world.now, wall_now(session), grace, builders.KEYRING)
    searched = {each.name: each.columns for each in secrets._tables(reading, leave_out=None)}
    session.rollback()
    assert searched["application"] == ("words", "more", "several")
    assert "description" in searched["invoice_line"]


def test_an_unknown_invariant_is_refused(parts: Parts) -> None:
    with pytest.raises(Refused) as refused:
        run(parts, codes=["P1", "X9"])

    assert refused.value.code == "unknown_invariant"


def test_the_connection_keeps_nothing_of_the_witness(world_parts: Parts, planting: Planting) -> None:
    for _ in range(2):
        run(world_parts, witness=planting.witness, codes=["P1"])

    with world_parts.begin() as session:
        left = (
            session.connection()
            .exec_driver_sql("SELECT count(*) FROM pg_class WHERE relname LIKE 'witness%%'")
            .scalar_one()
        )
    assert left == 0
