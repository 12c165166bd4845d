"""docs/ledger.md says what each entry posts; the books of a billed company must agree."""

from __future__ import annotations

import re
from pathlib import Path

from sqlalchemy import text

from tests.flows.company import Company

PAGE = Path(__file__).parents[2] / "docs" / "ledger.md"


def _documented() -> dict[str, tuple[set[str], set[str]]]:
    rows = re.findall(r"^\| `(\w+)` \|[^|]*\|([^|]*)\|([^|]*)\|$", PAGE.read_text(), re.MULTILINE)
    return {kind: (_accounts(debit), _accounts(credit)) for kind, debit, credit in rows}


def _accounts(cell: str) -> set[str]:
    return {part.partition(":")[0].strip() for part in cell.split(";")}


def _posted(acme: Company) -> dict[str, tuple[set[str], set[str]]]:
    query = """
        SELECT e.kind, array_agg(DISTINCT p.account) FILTER (WHERE p.amount_minor > 0) AS debit,
               array_agg(DISTINCT p.account) FILTER (WHERE p.amount_minor < 0) AS credit
        FROM billing.ledger_entry e JOIN billing.posting p ON p.entry_id = e.id GROUP BY e.kind"""
    with acme.begin() as session:
        return {row.kind: (set(row.debit), set(row.credit)) for row in session.execute(text(query))}


def test_the_page_says_what_the_books_show(acme: Company) -> None:
    profile = acme.customer("a1", method="pm_card_visa_chargeDeclinedInsufficientFunds")
    acme.customer("a2")
    acme.subscribe("a1", "s1")
    acme.subscribe("a2", "s2")
    acme.settle()
    acme.pay_by_hand()
    acme.pay_behind_our_back(profile)
    acme.settle()
    assert _posted(acme) == _documented()
