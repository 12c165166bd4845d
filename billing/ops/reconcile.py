"""`billing reconcile`: our attempts and refunds beside the provider's records, both ways."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

import click

from billing.flows.healing import heal
from billing.flows.reconciliation import Reconciled
from billing.flows.reconciliation import reconcile as compare
from billing.flows.start import start
from billing.kernel.clock import format_instant
from billing.ops.failures import FINDING
from billing.ops.opening import opened
from billing.ops.options import as_json, operator
from billing.ops.telling import tell_json, tell_table
from billing.ops.times import INSTANT
from billing.queries.operations.reconciliation import count_open_differences, open_differences

SHOWN = 50
_COLUMNS = ("kind", "account_id", "invoice", "amount_minor", "detail", "safe_actions", "work_item")


@click.command("reconcile")
@click.option(
    "--since", type=INSTANT, help="Compare from this instant on (business time).  [default: 48 h before the last run]"
)
@click.option(
    "--after-restore", is_flag=True, help="This database was restored from a backup: stop, heal it, start again."
)
@click.option("--reason", help="With --after-restore: which backup; kept in the audit trail.")
@as_json
@click.pass_context
def reconcile(
    context: click.Context, *, since: datetime | None, after_restore: bool, reason: str | None, as_json: bool
) -> None:
    """Compare our attempts and refunds with the provider's records, both ways.

    Each difference is a work item with safe actions. Ends with status 1 while any stands. A run that was killed goes
    on where it stood.
    """
    parts = opened()
    start(parts)
    healed = None
    if after_restore:
        if not reason:
            raise click.UsageError("Say with --reason which backup it is; it is kept in the audit trail.")
        healed = heal(parts, since=since, evidence=reason, actor=operator())
        runs = list(healed.runs)
    else:
        runs = compare(parts, since=since)
    with parts.begin() as session:
        count = count_open_differences(session)
        rows = open_differences(session, most=SHOWN)
    if as_json:
        facts = {"runs": [asdict(run) for run in runs], "open": count, "differences": rows}
        more = {} if healed is None else {"adopted": healed.adopted, "customers_left": healed.left}
        tell_json(facts | more)
    else:
        for run in runs:
            click.echo(_line(run))
        if healed is not None:
            click.echo(
                f"Adopted {healed.adopted} charges; {healed.left} customers wait for an invoice to adopt them for."
            )
        if rows:
            tell_table(rows, _COLUMNS)
        click.echo(f"{count} differences stand; see `billing work list`." if count else "Both sides agree.")
    context.exit(FINDING if count else 0)


def _line(run: Reconciled) -> str:
    window = f"{format_instant(run.from_at)} to {format_instant(run.to_at)}"
    seen = f"{run.charges} charges, {run.refunds} refunds, {run.movements} balance transactions"
    return f"Account {run.account}, {window}: {seen}, {run.differences} differences."
