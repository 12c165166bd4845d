"""Book: the entries of documents that are being issued, and what they defer or take back line by line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.invoice.planned import PlannedInvoice, PlannedLine
from billing.commands.revenue.defer import Deferral, defer
from billing.commands.revenue.take_back import Credit, Taken, take_back
from billing.db.copy import copy_rows
from billing.kernel.ids import new_ids
from billing.kernel.money import share
from billing.models import Account
from billing.queries.books.dating import datings
from billing.queries.books.noted import noted_before
from billing.rules.totals import Totals

_ENTRIES = ("id", "seller_id", "kind", "effective_at", "booked_on", "profile_id", "invoice_id")
_POSTINGS = ("entry_id", "position", "seller_id", "account", "currency", "amount_minor")
_MOVEMENTS = ("entry_id", "line_id", "seller_id", "deferred_minor", "recognised_minor")


@dataclass(slots=True)
class _Books:
    """What the lines of one document come to: nets that are deferred, and credits.

    `noted` is what notes gave back of them while the document was a draft.
    """

    deferred: list[int] = field(default_factory=list)
    credits: list[Credit] = field(default_factory=list)
    noted: list[Credit] = field(default_factory=list)


def write_books(
    session: Session, planned: Sequence[PlannedInvoice], line_ids: Sequence[Sequence[UUID]], *, now: datetime
) -> None:
    """Dr receivable total, Cr deferred revenue net by line, Cr tax payable; credit used: Dr customer credit, Cr
    receivable; brought forward: Dr receivable, Cr carried forward. A credit note the other way round, against its
    counter account; what gives a line back takes from its deferred revenue first (DECISIONS 31). Nothing owed, no
    entry. `line_ids` are those of each document's lines.

    What a note gave back of a draft's line had to lower revenue; now it takes from what is deferred of the line.
    """
    deferrals: list[Deferral] = []
    books = [_read(document, ids, deferrals) for document, ids in zip(planned, line_ids, strict=True)]
    _read_noted(session, planned, line_ids, books)
    by_seller = datings(session, {document.seller_id for document in planned})
    defer(session, deferrals, datings=by_seller, now=now)
    taken = iter(take_back(session, [credit for each in books for credit in (*each.noted, *each.credits)], now=now))
    entries: list[str] = []
    postings: list[str] = []
    movements: list[str] = []
    at = {seller_id: f"{now.isoformat()}\t{dating.day(now)}" for seller_id, dating in by_seller.items()}
    for document, each, entry_id in zip(planned, books, new_ids(len(planned)), strict=True):
        given_back = [_moved_back(credit, next(taken)) for credit in each.noted]
        given_back += [next(taken) for _ in each.credits]
        sides = _sides(document, each, given_back)
        if not sides:
            continue
        entry, seller = entry_id.hex, document.seller_id.hex
        entries.append(
            f"{entry}\t{seller}\tissue\t{at[document.seller_id]}\t{document.profile_id.hex}\t{document.id.hex}"
        )
        postings.extend(
            f"{entry}\t{position}\t{seller}\t{account}\t{document.currency}\t{amount}"
            for position, (account, amount) in enumerate(sides, start=1)
        )
        movements.extend(
            f"{entry}\t{line.hex}\t{seller}\t{-deferred}\t{-recognised}"
            for line, (deferred, recognised) in _by_line(given_back).items()
        )
    copy_rows(session, "ledger_entry", _ENTRIES, entries)
    copy_rows(session, "posting", _POSTINGS, postings)
    copy_rows(session, "revenue_movement", _MOVEMENTS, movements)


def _read(document: PlannedInvoice, line_ids: Sequence[UUID], deferrals: list[Deferral]) -> _Books:
    """Sort the lines: those that charge are deferred, those that give a line or a document back are credits."""
    sign = 1 if document.kind == "invoice" else -1
    found = _Books()
    if not document.lines:
        net = document.totals.total_minor - document.totals.tax_minor
        if net:
            found.credits.append(Credit(net, invoice_id=document.corrects_id))
        return found
    for line, id_, printed in zip(document.lines, line_ids, nets(document.lines, document.totals), strict=True):
        net = sign * printed
        if net < 0 and (line.credits_line_id or document.corrects_id):
            stops = line.period_start if line.credits_line_id else None
            credit = Credit(-net, line_id=line.credits_line_id, invoice_id=document.corrects_id, stops_at=stops)
            found.credits.append(credit)
        elif net:
            found.deferred.append(net)
            deferrals.append(
                Deferral(
                    id_, document.seller_id, document.id, document.currency, net, line.period_start, line.period_end
                )
            )
    return found


def _read_noted(
    session: Session, planned: Sequence[PlannedInvoice], line_ids: Sequence[Sequence[UUID]], books: Sequence[_Books]
) -> None:
    drafted = [(ids, each) for document, ids, each in zip(planned, line_ids, books, strict=True) if document.drafted]
    noted = noted_before(session, [id_ for ids, _ in drafted for id_ in ids])
    for ids, each in drafted:
        each.noted += [
            Credit(found.amount_minor, line_id=id_, stops_at=found.stops_at)
            for id_ in ids
            if (found := noted.get(id_)) is not None
        ]


def _moved_back(credit: Credit, now: Taken) -> Taken:
    """The same credit, taken from where it belongs, and no more from revenue, which the note had lowered."""
    by_line = tuple((line, deferred, -credit.amount_minor) for line, deferred, _ in now.lines)
    return Taken(now.deferred_minor, -now.deferred_minor, by_line)


def _sides(document: PlannedInvoice, books: _Books, given_back: Sequence[Taken]) -> list[tuple[Account, int]]:
    totals = document.totals
    owed, sign = (Account.RECEIVABLE, 1) if document.kind == "invoice" else (document.counter, -1)
    sides = [
        (owed, sign * totals.total_minor),
        *((Account.DEFERRED_REVENUE, -net) for net in books.deferred),
        *((Account.DEFERRED_REVENUE, each.deferred_minor) for each in given_back),
        *((Account.REVENUE, each.recognised_minor) for each in given_back),
        (Account.TAX_PAYABLE, -sign * totals.tax_minor),
        (Account.CUSTOMER_CREDIT, totals.credit_applied_minor),
        (Account.RECEIVABLE, -totals.credit_applied_minor),
        (Account.RECEIVABLE, totals.brought_forward_minor),
        (Account.CARRIED_FORWARD, -totals.brought_forward_minor),
    ]
    return [side for side in sides if side[1]]


def _by_line(given_back: Sequence[Taken]) -> dict[UUID, tuple[int, int]]:
    """What a document takes from each line; two of its credits may name one."""
    sums: dict[UUID, tuple[int, int]] = {}
    for each in given_back:
        for line, deferred, recognised in each.lines:
            before = sums.get(line, (0, 0))
            sums[line] = before[0] + deferred, before[1] + recognised
    return sums


def nets(lines: Sequence[PlannedLine], totals: Totals) -> list[int]:
    """Each line without its discount and the tax inside it; a group's tax is shared by largest remainder.

    A taxed group holds all lines of its percent, whatever their codes (`tax_groups`).
    """
    found = [line.amount_minor - line.discount_minor for line in lines]
    for group in totals.tax_groups:
        if not group.inclusive or not group.tax_minor:
            continue
        inside = [
            place
            for place, line in enumerate(lines)
            if line.treatment.inclusive and line.treatment.percent == group.percent
        ]
        for place, part in zip(inside, share(group.tax_minor, [found[place] for place in inside]), strict=True):
            found[place] -= part
    return found
