"""Billing within the host's process, for one seller. Charges are the workers' work: nothing here waits for one."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import psycopg
from sqlalchemy.orm import Session

from billing import wiring
from billing.flows.start import start
from billing.host.catalog import Catalog
from billing.host.customers import Customers
from billing.host.invoices import Invoices
from billing.host.joining import borrowed
from billing.host.subscriptions import Subscriptions
from billing.host.typed import typed
from billing.queries.operations.finding import find_seller, only_seller
from billing.settings import load


@typed
def connect(seller: str | None = None) -> Billing:
    """Billing by this process's environment, for the seller of that code; None: the only one there is.

    Raises `Refused`: those of `flows.start`, `seller_not_found`, `seller_missing`.
    """
    parts = wiring.build(load(), in_background=True)
    start(parts)
    with parts.begin() as session:
        seller_id = only_seller(session) if seller is None else find_seller(session, seller)
    return Billing(parts, seller_id)


class Billing(Customers, Catalog, Subscriptions, Invoices):
    """One seller's billing. Safe to share between threads; made after a fork.

    Each method takes the host's SQLAlchemy `session`, on the same database by psycopg 3, and joins its transaction; or
    makes a transaction of its own without one. All raise `Refused`, with every fault, and `Stale`; what is another
    seller's is refused like what is nobody's (`subscription_not_found` and so on).
    """

    def borrow(
        self, connection: psycopg.Connection[Any], *, on_commit: Callable[[Callable[[], None]], Any]
    ) -> AbstractContextManager[Session]:
        """A session in the open transaction of another library's connection. See `host.joining.borrowed`."""
        return borrowed(self.parts, connection, on_commit=on_commit)
