"""Issue: write planned documents in bulk, with lines, ledger and outbox first and their numbers last (DECISIONS 15)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.commands.invoice.book import write_books
from billing.commands.invoice.planned import PlannedInvoice, PlannedLine
from billing.commands.series.begin import turn_year
from billing.db.copy import NULL, array, binary, copy_rows, field, id_array, instant, reference
from billing.events.bulk import emit_many
from billing.events.topics import Topic
from billing.kernel.errors import Fault, Refused, Stale
from billing.kernel.ids import new_id, new_ids
from billing.kernel.period import zone_info
from billing.kernel.status import InvoiceStatus
from billing.privacy.blind_index import content_hash
from billing.privacy.sealed import seal
from billing.queries.same_database import SAME, NotReconciled
from billing.rules.national import fingerprint_of


@dataclass(frozen=True, slots=True)
class DocumentKey:
    """A seller's key for the documents of a year: its id stands on each document."""

    id: UUID
    key: bytes


@dataclass(frozen=True, slots=True)
class Issued:
    """A document with its number. `due` says that collection may try it now."""

    id: UUID
    seller_id: UUID
    profile_id: UUID
    number: str
    issued_at: datetime
    due: bool


@dataclass(slots=True)
class _Counter:
    """A locked series row."""

    id: UUID
    prefix: str
    next_no: int
    issued_at: datetime


_LINES = (
    "id", "seller_id", "invoice_id", "position", "kind", "price_id", "description", "quantity", "unit_amount",
    "amount_minor", "discount_minor", "tax_percent", "tax_inclusive", "tax_code", "period_start", "period_end", "how",
    "credits_line_id", "credits_issued",
)  # fmt: skip
_INVOICES = (
    "id", "seller_id", "profile_id", "subscription_id", "kind", "series_id", "series_no", "number", "issued_at",
    "currency", "period_start", "period_end", "subtotal_minor", "discount_minor", "tax_minor", "total_minor",
    "credit_applied_minor", "amount_due_minor", "tax_groups", "reverse_charge", "legal_notes", "buyer_country",
    "buyer_kind", "brought_forward_minor", "parties", "document_key_id", "content_hash", "due_at", "status",
    "collection", "amount_paid_minor", "amount_refunded_minor", "amount_remaining_minor", "paid_at", "next_attempt_at",
    "dunning_step", "on_schedule", "waits_for_method", "corrects_id", "seller_tax", "version",
)  # fmt: skip


def issue(
    session: Session,
    planned: Sequence[PlannedInvoice],
    *,
    keys: Mapping[UUID, DocumentKey],
    now: datetime,
    read_now: Callable[[], datetime],
) -> list[Issued]:
    """Write the documents in the order given. `now` is the transaction's business time, `read_now` reads it anew.

    Raises `Stale` where the seller's day changed between the two: the books and the document must bear one date, and
    the whole transaction is simply done again. Raises `NotReconciled` while it is open whether the database was
    restored.
    """
    if not planned:
        return []
    line_ids = _line_ids(planned)
    new = [place for place, document in enumerate(planned) if not document.drafted]
    _write_lines(session, [planned[place] for place in new], [line_ids[place] for place in new])
    write_books(session, planned, line_ids, now=now)
    _tell(session, planned, now)
    # The balance is proven before the counter is locked, so that numbering holds others up as briefly as can be.
    session.execute(text("SET CONSTRAINTS billing.ledger_entry_balanced IMMEDIATE"))
    session.execute(text("SET CONSTRAINTS billing.ledger_entry_balanced DEFERRED"))
    counters = _lock_counters(session, {_series_of(document) for document in planned}, now, read_now)
    issued, rows = _number(planned, counters, keys)
    _write_rows(session, planned, rows)
    _advance_counters(session, list(counters.values()))
    return issued


def write_lines(session: Session, planned: Sequence[PlannedInvoice]) -> None:
    """Write the lines of drafts."""
    _write_lines(session, planned, _line_ids(planned))


def add_lines(session: Session, lines: Sequence[PlannedLine], *, seller_id: UUID, invoice_id: UUID, after: int) -> None:
    """Write further lines of a draft, behind the one at position `after`."""
    ids = [line.id or new_id() for line in lines]
    copy_rows(session, "invoice_line", _LINES, _line_rows(seller_id, invoice_id, lines, ids, start=after + 1))


def _write_lines(session: Session, planned: Sequence[PlannedInvoice], line_ids: Sequence[Sequence[UUID]]) -> None:
    rows = (
        row
        for document, ids in zip(planned, line_ids, strict=True)
        for row in _line_rows(document.seller_id, document.id, document.lines, ids, start=1)
    )
    copy_rows(session, "invoice_line", _LINES, rows)


def _line_ids(planned: Sequence[PlannedInvoice]) -> list[list[UUID]]:
    """The lines' ids, document by document: their own, where they waited or were drafted, or new ones."""
    ids = iter(new_ids(sum(line.id is None for document in planned for line in document.lines)))
    return [[line.id or next(ids) for line in document.lines] for document in planned]


