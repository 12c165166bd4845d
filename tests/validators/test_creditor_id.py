"""Creditor identifiers are told from other things by their check digits."""

from __future__ import annotations

import pytest

from billing.kernel.errors import Refused
from billing.validators.creditor_id import is_creditor_id
from billing.validators.seller import NewSeller, SellerPolicy, check_new_seller


@pytest.mark.parametrize("good", ["DE98ZZZ09999999999", "NL79ZZZ999999990000", "FR72ZZZ123456", "AT61ZZZ01234567890"])
def test_published_examples_hold(good: str) -> None:
    assert is_creditor_id(good)
    assert is_creditor_id(good[:4] + "ABC" + good[7:]), "the business code is the creditor's own"


@pytest.mark.parametrize("bad", ["", "DE98", "DE97ZZZ09999999999", "de98zzz09999999999", "DE98 ZZZ0 9999 9999 99"])
def test_others_don_t(bad: str) -> None:
    assert not is_creditor_id(bad)


def _faults(policy: SellerPolicy) -> list[tuple[str, str]]:
    try:
        check_new_seller(NewSeller(code="ACME", legal_name="Acme", country="DE", currency="eur", policy=policy))
    except Refused as refused:
        return [(each.field, each.code) for each in refused.faults]
    return []


def test_who_offers_debits_says_whose_they_are() -> None:
    kinds = ("card", "sepa_debit")
    assert _faults(SellerPolicy(method_kinds=kinds, creditor_id="DE98ZZZ09999999999", debit_notice_days=2)) == []
    assert _faults(SellerPolicy(method_kinds=kinds)) == [("creditor_id", "missing")]
    assert _faults(SellerPolicy(creditor_id="DE97ZZZ09999999999")) == [("creditor_id", "not_a_creditor_id")]
    assert _faults(SellerPolicy(method_kinds=("cash",))) == [("method_kinds", "not_one_of")]
    assert _faults(SellerPolicy(method_kinds=())) == [("method_kinds", "missing")]
    assert _faults(SellerPolicy(debit_notice_days=-1)) == [("debit_notice_days", "out_of_range")]
