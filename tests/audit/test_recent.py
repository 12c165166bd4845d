"""The audit of what changed of late: it finds what the whole one finds there, and accuses nothing that it left out."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text

from billing.commands.credit.grant import grant_credit
from billing.commands.subscription.change import Proration
from billing.db.clock import wall_now
from billing.flows import changing, correcting, refunding
from billing.flows.audit import grace_for, run
from billing.flows.charging import charge_once
from billing.flows.parts import Parts
from billing.flows.replacing import replace_invoice
from billing.models import UnappliedPayment
from billing.queries.audit import INVARIANTS
from billing.queries.audit.invariant import Finds, Reading
from billing.queries.audit.recent import TABLES, fill, make_room
from billing.validators.subscription import NewItem
from billing.wiring import build
from tests import builders
from tests.audit.planted import SEEDS
from tests.audit.seeds import Planting
from tests.audit.witness_rows import witness_of
from tests.flows.apart import WHY, lose, lower_in_dashboard
from tests.flows.company import START, Company, company
from tests.stack import Noted, settings_for

WHOLE = frozenset(
    (
        *("series", "seller", "provider_account", "price", "usage_record", "waiting_line"),
        *("brake", "month_close", "provider_movement", "payout", "difference"),
        *("endpoint", "delivery", "delivery_attempt"),
        *("subscription_item", "past_item", "subscription_pause", "usage_accrual", "line_accrual"),
    )
)
"""Tables that checks read as they are: small ones, and such as are asked by index for the few rows looked at."""
_NAMED = re.compile(r'\bbilling\."?(\w+)"?')


@pytest.fixture
def parts(database_url: str) -> Iterator[Parts]:
    made = replace(build(settings_for(database_url, "http://127.0.0.1:9"), transport=Noted()), keyring=builders.KEYRING)
    yield made
    made.sessions.kw["bind"].dispose()


def test_every_table_that_a_check_names_is_narrowed_or_read_whole_on_purpose() -> None:
    asked = [invariant.counted for invariant in INVARIANTS]
    asked += [check.sql for invariant in INVARIANTS for check in invariant.checks if isinstance(check, Finds)]
    assert set().union(*map(_NAMED.findall, asked)) - {"billing"} - set(TABLES) == WHOLE


def _is_broken(planting: Planting, parts: Parts, code: str, *, since: datetime | None) -> bool:
    """Whether some check of this invariant, on our own side and not about whole tables, finds anything."""
    session, grace = planting.session, grace_for(parts.settings)
    reading = Reading(session, planting.world.now, wall_now(session), grace, builders.KEYRING, since=since)
    if since is not None:
        fill(session, since=since, due_before=reading.now)
    (invariant,) = (each for each in INVARIANTS if each.code == code)
    asked = [check for check in invariant.checks if not getattr(check, "only_whole", False)]
    return any(any(check(reading)) for check in asked)


@pytest.mark.timeout(240)
def test_whatever_is_broken_is_found_where_it_is_new(parts: Parts) -> None:
    with parts.sessions() as session:
        since = wall_now(session) - timedelta(minutes=5)
        planting = Planting(session, builders.world(session), witness_of(session))
        make_room(session)
        session.commit()
        for seed in SEEDS:
            seed.plant(Planting(session, planting.world, copy.deepcopy(planting.witness)))
            session.flush()
            whole, recent = (_is_broken(planting, parts, seed.code, since=each) for each in (None, since))
            session.rollback()
            assert recent is whole, seed.sentence


def test_what_is_left_out_is_not_missed(database_url: str) -> None:
    """A company's months: after each step only what changed since the step before is looked at, and all of that."""
    with company(database_url) as acme:
        payer = acme.customer("a1")
        acme.customer("a2", method="pm_card_chargeCustomerFail")
        acme.customer("a3", method="pm_sandbox_timeoutAfterCharge")
        acme.customer("a4", method="pm_card_pendingRefund")
        acme.price("more", 2500)
        acme.price("used", 3, usage="sum")
        steps = Steps(acme)
        first = acme.subscribe("a1", "s1", quantity=2)
        acme.subscribe("a2", "s2")
        acme.subscribe("a3", "s3", price="more")
        slow = acme.subscribe("a4", "s5")
        acme.begin_subscription("a1", "s4", NewItem("used", None))
        steps.take()
        for month, day in ((2, 4), (2, 28), (3, 3)):
            steps.take(datetime(2026, month, day, tzinfo=UTC))
        with acme.parts.begin() as session:
            grant_credit(session, profile_id=payer, amount_minor=700, currency="eur", now=START)
        steps.take()
        with acme.parts.begin() as session:
            changing.change(acme.parts, session, first, items=[NewItem("more", 1)])
        steps.take()
        refunding.refund(acme.parts, acme.invoices()[0].id, amount_minor=500)
        steps.take()
        returned = next(each for each in acme.invoices() if each.subscription_id == slow)
        refunding.refund(acme.parts, returned.id, amount_minor=500)
        steps.take()
        pending = next(each for each in acme.refunds() if each.status == "pending")
        acme.witness.call("POST", f"refunds/{pending.refund_ref}", {"status": "failed"})
        steps.take()
        assert acme.refunds()[-1].status == "failed"
        disputed = acme.witness.call("POST", "disputes", {"charge": pending.charge_ref})
        steps.take()
        acme.witness.call("POST", f"disputes/{disputed['id']}/close", {"status": "lost"})
        steps.take()
        correcting.void(acme.parts, next(each for each in acme.invoices() if each.status == "open").id)
        steps.take()
        with acme.parts.begin() as session:
            changing.pause(acme.parts, session, first)
        steps.take(datetime(2026, 5, 2, tzinfo=UTC))
        assert acme.violations() == ()
        assert steps.fewest < steps.most / 4


