"""VIES: yes and no are answers; all else says nothing of the number."""

from __future__ import annotations

import json
from typing import Any

import pytest

from billing.kernel.errors import Unavailable
from billing.registers.vat import Answer, read_answer


@pytest.mark.parametrize(
    ("told", "answer"),
    [
        ({"valid": True, "requestIdentifier": "WAPIAAAAW1", "name": "A", "address": "B"}, Answer(True, "WAPIAAAAW1")),
        ({"valid": True, "requestIdentifier": "", "userError": "VALID"}, Answer(True, None)),
        ({"valid": False, "userError": "INVALID"}, Answer(False, None)),
        ({"valid": False, "userError": "INVALID_INPUT"}, Answer(False, None)),
        ({"actionSucceed": False, "errorWrappers": [{"error": "INVALID_INPUT"}]}, Answer(False, None)),
    ],
)
def test_yes_and_no_are_answers_and_names_are_dropped(told: dict[str, Any], answer: Answer) -> None:
    assert read_answer(json.dumps(told).encode(), status=200) == answer


@pytest.mark.parametrize(
    ("told", "status", "code"),
    [
        ({"actionSucceed": False, "errorWrappers": [{"error": "MS_UNAVAILABLE"}]}, 200, "vies_MS_UNAVAILABLE"),
        ({"valid": False, "userError": "MS_MAX_CONCURRENT_REQ"}, 200, "vies_MS_MAX_CONCURRENT_REQ"),
        ({"actionSucceed": False, "errorWrappers": [{}]}, 200, "vies_unknown"),
        ({"actionSucceed": False, "errorWrappers": [7]}, 200, "vies_unknown"),
        ({"valid": False}, 500, "vies_http_500"),
        ({"isValid": "no"}, 200, "vies_http_200"),
        ([], 200, "vies_http_200"),
    ],
)
def test_whatever_else_says_nothing_of_the_number(told: Any, status: int, code: str) -> None:
    with pytest.raises(Unavailable, match=code):
        read_answer(json.dumps(told).encode(), status=status)
