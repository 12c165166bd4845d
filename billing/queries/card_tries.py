"""Tries of cards that were sent and brought no money, by the provider's fingerprint; one statement a slice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from datetime import datetime
from typing import Protocol
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.orm import Session

from billing.models import PaymentMethod
from billing.models.payment import BROUGHT_NOTHING
from billing.rules.card_limit import LONGEST, MOST, Sent
from billing.rules.debit import is_debit

Card = tuple[UUID, str]
"""Provider account and fingerprint: accounts may name one card differently, methods may not."""
CardTries = dict[Card, list[Sent]]

_TRIES = text(
    f"""
    SELECT c.account, c.fingerprint, t.first_sent_at, t.status
    FROM unnest(CAST(:accounts AS uuid[]), CAST(:fingerprints AS text[])) AS c (account, fingerprint)
    CROSS JOIN LATERAL (
        SELECT p.first_sent_at, p.status FROM billing.payment p
        WHERE p.provider_account_id = c.account AND p.card_fingerprint = c.fingerprint
          AND p.card_fingerprint IS NOT NULL AND p.status IN ({BROUGHT_NOTHING}) AND p.first_sent_at > :since
        ORDER BY p.first_sent_at DESC LIMIT :most) AS t
    """  # noqa: S608 (states are our own constants)
)

# In one order for all, so that no two workers wait for each other.
_LOCK = text(
    """
    SELECT pg_advisory_xact_lock(:kind, card) FROM (
        SELECT DISTINCT hashtext(account || '/' || fingerprint) AS card
        FROM unnest(CAST(:accounts AS uuid[]), CAST(:fingerprints AS text[])) AS c (account, fingerprint)
        ORDER BY card OFFSET 0) AS cards
    """
)
_CARDS_LOCK = 3107
# Opened by another worker and not sent yet: few, and found among what waits to be looked at within a lease or so.
_OPENED = text(
    """
    SELECT o.provider_account_id AS account, o.card_fingerprint AS fingerprint, o.opened_at
    FROM billing.payment o
    WHERE o.status = 'prepared' AND o.next_check_at > clock_timestamp() - interval '1 day'
      AND o.next_check_at < clock_timestamp() + interval '1 hour' AND o.card_fingerprint = ANY(:fingerprints)
    """
)


class Carded(Protocol):
    """A method, or what was read of one."""

    @property
    def provider_account_id(self) -> UUID: ...

    @property
    def kind(self) -> str: ...

    @property
    def fingerprint(self) -> str | None: ...


def card_of(method: PaymentMethod | Carded | None) -> Card | None:
    """The card behind a method; None where there is none, as with a bank account, or no fingerprint is told."""
    if method is None or method.fingerprint is None or is_debit(method.kind):
        return None
    return method.provider_account_id, method.fingerprint


def tries_of_cards(session: Session, *, cards: Collection[Card], now: datetime) -> CardTries:
    """Each card's latest tries, over all invoices and methods, as many as any network counts.

    The cards are locked until the transaction ends: whoever asks meanwhile counts what is opened in it.
    """
    tries: CardTries = defaultdict(list)
    if not cards:
        return tries
    known = sorted(cards)
    values = {
        "accounts": [account for account, _ in known],
        "fingerprints": [fingerprint for _, fingerprint in known],
        "since": now - LONGEST,
        "most": MOST,
    }
    session.execute(_LOCK, values | {"kind": _CARDS_LOCK})
    for row in session.execute(_TRIES, values):
        tries[row.account, row.fingerprint].append(Sent(row.first_sent_at, answered=row.status == "declined"))
    for row in session.execute(_OPENED, values):
        tries[row.account, row.fingerprint].append(Sent(row.opened_at, answered=False))
    return tries