def _write_rows(session: Session, planned: Sequence[PlannedInvoice], rows: Sequence[str]) -> None:
    """New rows are inserted. Those of drafts change in place, under their payments and periods, by way of a copy."""
    new = [row for document, row in zip(planned, rows, strict=True) if not document.drafted]
    drafted = [row for document, row in zip(planned, rows, strict=True) if document.drafted]
    copy_rows(session, "invoice", _INVOICES, new)
    if drafted:
        session.execute(text("CREATE TEMP TABLE issuing (LIKE billing.invoice INCLUDING DEFAULTS) ON COMMIT DROP"))
        copy_rows(session, "issuing", _INVOICES, drafted, schema="pg_temp")
        session.execute(_FROM_DRAFTS)
        session.execute(text("DROP TABLE pg_temp.issuing"))


_CHANGED = [name for name in _INVOICES if name not in ("id", "seller_id", "version")]
_FROM_DRAFTS = text(
    f"""
    UPDATE billing.invoice i
    SET ({", ".join(_CHANGED)}) = ROW({", ".join(f"t.{name}" for name in _CHANGED)}),
        review_until = NULL, version = i.version + 1, updated_at = clock_timestamp()
    FROM pg_temp.issuing t WHERE i.id = t.id
    """  # noqa: S608 (our own names)
)


def _line_rows(
    seller_id: UUID, invoice_id: UUID, lines: Sequence[PlannedLine], ids: Sequence[UUID], *, start: int
) -> Iterator[str]:
    head = f"{seller_id.hex}\t{invoice_id.hex}"
    for position, (line, id_) in enumerate(zip(lines, ids, strict=True), start=start):
        how = line.treatment
        yield (
            f"{id_.hex}\t{head}\t{position}\t{line.kind}\t{reference(line.price_id)}\t{field(line.description)}"
            f"\t{line.quantity}\t{line.unit_amount or NULL}\t{line.amount_minor}\t{line.discount_minor}"
            f"\t{how.percent}\t{how.inclusive}\t{how.code}\t{instant(line.period_start)}\t{instant(line.period_end)}"
            f"\t{field(line.how_json)}\t{reference(line.credits_line_id)}\t{line.credits_issued}"
        )


def _told(document: PlannedInvoice) -> str:
    subscription = f'"{document.subscription_id}"' if document.subscription_id else "null"
    return (
        f'{{"invoice_id":"{document.id}","profile_id":"{document.profile_id}","subscription_id":{subscription},'
        f'"currency":"{document.currency}","total_minor":{document.totals.total_minor},'
        f'"amount_due_minor":{document.totals.amount_due_minor}}}'
    )


def _tell(session: Session, planned: Sequence[PlannedInvoice], now: datetime) -> None:
    for topic, invoices in ((Topic.INVOICE_ISSUED, True), (Topic.CREDIT_NOTE_ISSUED, False)):
        events = [
            (document.seller_id, document.id, _told(document))
            for document in planned
            if (document.kind == "invoice") is invoices
        ]
        emit_many(session, topic=topic, object_type="invoice", now=now, events=events)


_Series = tuple[UUID, str]
"""Seller and kind: invoices have a series of numbers, notes that correct them another."""


def _series_of(document: PlannedInvoice) -> _Series:
    return document.seller_id, "invoice" if document.kind == "invoice" else "credit_note"


_LOCK = text(
    f"""
    SELECT {SAME} AS same, s.seller_id, s.kind, s.id, s.prefix, s.next_no, s.last_issued_at, l.timezone, s.year,
           CASE s.kind WHEN 'invoice' THEN l.number_prefix ELSE l.credit_note_prefix END AS pattern
    FROM billing.series s
    JOIN billing.seller l ON l.id = s.seller_id
    JOIN unnest(CAST(:sellers AS uuid[]), CAST(:kinds AS text[])) AS wanted(seller_id, kind) USING (seller_id, kind)
    WHERE s.closed_at IS NULL
    ORDER BY s.id FOR UPDATE OF s
    """  # noqa: S608 (our own words)
)


def _lock_counters(
    session: Session, wanted: set[_Series], now: datetime, read_now: Callable[[], datetime]
) -> dict[_Series, _Counter]:
    named = {"sellers": id_array(seller for seller, _ in wanted), "kinds": array(kind for _, kind in wanted)}
    rows = session.execute(_LOCK, named).all()
    if len(rows) < len(wanted):
        # One that was waited for has been closed, and what goes on in its place began after this statement.
        rows = session.execute(_LOCK, named).all()
    if not all(row.same for row in rows):
        # A number that is given now may stand on another document already.
        raise NotReconciled
    read = read_now()
    zones = {zone_info(row.timezone) for row in rows}
    if any(read.astimezone(zone).date() != now.astimezone(zone).date() for zone in zones):
        raise Stale("the day changed while documents were being issued")
    counters = {(row.seller_id, row.kind): _counter(session, row, read) for row in rows}
    if missing := wanted - counters.keys():
        seller, kind = min(missing)
        raise Refused(Fault("series", f"no_{kind}_series", f"create a series of kind {kind} for seller {seller}"))
    return counters


