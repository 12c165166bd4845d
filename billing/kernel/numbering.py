"""Numbers of documents: what stands before the running number, which may name the year."""

from __future__ import annotations

import re

YEAR = "{year}"
LONGEST = 40
_PATTERN = re.compile(r"(?:[A-Za-z0-9._-]|\{year\})*[._-]", re.ASCII)
_AGAIN = re.compile(r"(?P<stem>.*-)?R(?P<times>\d+)-")


def is_pattern(given: str) -> bool:
    """Whether it can stand before numbers. It ends with no digit: `A1` and `A` would have numbers in common."""
    return (
        bool(_PATTERN.fullmatch(given)) and given[0] not in "._-" and given.count(YEAR) <= 1 and len(given) <= LONGEST
    )


def pattern_of(kind: str, *, code: str, invoices: str | None, credit_notes: str | None) -> str:
    """What a seller says for this kind of series; what it leaves open comes from its code."""
    return (invoices or f"{code}-") if kind == "invoice" else (credit_notes or f"{code}-CN-")


def prefix_in(pattern: str, year: int) -> str:
    """What stands before the numbers of that year."""
    return pattern.replace(YEAR, f"{year:04d}")


def year_in(pattern: str, year: int) -> int | None:
    """The year to which a series of this pattern is bound; None of one that goes on."""
    return year if YEAR in pattern else None


def next_prefix(prefix: str) -> str:
    """`ACME-` → `ACME-R1-` → `ACME-R2-`."""
    found = _AGAIN.fullmatch(prefix)
    if found is None:
        return f"{prefix}R1-"
    return f"{found['stem'] or ''}R{int(found['times']) + 1}-"
