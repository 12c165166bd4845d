"""A refund of money kept apart that a restored database has lost: our books take it over, and accuse nobody of it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import select

from billing.flows import working
from billing.flows.working import Action
from billing.models import Refund
from tests.flows.apart import WHY, accused, item_of, stray
from tests.flows.company import START, Company, company
from tests.flows.refunds import at_provider
from tests.flows.restored import backup_of, heal


@pytest.fixture
def acme(database_url: str) -> Iterator[Company]:
    with company(database_url) as fresh:
        yield fresh


def test_the_request_behind_a_lost_refund_that_our_books_have_taken_over_is_known(acme: Company) -> None:
    with backup_of(acme) as backup:
        stray(acme)
        backup.take()
        working.act(acme.parts, item_of(acme).id, action=Action.REFUND, order=WHY)
        acme.settle()
        (sent,) = at_provider(acme)
        backup.restore()
        heal(acme, at=START + timedelta(days=1))
        for item in acme.work_items():
            if item.kind == "refund_without_record" and item.status == "open":
                working.act(acme.parts, item.id, action=Action.REREAD, order=WHY)
    with acme.begin() as session:
        taken = session.scalars(select(Refund)).one()
    assert (taken.refund_ref, taken.status, str(taken.id) == sent.metadata_refund) == (
        sent.refund_ref,
        "succeeded",
        False,
    )
    assert accused(acme) == []
