"""Card-like numbers for tests, built from pieces: none is ever written down."""

from __future__ import annotations


def card(prefix: str, length: int) -> str:
    """A number with a valid last digit."""
    body = prefix + "7" * (length - len(prefix) - 1)
    for last in "0123456789":
        digits = [int(one) for one in reversed(body + last)]
        total = sum(sum(divmod(one * 2, 10)) if place % 2 else one for place, one in enumerate(digits))
        if total % 10 == 0:
            return body + last
    raise AssertionError("one of ten digits fits")
