"""Drafts: invoices that a seller reviews before they are issued. They may be edited until then, or released early."""

from __future__ import annotations

import json
import traceback
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import delete, func, select, text, true, tuple_
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from billing.commands.invoice.compose import Wallet
from billing.commands.invoice.draft import planned_again, sums
from billing.commands.invoice.hold import hold_invoice
from billing.commands.invoice.issue import Issued, add_lines
from billing.commands.invoice.planned import Held, PlannedLine
from billing.commands.invoice.retry import has_attempt_in_flight
from billing.commands.subscription.lines import agreed_line
from billing.db.rows import change
from billing.flows import completing
from billing.flows.guarding import count_released
from billing.flows.issuing import issue_documents, open_parties
from billing.flows.parts import Parts
from billing.kernel.errors import Fault, MasterKeyMissing, Refused, Stale
from billing.kernel.money import MOST_AMOUNT
from billing.kernel.status import InvoiceStatus
from billing.kernel.work import WorkKind
from billing.models import Invoice, InvoiceLine, Profile
from billing.privacy.redaction import redact_error
from billing.queries.brakes import BrakeKind, moves
from billing.queries.catalog import rate_by_name
from billing.queries.invoice import lock_invoice
from billing.queries.profile import lock_profile
from billing.queries.replacing import is_credited
from billing.queries.same_database import NotReconciled, is_same
from billing.queries.standing import load_standing
from billing.queries.subscription import lock_subscriptions
from billing.rules.tax import in_force, treatment
from billing.validators.checks import Checks

_log = structlog.get_logger(__name__)

PAGE = 100
"""Drafts that are issued in one transaction."""

_WRITE = """
    UPDATE billing.invoice i SET {}, version = i.version + 1, updated_at = clock_timestamp()
    FROM jsonb_populate_recordset(NULL::billing.invoice, %(sums)s::jsonb) AS s WHERE s.id = i.id
"""


def sweep(parts: Parts) -> int:
    """Issue the drafts whose review is over, and those that lack nothing any more. Returns their number.

    None while it is open whether the database was restored: the planners ask about that.
    """
    with parts.begin() as session:
        if not is_same(session):
            return 0
        # One page a round, since what still lacks something stays; the next round takes others.
        mended = completing.waiting(session, most=PAGE)
    done = _issue(parts, mended)
    place = Invoice.review_until, Invoice.id
    query = select(*place).where(
        Invoice.status == InvoiceStatus.DRAFT,
        Invoice.hold_id.is_(None),
        Invoice.profile_id.in_(select(Profile.id).where(Profile.hold_id.is_(None))),
        text(moves(BrakeKind.ISSUE, "invoice")),
    )
    while True:
        with parts.begin() as session:
            due = query.where(Invoice.review_until <= parts.clock.now(session)).order_by(*place).limit(PAGE)
            page = session.execute(due).all()
        done += _issue(parts, [id_ for _, id_ in page])
        if len(page) < PAGE:
            return done
        # Behind these, also where some of them stay: they would be found again for ever.
        query = query.where(tuple_(*place) > tuple_(*page[-1]))


def _issue(parts: Parts, due: Sequence[UUID]) -> int:
    """Together in one transaction; where that fails by halves, down to the one that waits for a person."""
    try:
        with parts.begin() as session:
            return len(release(parts, session, due, now=parts.clock.now(session)))
    except (OperationalError, Stale, NotReconciled):
        raise
    except Exception as error:  # noqa: BLE001 (whatever it is, the others are issued)
        if len(due) == 1:
            _leave(parts, due[0], error)
            return 0
        middle = len(due) // 2
        return _issue(parts, due[:middle]) + _issue(parts, due[middle:])


def _leave(parts: Parts, draft_id: UUID, error: Exception) -> None:
    if isinstance(error, MasterKeyMissing):
        # A worker that has the master key, or this one once it was started anew, issues it.
        _log.warning("draft_put_off", invoice=str(draft_id), reason=str(error))
        return
    _log.error("draft_not_issued", invoice=str(draft_id), exc_info=error)
    with parts.begin() as session:
        draft = lock_invoice(session, draft_id)
        # What waits for a fact has its item already.
        if draft.status == InvoiceStatus.DRAFT and draft.hold_id is None:
            hold_invoice(
                session,
                invoice=draft,
                kind=WorkKind.INVOICE_NOT_ISSUED,
                summary="A draft can't be issued and is on hold; all others were issued.",
                error=redact_error(error),
                trace="".join(traceback.format_tb(error.__traceback__))[-4000:],
                now=parts.clock.now(session),
            )


