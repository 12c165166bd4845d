"""A transaction of a flow: who is too late by a moment is told so, and a task leaves it for the next sweep."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from billing.flows.parts import Parts
from billing.kernel.errors import Stale
from billing.models import ProviderAccount
from billing.tasks.base import passes
from tests.flows.company import START, Company


def _read_on(parts: Parts, *, hours: int, meanwhile: int | None = None) -> None:
    """An account was read for so long; `meanwhile` another says how long, between our reading and our writing."""
    with parts.begin() as session:
        account = session.scalars(select(ProviderAccount)).one()
        if meanwhile is not None:
            _read_on(parts, hours=meanwhile)
        account.movements_read_to = START + timedelta(hours=hours)


def test_of_two_who_change_a_row_at_once_the_later_one_is_stale_and_writes_nothing(acme: Company) -> None:
    with pytest.raises(Stale) as late:
        _read_on(acme.parts, hours=1, meanwhile=2)
    assert passes(late.value)
    with acme.parts.begin() as session:
        assert session.scalars(select(ProviderAccount.movements_read_to)).one() == START + timedelta(hours=2)
