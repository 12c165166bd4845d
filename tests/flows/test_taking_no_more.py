"""What is taken from a queue is at most what was asked for, whichever way the planner goes about it.

`id IN (SELECT … LIMIT n FOR UPDATE SKIP LOCKED)` takes more: joined by a loop, the list is asked for anew for each row,
and passes over what the statement itself has taken by then. An array is asked for once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.queries.notice import drop_waiting, take_notices
from billing.sandbox.postbox import Postbox
from tests.flows.company import Company
from tests.flows.telling import two_failing, with_mail

CODE = Path(__file__).parents[2] / "billing"
ASKED_ANEW = re.compile(r"\bIN\s*\(\s*SELECT(?:(?!\"\"\")[^;])*?SKIP LOCKED", re.IGNORECASE)
OTHER_WAYS = ("hashjoin", "mergejoin", "hashagg", "sort", "material", "memoize", "indexscan", "bitmapscan")


@pytest.fixture
def session(acme: Company, box: Postbox) -> Iterator[Session]:
    """Two mails wait, and the planner has loops alone."""
    with_mail(acme, box)
    two_failing(acme)
    with acme.parts.begin() as session:
        for way in OTHER_WAYS:
            session.execute(text(f"SET LOCAL enable_{way} = off"))
        yield session


@pytest.mark.parametrize("most", [1, 2])
def test_no_more_mails_are_taken_than_were_asked_for(session: Session, most: int) -> None:
    assert len(take_notices(session, lease_s=60, most=most)) == most


def test_no_more_mails_are_dropped_than_were_asked_for(session: Session) -> None:
    assert drop_waiting(session, reason="no_address", most=1) == 1


def test_no_statement_takes_from_a_list_that_may_be_asked_for_anew() -> None:
    found = [
        f"{path.relative_to(CODE)}:{source[: match.start()].count(chr(10)) + 1}"
        for path in sorted(CODE.rglob("*.py"))
        for source in [path.read_text()]
        for match in ASKED_ANEW.finditer(source)
    ]
    assert found == []


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("DELETE FROM t WHERE id IN (\n SELECT id FROM t\n LIMIT 5 FOR UPDATE SKIP LOCKED)", 1),
        ("DELETE FROM t WHERE id = ANY(ARRAY(SELECT id FROM t LIMIT 5 FOR UPDATE SKIP LOCKED))", 0),
        ("DELETE FROM t WHERE id IN (SELECT id FROM u)", 0),
    ],
)
def test_such_a_statement_would_be_found(statement: str, found: int) -> None:
    assert len(ASKED_ANEW.findall(statement)) == found
