"""Whether a charge names the kind of its method."""

from __future__ import annotations

from collections.abc import Iterable

from billing.kernel.kinds import MethodKind


def told_kind(kind: str, *, told_before: Iterable[str | None]) -> str | None:
    """The kind that an attempt tells the provider; None for a card on an intent that was never told of another kind.

    `told_before`: what earlier attempts of the same intent told. An intent takes cards by itself; what it must not do
    is go on taking debits alone after one. So what is sent for customers with cards is what was always sent, and a
    worker of the release before, which knows no kinds, repeats it under the same key without a difference.
    """
    return None if kind == MethodKind.CARD and not any(told_before) else kind
