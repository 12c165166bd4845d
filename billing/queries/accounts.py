"""Provider accounts that this process has keys of."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.models import ProviderAccount


@dataclass(frozen=True, slots=True)
class Named:
    """An account row by its names."""

    id: UUID
    provider: str
    code: str

    @property
    def label(self) -> str:
        """What people call it: the code alone, with the provider's name where that is not the first one."""
        return self.code if self.provider == "stripe" else f"{self.provider} {self.code}"


def accounts_of(session: Session, names: Collection[tuple[str, str]]) -> list[Named]:
    """The rows of these (provider, code), by provider and code. Those that no start has pinned yet are left out."""
    rows = session.execute(
        select(ProviderAccount.id, ProviderAccount.provider, ProviderAccount.code).order_by(
            ProviderAccount.provider.desc(), ProviderAccount.code
        )
    )
    return [Named(*row) for row in rows if (row.provider, row.code) in names]
