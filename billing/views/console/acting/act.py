"""An act: what it is called on a page, who may, what its form asks for, and the flow that it calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from billing.flows.order import Done, Order
from billing.flows.parts import Parts
from billing.queries.operations.paging import Facts
from billing.rules.permission import Permission

Given = Mapping[str, str]
"""What a form said: names and texts, trimmed."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a form. `first` is what it holds at first, read from the thing at hand."""

    name: str
    label: str
    options: Callable[[Facts], Sequence[tuple[str, str]]] = lambda _: ()
    """Value and words of each choice; none: a text."""
    first: Callable[[Facts], str] = lambda _: ""
    hint: str = ""
    unit: Callable[[Facts], str] = lambda _: ""
    """What it is given in, told beside its label: a currency."""
    required: bool = True
    numeric: bool = False


@dataclass(frozen=True, slots=True)
class Stake:
    """What an order is about: amounts in minor units by currency, and what else its flow needs."""

    amounts: Mapping[str, int]
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that can be done. Either `do` at once, or an order with `stake`, which may wait for a second person.

    `offered` says of the thing as it stands whether there is a point in it; whether it may be is the flow's to say.
    """

    name: str
    label: str
    says: str
    offered: Callable[[Facts], bool]
    permission: Permission = Permission.WORK
    fields: tuple[Field, ...] = ()
    do: Callable[[Parts, UUID, Given, Order], Done] | None = None
    stake: Callable[[Parts, Facts, Given], Stake] | None = None
    subject: str = ""
    """The order's subject type."""
    barred: Callable[[Facts], str] = lambda _: ""
    """Why it would be refused just now, told in its place; "": nothing stands in its way."""
    can_try: bool = True
    own_address: bool = False
    """Its form goes to an address of its own name, not to the common one."""
    hidden: bool = False
    """Ordered from another page than the thing's own."""
