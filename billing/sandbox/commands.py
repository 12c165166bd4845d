"""The playground's commands: the stack, its clock, the stand-ins, a prompt, the demo."""

from __future__ import annotations

import code
import os
import re
import shlex
import signal
import threading
import time
from dataclasses import asdict
from datetime import datetime, timedelta
from types import FrameType

import click
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from billing import models
from billing.flows.health import told_of_line
from billing.flows.parts import Parts
from billing.kernel.clock import format_instant
from billing.kernel.errors import BillingError, Fault, Refused, Unavailable
from billing.ops.failures import FINDING
from billing.ops.group import group
from billing.ops.opening import opened
from billing.ops.options import as_json
from billing.ops.telling import tell_json, tell_table
from billing.ops.times import INSTANT
from billing.privacy.one_time_code import code_at, secret_of
from billing.queries.brakes import brakes_in_force, told_of
from billing.queries.rate import lines
from billing.sandbox import clock as business
from billing.sandbox import environment, programs
from billing.sandbox.demo import claim
from billing.sandbox.demo.command import demo
from billing.sandbox.paypal.command import paypal
from billing.sandbox.stack import Stack
from billing.sandbox.stripe.command import stripe

__all__ = ["clock", "demo", "down", "env", "sandbox", "shell", "status", "up"]

_COLUMNS = ("name", "state", "pid", "since", "address")
_STEP = re.compile(r"\+(\d+)([dh])")
_LOOK_EVERY_S = 1.0


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), help="The web's port; by default the last one, or a free one.")
@click.option("--workers", type=click.IntRange(1, 16), help="How many workers; by default as many as last time, or 2.")
@click.option("--detach", is_flag=True, help="Return when all is ready; `billing down` stops it.")
def up(*, port: int | None, workers: int | None, detach: bool) -> None:
    """Start the embedded stack; data survives a restart.

    What runs already is used. Without --detach it stops with Ctrl-C. `BILLING_STACK=demo billing up` starts again what
    `billing demo --keep` has left. Its processes read settings from the checkout's `.env`.
    """
    stack = Stack(os.environ.get(environment.NAME, environment.MAIN))
    _require_no_servers_given(stack)
    ours = not any(part.pid for part in stack.status())
    ending = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        if ending.is_set():
            return
        ending.set()
        raise KeyboardInterrupt

    if not detach:
        for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(signum, end)
    try:
        started = stack.start(port=port, workers=workers)
        _tell_status(stack, as_json=False)
        for name in programs.left_out(stack.environment):
            dotenv = environment.ROOT / ".env"
            click.echo(
                f"{name} is not passed on to the stack's processes: write it into {dotenv} and start them anew",
                err=True,
            )
        if detach or not started:
            click.echo("Started." if started else "It was running already.")
            return
        click.echo("A customer's page: `billing profile link ACCOUNT`.")
        click.echo('For a program of your own, in its shell: `eval "$(billing env)"`.')
        click.echo("Stop it with Ctrl-C, or `billing down`.")
        _wait(stack)
    except KeyboardInterrupt:
        click.echo("Stopping ...")
        stack.stop()
    except BaseException:
        if ours:
            stack.stop()
        raise


def _wait(stack: Stack) -> None:
    """Until a signal, or until somebody else has stopped everything. Tells of each process that ends."""
    told: set[str] = set()
    never = threading.Event()
    while not never.wait(_LOOK_EVERY_S):
        down_now = {part.name for part in stack.status() if part.pid is None}
        if len(down_now) == len(stack.status()):
            return
        for name in sorted(down_now - told):
            click.echo(f"{name} has ended; its log is in {stack.place.folder}", err=True)
        told = down_now


@click.command()
@click.option("--delete-demos", is_flag=True, help="Delete kept demos, with all that was added to them.")
def down(*, delete_demos: bool) -> None:
    """Stop the embedded stack.

    All that runs for this checkout. Data stay: those of `billing up`, and those of demos that were kept unless
    --delete-demos is given. What a demo that was not kept has left is deleted, and so is what scenarios are played on.
    """
    scratch = Stack(environment.SIMULATE)
    if scratch.place.base.is_dir():
        scratch.remove()
    for place in environment.places():
        if not place.base.is_dir():
            continue
        _end(Stack(place.name), delete_demos=delete_demos)
    click.echo("Stopped.")


def _end(stack: Stack, *, delete_demos: bool) -> None:
    """End one stack, and say what became of the data of a demo."""
    name = stack.place.name
    if name not in environment.DEMOS:
        stack.stop()
    elif claim.is_played(stack.place):
        click.echo(f"{name} is being played; it ends by itself, or with Ctrl-C there.", err=True)
    elif not claim.is_kept(stack.place):
        stack.remove()
        click.echo(f"Deleted what a demo that was not kept has left of {name}.")
    elif delete_demos:
        stack.remove()
        click.echo(f"Deleted {name} and all that was in it.")
    else:
        stack.stop()
        click.echo(
            f"Data of {name} stay: `{environment.NAME}={name} billing up` goes on with them, "
            "`billing down --delete-demos` deletes them."
        )


