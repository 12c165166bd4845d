"""Items as an option gives them: PRICE or PRICE:QTY."""

from __future__ import annotations

from typing import Any

import click

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
