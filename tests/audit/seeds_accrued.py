"""Seeds for accruals of lines and of usage: L7."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from billing.commands.accrual.night import Night, book
from billing.kernel.ids import new_id
from billing.models import InvoiceLine, LineAccrual, WaitingLine
from tests import builders
from tests.audit.seeds import Accused, Planting, seed
from tests.builders import add

_BEFORE = date(2025, 12, 1)
"""A month in which the world's documents were not told yet."""


def _accrued(planting: Planting, line: InvoiceLine | WaitingLine, amount_minor: int, month: date) -> LineAccrual:
    """So much of a line is accrued in a month, and taken back."""
    session, of = planting.session, planting.world.open
    night = Night(month, datetime.combine(month + timedelta(days=32), time(), UTC).replace(day=1))
    told = {"seller_id": of.seller_id, "currency": of.currency, "amount_minor": amount_minor}
    entry_id, reversal_id = book(session, night, of="line", **told)
    session.flush()
    return add(
        session,
        LineAccrual(
            id=new_id(),
            subscription_id=of.subscription_id,
            line_id=line.id,
            month=month,
            entry_id=entry_id,
            reversal_id=reversal_id,
            **told,
        ),
    )


@seed("L7")
def an_accrual_is_not_taken_back_in_full(planting: Planting) -> Accused:
    accrued = _accrued(planting, planting.line(planting.world.open), 700, _BEFORE)
    for account, off in (("unbilled_receivable", 1), ("revenue", -1)):
        planting.run(
            "UPDATE billing.posting SET amount_minor = amount_minor + :off WHERE entry_id = :id AND account = :of",
            off=off,
            id=accrued.reversal_id,
            of=account,
        )
    return "ledger_entry", str(accrued.reversal_id)


@seed("L7")
def an_accrual_is_taken_back_on_another_day(planting: Planting) -> Accused:
    accrued = _accrued(planting, planting.line(planting.world.open), 700, _BEFORE)
    planting.run("UPDATE billing.ledger_entry SET booked_on = booked_on + 30 WHERE id = :id", id=accrued.reversal_id)
    return "ledger_entry", str(accrued.reversal_id)


@seed("L7")
def the_books_accrue_what_no_line_and_no_usage_stands_behind(planting: Planting) -> Accused:
    accrued = _accrued(planting, planting.line(planting.world.open), 700, _BEFORE)
    planting.run("DELETE FROM billing.line_accrual WHERE id = :id", id=accrued.id)
    return "ledger_entry", str(accrued.entry_id)


@seed("L7")
def a_line_is_accrued_in_a_month_that_has_told_it(planting: Planting) -> Accused:
    line = planting.line(planting.world.open)
    month = planting.world.open.issued_at.date().replace(day=1)
    return "line_accrual", str(_accrued(planting, line, 700, month).id)


@seed("L7")
def more_of_a_line_is_accrued_than_it_charges(planting: Planting) -> Accused:
    line = planting.line(planting.world.open)
    return "line_accrual", str(_accrued(planting, line, line.amount_minor + 1, _BEFORE).id)


@seed("L7")
def less_than_nothing_is_accrued_of_a_line_that_charges(planting: Planting) -> Accused:
    return "line_accrual", str(_accrued(planting, planting.line(planting.world.open), -1, _BEFORE).id)


@seed("L7")
def a_credit_takes_more_from_a_month_than_it_gives_back(planting: Planting) -> Accused:
    line = builders.credited_line(
        planting.session, planting.line(planting.world.paid), planting.world.running.id, amount_minor=-100
    )
    return "line_accrual", str(_accrued(planting, line, -101, _BEFORE).id)
