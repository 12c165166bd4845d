"""Cells of CSV: people open it in a spreadsheet, and who chose a text is often neither they nor us."""

from __future__ import annotations

import re

_FORMULA = re.compile(r"[=+\-@\t\r\n]")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")


def harmless(text: str) -> str:
    """The text as a cell that no spreadsheet runs (owasp.org, CSV injection): an apostrophe leads what begins so."""
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.fullmatch(text) else text