def _counter(session: Session, row: Any, read: datetime) -> _Counter:
    issued_at = max(read, row.last_issued_at or read)
    if row.year is not None and row.pattern is not None:
        year = issued_at.astimezone(zone_info(row.timezone)).year
        if year > row.year:
            new = turn_year(session, row.id, pattern=row.pattern, year=year, now=issued_at)
            return _Counter(new.id, new.prefix, new.next_no, issued_at)
    return _Counter(row.id, row.prefix, row.next_no, issued_at)


def _advance_counters(session: Session, counters: Sequence[_Counter]) -> None:
    session.execute(
        text(
            """
            UPDATE billing.series s
            SET next_no = c.next_no, last_issued_at = c.issued_at, version = s.version + 1,
                updated_at = clock_timestamp()
            FROM unnest(CAST(:ids AS uuid[]), CAST(:nos AS int[]), CAST(:ats AS timestamptz[]))
                 AS c(id, next_no, issued_at)
            WHERE s.id = c.id
            """
        ),
        {
            "ids": id_array(counter.id for counter in counters),
            "nos": array(counter.next_no for counter in counters),
            "ats": array(counter.issued_at for counter in counters),
        },
    )


def _number(
    planned: Sequence[PlannedInvoice], counters: Mapping[_Series, _Counter], keys: Mapping[UUID, DocumentKey]
) -> tuple[list[Issued], list[str]]:
    issued: list[Issued] = []
    rows: list[str] = []
    for document in planned:
        counter = counters[_series_of(document)]
        number, series_no = f"{counter.prefix}{counter.next_no:06d}", counter.next_no
        counter.next_no += 1
        totals = document.totals
        due = document.collection == "automatic" and document.charged and totals.amount_due_minor > 0
        issued.append(Issued(document.id, document.seller_id, document.profile_id, number, counter.issued_at, due))
        rows.append(_invoice_row(document, counter, series_no, number, keys[document.seller_id], due=due))
    return issued, rows


def _invoice_row(
    document: PlannedInvoice, counter: _Counter, series_no: int, number: str, key: DocumentKey, *, due: bool
) -> str:
    totals, issued = document.totals, counter.issued_at.isoformat()
    status = _status(document)
    paid = status is InvoiceStatus.PAID
    groups = ",".join(
        f'{{"percent":"{group.percent}","inclusive":{"true" if group.inclusive else "false"},'
        f'"base_minor":{group.base_minor},"tax_minor":{group.tax_minor},"code":"{group.code}"}}'
        for group in totals.tax_groups
    )
    due_at = NULL
    if document.collection == "send_invoice" and document.kind == "invoice":
        due_at = (counter.issued_at + timedelta(days=document.days_until_due)).isoformat()
    frozen = (
        f"{document.profile_id.hex}\t{reference(document.subscription_id)}\t{document.kind}\t{counter.id.hex}\t{series_no}"
        f"\t{number}\t{issued}\t{document.currency}\t{instant(document.period_start)}\t{instant(document.period_end)}\t{totals.subtotal_minor}"
        f"\t{totals.discount_minor}\t{totals.tax_minor}\t{totals.total_minor}\t{totals.credit_applied_minor}"
        f"\t{totals.amount_due_minor}\t[{groups}]\t{totals.reverse_charge}\t{{{','.join(totals.notes)}}}"
        f"\t{document.buyer_country}\t{document.buyer_kind}"
    )
    sealed = seal(key.key, document.parties_json, table="invoice", row=document.id, column="parties")
    fingerprint = content_hash(key.key, snapshot(frozen, document))
    return (
        f"{document.id.hex}\t{document.seller_id.hex}\t{frozen}\t{totals.brought_forward_minor}\t{binary(sealed)}\t{key.id.hex}\t{binary(fingerprint)}\t{due_at}"
        f"\t{status}\t{document.collection}\t0\t0\t{totals.amount_due_minor}\t{issued if paid else NULL}"
        f"\t{issued if due else NULL}\t0\t{document.charged}\tf\t{reference(document.corrects_id)}"
        f"\t{_national(document)}\t1"
    )


def _national(document: PlannedInvoice) -> str:
    return NULL if document.seller_tax is None else field(json.dumps(document.seller_tax.as_json()))


def _status(document: PlannedInvoice) -> InvoiceStatus:
    if document.kind != "invoice":
        return document.note_status
    return InvoiceStatus.OPEN if document.totals.amount_due_minor else InvoiceStatus.PAID


def snapshot(frozen: str, document: PlannedInvoice) -> bytes:
    """The plain text that the content hash covers: frozen columns, parties, lines, tax in own currency.

    What it brought forward follows from its total, its credit and what is due.
    """
    lines = "\n".join(
        f"{line.kind}\t{line.description}\t{line.quantity}\t{line.unit_amount}\t{line.amount_minor}\t{line.discount_minor}"
        f"\t{line.treatment.percent}\t{line.treatment.code}\t{instant(line.period_start)}\t{instant(line.period_end)}"
        for line in document.lines
    )
    said = [frozen.encode(), document.parties_json, lines.encode()]
    if document.seller_tax is not None:
        said.append(fingerprint_of(document.seller_tax.as_json()).encode())
    return b"\n".join(said)
