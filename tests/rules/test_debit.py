"""What a bank's refusal of a debit means: only a lack of funds may mend itself, and not for ever."""

from __future__ import annotations

import pytest

from billing.rules.debit import TAKES_DAYS, brings, meaning
from billing.rules.dunning import DeclineClass


@pytest.mark.parametrize(
    ("code", "failed", "means"),
    [
        ("insufficient_funds", 1, DeclineClass.SOFT),
        ("insufficient_funds", 2, DeclineClass.SOFT),
        ("insufficient_funds", 3, DeclineClass.HARD),
        ("account_closed", 1, DeclineClass.HARD),
        ("debit_not_authorized", 1, DeclineClass.HARD),
        ("generic_decline", 1, DeclineClass.HARD),
        ("a_code_of_tomorrow", 1, DeclineClass.HARD),
        (None, 1, DeclineClass.HARD),
    ],
)
def test_a_debit_is_presented_again_for_want_of_funds_alone_and_twice_at_most(
    code: str | None, failed: int, means: DeclineClass
) -> None:
    assert meaning("sepa_debit", code, None, failed=failed) is means


def test_of_a_card_the_codes_of_cards_decide() -> None:
    assert meaning(None, "generic_decline", None, failed=9) is DeclineClass.SOFT
    assert meaning("card", "lost_card", None) is DeclineClass.HARD
    assert meaning("sepa_debit", "account_closed", "try_again_later") is DeclineClass.HARD


@pytest.mark.parametrize("kind", sorted(TAKES_DAYS))
def test_no_first_payment_is_asked_of_a_bank_that_takes_days(kind: str) -> None:
    assert brings(kind, "eur", first_payment=False)
    assert not brings(kind, "eur", first_payment=True)
    assert brings("card", "eur", first_payment=True)