def release(
    parts: Parts, session: Session, drafts: Sequence[UUID], *, now: datetime, held: bool = False
) -> list[Issued]:
    """Issue these drafts now, within the caller's transaction; those that are issued already are left alone.

    So are those of customers on hold, and those whose issuing a brake stops, unless `held`: a draft whose first payment
    has come is issued all the same.
    """
    if not drafts:
        return []
    of = session.scalars(select(Invoice.profile_id).where(Invoice.id.in_(drafts))).all()
    about = session.scalars(select(Invoice.subscription_id).where(Invoice.id.in_(drafts))).all()
    billed = {id_ for id_ in about if id_ is not None}
    standing = load_standing(session, profiles=set(of), only=billed, held=held)
    # Also those on hold, which are not among what is billed.
    statuses = lock_subscriptions(session, billed)
    locked = session.scalars(
        select(Invoice)
        .where(
            Invoice.id.in_(drafts),
            Invoice.status == InvoiceStatus.DRAFT,
            Invoice.profile_id.in_(standing.profiles),
            true() if held else text(moves(BrakeKind.ISSUE, "invoice")),
        )
        .order_by(Invoice.id)
        .with_for_update(key_share=True)
        .execution_options(populate_existing=True)
    ).all()
    paid_first = [draft for draft in locked if draft.review_until is None]
    wallet = Wallet(standing.balances, standing.carried_forward)
    parties = open_parties(parts, standing)
    planned = planned_again(session, locked, standing=standing, parties=parties, wallet=wallet, statuses=statuses)
    planned = completing.mended(parts, session, locked, planned, wallet=wallet, now=now)
    issued = issue_documents(parts, session, planned, wallet=wallet, now=now)
    anew = select(Invoice).where(Invoice.id.in_([draft.id for draft in locked]))
    session.scalars(anew.execution_options(populate_existing=True)).all()
    count_released(session, [(each.seller_id, each.currency, each.total_minor) for each in paid_first], now=now)
    return issued


def add_line(
    parts: Parts,
    session: Session,
    draft_id: UUID,
    *,
    description: str,
    amount_minor: int,
    tax_rate: str | None = "standard",
) -> Invoice:
    """Add a line to a draft that is under review; its sums follow. A negative amount takes something off.

    Raises `Refused`: the faults of the values, `invoice_not_found`, `invoice_not_draft`, `tax_rate_not_found`,
    `draft_below_zero`.
    """
    checks = Checks()
    checks.text("description", description, most=500)
    checks.storable("tax_rate", tax_rate or "")
    checks.whole("amount", amount_minor, least=-MOST_AMOUNT, most=MOST_AMOUNT)
    checks.done()
    draft = _editable(session, draft_id)
    standing = load_standing(session, profiles=[draft.profile_id], only=[], held=True)
    seller, profile = standing.sellers[draft.seller_id], standing.profiles[draft.profile_id]
    named = rate_by_name(session, seller_id=seller.id, name=tax_rate)
    rate = in_force(named, parts.clock.now(session), seller.timezone)
    how = treatment(seller.country, profile.country, profile.has_tax_id, rate, seller.oss)
    _append(session, draft, [agreed_line(description, amount_minor, how)])
    return resum(parts, session, draft)


def give_back(parts: Parts, session: Session, credits_: Sequence[tuple[UUID, PlannedLine]]) -> None:
    """Put credits for lines of drafts on these, each beside its line. The caller holds the customer.

    Raises `Refused`: `draft_below_zero`, `payment_in_flight` (a first payment of all that it says); `Stale` where one
    was issued or dropped meanwhile.
    """
    by_draft: dict[UUID, list[PlannedLine]] = defaultdict(list)
    for draft_id, line in credits_:
        by_draft[draft_id].append(line)
    for draft_id, lines in sorted(by_draft.items()):
        draft = lock_invoice(session, draft_id)
        if draft.status != InvoiceStatus.DRAFT:
            raise Stale("the draft that charged the period is none any more; look again")
        if has_attempt_in_flight(session, draft.id):
            mend = "what charged the period is being paid just now; wait for that"
            raise Refused(Fault("invoice", "payment_in_flight", mend))
        _append(session, draft, lines)
        resum(parts, session, draft)


