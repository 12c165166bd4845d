"""Who may do what at the console: four roles, each with a list of permissions, and nothing by default."""

from __future__ import annotations

from enum import StrEnum


class Role(StrEnum):
    """What an operator is trusted with; `GRANTED` says it in full."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    FINANCE = "finance"
    ADMIN = "admin"


class Permission(StrEnum):
    """One kind of thing that a page shows or does."""

    READ = "read"
    """States, amounts and ids: nothing personal."""
    PERSONAL = "personal"
    """Names, addresses, bodies of events: each look is recorded. A customer is found by e-mail."""
    WORK = "work"
    """Safe actions of work items, a try at once, an event again, endpoints on and off, pauses, the two brakes."""
    MONEY = "money"
    """Refunds, write-offs, credits, voiding, money that came another way, other items; and to approve what another
    asked for."""
    KEYS = "keys"
    """A new signing secret of an endpoint, told once."""
    SETTINGS = "settings"
    """Settings in effect and who has access. Secrets are shown to nobody."""


_READ = frozenset({Permission.READ})
_WORK = _READ | {Permission.WORK, Permission.PERSONAL, Permission.SETTINGS}
_MONEY = _READ | {Permission.WORK, Permission.PERSONAL, Permission.MONEY}

GRANTED: dict[Role, frozenset[Permission]] = {
    Role.VIEWER: _READ,
    Role.OPERATOR: _WORK,
    Role.FINANCE: _MONEY,
    Role.ADMIN: _WORK | _MONEY | {Permission.KEYS},
}


MONEY_OF_WORK = frozenset({"credit", "paid", "refund"})
"""Safe actions of work items that move money, or settle what is owed to a customer."""


def needed_for(action: str, do: str | None = None) -> Permission:
    """What it takes to ask for an order of the console, and to approve it. `do`: which action on work items."""
    return Permission.WORK if action == "work" and do not in MONEY_OF_WORK else Permission.MONEY


def may(role: str, permission: Permission) -> bool:
    """Whether a role grants it. An unknown role grants nothing."""
    return role in GRANTED and permission in GRANTED[Role(role)]
