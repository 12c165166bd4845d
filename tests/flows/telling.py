"""What stories of notices share: a box that mails come to, a customer whose card fails, and what was told."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import select, text

from billing.models import Notice
from billing.sandbox.postbox import Postbox
from tests.flows.company import Company

FUNDS = "pm_card_visa_chargeDeclinedInsufficientFunds"
DAY = timedelta(days=1)
TOPICS = (
    "invoice.payment_failed", "invoice.action_needed", "invoice.recovered", "invoice.collection_ended",
    "subscription.renewal_upcoming",
)  # fmt: skip


def with_mail(acme: Company, box: Postbox) -> None:
    mail = {
        "smtp_url": box.url, "smtp_from": "billing@acme.example", "billing_public_url": "https://pay.acme.example",
    }  # fmt: skip
    acme.parts = replace(acme.parts, settings=acme.parts.settings.model_copy(update=mail))


def told(acme: Company) -> list[str]:
    return [topic.partition(".")[2] for topic, _ in acme.told(*TOPICS)]


def rows(acme: Company) -> list[Notice]:
    with acme.begin() as session:
        return list(session.scalars(select(Notice).order_by(Notice.id)))


def failing(acme: Company, method: str | None = FUNDS, **given: Any) -> UUID:
    profile = acme.customer("a1", method=method, **given)
    acme.subscribe("a1", "s1")
    acme.settle()
    return profile


def two_failing(acme: Company) -> UUID:
    """Of two customers, so that two mails wait. Returns the first."""
    first = failing(acme)
    acme.customer("a2", method=FUNDS)
    acme.subscribe("a2", "s2")
    acme.settle()
    return first


def in_time(acme: Company) -> None:
    """The next tries of mails are due: their technical wait is over."""
    with acme.parts.begin() as session:
        session.execute(text("UPDATE billing.notice SET next_try_at = clock_timestamp() WHERE status = 'waiting'"))
