"""`billing price`: what moving a cohort to a new price does, and the move."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict

import click

from billing.flows.moving import Moved, move_price
from billing.kernel.clock import format_instant
from billing.kernel.money import format_minor
from billing.ops.group import group
from billing.ops.opening import opened
from billing.ops.options import as_json, dry_run
from billing.ops.telling import tell_json, tell_table
from billing.queries.catalog import the_seller

_COLUMNS = ("subscription", "account_id", "at", "quantity", "before", "after", "note")


@group("price")
def price() -> None:
    """Prices: move subscriptions to another one."""


@price.command("move")
@click.argument("old", metavar="FROM")
@click.argument("new", metavar="TO")
@click.option("--seller", required=True, metavar="CODE", help="Whose prices they are.")
@dry_run
@as_json
def move(*, old: str, new: str, seller: str, dry_run: bool, as_json: bool) -> None:
    """Move every subscription from one price to another at its next period; nothing is prorated.

    Prices never change: what costs more or less from now on is a new price. Both share currency, interval, and whether
    usage decides. A repeat finds nothing more to move; who has both prices is left alone and told.
    """
    made = opened()
    with made.begin() as session:
        seller_id = the_seller(session, seller).id
    rows = []
    for row in move_price(made, seller_id=seller_id, old_code=old, new_code=new, dry_run=dry_run):
        rows.append(row)
        if len(rows) % 1000 == 0:
            click.echo(f"{len(rows):,} so far", err=True)
    if as_json:
        tell_json({"dry_run": dry_run, "moved": [asdict(row) for row in rows]})
        return
    if rows:
        tell_table([_shown(row) for row in rows], _COLUMNS)
    skipped = Counter(row.skipped is not None for row in rows)
    word = "would be moved" if dry_run else "moved at their next period"
    dropped = sum(row.dropped_at is not None for row in rows)
    again = f" {dropped} had dropped the move by a change since." if dropped else ""
    click.echo(f"{skipped[False]} subscriptions {word}, {skipped[True]} left alone.{again}")


def _shown(row: Moved) -> dict[str, object]:
    unknown = "by usage" if row.quantity is None else ""
    return {
        **asdict(row),
        "before": unknown if row.before_minor is None else format_minor(row.before_minor, row.currency),
        "after": unknown if row.after_minor is None else format_minor(row.after_minor, row.currency),
        "note": row.skipped or _dropped(row),
    }


def _dropped(row: Moved) -> str:
    return f"a change of {format_instant(row.dropped_at)} dropped this move" if row.dropped_at else ""