def test_what_was_carried_forward_long_ago_is_known_when_its_invoice_changes(database_url: str) -> None:
    """The customer's account in the books is compared whole, though only one of its documents is looked at."""
    with company(database_url) as acme:
        acme.price("small", 20)
        acme.customer("a1")
        acme.begin_subscription("a1", "s1", NewItem("small"))
        steps = Steps(acme)
        steps.take()
        with acme.parts.begin() as session:
            payer = acme.invoices()[0].profile_id
            charge_once(acme.parts, session, payer, amount_minor=1000, currency="eur", description="help")
        steps.take()
        paid = next(each for each in acme.invoices() if each.amount_paid_minor)
        assert paid.brought_forward_minor
        steps.take()
        refunding.refund(acme.parts, paid.id, amount_minor=5)
        steps.take()
        assert acme.violations() == ()


def test_periods_that_began_at_one_moment_are_known_also_when_they_are_long_over(database_url: str) -> None:
    """The documents of all of them are looked at once one changes, and of the periods only the last ones."""
    with company(database_url) as acme:
        acme.customer("a1")
        acme.price("yearly", 10_000, interval_unit="year")
        id_ = acme.subscribe("a1", "s1")
        for price in ("yearly", "basic"):
            with acme.parts.begin() as session:
                changing.change(acme.parts, session, id_, items=[NewItem(price)], proration=Proration.NONE)
        steps = Steps(acme)
        for month, day in ((2, 28), (3, 31), (4, 30)):
            steps.take(datetime(2026, month, day, tzinfo=UTC))
        refunding.refund(acme.parts, acme.invoices()[0].id, amount_minor=500)
        steps.take()
        assert acme.violations() == ()


@dataclass(slots=True)
class Steps:
    """Audits of what changed since the last one."""

    acme: Company
    since: datetime = datetime(2000, 1, 1, tzinfo=UTC)
    fewest: int = 1_000_000
    most: int = 0

    def take(self, now: datetime | None = None) -> None:
        """Move the clock, let all come to rest, look, and begin the next one here."""
        if now is not None:
            self.acme.set_clock(now)
        self.acme.settle()
        report = run(self.acme.parts, since=self.since)
        assert report.violations == ()
        invoices = next(each.rows for each in report.checked if each.code == "N6")
        self.fewest, self.most = min(self.fewest, invoices), max(self.most, len(self.acme.invoices()))
        self._find_what_is_broken()
        with self.acme.parts.begin() as session:
            self.since = wall_now(session)

    def _find_what_is_broken(self) -> None:
        """Every document that this step touched, or whose money it did, is accused if it was forged meanwhile."""
        with self.acme.parts.begin() as session:
            forged = session.execute(text(_TOUCHED), {"since": self.since}).all()
            session.execute(text("SET LOCAL session_replication_role = replica"))
            for id_, _ in forged:
                session.execute(text(_FORGE), {"id": id_, "hash": bytes(32)})
        report = run(self.acme.parts, since=self.since, codes=["N4"], shown=10_000)
        assert {str(id_) for id_, _ in forged} <= {each.subject_id for each in report.violations}
        with self.acme.parts.begin() as session:
            session.execute(text("SET LOCAL session_replication_role = replica"))
            for id_, content_hash in forged:
                session.execute(text(_FORGE), {"id": id_, "hash": content_hash})


_TOUCHED = """
    SELECT id, content_hash FROM billing.invoice i
    WHERE number IS NOT NULL AND (
        updated_at > :since
        OR EXISTS (SELECT FROM billing.payment WHERE invoice_id = i.id AND updated_at > :since)
        OR EXISTS (SELECT FROM billing.refund WHERE invoice_id = i.id AND updated_at > :since)
        OR EXISTS (SELECT FROM billing.dispute WHERE invoice_id = i.id AND updated_at > :since)
        OR EXISTS (SELECT FROM billing.ledger_entry WHERE invoice_id = i.id AND created_at > :since))
"""
_FORGE = "UPDATE billing.invoice SET content_hash = :hash WHERE id = :id"


def test_money_of_the_first_of_many_documents_in_each_others_place_is_found_from_the_last(database_url: str) -> None:
    with company(database_url) as acme:
        profile = acme.customer("a1", method="pm_card_chargeDeclined")
        with acme.parts.begin() as session:
            charge_once(acme.parts, session, profile, amount_minor=1000, currency="eur", description="Once")
        acme.settle()
        lower_in_dashboard(acme)
        acme.pay_behind_our_back(profile)
        acme.settle()
        last = acme.invoices()[0].id
        for _ in range(5):
            replace_invoice(acme.parts, last, order=WHY)
            (last,) = (each.id for each in acme.invoices() if each.corrects_id == last and each.kind == "invoice")
        acme.settle()
        with acme.parts.begin() as session:
            (charge_ref,) = session.scalars(select(UnappliedPayment.charge_ref))
        since = acme.from_now_on()
        lose(acme, charge_ref)
        assert run(acme.parts, since=since).violations == run(acme.parts).violations == ()