def _append(session: Session, draft: Invoice, lines: Sequence[PlannedLine]) -> None:
    last = session.scalar(select(func.max(InvoiceLine.position)).where(InvoiceLine.invoice_id == draft.id)) or 0
    add_lines(session, lines, seller_id=draft.seller_id, invoice_id=draft.id, after=last)


def remove_line(parts: Parts, session: Session, draft_id: UUID, *, line_id: UUID) -> Invoice:
    """Take a line off a draft that is under review; its sums follow.

    Raises `Refused`: `invoice_not_found`, `invoice_not_draft`, `line_not_found`, `last_line`, `line_credited`,
    `draft_below_zero`.
    """
    draft = _editable(session, draft_id)
    of = select(InvoiceLine.id).where(InvoiceLine.invoice_id == draft.id)
    lines = set(session.scalars(of))
    if line_id not in lines:
        raise Refused(Fault("line", "line_not_found", "give the id of a line of this draft"))
    if len(lines) == 1:
        raise Refused(Fault("line", "last_line", "add another line first; a document has at least one"))
    if is_credited(session, line_id):
        mend = "a change of the subscription has given a part of it back; add a line that takes off the rest"
        raise Refused(Fault("line", "line_credited", mend))
    session.execute(delete(InvoiceLine).where(InvoiceLine.id == line_id))
    return resum(parts, session, draft)


def _editable(session: Session, draft_id: UUID) -> Invoice:
    found = session.get(Invoice, draft_id)
    if found is None:
        raise Refused(Fault("invoice", "invoice_not_found", "give the id of a draft"))
    lock_profile(session, found.profile_id)
    draft = lock_invoice(session, draft_id)
    if draft.status != InvoiceStatus.DRAFT or draft.review_until is None:
        raise Refused(Fault("invoice", "invoice_not_draft", "only what waits for its review can be edited"))
    return draft


def resum(parts: Parts, session: Session, draft: Invoice) -> Invoice:
    """Sum a locked draft up anew from its lines. Raises `Refused` (`draft_below_zero`)."""
    session.flush()
    (summed,) = _summed(parts, session, [draft])
    for name, value in summed.items():
        setattr(draft, name, value)
    session.flush()
    return draft


def resum_all(parts: Parts, session: Session, drafts: Sequence[UUID]) -> None:
    """The same for many, whose lines statements have moved; a page of them in memory."""
    for start in range(0, len(drafts), PAGE):
        query = select(Invoice).where(Invoice.id.in_(drafts[start : start + PAGE]))
        rows = session.scalars(query.execution_options(populate_existing=True)).all()
        summed = _summed(parts, session, rows)
        told = json.dumps([{"id": str(row.id), **each} for row, each in zip(rows, summed, strict=True)])
        change(session, _WRITE.format(", ".join(f"{name} = s.{name}" for name in summed[0])), sums=told)
        for row in rows:
            session.expunge(row)


def _summed(parts: Parts, session: Session, drafts: Sequence[Invoice]) -> list[dict[str, Any]]:
    """The columns of each that follow from its lines."""
    standing = load_standing(session, profiles={draft.profile_id for draft in drafts}, only=[], held=True)
    parties, wallet = open_parties(parts, standing), Wallet()
    documents = planned_again(session, drafts, standing=standing, parties=parties, wallet=wallet, held=Held.REVIEW)
    below = sorted(str(document.id) for document in documents if document.kind != "invoice")
    if below:
        mend = (
            "an invoice takes nothing off below 0: grant credit instead of a line; where a skip asks for it, "
            f"release or merge the drafts, and void what shall not be owed ({', '.join(below[:5])})"
        )
        raise Refused(Fault("amount", "draft_below_zero", mend))
    return [sums(document) for document in documents]
