"""What the commands of both stand-ins share: the port, the books' file, and standing until told to stop."""

from __future__ import annotations

import signal
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

import click

from billing.sandbox.stripe.server import Server
from billing.sandbox.stripe.store import MEMORY, Store, StoreInUse


class CannotStand(click.ClickException):
    """The port or the books can't be had: as every command of `billing` ends where what it needs is away."""

    exit_code = 4


Decorated = TypeVar("Decorated", bound=Callable[..., Any])


def standing_at(port: int) -> Callable[[Decorated], Decorated]:
    """`--port`, by default this one, and `--store`."""

    def decorate(function: Decorated) -> Decorated:
        ports = click.IntRange(0, 65535)
        about = "Port on loopback; 0 picks a free one."
        store = click.option(
            "--store", "store_path", default=MEMORY, show_default=True, help="File that keeps the books."
        )
        return click.option("--port", type=ports, default=port, show_default=True, help=about)(store(function))

    return decorate


@contextmanager
def books(path: str) -> Iterator[Store]:
    """The store at this path, its folder made. What can't be had, here or in the block, is a fault of the command."""
    try:
        if path != MEMORY:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        yield Store(path)
    except (StoreInUse, OSError, sqlite3.DatabaseError) as error:
        raise CannotStand(f"{error}; give another --port or --store") from error


def stand(server: Server, name: str) -> None:
    """Answer until SIGTERM or Ctrl-C."""
    signal.signal(signal.SIGTERM, _end)
    click.echo(f"{name} stand-in listens at {server.url}")
    with suppress(KeyboardInterrupt):
        server.run()


def _end(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt
