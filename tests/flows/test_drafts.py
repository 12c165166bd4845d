"""Drafts: held for review where a seller wishes it, edited until they are issued, and in nobody's books before."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from sqlalchemy import func, select, text, update

from billing.commands.credit.grant import grant_credit
from billing.flows import audit, braking, changing, drafts, operating_drafts, upkeep, working
from billing.flows.documents import document_pdf
from billing.flows.order import Order
from billing.flows.parts import Parts
from billing.flows.replacing import replace_invoice
from billing.kernel.errors import Refused, Stale
from billing.kernel.ids import new_id
from billing.models import AuditRecord, Invoice, InvoiceLine, LedgerEntry, OutboxEvent, Profile
from billing.privacy.keyring import Keyring, generate
from billing.queries.brakes import BrakeKind
from billing.sandbox.bench.counting import counting_statements
from billing.validators.seller import SellerPolicy
from billing.validators.subscription import NewItem
from billing.validators.usage import NewUsage
from tests.flows.company import START, Company, company

WHY = Order(actor="mara", reason="the key is back")


@pytest.fixture
def acme(database_url: str) -> Iterator[Company]:
    with company(database_url, policy=SellerPolicy(draft_review_h=24)) as fresh:
        yield fresh


def _draft(acme: Company) -> Invoice:
    acme.customer("a1")
    acme.subscribe("a1", "s1")
    acme.settle()
    (draft,) = acme.invoices()
    return draft


def _drafts_of(acme: Company, *, customers: int) -> None:
    for number in range(customers):
        acme.customer(f"a{number}", method=None)
        acme.subscribe(f"a{number}", f"s{number}")
    acme.settle()


def _release(acme: Company, *ids: UUID) -> None:
    with acme.parts.begin() as session:
        drafts.release(acme.parts, session, ids, now=acme.parts.clock.now(session))
    acme.settle()


def test_a_brake_that_comes_between_finding_a_draft_and_issuing_it_holds_it(
    acme: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = _draft(acme)
    acme.set_clock(START + timedelta(hours=25))
    found = drafts._issue

    def stopped_before(parts: Parts, due: Sequence[UUID]) -> int:
        if due:
            braking.stop(parts, BrakeKind.ISSUE, order=WHY)
        return found(parts, due)

    monkeypatch.setattr(drafts, "_issue", stopped_before)
    assert drafts.sweep(acme.parts) == 0
    assert [each.status for each in acme.invoices()] == ["draft"]
    monkeypatch.setattr(drafts, "_issue", found)
    braking.start(acme.parts, BrakeKind.ISSUE, order=WHY)
    assert drafts.sweep(acme.parts) == 1
    assert [(each.id, each.status) for each in acme.invoices()] == [(draft.id, "open")]


def test_the_term_of_a_subscription_on_hold_is_its_own(acme: Company) -> None:
    acme.customer("a1")
    acme.begin_subscription("a1", "s1", NewItem("basic"), collection="send_invoice", days_until_due=14)
    (draft,) = acme.invoices()
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.subscription SET hold_id = :id"), {"id": new_id()})
    _release(acme, draft.id)
    (invoice,) = acme.invoices()
    assert invoice.issued_at is not None
    assert invoice.due_at == invoice.issued_at + timedelta(days=14)


def test_a_line_that_a_change_has_given_a_part_of_back_stays(acme: Company) -> None:
    draft = _draft(acme)
    acme.price("big", 3000)
    acme.set_clock(START + timedelta(hours=2))
    assert draft.subscription_id is not None
    with acme.parts.begin() as session:
        changing.change(acme.parts, session, draft.subscription_id, items=(NewItem("big"),))
        drafts.add_line(acme.parts, session, draft.id, description="Help", amount_minor=500)
    line = _lines(acme)[0]
    with pytest.raises(Refused) as refused, acme.parts.begin() as session:
        drafts.remove_line(acme.parts, session, draft.id, line_id=line.id)
    assert refused.value.code == "line_credited"


def _lines(acme: Company) -> list[InvoiceLine]:
    with acme.begin() as session:
        return list(session.scalars(select(InvoiceLine).order_by(InvoiceLine.position)))


def _holds(acme: Company) -> None:
    assert audit.run(acme.parts, witness=acme.witness).violations == ()


def test_a_draft_has_no_number_is_in_no_books_and_is_not_charged(acme: Company) -> None:
    draft = _draft(acme)
    assert (draft.status, draft.number, draft.total_minor, draft.next_attempt_at) == ("draft", None, 1190, None)
    assert draft.review_until == START + timedelta(hours=24)
    assert acme.payments() == []
    with acme.begin() as session:
        assert session.scalar(select(func.count()).select_from(LedgerEntry)) == 0
        assert "invoice.drafted" in session.scalars(select(OutboxEvent.topic)).all()
    _holds(acme)


def test_it_is_issued_and_charged_when_its_review_is_over(acme: Company) -> None:
    draft = _draft(acme)
    acme.set_clock(START + timedelta(hours=23))
    assert drafts.sweep(acme.parts) == 0
    acme.set_clock(START + timedelta(hours=24))
    assert drafts.sweep(acme.parts) == 1
    acme.settle()
    (issued,) = acme.invoices()
    assert (issued.id, issued.status, issued.number) == (draft.id, "paid", "ACME-000001")
    assert issued.issued_at == START + timedelta(hours=24)
    _holds(acme)


def test_many_whose_review_is_over_are_issued_together(acme: Company) -> None:
    _drafts_of(acme, customers=60)
    acme.set_clock(START + timedelta(hours=24))
    with counting_statements() as sent:
        assert drafts.sweep(acme.parts) == 60
    assert len(sent) < 60
    _holds(acme)


def test_one_that_cannot_be_issued_waits_for_a_person_and_holds_up_no_other(acme: Company) -> None:
    _drafts_of(acme, customers=5)
    with acme.parts.begin() as session:
        sealed = session.scalars(select(Profile.personal).where(Profile.account_id == "a3")).one()
        session.execute(update(Profile).where(Profile.account_id == "a3").values(personal=b"\0"))
    acme.set_clock(START + timedelta(hours=24))
    assert drafts.sweep(acme.parts) == 4
    assert drafts.sweep(acme.parts) == 0
    (held,) = [each for each in acme.invoices() if each.status == "draft"]
    (item,) = acme.work_items()
    assert (item.kind, item.status, item.subject_id, held.hold_id) == ("invoice_not_issued", "open", held.id, item.id)
    upkeep.close_gone_work(acme.parts)
    assert acme.work_items()[0].status == "open"
    with acme.parts.begin() as session:
        session.execute(update(Profile).where(Profile.account_id == "a3").values(personal=sealed))
    assert working.act(acme.parts, item.id, action=working.Action.RETRY, order=WHY).changed
    assert drafts.sweep(acme.parts) == 1
    upkeep.close_gone_work(acme.parts)
    assert acme.work_items()[0].status == "resolved"
    assert {each.status for each in acme.invoices()} == {"open"}
    _holds(acme)


def test_one_under_a_master_key_that_is_not_here_waits_for_it_and_holds_up_no_other(
    acme: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    acme.customer("a0", method="pm_card_visa")
    assert acme.parts.settings.billing_secret_key is not None
    old, new = acme.parts.settings.billing_secret_key.get_secret_value(), generate()
    both = replace(acme, parts=replace(acme.parts, keyring=Keyring.from_setting(f"{new},{old}")))
    both.customer("a1", method="pm_card_visa")
    for account in ("a0", "a1"):
        both.subscribe(account, account)
    both.settle()
    acme.set_clock(START + timedelta(hours=24))
    alone = replace(acme.parts, keyring=Keyring.from_setting(new))
    monkeypatch.setattr(drafts, "PAGE", 1)
    assert drafts.sweep(alone) == 1
    (waits,) = [each for each in acme.invoices() if each.status == "draft"]
    assert (waits.hold_id, acme.work_items()) == (None, [])
    assert drafts.sweep(both.parts) == 1
    _holds(both)


def test_it_is_released_early_and_once(acme: Company) -> None:
    draft = _draft(acme)
    _release(acme, draft.id)
    _release(acme, draft.id)
    assert [each.status for each in acme.invoices()] == ["paid"]
    assert len(acme.payments()) == 1


def test_lines_are_added_and_removed_until_then(acme: Company) -> None:
    draft = _draft(acme)
    with acme.parts.begin() as session:
        added = drafts.add_line(acme.parts, session, draft.id, description="Set-up", amount_minor=500)
        assert (added.subtotal_minor, added.tax_minor, added.total_minor) == (1500, 285, 1785)
    first, second = _lines(acme)
    with acme.parts.begin() as session:
        drafts.remove_line(acme.parts, session, draft.id, line_id=first.id)
    with acme.parts.begin() as session, pytest.raises(Refused) as refusal:
        drafts.remove_line(acme.parts, session, draft.id, line_id=second.id)
    assert refusal.value.code == "last_line"
    with acme.parts.begin() as session, pytest.raises(Refused) as refusal:
        drafts.remove_line(acme.parts, session, draft.id, line_id=new_id())
    assert refusal.value.code == "line_not_found"
    with acme.parts.begin() as session:
        drafts.add_line(acme.parts, session, draft.id, description="Rest", amount_minor=1000)
    _release(acme, draft.id)
    (issued,) = acme.invoices()
    assert (issued.total_minor, issued.status) == (1785, "paid")


def test_it_is_printed_as_it_stands_for_whoever_reviews_it(acme: Company) -> None:
    draft = _draft(acme)
    printed = document_pdf(acme.parts, draft.id)
    assert (printed.name, printed.content[:5]) == (f"draft-{draft.id}.pdf", b"%PDF-")


def test_an_issued_one_is_not_edited(acme: Company) -> None:
    draft = _draft(acme)
    _release(acme, draft.id)
    with acme.parts.begin() as session, pytest.raises(Refused) as refusal:
        drafts.add_line(acme.parts, session, draft.id, description="Late", amount_minor=1)
    assert refusal.value.code == "invoice_not_draft"


def test_credit_is_used_when_it_is_issued(acme: Company) -> None:
    draft = _draft(acme)
    with acme.parts.begin() as session:
        grant_credit(session, profile_id=draft.profile_id, amount_minor=190, currency="eur", now=START)
    assert acme.invoices()[0].credit_applied_minor == 0
    _release(acme, draft.id)
    (issued,) = acme.invoices()
    assert (issued.credit_applied_minor, issued.amount_due_minor) == (190, 1000)
    _holds(acme)


def test_one_is_not_edited_below_nothing(acme: Company) -> None:
    draft = _draft(acme)
    with pytest.raises(Refused) as refusal, acme.parts.begin() as session:
        drafts.add_line(acme.parts, session, draft.id, description="Goodwill", amount_minor=-2000)
    assert refusal.value.code == "draft_below_zero"
    assert [line.amount_minor for line in _lines(acme)] == [1000]


def test_the_audit_lets_a_review_take_off_what_a_period_would_charge(acme: Company) -> None:
    draft = _draft(acme)
    order = Order(actor="ada", reason="a gift")
    operating_drafts.add_line(
        acme.parts, draft.id, description="Set-up", amount_minor=500, tax_rate="standard", order=order
    )
    operating_drafts.remove_line(acme.parts, draft.id, position=1, order=order)
    assert acme.violations() == ()
    reviewed = acme.from_now_on()
    _release(acme, draft.id)
    assert acme.invoices()[0].total_minor == 595
    assert acme.violations() == ()
    assert audit.run(acme.parts, since=reviewed).violations == ()

    settled = acme.from_now_on()
    replace_invoice(acme.parts, draft.id, order=order)
    acme.settle()
    assert acme.violations() == ()
    assert audit.run(acme.parts, since=settled).violations == ()


def _with_usage(acme: Company) -> Invoice:
    """A draft under review with a plan and three calls."""
    acme.price("calls", 100, usage="sum")
    acme.customer("a2")
    acme.begin_subscription("a2", "metered", NewItem("basic"), NewItem("calls"))
    acme.settle()
    _release(acme, acme.invoices()[0].id)
    acme.use(NewUsage("metered", "calls", "r1", Decimal(3)))
    acme.set_clock(datetime(2026, 2, 28, tzinfo=UTC))
    acme.settle()
    return acme.invoices()[-1]


def _remove(acme: Company, draft: Invoice, kind: str) -> None:
    with acme.begin() as session:
        of = select(InvoiceLine.position).where(InvoiceLine.invoice_id == draft.id, InvoiceLine.kind == kind)
        position = session.scalars(of).one()
    order = Order(actor="ada", reason="a gift")
    operating_drafts.remove_line(acme.parts, draft.id, position=position, order=order)
    _release(acme, draft.id)


def test_so_it_does_with_what_was_used(acme: Company) -> None:
    _remove(acme, _with_usage(acme), "usage")
    assert acme.violations() == ()


def test_a_review_that_took_off_another_line_excuses_no_usage(acme: Company) -> None:
    draft = _with_usage(acme)
    _remove(acme, draft, "recurring")
    assert acme.violations() == ()
    with acme.parts.begin() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(
            text("DELETE FROM billing.invoice_line WHERE invoice_id = :id AND kind = 'usage'"), {"id": draft.id}
        )
    assert [each.detail for each in acme.violations() if each.code == "R4"] == [
        "3 of price calls, used before 2026-02-28 00:00:00+00, stand on no document"
    ]


@pytest.mark.parametrize("order", ["release", "add_line", "remove_line"])
def test_a_version_that_was_seen_is_compared_under_the_lock(acme: Company, order: str) -> None:
    draft = _draft(acme)
    orders: dict[str, Callable[[Order], object]] = {
        "release": lambda seen: operating_drafts.release(acme.parts, draft.id, order=seen),
        "add_line": lambda seen: operating_drafts.add_line(
            acme.parts, draft.id, description="late", amount_minor=700, tax_rate="standard", order=seen
        ),
        "remove_line": lambda seen: operating_drafts.remove_line(acme.parts, draft.id, position=1, order=seen),
    }
    with ThreadPoolExecutor(1) as another:
        with acme.parts.begin() as session:
            drafts.add_line(acme.parts, session, draft.id, description="first", amount_minor=5000)
            late = another.submit(orders[order], replace(WHY, expected_version=draft.version))
            acme.wait_for(lambda: _somebody_waits(acme))
        with pytest.raises(Stale):
            late.result()
    assert [(each.status, each.total_minor) for each in acme.invoices()] == [("draft", 7140)]
    assert [line.description for line in _lines(acme)][1:] == ["first"]


def test_the_trail_keeps_what_a_draft_was_under_the_lock(acme: Company) -> None:
    draft = _draft(acme)
    with ThreadPoolExecutor(1) as another:
        with acme.parts.begin() as session:
            drafts.add_line(acme.parts, session, draft.id, description="first", amount_minor=5000)
            late = another.submit(operating_drafts.release, acme.parts, draft.id, order=WHY)
            acme.wait_for(lambda: _somebody_waits(acme))
        assert late.result().changed
    with acme.begin() as session:
        (kept,) = session.scalars(select(AuditRecord).where(AuditRecord.action == "draft.release"))
    assert kept.before["total_minor"] == kept.after["total_minor"] == 7140


def _somebody_waits(acme: Company) -> bool:
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    with acme.begin() as session:
        return bool(session.scalar(text(waiting)))
