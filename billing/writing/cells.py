"""Cells of CSV: people open it in a spreadsheet, and who chose a text is often neither they nor us."""

from __future__ import annotations

import re

_BEGINS = r"(?:^|(?<=[;\r\n]))"
"""A cell: also behind a semicolon, at which some spreadsheets cut a line whatever its writer did."""
_NUMBER = r"-?[0-9]+(?:\.[0-9]+)?(?:[;\r\n]|$)"
_FORMULA = re.compile(rf"{_BEGINS}(?!{_NUMBER})(?=[=+\-@＝＋－＠\t\r])")
"""What is run (owasp.org, CSV injection); the wide signs are those of East Asia."""


def harmless(text: str) -> str:
    """The text as cells that no spreadsheet runs: an apostrophe leads what begins so."""
    return _FORMULA.sub("'", text)
