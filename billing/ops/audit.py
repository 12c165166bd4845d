"""`billing audit`: check every invariant, and show the rows where one is broken."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from urllib.parse import urlsplit

import click
import redis
from rich.markup import escape
from rich.table import Table

from billing.flows import audit as flow
from billing.flows import auditing, privacy_audit
from billing.flows.audit_report import Report, Violation
from billing.flows.parts import Parts
from billing.flows.start import require_pinned
from billing.kernel.clock import format_instant
from billing.kernel.errors import Unavailable
from billing.ops import options
from billing.ops.failures import FINDING
from billing.ops.opening import opened
from billing.ops.progress import Shown
from billing.ops.screen import Screen
from billing.ops.telling import tell_json
from billing.providers.stripe.witness import Witness
from billing.providers.witnesses import Witnesses
from billing.queries.audit.invariant import Text
from billing.queue.messages import waiting_texts

_LONGEST_LINE = 1_000_000
"""Characters of a log line that are read at once."""


@click.command("audit")
@options.as_json
@click.option(
    "--witness",
    "witness_url",
    help="Stripe's stand-in to compare with; by default STRIPE_API_BASE on loopback. PayPal's is PAYPAL_API_BASE.",
)
@click.option("--code", "codes", multiple=True, metavar="CODE", help="Check only this invariant; may be repeated.")
@click.option(
    "--logs",
    "folders",
    multiple=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="A folder whose files are searched for secrets too; may be repeated.",
)
@click.option(
    "--since",
    type=click.Choice(["last"]),
    help="Look only at what changed since the last clean audit, and at what belongs to it.",
)
@click.option(
    "--privacy",
    is_flag=True,
    help="Hold all that the stand-in was told against every personal value, and nothing else.",
)
@click.option("--no-broker", is_flag=True, help="Do not search the messages that wait in the broker.")
@click.pass_context
def audit(
    context: click.Context,
    *,
    as_json: bool,
    witness_url: str | None,
    codes: Sequence[str],
    folders: Sequence[Path],
    since: str | None,
    privacy: bool,
    no_broker: bool,
) -> None:
    """Check every invariant over the whole database and, where reachable, the providers' witnesses.

    Where a witness is away all that needs none is checked, and that is said; one named by --witness must answer.

    What an audit of all invariants found is kept, and each finding is a work item until an audit finds it gone. What
    was accepted (`billing work accept`) is told as such and counts apart. Ends with status 1 and the rows where one is
    broken.
    """
    parts = opened()
    witnesses = [] if since and not privacy else _witnesses(parts, witness_url)
    if privacy:
        context.exit(_privacy(parts, witnesses, as_json=as_json))
    broker = None if no_broker else parts.settings.broker_url
    if since:
        if codes or folders:
            raise click.UsageError("--since checks every invariant of the database; leave --code and --logs out")
        report = auditing.recent(parts)
    else:
        with Shown() as bars:
            report = flow.run(
                parts,
                witness=Witnesses(lambda: witnesses) if witnesses else None,
                where_reachable=witness_url is None,
                codes=codes,
                texts=lambda: _texts(folders, broker),
                shown=auditing.SHOWN,
                with_acceptances=True,
                progress=bars.progress,
            )
        if not codes:
            auditing.keep(parts, report)
    if as_json:
        tell_json({"broken": report.broken, "unwitnessed": report.unwitnessed, **asdict(report)})
    else:
        _show(report)
    context.exit(FINDING if report.broken else 0)


def _witnesses(parts: Parts, named: str | None) -> list[Witness]:
    """The stand-ins by the settings, or the `named` one of Stripe. Refused where their accounts are not the pinned."""
    given = {"stripe": parts.settings.stripe_api_base, "paypal": parts.settings.paypal_api_base}
    bases = {name: base for name, base in given.items() if base and _is_stand_in(base)}
    require_pinned(parts, bases)
    if named:
        bases["stripe"] = named
    return [Witness(base, provider=name) for name, base in bases.items()]


def _privacy(parts: Parts, witnesses: Sequence[Witness], *, as_json: bool) -> int:
    if not witnesses:
        raise click.UsageError("--privacy needs a stand-in: only it shows what it was told; give --witness")
    report = privacy_audit.run(parts, witnesses)
    if as_json:
        tell_json(asdict(report))
    else:
        for leak in report.leaks:
            click.echo(f"{leak.request}: {leak.what}")
        found = f"{len(report.leaks)} leaks" if report.leaks else "none of them"
        click.echo(f"{report.requests:,} requests were held against {report.values:,} personal values: {found}.")
    return FINDING if report.leaks else 0


def _is_stand_in(address: str) -> bool:
    """Whether it is on this machine: only a stand-in has a witness."""
    host = urlsplit(address).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _texts(folders: Sequence[Path], broker_url: str | None) -> Iterator[Text]:
    for folder in folders:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            with path.open(encoding="utf-8", errors="replace") as file:
                for number, line in enumerate(iter(lambda: file.readline(_LONGEST_LINE), ""), start=1):
                    yield Text(f"{path.relative_to(folder)}:{number}", line)
    if broker_url:
        try:
            for key, message in waiting_texts(broker_url):
                yield Text(f"broker {key}", message)
        except redis.RedisError as error:
            mend = "say --no-broker to leave it out"
            raise Unavailable(f"the broker can't be read ({type(error).__name__}); {mend}") from error


def _told(violation: Violation) -> str:
    return f"{violation.code}  {violation.subject_type} {violation.subject_id}: {violation.detail}"


def _say(console: Screen, told: str) -> None:
    console.print(told, markup=False, highlight=False, soft_wrap=True)


def _show(report: Report) -> None:
    console = Screen()
    table = Table("", "what must hold", title="Audit", title_justify="left")
    table.add_column("rows", justify="right")
    table.add_column("broken", justify="right")
    table.add_column("accepted", justify="right")
    for each in report.checked:
        meaning = each.meaning if each.skipped_reason is None else f"{each.meaning} ({each.skipped_reason})"
        broken = f"[bold red]{each.violations}[/]" if each.violations else "0"
        table.add_row(each.code, escape(meaning), f"{each.rows:,}", broken, str(each.accepted))
    console.print(table)
    if report.since:
        console.print(f"Looked at what changed since {format_instant(report.since)}.")
    for violation in report.violations:
        _say(console, _told(violation))
    for known in report.accepted:
        who, since = known.acceptance.actor, format_instant(known.acceptance.accepted_at)
        _say(console, f"{_told(known.violation)} (accepted by {who}, {since}: {known.acceptance.reason})")
    count, total = sum(each.violations > 0 for each in report.checked), len(report.checked)
    own = ""
    if report.witness_away and report.unwitnessed:
        unseen = f"what only it shows of {', '.join(report.unwitnessed)} was not looked at"
        _say(console, f"The witness could not be asked ({report.witness_away}): {unseen}.")
        own = " on our own side"
    verdict = f"{count} of {total} invariants are broken" if count else f"All {total} invariants hold{own}"
    beside = f", beside {len(report.accepted)} findings that were accepted" if report.accepted else ""
    console.print(f"{verdict}{beside}.")
