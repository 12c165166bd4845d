"""Tell customers: each notice once an occasion, with its event where it has one of its own. Many at once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.db.base import Json
from billing.events.bulk import emit_many
from billing.events.topics import Topic
from billing.kernel.ids import new_ids
from billing.rules.notice import NoticeKind

_TOPICS = {
    NoticeKind.RENEWAL_UPCOMING: Topic.SUBSCRIPTION_RENEWAL_UPCOMING,
    NoticeKind.PAYMENT_FAILED: Topic.INVOICE_PAYMENT_FAILED,
    NoticeKind.ACTION_NEEDED: Topic.INVOICE_ACTION_NEEDED,
    NoticeKind.PAYMENT_RECOVERED: Topic.INVOICE_RECOVERED,
    NoticeKind.COLLECTION_ENDED: Topic.INVOICE_COLLECTION_ENDED,
    NoticeKind.DEBIT_UPCOMING: Topic.INVOICE_DEBIT_UPCOMING,
}
"""Of those that are absent the host application hears by the event of the fact itself."""

_INSERT = text(
    """
    INSERT INTO billing.notice (id, seller_id, profile_id, kind, occasion, invoice_id, subscription_id, facts,
                                occurred_at, status, tries, token, next_try_at)
    SELECT t.id, t.seller_id, t.profile_id, t.kind, t.occasion, t.invoice_id, t.subscription_id, t.facts::jsonb,
           :now, 'waiting', 0, 0, clock_timestamp()
    FROM unnest(CAST(:ids AS uuid[]), CAST(:sellers AS uuid[]), CAST(:profiles AS uuid[]), CAST(:kinds AS text[]),
                CAST(:occasions AS text[]), CAST(:invoices AS uuid[]), CAST(:subscriptions AS uuid[]),
                CAST(:facts AS text[]))
        AS t (id, seller_id, profile_id, kind, occasion, invoice_id, subscription_id, facts)
    ON CONFLICT (kind, occasion) DO NOTHING
    RETURNING id
    """
)


@dataclass(frozen=True, slots=True)
class News:
    """One thing to tell. `facts` become the event's payload and the mail's words: ids, amounts, instants only."""

    kind: NoticeKind
    occasion: str
    seller_id: UUID
    profile_id: UUID
    invoice_id: UUID | None
    subscription_id: UUID | None
    facts: Json


def tell(session: Session, news: Sequence[News], *, now: datetime) -> int:
    """Write what was not told of its occasion before, in two statements a kind. Returns how many. Safe under races."""
    if not news:
        return 0
    by_id = dict(zip(new_ids(len(news)), news, strict=True))
    written = session.execute(
        _INSERT,
        {
            "now": now,
            "ids": list(by_id),
            "sellers": [each.seller_id for each in news],
            "profiles": [each.profile_id for each in news],
            "kinds": [str(each.kind) for each in news],
            "occasions": [each.occasion for each in news],
            "invoices": [each.invoice_id for each in news],
            "subscriptions": [each.subscription_id for each in news],
            "facts": [json.dumps(each.facts) for each in news],
        },
    ).scalars()
    told = [by_id[id_] for id_ in written]
    for kind in dict.fromkeys(each.kind for each in told if each.kind in _TOPICS):
        emit_many(
            session,
            topic=_TOPICS[kind],
            object_type="subscription" if kind is NoticeKind.RENEWAL_UPCOMING else "invoice",
            now=now,
            events=[
                (each.seller_id, each.invoice_id or each.subscription_id or each.profile_id, json.dumps(each.facts))
                for each in told
                if each.kind is kind
            ],
        )
    return len(told)
