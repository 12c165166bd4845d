"""A card is named to the provider only on an intent that was told of another kind before."""

from __future__ import annotations

import pytest

from billing.rules.told_kind import told_kind


@pytest.mark.parametrize(
    ("kind", "before", "told"),
    [
        ("card", [], None),
        ("card", [None, None], None),
        ("sepa_debit", [], "sepa_debit"),
        ("sepa_debit", [None], "sepa_debit"),
        ("card", [None, "sepa_debit"], "card"),
        ("paypal", [], "paypal"),
    ],
)
def test_what_an_attempt_says_of_its_kind(kind: str, before: list[str | None], told: str | None) -> None:
    assert told_kind(kind, told_before=before) == told
