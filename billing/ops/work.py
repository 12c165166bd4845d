"""`billing work`: failed and stuck work, in billing terms."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import click

from billing.flows.order import Order
from billing.flows.working import Action, act, act_on_all
from billing.kernel.status import WorkItemStatus
from billing.kernel.work import WorkKind, page_of
from billing.ops.group import group
from billing.ops.opening import opened
from billing.ops.options import as_json, dry_run, one_or_all, paged, required_unless_tried, tried
from billing.ops.telling import tell_done, tell_facts, tell_json, tell_page
from billing.ops.times import INSTANT
from billing.queries.operations.finding import require_account
from billing.queries.operations.trail import trail_of
from billing.queries.operations.work import WorkFilter, list_work, show_work

_COLUMNS = (
    "kind", "status", "account_id", "amount_minor", "error", "tries", "next_try_at", "safe_actions", "seen_at", "id",
)  # fmt: skip


def filtered(function: Callable[..., Any]) -> Callable[..., Any]:
    """The filters of lists and of bulk actions."""
    for option in reversed(
        (
            click.option(
                "--kind",
                type=click.Choice([each.value for each in WorkKind]),
                metavar="KIND",
                help="Only of this kind, such as subscription_not_billed.",
            ),
            click.option(
                "--since", type=INSTANT, help="Only those last seen at or after this instant (business time)."
            ),
            click.option("--error", metavar="TEXT", help="Only those whose error contains this text."),
            click.option("--customer", metavar="ACCOUNT", help="Only this customer's, by the host's account."),
            click.option(
                "--status",
                "statuses",
                multiple=True,
                type=click.Choice([each.value for each in WorkItemStatus]),
                help="Only in this state; may be repeated.  [default: open and parked]",
            ),
        )
    ):
        function = option(function)
    return function


@group("work")
def work() -> None:
    """Failed and stuck work: list, show, retry, park, discard, and the rest."""


@work.command("list")
@filtered
@paged
@as_json
def list_(*, limit: int, before: UUID | None, as_json: bool, **filters: Any) -> None:
    """List work items, newest first: what, for whom, amount at stake, last error, tries, next try, safe actions."""
    with opened().begin() as session:
        require_account(session, filters["customer"])
        page = list_work(session, _filter(**filters), before=before, limit=limit)
    nothing = "No such work item." if any(filters.values()) or before else "No open work items."
    tell_page(page, _COLUMNS, as_json=as_json, nothing=nothing)


@work.command("show")
@click.argument("item_id", metavar="ID", type=click.UUID)
@as_json
def show(*, item_id: UUID, as_json: bool) -> None:
    """Show one work item with its trace, what was done about it by whom, and the page that says what to do."""
    with opened().begin() as session:
        facts = show_work(session, item_id)
        facts["page"] = page_of(facts["kind"])
        facts["audit_trail"] = trail_of(session, [item_id, facts["subject_id"]])
    tell_json(facts) if as_json else tell_facts(facts)


def _door(action: Action, about: str) -> None:
    """One command a safe action, each over one item or over all that filters let through."""

    @work.command(action.value, help=about)
    @click.argument("item_id", metavar="[ID]", type=click.UUID, required=False)
    @click.option("--all", "everything", is_flag=True, help="Every item; with filters, those that they let through.")
    @filtered
    @tried
    @dry_run
    @as_json
    def door(
        *,
        item_id: UUID | None,
        everything: bool,
        reason: str | None,
        by: str,
        dry_run: bool,
        as_json: bool,
        **filters: Any,
    ) -> None:
        if item_id is not None and any(filters.values()):
            raise click.UsageError("Filters choose among all; leave out the ID.")
        one_or_all(item_id, everything=everything or any(filters.values()))
        order = Order(actor=by, reason=required_unless_tried(reason, dry_run=dry_run), dry_run=dry_run)
        made = opened()
        if item_id is not None:
            done = [act(made, item_id, action=action, order=order)]
        else:
            with made.begin() as session:
                require_account(session, filters["customer"])
            done = list(act_on_all(made, _filter(**filters), action=action, order=order))
        tell_done(done, dry_run=dry_run, as_json=as_json, nothing="No such work item.")


_SAFE = "Only items that list it among their safe actions allow it. A repeat changes nothing and says so."

_door(
    Action.RETRY,
    "Try again what an item is about: bill, charge, ask the provider, handle the event.\n\n"
    f"Where the cause is gone, the item is closed. {_SAFE}",
)
_door(Action.PARK, f"Set an item aside: a person has seen it and it waits by decision.\n\n{_SAFE}")
_door(
    Action.ACCEPT,
    "Accept what an audit found: it is true, it is understood, and nothing can undo it.\n\n"
    "The audit tells of it as accepted from then on, with your reason; said in other words, as with another amount, it "
    "accuses again. `billing acceptance` has what was accepted, and revokes it.\n\nWith --all it accepts of each item "
    "what an audit said of it when the items were listed, and tells it; with --dry-run it tells what that would be. "
    f"What an audit says in other words meanwhile is refused. {_SAFE}",
)
_door(Action.DISCARD, f"Close an item that needs nothing more, as when it was settled by hand.\n\n{_SAFE}")
_door(
    Action.REFUND,
    f"Send money that is kept apart back to the method that paid.\n\nAll that is left of it; sent once. {_SAFE}",
)
_door(
    Action.ADOPT,
    "Take over a charge that no attempt of ours made: it settles the invoice it was for.\n\n"
    f"Money that no invoice asks for is booked apart, for a person to send back. {_SAFE}",
)
_door(
    Action.REREAD,
    "Look at a difference again: our rows take over what the provider shows.\n\n"
    f"Where both sides agree then, the item is closed. {_SAFE}",
)
_door(Action.RELEASE, f"Let what a guard holds be issued as it is.\n\n{_SAFE}")
_door(
    Action.MERGE,
    f"Issue what a guard holds as one document for each subscription, over all its periods.\n\n{_SAFE}",
)
_door(
    Action.SKIP,
    "Of what a guard holds, record missed periods as skipped.\n\n"
    f"The last period is issued, with what else was due: usage, one-off lines, proration. {_SAFE}",
)

_door(
    Action.CREDIT,
    "Put what a failed refund owes, or what is kept apart, into the customer's balance.\n\n"
    f"Their next documents use it. {_SAFE}",
)
_door(
    Action.PAID,
    "Note that what a failed refund owes, or what is kept apart, was paid back another way.\n\n"
    f"The reason is its reference: what the bank or till calls it. {_SAFE}",
)


def _filter(
    *, kind: str | None, since: datetime | None, error: str | None, customer: str | None, statuses: Sequence[str]
) -> WorkFilter:
    return WorkFilter(statuses=tuple(statuses), kind=kind, since=since, error=error, customer=customer)
