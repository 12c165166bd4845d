"""`billing demo`: the story from start to verdict."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from types import FrameType

import click
from sqlalchemy import select

from billing.flows import auditing, operators
from billing.flows.intake_input import Intake
from billing.flows.links import invoice_link
from billing.flows.order import Order
from billing.flows.parts import Parts
from billing.models import Invoice
from billing.ops.failures import FINDING
from billing.ops.screen import Screen
from billing.privacy.one_time_code import code_at, setup_key
from billing.rules.permission import Role
from billing.sandbox.clock import stand_ins
from billing.sandbox.demo import cast, claim, figures, play, proof, show
from billing.sandbox.environment import MAIN, NAME, place_of
from billing.sandbox.stack import Stack

_ACCIDENT_AT = 0.4
"""Part of the time played after which the worker is killed."""


@click.command("demo")
@click.option("--customers", type=click.IntRange(min=1), help="Only the file's first so many.")
@click.option("--months", type=click.IntRange(1, 24), default=6, show_default=True, help="Calendar months to play.")
@click.option(
    "--keep", is_flag=True, help="Leave it running, to look around; `billing down` stops it and keeps its data."
)
@click.option("--seed", type=int, default=1, show_default=True, help="Of the faults' chance.")
@click.pass_context
def demo(context: click.Context, *, customers: int | None, months: int, keep: bool, seed: int) -> None:
    """Play months of a company's billing, with faults, and prove it.

    Runs on a stack of its own: what `billing up` keeps is not touched. Ends with status 1 if anything is wrong.
    """
    out = show.console()
    intake = cast.read_company(customers=customers)
    start = cast.begins(intake)
    began = time.monotonic()
    with _terminable(), claim.claimed() as stack:
        try:
            _set_up(stack, out, intake, start=start, seed=seed)
            wrong = _told(stack, out, start=start, end=cast.months_later(start, months))
            out.print(f"It took {time.monotonic() - began:.0f} s.")
            show.show_wrong(out, wrong)
            if keep:
                claim.keep(stack.place)
        finally:
            if not claim.is_kept(stack.place):
                stack.remove()
    _tell_more(out, stack if keep else None)
    context.exit(FINDING if wrong else 0)


def _set_up(stack: Stack, out: Screen, intake: Intake, *, start: datetime, seed: int) -> None:
    out.print("Starting PostgreSQL, Valkey, the stand-ins for Stripe and PayPal, the web, two workers and beat ...")
    stack.start(workers=2, seed=seed, now=start)
    counts = f"{len(intake.customers)} customers with {len(intake.subscriptions)} subscriptions"
    out.print(f"Importing {cast.FILE.name}: {counts} ...")
    play.import_company(stack.parts, intake)


def _told(stack: Stack, out: Screen, *, start: datetime, end: datetime) -> list[str]:
    """Play it and show what came of it. Returns what is wrong."""
    stuck = []
    accident = None
    with show.watching(out, start=start, end=end) as watch:
        try:
            accident = play.play(stack, end=end, accident_at=start + (end - start) * _ACCIDENT_AT, watch=watch)
        except play.Stuck as error:
            stuck.append(f"The engine did not come to rest {error}")
    show.show_figures(out, figures.read_figures(stack.parts), accident)
    # What is kept to be looked at behaves from now on.
    for stand_in in stand_ins(stack.parts):
        stand_in.clear_faults()
    proven = proof.prove(stack)
    show.show_proof(out, proven)
    auditing.keep(stack.parts, proven.audited)
    return [*stuck, *proven.wrong]


def _tell_more(out: Screen, kept: Stack | None) -> None:
    program = os.path.relpath(Path(sys.executable).with_name("billing"))
    if kept is None:
        out.print("It was stopped and removed. With --keep it stays, to look around.")
        return
    beside = f"{NAME}={kept.place.name} " if place_of(MAIN).has_servers else ""
    out.print("It is still running. Look further with")
    for command in ("invoice list", "work list", "events list", "audit", "clock show", "status", "down"):
        out.print(f"  {beside}{program} {command}")
    again = f"{NAME}={kept.place.name} {program} up"
    out.print(
        f"`down` keeps its data, and `{again}` goes on with them. `down --delete-demos` deletes it all.", soft_wrap=True
    )
    link = _link(kept.parts)
    if link is not None:
        out.print("The page of a customer who owes something (test cards are in docs/customer-page.md):")
        out.print(f"  {link}", soft_wrap=True)
    _tell_console(out, kept, program)


def _tell_console(out: Screen, kept: Stack, program: str) -> None:
    """Where operators enter, and an administrator who may: made here, told once."""
    order = Order(actor="demo", reason="to look around after the demo")
    made = operators.add(kept.parts, name="demo", role=Role.ADMIN, with_password=True, order=order).credentials
    if made is None:
        return
    out.print(f"The operators' console (docs/console.md): {kept.parts.settings.billing_public_url}/console/")
    out.print(f"  name demo, password {made.password}", soft_wrap=True)
    out.print(f"  code {code_at(made.second_factor, time.time())}, for the next half minute", soft_wrap=True)
    key = setup_key(made.second_factor)
    out.print(f"  key for an authenticator application: {key}", soft_wrap=True)
    out.print(f"  another code: {program} sandbox code {key}", soft_wrap=True)


def _link(parts: Parts) -> str | None:
    """To the oldest open invoice."""
    with parts.begin() as session:
        owed = session.scalars(select(Invoice.id).where(Invoice.status == "open").order_by(Invoice.issued_at)).first()
        return None if owed is None else invoice_link(parts, session, owed)


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM and SIGHUP end it as Ctrl-C does: what was started is stopped."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {signum: signal.signal(signum, interrupt) for signum in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for signum, handler in before.items():
            signal.signal(signum, handler)
