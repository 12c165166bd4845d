"""What the options of a change have in common: items as PRICE or PRICE:QTY, when, and how the rest is prorated."""

from __future__ import annotations

from typing import Any

import click

from billing.commands.subscription.change import ChangeWhen, Proration
from billing.validators.subscription import NewItem

_LONGEST_QUANTITY = 18


class ItemType(click.ParamType[NewItem]):
    """PRICE or PRICE:QTY. What follows the last colon is the quantity if it is a number."""

    name = "item"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> NewItem:
        if isinstance(value, NewItem):
            return value
        code, colon, count = str(value).rpartition(":")
        if not (colon and count.isascii() and count.isdigit()):
            return NewItem(str(value))
        if len(count) > _LONGEST_QUANTITY:
            self.fail(f"{count[:20]} is no quantity", param, ctx)
        return NewItem(code, int(count))


ITEM = ItemType()

change_when = click.option(
    "--when",
    type=click.Choice([each.value for each in ChangeWhen]),
    default=ChangeWhen.NOW.value,
    show_default=True,
    help="At once, or when what runs is over.",
)
proration_of_rest = click.option(
    "--proration",
    type=click.Choice([each.value for each in Proration]),
    default=Proration.PRORATE.value,
    show_default=True,
    help="What is done about the rest of the running period: credits and charges for the next invoice, nothing, or an "
    "invoice now.",
)
