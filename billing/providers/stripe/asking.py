"""Asking Stripe: one call, or a list to its end. What the SDK raises becomes a kernel error, or a failure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeVar

from billing.kernel.errors import BillingError, ProviderUnavailable
from billing.providers.failing import Failure
from billing.providers.reading import Raw, Unreadable, text
from billing.providers.stripe.failures import failure_of

MAX_PAGES = 1000
"""A list that doesn't end within these pages raises: no customer of ours has 100,000 intents."""

T = TypeVar("T")


def attempt(call: Callable[[], T]) -> T | Failure:
    """The answer, or what its absence proves."""
    try:
        return call()
    except BillingError:
        raise
    except Exception as error:  # noqa: BLE001 - the SDK also raises what is no StripeError
        return failure_of(error)


def read(call: Callable[[], T]) -> T:
    """The answer to a question. Raises as a failed read does."""
    done = attempt(call)
    if isinstance(done, Failure):
        raise done.of_a_read()
    return done


def write(call: Callable[[], T]) -> T:
    """The answer to a write. Raises as a failed write does."""
    done = attempt(call)
    if isinstance(done, Failure):
        raise done.of_a_write()
    return done


def all_pages(page: Callable[[str | None], dict[str, Any]], parse: Callable[[Raw], T]) -> Iterator[T]:
    """Items of all pages, one page in memory at a time; raises rather than end early."""

    def read_page(after: str | None) -> tuple[list[T], str | None]:
        raw = page(after)
        rows, more = raw.get("data"), raw.get("has_more")
        if not isinstance(rows, list) or not isinstance(more, bool) or (more and not rows):
            raise Unreadable("data")
        return [parse(row) for row in rows], text(rows[-1], "id") if more else None

    after: str | None = None
    for _ in range(MAX_PAGES):
        items, after = read(partial(read_page, after))
        yield from items
        if after is None:
            return
    raise ProviderUnavailable("stripe: list_without_end")
