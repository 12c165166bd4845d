"""Notices: renewals to come are announced, and what customers are told leaves as mail, where there is a mail server.

A mail is made and handed over with no transaction open. Its Message-ID is the notice's id, so that one which was taken
twice, because a worker died between the server's answer and our record, can be told by every mailbox.
"""

from __future__ import annotations

import time
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Row
from sqlalchemy.exc import DBAPIError

from billing.commands.notice.close import close_notice, put_off
from billing.commands.notice.tell import News, tell
from billing.commands.work_item.close import close_for
from billing.commands.work_item.raise_item import raise_item
from billing.db.clock import wall_now
from billing.flows.letters import LetterWithoutFont, addressee, letter
from billing.flows.parts import Parts
from billing.flows.previewing import preview_renewal
from billing.kernel.clock import format_instant, parse_instant
from billing.kernel.errors import Stale
from billing.kernel.failpoints import failpoint
from billing.kernel.status import InvoiceStatus, NoticeStatus, SubscriptionStatus
from billing.kernel.work import WorkKind
from billing.mail.server import MailLater, MailRefused, MailServer, MailServerAway, Undeliverable
from billing.models import Subscription
from billing.privacy.redaction import redact_error
from billing.queries.notice import drop_waiting, renewals_to_announce, take_notices
from billing.rules.notice import ABOUT_DEBT, DOCUMENT_LIFE, LIFE, WITH_DOCUMENT, NoticeKind

_log = structlog.get_logger(__name__)

ANNOUNCED = 500
"""Renewals that one tick announces; the next tick goes on."""
LINES = 15
"""Answers of a mail server that one mail waits for, at most; each may take as long as the time-out."""
ROUND_S = 60.0
"""Wall seconds after which a round takes no more; the next tick goes on."""
MAIL_REFUSED = WorkKind.MAIL_SERVER_REFUSES
"""Kind of the work item that tells of a mail server which takes nothing from us."""
_THE_SERVER = UUID(int=0)
"""Its subject: there is one."""


def announce(parts: Parts) -> int:
    """Tell of renewals to come: once a period, as many days ahead as the seller says. Returns their number."""
    with parts.begin() as session:
        now = parts.clock.now(session)
        found = renewals_to_announce(session, now=now, most=ANNOUNCED)
        news = []
        for id_ in found:
            row = session.get_one(Subscription, id_)
            try:
                document = preview_renewal(parts, session, row, now=now)
            except DBAPIError:
                raise
            except Exception as broken:  # noqa: BLE001 (the others must be told; the renewal itself will say what is wrong)
                _log.warning("renewal_not_previewed", subscription=str(id_), error=type(broken).__name__)
                document = None
            facts = {
                "subscription_id": str(id_),
                "renews_at": format_instant(row.next_due_at) if row.next_due_at else None,
                "amount_minor": document.totals.amount_due_minor if document else None,
                "currency": row.currency,
            }
            occasion = f"{id_}:{row.anchor_no}:{row.next_period_no}"
            news.append(News(NoticeKind.RENEWAL_UPCOMING, occasion, row.seller_id, row.profile_id, None, id_, facts))
        return tell(session, news, now=now)


def send(parts: Parts) -> int:
    """Send the mails of waiting notices. Returns how many were taken; without a mail server all are dropped."""
    server = mail_server(parts)
    if server is None:
        with parts.begin() as session:
            drop_waiting(session, reason="no_mail_server", most=parts.settings.billing_plan_limit)
        return 0
    end, taken = time.monotonic() + ROUND_S, 0
    # One at a time: a lease covers one mail however slow its server, and who ends the process ends no other's try.
    lease_s = parts.settings.lease_s + LINES * parts.settings.connect_timeout_s
    while time.monotonic() < end:
        with parts.begin() as session:
            now = parts.clock.now(session)
            rows = take_notices(session, lease_s=lease_s, most=1)
        if not rows:
            break
        failpoint("notice.taken")
        taken += 1
        if not _send_one(parts, server, rows[0], now):
            break
    return taken


def mail_server(parts: Parts) -> MailServer | None:
    """By the settings; None where there is none."""
    settings = parts.settings
    if settings.smtp_url is None or settings.smtp_from is None:
        return None
    password = settings.smtp_password.get_secret_value() if settings.smtp_password else None
    return MailServer.of(
        settings.smtp_url, password=password, sender=settings.smtp_from, timeout_s=settings.connect_timeout_s
    )


