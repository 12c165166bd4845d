"""What stands before the numbers of documents is the seller's to say, and may name the year, each from 1."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from threading import Thread
from uuid import UUID

import pytest
from sqlalchemy import select, text

from billing.flows import healing, sellers
from billing.flows.charging import charge_once
from billing.flows.crediting import credit
from billing.flows.order import Order
from billing.kernel.errors import Refused
from billing.models import AuditRecord, Invoice, Seller, Series
from billing.validators.seller import NewSeller, SellerChange
from tests.flows.company import Company
from tests.flows.restored import backup_of

WHY = Order(actor="mara", reason="the new year")
SILVESTER = datetime(2026, 12, 31, 12, tzinfo=UTC)


def _change(acme: Company, **given: str | None) -> None:
    def wanted(before: NewSeller) -> SellerChange:
        kept = {name: getattr(before, name) for name in SellerChange.__dataclass_fields__}
        return SellerChange(**{**kept, **given})

    sellers.change(acme.parts, acme.seller_id, wanted=wanted, order=replace(WHY))


def _charge(acme: Company, whom: UUID, *, at: datetime | None = None) -> str:
    if at is not None:
        acme.set_clock(at)
    with acme.parts.begin() as session:
        made = charge_once(acme.parts, session, whom, amount_minor=100, currency="eur", description="A book")
    acme.settle()
    return made.number


def _credit(acme: Company, number: str) -> str:
    with acme.begin() as session:
        id_ = session.scalars(select(Invoice.id).where(Invoice.number == number)).one()
    credit(acme.parts, id_, order=replace(WHY))
    with acme.begin() as session:
        note = session.scalars(select(Invoice.number).where(Invoice.corrects_id == id_)).one()
    assert note is not None
    return note


def _series(acme: Company) -> list[tuple[str, int, int | None, bool]]:
    with acme.begin() as session:
        rows = session.scalars(select(Series).where(Series.kind == "invoice").order_by(Series.id))
        return [(row.prefix, row.next_no, row.year, row.closed_at is None) for row in rows]


def test_each_year_begins_at_1_by_the_sellers_calendar(acme: Company) -> None:
    whom = acme.customer("a1")
    with acme.parts.begin() as session:
        session.get_one(Seller, acme.seller_id).timezone = "Europe/Berlin"
    acme.set_clock(SILVESTER)
    _change(acme, number_prefix="RE-{year}-", credit_note_prefix="GS.{year}.")
    first = [_charge(acme, whom), _charge(acme, whom, at=datetime(2026, 12, 31, 22, 59, 59, tzinfo=UTC))]
    assert first == ["RE-2026-000001", "RE-2026-000002"]
    assert _credit(acme, first[0]) == "GS.2026.000001"
    assert _charge(acme, whom, at=datetime(2026, 12, 31, 23, tzinfo=UTC)) == "RE-2027-000001"
    assert _charge(acme, whom) == "RE-2027-000002"
    assert _credit(acme, first[1]) == "GS.2027.000001"
    assert _charge(acme, whom, at=datetime(2029, 6, 1, tzinfo=UTC)) == "RE-2029-000001"
    assert _series(acme) == [
        ("RE-2026-", 3, 2026, False), ("RE-2027-", 3, 2027, False), ("RE-2029-", 2, 2029, True),
    ]  # fmt: skip
    assert acme.violations() == ()


def test_another_prefix_goes_on_from_1_and_what_was_issued_stays(acme: Company) -> None:
    whom = acme.customer("a1")
    assert _charge(acme, whom) == "ACME-000001"
    _change(acme, number_prefix="RE-")
    _change(acme, number_prefix="RE-")
    assert [_charge(acme, whom), _charge(acme, whom)] == ["RE-000001", "RE-000002"]
    for taken in ("ACME-", None):
        with pytest.raises(Refused) as refused:
            _change(acme, number_prefix=taken)
        assert (refused.value.code, refused.value.faults[0].field) == ("prefix_taken", "number_prefix")
    with pytest.raises(Refused, match="prefix_taken"):
        _change(acme, credit_note_prefix="RE-")
    with pytest.raises(Refused, match="not_a_prefix"):
        _change(acme, number_prefix="RE")
    assert _charge(acme, whom) == "RE-000003"
    with acme.begin() as session:
        trail = session.scalars(select(AuditRecord.after).where(AuditRecord.action == "seller.change")).all()
    assert trail == [{"number_prefix": "RE-"}]
    assert acme.violations() == ()


def test_one_that_gave_no_number_is_only_named_anew(acme: Company) -> None:
    whom = acme.customer("a1")
    with acme.parts.begin() as session:
        session.scalars(select(Series).where(Series.kind == "invoice")).one().next_no = 1042
    _change(acme, number_prefix="RE-{year}-")
    assert _charge(acme, whom) == "RE-2026-001042"
    _change(acme, number_prefix="RE-2026-")
    assert _charge(acme, whom) == "RE-2026-001043"
    assert _series(acme) == [("RE-2026-", 1044, None, True)]
    assert acme.violations() == ()


def test_a_year_whose_prefix_is_taken_stops_nobody_at_midnight(acme: Company) -> None:
    whom = acme.customer("a1")
    _change(acme, number_prefix="RE-2027-")
    _charge(acme, whom)
    _change(acme, number_prefix="RE-{year}-")
    _charge(acme, whom)
    assert _charge(acme, whom, at=datetime(2027, 1, 1, tzinfo=UTC)) == "RE-2027-R1-000001"
    assert _charge(acme, whom, at=datetime(2028, 1, 1, tzinfo=UTC)) == "RE-2028-000001"
    assert acme.violations() == ()


def test_of_two_who_meet_at_midnight_one_begins_the_year_and_the_other_goes_on(acme: Company) -> None:
    first, second = acme.customer("a1"), acme.customer("a2")
    _change(acme, number_prefix="RE-{year}-")
    _charge(acme, first, at=SILVESTER)
    acme.set_clock(datetime(2027, 1, 1, tzinfo=UTC))
    numbers: list[str] = []

    def charge(whom: UUID) -> Callable[[], None]:
        def run() -> None:
            with acme.parts.begin() as session:
                made = charge_once(acme.parts, session, whom, amount_minor=100, currency="eur", description="A book")
            numbers.append(made.number)

        return run

    with acme.parts.begin() as holding:
        holding.execute(text("SELECT FROM billing.series WHERE closed_at IS NULL FOR UPDATE"))
        threads = [Thread(target=charge(whom)) for whom in (first, second)]
        for each in threads:
            each.start()
        acme.wait_for(lambda: _waiting(acme) == 2)
    for each in threads:
        each.join()
    assert sorted(numbers) == ["RE-2027-000001", "RE-2027-000002"]
    acme.settle()
    assert acme.violations() == ()


def _waiting(acme: Company) -> int:
    with acme.begin() as session:
        query = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        return int(session.scalar(text(query)) or 0)


def test_after_a_restore_no_number_of_the_lost_time_is_given_again(acme: Company) -> None:
    """Neither of a series that had given none by then, nor of a year that had not begun."""
    charged, owes = acme.customer("a1"), acme.customer("a2", method=None)
    _change(acme, number_prefix="RE-{year}-")
    with backup_of(acme) as backup:
        acme.set_clock(SILVESTER)
        first, second = (_charge(acme, owes) for _ in range(2))
        backup.take()
        lost = [_charge(acme, charged, at=datetime(2027, 1, 1, tzinfo=UTC)), _credit(acme, first)]
        assert lost == ["RE-2027-000001", "ACME-CN-000001"]
        backup.restore()
        acme.set_clock(datetime(2027, 1, 3, tzinfo=UTC))
        acme.settle_under_a_brake()
        healing.tick(acme.parts)
        again = [_charge(acme, owes), _credit(acme, second)]
        assert again == ["RE-2027-R1-000001", "ACME-CN-R1-000001"]
        assert _charge(acme, owes, at=datetime(2028, 1, 1, tzinfo=UTC)) == "RE-2028-000001"
