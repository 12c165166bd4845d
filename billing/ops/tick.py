"""`billing tick`: one beat entry, sent by hand."""

from __future__ import annotations

import click

from billing import wiring
from billing.ops.opening import opened
from billing.ops.options import as_json
from billing.ops.telling import tell_json
from billing.queue.names import TICKS

_BY_NAME = {tick.name: tick for tick in TICKS}


@click.command("tick")
@click.argument("name", metavar="NAME", type=click.Choice(list(_BY_NAME)))
@as_json
def tick(*, name: str, as_json: bool) -> None:
    """Send one beat entry now, as beat would.

    A tick only wakes a sweep that finds what is due by itself, so an extra one harms nothing. A worker must run.
    NAME is renewals.tick, collections.tick, collections.resolve, refunds.tick, inbox.tick, inbox.backfill,
    notices.tick, deliveries.tick, documents.tick, books.tick, upkeep.tick, reconcile.tick, audit.tick or audit.whole.
    """
    parts = opened()
    wiring.broker(parts.settings).send_tick(_BY_NAME[name])
    if as_json:
        tell_json({"sent": name, "queue": _BY_NAME[name].queue})
        return
    click.echo(f"Sent {name} to the queue {_BY_NAME[name].queue}.")
