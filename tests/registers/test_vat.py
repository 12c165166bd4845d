"""VIES: yes and no are answers, and so is that it can be no number; all else says nothing of it."""

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
        ({"valid": False, "userError": "INVALID_INPUT"}, Answer(False, None, "INVALID_INPUT")),
        ({"actionSucceed": False, "errorWrappers": [{"error": "INVALID_INPUT"}]}, Answer(False, None, "INVALID_INPUT")),
    ],
)
def test_yes_and_no_are_answers_and_names_are_dropped(told: dict[str, Any], answer: Answer) -> None:
    assert read_answer(json.dumps(told).encode(), status=200) == answer


@pytest.mark.parametrize(
    ("told", "status", "code"),
    [
        ({"actionSucceed": False, "errorWrappers": [{"error": "MS_UNAVAILABLE"}]}, 200, "vies_MS_UNAVAILABLE"),
        ({"valid": False, "userError": "MS_MAX_CONCURRENT_REQ"}, 200, "vies_MS_MAX_CONCURRENT_REQ"),
        ({"actionSucceed": False, "errorWrappers": [{"error": "VAT_BLOCKED"}]}, 400, "vies_VAT_BLOCKED"),
        ({"actionSucceed": False, "errorWrappers": [{"error": "A_WORD_OF_2027"}]}, 400, "vies_unknown_error"),
        ({"valid": True, "errorWrappers": [{"error": None}]}, 200, "vies_unknown_error"),
        ({"valid": False}, 500, "vies_http_500"),
        ({"isValid": "no"}, 200, "vies_http_200"),
        ([], 200, "vies_http_200"),
    ],
)
def test_whatever_else_says_nothing_of_the_number(told: Any, status: int, code: str) -> None:
    with pytest.raises(Unavailable, match=code):
        read_answer(json.dumps(told).encode(), status=status)


@pytest.mark.parametrize("reference", ["WAPI\0", "WAPI\ud800", "W" * 101, 7, ["WAPI"]])
def test_a_number_that_no_register_gives_is_no_proof_of_having_asked(reference: object) -> None:
    told = {"valid": True, "requestIdentifier": reference}
    with pytest.raises(Unavailable, match="vies_http_200"):
        read_answer(json.dumps(told).encode(), status=200)


def test_an_answer_deeper_than_the_reader_goes_says_nothing() -> None:
    with pytest.raises(Unavailable, match="vies_http_200"):
        read_answer(b"[" * 200_000, status=200)
