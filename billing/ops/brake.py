"""`billing collect` and `billing issue`: the two brakes, for all, a seller or a customer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from billing.flows import braking
from billing.flows.order import Done, Order
from billing.ops.group import group
from billing.ops.opening import opened
from billing.ops.options import as_json, dry_run, ordered
from billing.ops.telling import tell_done
from billing.queries.brakes import BrakeKind
from billing.queries.operations.finding import find_profile, find_seller


@group("collect")
def collect() -> None:
    """The brake of charging: stop, start."""


@group("issue")
def issue() -> None:
    """The brake of issuing: stop, start."""


def _door(group: click.Group, kind: BrakeKind, name: str, act: Callable[..., Done], about: str) -> None:
    @group.command(name, help=about)
    @click.option("--seller", metavar="CODE|ID", help="Only of this seller.")
    @click.option("--customer", metavar="ACCOUNT|ID", help="Only of this customer, by the host's account or our id.")
    @ordered
    @dry_run
    @as_json
    def door(
        *, seller: str | None, customer: str | None, reason: str, by: str, dry_run: bool, as_json: bool, **_: Any
    ) -> None:
        if seller and customer:
            raise click.UsageError("Give --seller or --customer, not both.")
        order = Order(actor=by, reason=reason, dry_run=dry_run)
        parts = opened()
        with parts.begin() as session:
            seller_id = find_seller(session, seller) if seller else None
            profile_id = find_profile(session, customer) if customer else None
        done = act(parts, kind, seller_id=seller_id, profile_id=profile_id, order=order)
        tell_done([done], dry_run=dry_run, as_json=as_json, nothing="", ids=False)


_STARTED = "What came due meanwhile is caught up with by the next sweep. A wider brake goes on holding."

_door(
    collect,
    BrakeKind.COLLECT,
    "stop",
    braking.stop,
    "Stop charging within seconds.\n\nWhat is at the provider already comes to its end and is recorded; what was "
    "opened and not sent is put back. Refunds go on.",
)
_door(collect, BrakeKind.COLLECT, "start", braking.start, f"Start charging again.\n\n{_STARTED}")
_door(
    issue,
    BrakeKind.ISSUE,
    "stop",
    braking.stop,
    "Stop issuing invoices within seconds.\n\nCorrections of what was issued (void, refund, credit note) go on; so "
    "does charging.",
)
_door(issue, BrakeKind.ISSUE, "start", braking.start, f"Start issuing again.\n\n{_STARTED}")
