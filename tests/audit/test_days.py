"""Days of a share, counted by our own zones: a right bill is not accused for what the server's files say of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from billing.flows import changing
from billing.flows.audit import run
from billing.kernel.period import zone_info
from billing.validators.seller import SellerPolicy
from billing.validators.subscription import NewItem
from tests.flows.company import Company, company
from tests.zone_files import MOVED, NEW, other_zones

BEFORE_DAYBREAK = datetime(2026, 2, 13, 18, tzinfo=UTC)
"""The 14th in Tokyo, though the 13th by the server's files."""
IN_THE_EVENING = datetime(2026, 2, 14, 2, tzinfo=UTC)
"""Still the 13th in Los Angeles."""


@pytest.fixture
def acme(database_url: str, tmp_path: Path) -> Iterator[Company]:
    with other_zones(tmp_path), company(database_url, policy=SellerPolicy(proration="day")) as made:
        yield made


def _upgrade(acme: Company, zone: str, at: datetime) -> set[tuple[int, int]]:
    """From 10.00 to 20.00 EUR within the month that begins on 31 January. Returns which shares were taken."""
    acme.price("better", 2000)
    acme.customer("a1")
    id_ = acme.begin_subscription("a1", "s1", NewItem("basic"), timezone=zone)
    acme.settle()
    acme.set_clock(at)
    with acme.parts.begin() as session:
        changing.change(acme.parts, session, id_, items=[NewItem("better")])
    acme.settle()
    acme.set_clock(datetime(2026, 3, 1, 12, tzinfo=UTC))
    acme.settle()
    lines = [line for each in acme.invoices() for line in acme.lines(each) if "proration" in line.how]
    assert len(lines) == 2
    return {(line.how["left"], line.how["whole"]) for line in lines}


def _accused(acme: Company) -> list[str]:
    return [each.detail for each in run(acme.parts, codes=["R4"]).violations]


def _server_date(acme: Company, at: datetime, zone: str) -> date:
    with acme.begin() as session:
        found: date = session.scalars(
            text("SELECT (CAST(:at AS timestamptz) AT TIME ZONE :zone)::date"), {"at": at, "zone": zone}
        ).one()
    return found


@pytest.mark.parametrize(
    ("zone", "at", "share"),
    [(MOVED, BEFORE_DAYBREAK, (14, 28)), (NEW, IN_THE_EVENING, (15, 29))],
    ids=["the server has other rules", "the server has none"],
)
def test_a_bill_by_our_zones_is_right_whatever_the_server_knows_of_them(
    acme: Company, zone: str, at: datetime, share: tuple[int, int]
) -> None:
    assert _upgrade(acme, zone, at) == {share}

    assert _accused(acme) == []


def test_the_two_sources_differ_where_these_tests_say_so(acme: Company) -> None:
    ours = BEFORE_DAYBREAK.astimezone(zone_info(MOVED)).date()

    assert (_server_date(acme, BEFORE_DAYBREAK, MOVED), ours) == (date(2026, 2, 13), date(2026, 2, 14))
    with pytest.raises(DBAPIError, match="not recognized"):
        _server_date(acme, BEFORE_DAYBREAK, NEW)


# As the server would have counted, as nobody would, by another zone, and what can't be counted; with all that follows
# from the count, so that nothing but the count is wrong.
@pytest.mark.parametrize(
    ("wrong", "counted"),
    [
        ("'left', 15", "takes 15 of 28 days"),
        ("'left', 13", "takes 13 of 28 days"),
        ("'left', 29, 'whole', 58", "takes 29 of 58 days"),
        ("'zone', 'UTC'", "which by UTC are 15 of 28"),
        ("'zone', 'Mars/Base'", "which by Mars/Base can't be counted"),
        ("'zone', null", "which by no zone can't be counted"),
        ("'whole_from', null", "can't be counted"),
    ],
)
def test_days_that_are_not_those_of_the_zone_are_found(acme: Company, wrong: str, counted: str) -> None:
    _upgrade(acme, MOVED, BEFORE_DAYBREAK)
    with acme.parts.begin() as session:
        session.execute(text("SET LOCAL session_replication_role = replica"))
        session.execute(
            text(
                f"""
                UPDATE billing.invoice_line l SET how = n.how || jsonb_build_object(
                    'numerator', (n.how ->> 'base_numerator')::bigint * (n.how ->> 'left')::bigint,
                    'denominator', (n.how ->> 'base_denominator')::bigint * (n.how ->> 'whole')::bigint)
                FROM (SELECT id, how || jsonb_build_object({wrong}) AS how FROM billing.invoice_line) n
                WHERE n.id = l.id AND l.how ->> 'proration' = 'charge'
                """
            )
        )

    (accused,) = _accused(acme)

    assert counted in accused