def _send_one(parts: Parts, server: MailServer, row: Row[Any], now: datetime) -> bool:
    """False where the server is away or takes nothing from us: others would fare no better now, and wait."""
    try:
        status, reason = _deliver(parts, server, row, now)
    except (MailServerAway, MailRefused) as away:
        if isinstance(away, MailRefused):
            _tell_of_server(parts, str(away))
        _record(parts, row, NoticeStatus.WAITING, str(away))
        return False
    _record(parts, row, status, reason)
    return True


def _deliver(parts: Parts, server: MailServer, row: Row[Any], now: datetime) -> tuple[NoticeStatus, str | None]:
    """What became of it. `WAITING` with a reason: not now. Raises `MailServerAway`, `MailRefused`."""
    if row.tries > len(parts.settings.mail_back_off_s) + 1:
        # Each try before ended with its process, which could write nothing.
        return NoticeStatus.FAILED, "its_process_died"
    try:
        reason = _pointless(row, now)
        personal = None if reason is not None else addressee(parts, row)
        if personal is None or not personal.email:
            return NoticeStatus.DROPPED, reason or "no_address"
        made, address = letter(parts, row, personal), personal.email
    except DBAPIError:
        raise
    except LetterWithoutFont as lacking:
        return NoticeStatus.FAILED, str(lacking)
    except Exception as broken:  # noqa: BLE001 (whatever it is, the others must still leave; this one is a person's)
        return NoticeStatus.FAILED, redact_error(broken)
    try:
        failpoint("notice.sending")
        server.send(made, to=address, from_name=row.seller, id_=row.id, at=row.occurred_at)
        failpoint("notice.taken_by_server")
    except Undeliverable as never:
        return NoticeStatus.FAILED, str(never)
    except (MailServerAway, MailRefused):
        raise
    except MailLater as later:
        return NoticeStatus.WAITING, str(later)
    return NoticeStatus.SENT, None


def _pointless(row: Row[Any], now: datetime) -> str | None:
    if row.kind == NoticeKind.DEBIT_UPCOMING:
        # However late, it is needed before the day; after it, it would only frighten.
        over = now > max(parse_instant(row.facts["debit_at"], field="debit_at"), row.occurred_at + LIFE)
        paid = row.invoice_status not in (InvoiceStatus.OPEN, InvoiceStatus.DRAFT)
        return "settled_meanwhile" if paid else "too_old" if over else None
    if now - row.occurred_at > (DOCUMENT_LIFE if row.kind in WITH_DOCUMENT else LIFE):
        return "too_old"
    if row.kind in ABOUT_DEBT and row.invoice_status != InvoiceStatus.OPEN:
        return "settled_meanwhile"
    if row.kind == NoticeKind.RENEWAL_UPCOMING:
        renews_at = parse_instant(row.facts["renews_at"], field="renews_at")
        goes_on = row.subscription_status in (SubscriptionStatus.ACTIVE, SubscriptionStatus.TRIALING)
        if not goes_on or row.next_due_at != renews_at or row.cancel_at is not None:
            return "does_not_renew"
    return None


def _record(parts: Parts, row: Row[Any], status: NoticeStatus, reason: str | None) -> None:
    """Write it, unless the lease ran out and another worker has the notice."""
    try:
        _write(parts, row, status, reason)
    except Stale:
        _log.info("late_mail_dropped", notice=str(row.id))


def _write(parts: Parts, row: Row[Any], status: NoticeStatus, reason: str | None) -> None:
    steps = parts.settings.mail_back_off_s
    with parts.begin() as session:
        now, wall = parts.clock.now(session), wall_now(session)
        if status is NoticeStatus.WAITING and row.tries <= len(steps):
            put_off(
                session,
                notice_id=row.id,
                token=row.token,
                reason=reason or "",
                wall=wall,
                pause_s=steps[row.tries - 1],
            )
            return
        given_up = NoticeStatus.FAILED if status is NoticeStatus.WAITING else status
        close_notice(session, notice_id=row.id, token=row.token, status=given_up, reason=reason, now=now, wall=wall)
        if status is NoticeStatus.SENT:
            close_for(session, kind=MAIL_REFUSED, subject_id=_THE_SERVER, now=now)


def _tell_of_server(parts: Parts, reason: str) -> None:
    with parts.begin() as session:
        raise_item(
            session,
            kind=MAIL_REFUSED,
            subject_type="mail_server",
            subject_id=_THE_SERVER,
            summary="The mail server takes no mail from us; what customers are told by mail waits.",
            error=reason,
            safe_actions=["park", "discard"],
            now=parts.clock.now(session),
        )
