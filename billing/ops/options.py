"""Options that several commands share: how much is listed, who orders it and why, and how it is shown."""

from __future__ import annotations

import getpass
import os
from collections.abc import Callable
from typing import Any, TypeVar
from uuid import UUID

import click

from billing.flows.order import Order

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON: instants in UTC, amounts in minor units.")


class _Minor(click.ParamType[int]):
    """An amount in minor units, a whole number."""

    name = "minor"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        try:
            return int(value)
        except ValueError:
            self.fail(f"{value!r} is not in minor units, which are whole: 1500 for 15.00 EUR", param, ctx)


MINOR = _Minor()


def paged(function: Decorated) -> Decorated:
    """`--limit` and `--before`."""
    limit = click.option(
        "--limit", default=50, show_default=True, type=click.IntRange(1, 1000), help="Most rows shown."
    )
    before = click.option("--before", type=click.UUID, help="Go on after this id: the last one of the page before.")
    return limit(before(function))


def ordered(function: Decorated) -> Decorated:
    """`--reason` and `--by`, which stand in the audit trail."""
    reason = click.option("--reason", required=True, help="Why; kept in the audit trail.")
    by = click.option(
        "--by", default=operator, help="Who; kept in the audit trail.  [default: the user of this machine]"
    )
    return reason(by(function))


def tried(function: Decorated) -> Decorated:
    """The same, where a dry run needs no reason: nothing of it is kept."""
    reason = click.option("--reason", help="Why; kept in the audit trail. Needed unless it is a dry run.")
    by = click.option(
        "--by", default=operator, help="Who; kept in the audit trail.  [default: the user of this machine]"
    )
    return reason(by(function))


def required_unless_tried(reason: str | None, *, dry_run: bool) -> str:
    """The reason. Without one, of what is not only tried, it is a fault of usage."""
    if reason is None and not dry_run:
        raise click.UsageError("Missing option '--reason'.")
    return "a dry run" if reason is None else reason


dry_run = click.option("--dry-run", is_flag=True, help="Say what would happen, and change nothing.")


def operator() -> str:
    """The user of this machine, by name where it has one."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def looked(*, by: str | None, reason: str | None, what: str) -> Order:
    """The order behind a look at something personal. Without a reason it is a fault of usage."""
    if not reason:
        raise click.UsageError(f"{what} is personal: say why with --reason; it is kept in the audit trail.")
    return Order(actor=by or operator(), reason=reason)


def one_or_all(id_: UUID | str | None, *, everything: bool) -> None:
    """Exactly one of an id and `--all`, else a fault of usage."""
    if (id_ is None) is not everything:
        raise click.UsageError("Give one ID, or --all with filters.")
