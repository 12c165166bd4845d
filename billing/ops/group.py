"""Groups of commands, whose help tells the first sentence of each command to its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

_UNCUT = 1000
"""Signs of a sentence; click's own groups cut it at what is left of one line."""


class Group(click.Group):
    """As click's, with whole sentences."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        known = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        with formatter.section("Commands"):
            formatter.write_dl([(name, each.get_short_help_str(_UNCUT)) for name, each in known if each is not None])


def group(name: str) -> Callable[[Callable[..., Any]], Group]:
    """Decorates the function whose docstring says what the group is about."""
    return click.group(name, cls=Group)
