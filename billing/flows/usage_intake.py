"""Usage from a file: recorded in batches, each all or nothing and in a transaction of its own; every fault by its line.

The same file again changes nothing: records that are there already are ignored. So what a fault held up is mended in
the file, and the whole file given again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from uuid import UUID

from billing.commands.usage.record import Recorded, record_usage
from billing.flows.intake_input import LineFault
from billing.flows.order import Order, carry_out, note
from billing.flows.parts import Parts
from billing.kernel.errors import Fault, Refused
from billing.queries.catalog import the_seller
from billing.queries.operations.finding import only_seller
from billing.validators.usage import MOST_RECORDS, NewUsage


@dataclass(frozen=True, slots=True)
class UsageLine:
    """One line: a record, or what was wrong with it."""

    line: int
    record: NewUsage | None
    faults: tuple[LineFault, ...] = ()


@dataclass(slots=True)
class UsageReport:
    """What became of a file. `held_up` counts the lines of batches that a fault kept from being recorded; `differing`
    are the lines of records that were there already and say otherwise, which stay as they are."""

    written: int = 0
    repeated: int = 0
    late: int = 0
    held_up: int = 0
    faults: list[LineFault] = field(default_factory=list)
    differing: list[int] = field(default_factory=list)


def take_usage(
    parts: Parts, lines: Iterable[UsageLine], *, seller: str | None, order: Order, progress: Callable[[int], None]
) -> UsageReport:
    """Record what the lines say of one seller's subscriptions (None: of the only one's), `MOST_RECORDS` at a time.

    A batch with a fault is not written, the others are; `progress` is told how many lines are behind. Raises `Refused`
    (`seller_not_found`, `seller_missing`).
    """
    with parts.begin() as session:
        seller_id = the_seller(session, seller).id if seller else only_seller(session)
    report, behind = UsageReport(), 0
    tried: dict[tuple[str, str], NewUsage] = {}
    for batch in _batches(lines):
        found = _take(parts, seller_id, batch, order, tried)
        if isinstance(found, Recorded):
            if order.dry_run:
                for record in filter(None, (each.record for each in batch)):
                    tried.setdefault((record.subscription, record.record_id), record)
            report.written += found.written
            report.repeated += found.repeated
            report.late += found.late
            report.differing += _lines_of(batch, found.differing)
        else:
            report.faults += sorted(found)
            report.held_up += len(batch)
        behind += len(batch)
        progress(behind)
    return report


def _batches(lines: Iterable[UsageLine]) -> Iterator[list[UsageLine]]:
    each = iter(lines)
    while batch := list(islice(each, MOST_RECORDS)):
        yield batch


def _take(
    parts: Parts,
    seller_id: UUID,
    batch: Sequence[UsageLine],
    order: Order,
    tried: Mapping[tuple[str, str], NewUsage],
) -> Recorded | list[LineFault]:
    """Record one batch, or say all that is wrong with it: the lines that could be read are tried all the same."""
    faults = [fault for each in batch for fault in each.faults]
    good = [(each.line, each.record) for each in batch if each.record is not None]
    if not good:
        return faults
    given = replace(order, dry_run=True) if faults else order
    try:
        with carry_out(parts, given) as session:
            now = parts.clock.now(session)
            made = record_usage(session, seller_id=seller_id, new=[record for _, record in good], now=now, tried=tried)
            note(
                parts,
                session,
                given,
                action="usage.record",
                subject_type="seller",
                subject_id=seller_id,
                seller_id=seller_id,
                before={},
                after={
                    "lines": [batch[0].line, batch[-1].line],
                    "written": made.written,
                    "repeated": made.repeated,
                    "late": made.late,
                },
            )
    except Refused as refused:
        return faults + [_by_line(fault, good) for fault in refused.faults]
    return faults or made


def _lines_of(batch: Sequence[UsageLine], places: Sequence[int]) -> list[int]:
    """Where records of a batch without faults stand in the file; places count from 1."""
    return [batch[place - 1].line for place in places]


def _by_line(fault: Fault, good: Sequence[tuple[int, NewUsage]]) -> LineFault:
    """A fault of `records.N.field`, by the line of record N."""
    _, number, name = fault.field.split(".", 2)
    return LineFault(good[int(number) - 1][0], name, fault.code, fault.mend)