@click.command()
@as_json
@click.pass_context
def status(context: click.Context, *, as_json: bool) -> None:
    """Show what of the embedded stack runs.

    Ends with status 1 if something is down.
    """
    stack = Stack(environment.chosen().name)
    _tell_status(stack, as_json=as_json)
    if not as_json:
        _tell_brakes_and_lines()
    context.exit(0 if all(part.pid for part in stack.status()) else FINDING)


def _tell_status(stack: Stack, *, as_json: bool) -> None:
    rows = [asdict(part) | {"state": "up" if part.pid else "down"} for part in stack.status()]
    if as_json:
        tell_json(rows)
    else:
        tell_table(rows, _COLUMNS)


def _tell_brakes_and_lines() -> None:
    """What is stopped by whom and why, and how the lines to the providers are, where the database can tell."""
    try:
        with opened().begin() as session:
            for row in brakes_in_force(session):
                click.echo(f"{row.kind} {told_of(row)}")
            for line in lines(session):
                if line.rate_per_s is not None:
                    click.echo(f"{line.provider} {line.code} calls: {told_of_line(line)}")
    except (BillingError, DBAPIError):
        return


@click.command()
def env() -> None:
    """Print the running stack's environment for a program of your own: eval "$(billing env)".

    Lines of `export`, the stack's own keys among them, which are good for nothing elsewhere. Refused where none runs.
    """
    place = environment.chosen()
    if place.has_died:
        raise Unavailable(" ".join(place.down.values()))
    if not place.has_servers:
        raise Refused(Fault("stack", "stack_not_running", "start one with `billing up`"))
    for name, value in environment.read(place).items():
        click.echo(f"export {name}={shlex.quote(value)}")


@group("clock")
def clock() -> None:
    """Show or advance the sandbox's business time."""


@clock.command()
@as_json
def show(*, as_json: bool) -> None:
    """Business time, when something is due next, and what is still going on."""
    parts = _sandbox()
    moment, reasons = business.next_moment(parts, grouped_s=0), business.quiet(parts)
    now = format_instant(business.now(parts))
    if as_json:
        tell_json({"now": now, "next_due": moment and format_instant(moment), "not_quiet": reasons})
        return
    click.echo(f"It is {now}.")
    click.echo(f"Next due: {format_instant(moment)}." if moment else "Nothing is due later.")
    click.echo(f"Going on: {'; '.join(reasons)}." if reasons else "All is quiet.")


@clock.command()
@click.argument("to", metavar="TO|+Nd|+Nh")
@click.option("--wait", default=10.0, show_default=True, help="Seconds to wait until all is quiet.")
@click.option("--force", is_flag=True, help="Move it although something is going on.")
@as_json
def advance(*, to: str, wait: float, force: bool, as_json: bool) -> None:
    """Move business time and the stand-in's clock to a later instant, or by days or hours, once all is quiet."""
    parts = _sandbox()
    moment = _moment(parts, to)
    business.advance(parts, moment, force=force, wait_s=wait)
    if as_json:
        tell_json({"now": format_instant(moment)})
        return
    click.echo(f"It is {format_instant(moment)}.")


def _moment(parts: Parts, to: str) -> datetime:
    step = _STEP.fullmatch(to)
    if step is None:
        return INSTANT.convert(to, None, None)
    count = int(step[1])
    return business.now(parts) + (timedelta(days=count) if step[2] == "d" else timedelta(hours=count))


def _sandbox() -> Parts:
    parts = opened()
    if not parts.settings.billing_sandbox:
        raise Refused(Fault("BILLING_SANDBOX", "no_sandbox", "business time moves in the sandbox only: `billing up`"))
    return parts


@group("sandbox")
def sandbox() -> None:
    """Run a stand-in for a payment provider; tell a one-time code."""


sandbox.add_command(stripe)
sandbox.add_command(paypal)


@sandbox.command("code")
@click.argument("key", nargs=-1, required=True)
def one_time_code(*, key: tuple[str, ...]) -> None:
    """Tell the console's one-time code of this moment, for the KEY of an operator: without an authenticator at hand."""
    try:
        secret = secret_of("".join(key))
    except ValueError as error:
        raise click.BadParameter("that is no key of an authenticator application", param_hint="KEY") from error
    click.echo(code_at(secret, time.time()))


@click.command()
def shell() -> None:
    """A Python prompt with settings, session and models at hand."""
    parts = opened()
    with parts.sessions() as session:
        at_hand = {name: getattr(models, name) for name in models.__all__} | {
            "parts": parts,
            "settings": parts.settings,
            "sessions": parts.sessions,
            "session": session,
            "select": select,
            "text": text,
        }
        banner = "parts, settings, sessions, session, select, text and every model; nothing is committed by itself."
        code.interact(banner=banner, local=at_hand, exitmsg="")


def _require_no_servers_given(stack: Stack) -> None:
    known = stack.environment
    for name in ("DATABASE_URL", "BROKER_URL"):
        if os.environ.get(name) and os.environ[name] != known.get(name):
            mend = f"{name} names servers of your own; unset it to start the embedded ones"
            raise Refused(Fault(name, "servers_given", mend))
