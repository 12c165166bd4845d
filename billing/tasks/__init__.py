"""Celery tasks: translate ids, make one call into a flow, and map failures to what is done about them."""

from __future__ import annotations

from billing.tasks import (
    audits,
    books,
    collections,
    deliveries,
    documents,
    inbox,
    notices,
    refunds,
    renewals,
    upkeep,
    watching,
)

__all__ = [
    "audits",
    "books",
    "collections",
    "deliveries",
    "documents",
    "inbox",
    "notices",
    "refunds",
    "renewals",
    "upkeep",
    "watching",
]
