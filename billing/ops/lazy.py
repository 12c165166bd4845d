"""A group whose commands are loaded by name, so that `--help` imports none of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import click

from billing.kernel import garbage


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a command lives, and its first line of help (a test holds it against the command's own)."""

    module: str
    about: str
    playground: bool = False
    """Refused while a live provider key is set."""


class LazyGroup(click.Group):
    """Commands by a table; a module is imported when its command is called or asked about."""

    def __init__(self, *args: Any, entries: Mapping[str, Entry], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.entries = dict(entries)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 (click's)
        return list(self.entries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 (click's)
        entry = self.entries.get(cmd_name)
        return None if entry is None else load(entry, cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 (click's)
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.about) for name, entry in self.entries.items()])


def load(entry: Entry, name: str) -> click.Command:
    """The command of that name which its module exports."""
    with garbage.loading():
        module = import_module(entry.module)
    return next(each for each in vars(module).values() if isinstance(each, click.Command) and each.name == name)
