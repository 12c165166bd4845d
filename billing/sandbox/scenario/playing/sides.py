"""The providers of a played scenario: each a stand-in mounted in this process, and our adapter towards it."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from billing.kernel.ids import new_id
from billing.providers.port import Provider
from billing.providers.stripe.witness import Witness
from billing.sandbox.stripe.standin import StandIn
from billing.sandbox.stripe.store import Store


@dataclass(slots=True)
class Side:
    """One provider: its stand-in and books, our adapter and our row of the account (pinned right after)."""

    stand_in: StandIn
    store: Store
    provider: Provider
    witness: Witness
    account_id: UUID = field(default_factory=new_id)
