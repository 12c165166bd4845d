"""`billing import`: a seller's business from a file, all or nothing, every bad row reported with its line."""

from __future__ import annotations

import getpass
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.table import Table
from sqlalchemy.exc import OperationalError

from billing import wiring
from billing.db.failures import nothing_written
from billing.flows.intake import take_in
from billing.flows.intake_input import FirstBill, IntakeRefused, IntakeReport
from billing.flows.start import start
from billing.kernel.clock import format_instant
from billing.kernel.errors import ProviderUnavailable, ProviderUncertain
from billing.kernel.money import format_minor
from billing.ops.failures import REFUSED, UNAVAILABLE, told_of, unavailable
from billing.ops.import_file import read_file
from billing.ops.progress import Shown
from billing.ops.screen import Screen

_NOTHING = "Nothing was written, run it again"


@click.command("import")
@click.argument("path", metavar="FILE", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--dry-run", is_flag=True, help="Write nothing; print each subscription's first bill.")
@click.option("--json", "as_json", is_flag=True, help="Print the report, or the faults, as JSON.")
@click.option("--by", "actor", metavar="NAME", help="Who does this, for the audit trail; by default the system's user.")
@click.pass_context
def import_file(context: click.Context, *, path: Path, dry_run: bool, as_json: bool, actor: str | None) -> None:
    """Take in sellers, catalog, customers and subscriptions from FILE (.csv, .yaml or .yml).

    Nothing is written unless everything is right. The same file again changes nothing.
    """
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".yaml", ".yml"):
        raise click.BadParameter("give a file that ends in .csv, .yaml or .yml", param_hint="FILE")
    try:
        parts = wiring.current()
        start(parts)
        with Shown() as shown:
            report = take_in(
                parts,
                read_file(path.read_bytes(), is_yaml=suffix != ".csv"),
                actor=actor or getpass.getuser(),
                reason=f"import of {path.name}",
                dry_run=dry_run,
                progress=shown.progress,
            )
    except IntakeRefused as refused:
        _show_faults(path, refused, as_json=as_json)
        context.exit(REFUSED)
    except (ProviderUnavailable, ProviderUncertain, OperationalError) as error:
        sure = not isinstance(error, OperationalError) or nothing_written(error)
        verdict = _NOTHING if sure else "It may be written; run it again, which changes nothing then"
        away = unavailable(error)
        assert away is not None
        click.echo(told_of(away, verdict), err=True)
        context.exit(UNAVAILABLE)
    if as_json:
        click.echo(json.dumps(_facts(report), indent=2))
    else:
        _show(report)


commands = [import_file]


def _show_faults(path: Path, refused: IntakeRefused, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({"faults": [asdict(each) for each in refused.line_faults]}, indent=2))
    else:
        for each in refused.line_faults:
            click.echo(f"{path.name}:{each.line}: {each.field}: {each.code} ({each.mend})", err=True)
    count = len(refused.line_faults)
    click.echo(f"Nothing was imported: {count} {'fault' if count == 1 else 'faults'} in {path.name}.", err=True)


def _facts(report: IntakeReport) -> dict[str, Any]:
    return {
        "dry_run": report.dry_run,
        "changes_nothing": report.changes_nothing,
        "created": report.created,
        "unchanged": report.unchanged,
        "first_bills": [asdict(bill) | {"at": format_instant(bill.at)} for bill in report.first_bills],
    }


def _show(report: IntakeReport) -> None:
    if report.dry_run and report.first_bills:
        _show_first_bills(report.first_bills)
    if report.changes_nothing:
        click.echo("Everything in this file is there already; nothing changed.")
        return
    counts = ", ".join(f"{count} {noun.replace('_', ' ')}" for noun, count in report.created.items() if count)
    click.echo(f"{'Would import' if report.dry_run else 'Imported'} {counts}.")
    if there := sum(report.unchanged.values()):
        click.echo(f"{there} entries were there already and stay as they are.")
    if due := [bill for bill in report.first_bills if bill.due_now]:
        periods = sum(bill.due_now for bill in due)
        click.echo(f"{len(due)} subscriptions have begun: {periods} periods are due now.")


def _show_first_bills(bills: tuple[FirstBill, ...]) -> None:
    table = Table("subscription", "customer", "first bill", title="First bills", title_justify="left")
    table.add_column("amount", justify="right")
    table.add_column("due now", justify="right")
    for bill in bills:
        amount = format_minor(bill.total_minor, bill.currency)
        due = str(bill.due_now) if bill.due_now else ""
        table.add_row(bill.subscription, bill.account_id, format_instant(bill.at), amount, due)
    Screen(soft_wrap=True).print(table)
