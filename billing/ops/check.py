"""`billing check`: what is right, and what to mend."""

from __future__ import annotations

import click

from billing import wiring
from billing.flows.health import Line, State, examine
from billing.kernel.errors import Refused
from billing.ops.failures import FINDING, down
from billing.ops.options import as_json
from billing.ops.telling import tell_json, tell_pairs, tell_wrapped
from billing.privacy.logging import configure_logging
from billing.privacy.shown import in_effect
from billing.settings import Settings, load

_ORDER = [State.MEND, State.NOTE, State.OK]


@click.command("check")
@as_json
@click.pass_context
def check(context: click.Context, *, as_json: bool) -> None:
    """Check settings, database, broker, providers and workers.

    Line by line what to mend, what to know and what is right; then the settings in effect (secrets only as set or
    unset). Ends with status 1 where anything is to be mended. Work that waits for a person is told, and no fault. The
    first check that reaches a provider pins its account and mode.
    """
    configure_logging(json=False, level="ERROR")
    settings = load()
    lines = list(_lines(settings))
    findings = [line for line in lines if line.state is State.MEND]
    died = down() if findings else {}
    rows = [{"state": line.state.value, "name": line.name, "told": died.get(line.name, line.told)} for line in lines]
    # What waits is known only where the database could be read.
    waiting = sum(line.waiting for line in lines) if any(line.name == "work items" for line in lines) else None
    if as_json:
        tell_json(
            {"ok": not findings, "need_a_person": waiting, "settings": in_effect(settings), "lines": rows},
        )
    else:
        verdict = _verdict(len(findings), waiting)
        click.echo(f"{verdict}\n")
        tell_wrapped(sorted(rows, key=lambda row: _ORDER.index(row["state"])), ["state", "name", "told"])
        click.echo("\nSettings in effect:")
        tell_pairs((name, str(value)) for name, value in in_effect(settings).items())
        click.echo(f"\n{verdict}")
    context.exit(FINDING if findings else 0)


def _verdict(findings: int, waiting: int | None) -> str:
    mend = f"{findings} to mend" if findings else "Nothing to mend"
    if waiting is None:
        return f"{mend}; what waits for a person can't be read."
    if not waiting:
        return f"{mend}; nothing waits for a person."
    return f"{mend}; {waiting} item{'s need' if waiting > 1 else ' needs'} a person: `billing work list`."


def _lines(settings: Settings) -> list[Line]:
    try:
        parts = wiring.current()
    except Refused as refused:
        return [Line(fault.field, State.MEND, f"{fault.code}: {fault.mend}") for fault in refused.faults]
    return list(examine(parts, lambda: wiring.broker(settings)))
