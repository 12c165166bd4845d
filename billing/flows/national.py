"""National tax: documents in a foreign currency say their tax in the seller's own, at a rate frozen with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.commands.invoice.planned import PlannedInvoice
from billing.db.copy import id_array
from billing.flows.parts import Parts
from billing.kernel.period import zone_info
from billing.models import Seller
from billing.queries.exchange_rate import rates_by_day
from billing.rules.national import NationalTax, at_frozen_rate, national_currency, national_tax, needed_rates


def national_taxes(
    parts: Parts,
    session: Session,
    sellers: Mapping[UUID, Seller],
    documents: Sequence[PlannedInvoice],
    *,
    now: datetime,
) -> dict[UUID, NationalTax | None]:
    """The tax of each document that must say it in another currency than its own; None: no rate is known for its day.

    For sellers that want complete documents, where rates are read at all; a note has the rate of its invoice, also when
    they are read no more, and all its notes add up to what it said. Reads nothing where every document is in its
    seller's currency, as nearly all are.
    """
    found: dict[UUID, NationalTax | None] = {}
    days: dict[tuple[date, str, str], tuple[date, dict[str, Decimal]] | None] = {}
    foreign = [
        (each, sellers[each.seller_id], into)
        for each in documents
        if each.seller_id in sellers
        and sellers[each.seller_id].complete_documents
        and (into := national_currency(sellers[each.seller_id].country)) not in (None, each.currency)
        and each.totals.tax_minor
    ]
    frozen = _frozen(session, [each.corrects_id for each, *_ in foreign if each.corrects_id is not None])
    for each, seller, into in foreign:
        assert into is not None
        tax_minor = each.totals.tax_minor
        kept = frozen.get(each.corrects_id) if each.corrects_id is not None else None
        if kept is not None:
            before, said = (0, 0) if each.kind == "invoice" else kept.noted
            whole = at_frozen_rate(before + tax_minor, currency=each.currency, frozen=kept.seller_tax)
            found[each.id] = replace(whole, tax_minor=whole.tax_minor - said)
            continue
        # A corrected invoice may bear tax that the one before it did not.
        if parts.rates is None or (each.corrects_id is not None and each.kind != "invoice"):
            continue
        key = (now.astimezone(zone_info(seller.timezone)).date(), each.currency, into)
        if key not in days:
            days[key] = _of_day(session, parts.rates.source, *key)
        if (known := days[key]) is not None:
            published, per_euro = known
            found[each.id] = national_tax(
                tax_minor,
                currency=each.currency,
                into=into,
                day=published,
                per_euro=per_euro,
                source=parts.rates.source,
            )
        elif each.kind == "invoice":
            found[each.id] = None
    return found


def _of_day(
    session: Session, source: str, day: date, currency: str, into: str
) -> tuple[date, dict[str, Decimal]] | None:
    """The last day until then on which all that is needed was published."""
    needed = needed_rates(currency, into)
    published = rates_by_day(session, source=source, currencies=needed, day=day)
    return next(((each, rates) for each, rates in published.items() if rates.keys() >= needed), None)


class _Frozen(NamedTuple):
    """What an invoice says of its tax in the seller's currency, and what its notes say so far: tax, and that of it."""

    seller_tax: dict[str, object]
    noted: tuple[int, int]


def _frozen(session: Session, invoices: Sequence[UUID]) -> dict[UUID, _Frozen]:
    if not invoices:
        return {}
    rows = session.execute(_FROZEN, {"invoices": id_array(invoices)})
    return {row.id: _Frozen(row.seller_tax, (int(row.tax), int(row.said))) for row in rows}


_FROZEN = text(
    """
    SELECT i.id, i.seller_tax, coalesce(sum(n.tax_minor), 0) AS tax,
           coalesce(sum((n.seller_tax ->> 'tax_minor')::bigint), 0) AS said
    FROM billing.invoice i
    LEFT JOIN billing.invoice n ON n.corrects_id = i.id AND n.kind = 'credit_note' AND n.seller_tax IS NOT NULL
    WHERE i.id = ANY(CAST(:invoices AS uuid[])) AND i.seller_tax IS NOT NULL
    GROUP BY i.id, i.seller_tax
    """
)
