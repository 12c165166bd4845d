"""Cells of CSV: what a spreadsheet would run, wherever it cuts the line, and what it takes as it stands."""

from __future__ import annotations

import pytest

from billing.writing.cells import harmless


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("=1+1", "'=1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("-2+3", "'-2+3"),
        ("\t=1+1", "'\t=1+1"),
        # As they are typed in East Asia, where a spreadsheet reads them as the narrow ones.
        ("＝1+1", "'＝1+1"),
        ("＋1", "'＋1"),
        ("－1", "'－1"),
        ("＠A1", "'＠A1"),
        # Where the decimal point is a comma, spreadsheets cut lines at semicolons, and know no quotes within.
        ("x;=cmd|' /C calc'!A1", "x;'=cmd|' /C calc'!A1"),
        ("a;+1;@b", "a;'+1;'@b"),
        ("one\n=1+1", "one\n'=1+1"),
    ],
)
def test_what_a_spreadsheet_would_run_stands_behind_an_apostrophe(text: str, written: str) -> None:
    assert harmless(text) == written


@pytest.mark.parametrize(
    "text",
    ["", "-5", "-12.50", "1;-2", "a=b", "x; y", "ada@example.com", "2026-01-31T00:00:00Z", "one\ntwo", "'=1"],
)
def test_what_it_would_not_run_is_left_alone(text: str) -> None:
    assert harmless(text) == text
