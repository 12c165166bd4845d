"""Seeds: for each invariant, violations planted into a world in which everything else holds.

A seed changes the database (constraints and triggers that would forbid it are switched off first) or the witness, and
returns who must be accused: (subject type, subject id).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from billing.models import Invoice, InvoiceLine
from tests.audit.witness_rows import HandMade
from tests.builders import World

Accused = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Planting:
    """What a seed may change."""

    session: Session
    world: World
    witness: HandMade

    def run(self, sql: str, **values: Any) -> None:
        """Change rows; triggers and foreign keys are off."""
        self.session.flush()
        self.session.execute(text("SET LOCAL session_replication_role = replica"))
        self.session.execute(text(sql), values)

    def line(self, of: Invoice) -> InvoiceLine:
        """Its first: two seats of 12.50 for a month, and 19 % tax."""
        found = select(InvoiceLine).where(InvoiceLine.invoice_id == of.id, InvoiceLine.position == 1)
        return self.session.scalars(found).one()

    def drop(self, table: str, constraint: str) -> None:
        """Take a check or a unique constraint away."""
        self.run(f"ALTER TABLE billing.{table} DROP CONSTRAINT {constraint}")


Plant = Callable[[Planting], Accused]


@dataclass(frozen=True, slots=True)
class Seed:
    """`also` are invariants that can't hold where this one is broken in this way."""

    code: str
    name: str
    plant: Plant
    also: frozenset[str]

    @property
    def sentence(self) -> str:
        return f"{self.code}-{self.name}"


SEEDS: list[Seed] = []


def seed(code: str, *also: str) -> Callable[[Plant], Plant]:
    """Register a planting function for the invariant `code`."""

    def register(plant: Plant) -> Plant:
        SEEDS.append(Seed(code, plant.__name__, plant, frozenset(also)))
        return plant

    return register
