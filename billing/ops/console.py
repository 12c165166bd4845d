"""The console: takes over a running stack's environment, guards the playground, and tells every failure by one rule."""

from __future__ import annotations

import codecs
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from typing import Any

import click

from billing.kernel.errors import Fault, Refused
from billing.ops.ends import give_up, open_ends, reader_is_gone, require_folder
from billing.ops.failures import DOWN, INTERRUPTED, UNAVAILABLE, UNREAD, Down, told
from billing.ops.lazy import LazyGroup


class Console(LazyGroup):
    """The group at the top. `adopt` runs before any setting is read; `down` tells what of an embedded stack is."""

    def __init__(self, *args: Any, adopt: Callable[[], None], down: Down = dict, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._adopt, self._down = adopt, down
        told = "Show the version and exit."
        self.params.append(
            click.Option(
                ["--version"], is_flag=True, is_eager=True, expose_value=False, callback=_tell_version, help=told
            )
        )

    def main(self, *args: Any, **kwargs: Any) -> Any:
        open_ends()
        _take_every_letter()
        try:
            return super().main(*args, **kwargs)
        except OSError as error:
            # What should have been said of a failure could not be printed either.
            sys.exit(_unread(error))

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        with _by_the_rule():
            return super().make_context(*args, **kwargs)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        # What is no UTF-8 comes as lone surrogates, which no row and no terminal takes.
        if any(not each.isascii() and each.encode(errors="ignore").decode() != each for each in args):
            raise click.UsageError("An argument is not UTF-8 text; give it as such.", ctx)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        ctx.meta[DOWN] = self._down
        with _by_the_rule():
            require_folder()
            self._adopt()
            return super().invoke(ctx)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] in self.entries and self.entries[args[0]].playground:
            _require_no_live_key(args[0])
        return super().resolve_command(ctx, args)


@contextmanager
def _by_the_rule() -> Iterator[None]:
    """Tells whatever goes wrong by the rule, and never as a traceback; a reader who has gone is told nothing."""
    try:
        try:
            yield
        finally:
            sys.stdout.flush()
    except (click.ClickException, click.exceptions.Exit, click.Abort):
        raise
    except KeyboardInterrupt:
        raise click.exceptions.Exit(INTERRUPTED) from None
    except Exception as error:
        if _unread(error) == UNREAD:
            raise click.exceptions.Exit(UNREAD) from None
        raise told(error) from error


def _unread(error: Exception) -> int:
    """The status after what could not be printed; nothing more is printed there."""
    unread = isinstance(error, BrokenPipeError) and reader_is_gone()
    give_up()
    return UNREAD if unread else UNAVAILABLE


def _take_every_letter() -> None:
    """Let standard output take what its encoding has no sign for, as `\\u20ac`: nothing ends for it, nothing is lost.

    ASCII means that nobody has said what the terminal takes; click's own lines are UTF-8 then, and so is all the rest.
    """
    out = sys.stdout
    if isinstance(out, TextIOWrapper):
        ascii_ = codecs.lookup(out.encoding).name == "ascii"
        out.reconfigure(encoding="utf-8" if ascii_ else None, errors="backslashreplace")


def _tell_version(ctx: click.Context, _option: click.Parameter, wanted: bool) -> None:  # noqa: FBT001 (click's)
    if not wanted:
        return
    from billing.ops.version import version  # noqa: PLC0415 (only this option asks)

    click.echo(f"billing {version()}")
    ctx.exit()


def _require_no_live_key(name: str) -> None:
    from billing.settings import load  # noqa: PLC0415 (slow to load, and only the playground's commands ask)

    if load().live:
        mend = f"`billing {name}` is never run with a live provider key; unset it, or use a test key"
        raise Refused(Fault("STRIPE_API_KEY", "live_key", mend))
