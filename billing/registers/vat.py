"""VAT numbers: the port, and the European Commission's VIES (REST), which asks the member state's own register.

What it answers besides (name and address) is dropped here. That nobody answers says nothing of a number. Where it does
not know the number of who asks, it is asked without: its answer is as good, and has no consultation number. That a
number can be none of its state is an answer too: asked again, it would be the same for ever.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from billing.kernel.errors import Unavailable

_NO_NUMBER = "INVALID_INPUT"
_CODE = re.compile(r"[A-Z_]{1,60}", re.ASCII)
_REFERENCE = re.compile(r"[\x21-\x7e]{0,100}")
VIES_URL = "https://ec.europa.eu/taxation_customs/vies/rest-api"

Send = Callable[[str, str, Mapping[str, str], bytes], tuple[bytes, int, Mapping[str, str]]]
"""Method, URL, headers, body → body, status, headers; bounded in time and size."""


@dataclass(frozen=True, slots=True)
class Question:
    """Two numbers with the prefixes of their states. Without a requester there is no consultation number."""

    number: str = field(repr=False)
    requester: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether the number is registered now. `reference` is the consultation number: the proof of having asked."""

    valid: bool
    reference: str | None
    code: str | None = None
    """Why not, where no state's register was asked: it is taken for no number at all."""


class VatRegister(Protocol):
    """Who says whether a number is registered."""

    source: str

    def ask(self, question: Question) -> Answer:
        """Raises `Unavailable`, with a code, where nobody answers: then nothing is known."""
        ...


class Vies:
    """The Commission's service."""

    source = "VIES"

    def __init__(self, send: Send, *, base: str = VIES_URL) -> None:
        self._send, self._url = send, f"{base.rstrip('/')}/check-vat-number"

    def ask(self, question: Question) -> Answer:
        """See `VatRegister`."""
        try:
            answer = self._ask(question)
        except _RequesterUnknown:
            answer = None
        if answer is None or (answer.code and question.requester):
            # Which of the two is no number, it does not say.
            return self._ask(replace(question, requester=None))
        return answer

    def _ask(self, question: Question) -> Answer:
        asked = {"countryCode": question.number[:2], "vatNumber": question.number[2:]}
        if question.requester is not None:
            asked["requesterMemberStateCode"] = question.requester[:2]
            asked["requesterNumber"] = question.requester[2:]
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        try:
            body, status, _ = self._send("POST", self._url, headers, json.dumps(asked).encode())
        except Exception as away:  # noqa: BLE001 (whatever breaks on the road: nothing is known then)
            raise Unavailable(f"vies_{type(away).__name__}") from None
        return read_answer(body, status=status)


def read_answer(body: bytes, *, status: int) -> Answer:
    """An answer of VIES. Raises `Unavailable` with its code for whatever says nothing of the number."""
    try:
        told: Any = json.loads(body)
    except (ValueError, RecursionError):
        raise Unavailable(f"vies_http_{status}") from None
    if not isinstance(told, dict):
        raise Unavailable(f"vies_http_{status}")
    error = _error(told)
    if error == _NO_NUMBER:
        return Answer(valid=False, reference=None, code=_NO_NUMBER)
    if error is not None:
        raise _unavailable(error)
    reference = told.get("requestIdentifier") or ""
    # It is kept: one that no table holds would take the other numbers of the round along.
    sound = isinstance(reference, str) and _REFERENCE.fullmatch(reference)
    if status != 200 or not isinstance(told.get("valid"), bool) or not sound:
        raise Unavailable(f"vies_http_{status}")
    return Answer(told["valid"], reference or None)


def _error(told: dict[str, Any]) -> object:
    """What it says in the place of an answer; None where it answers."""
    errors = told.get("errorWrappers")
    if isinstance(errors, list) and errors:
        return (errors[0].get("error") if isinstance(errors[0], dict) else None) or "?"
    error = told.get("userError")
    return None if error in (None, "", "VALID", "INVALID") else error


class _RequesterUnknown(Unavailable):
    """The seller's own number is none that VIES knows."""


def _unavailable(code: object) -> Unavailable:
    if code == "INVALID_REQUESTER_INFO":
        return _RequesterUnknown(f"vies_{code}")
    # It is logged: only what is a code is told.
    return Unavailable(f"vies_{code}" if isinstance(code, str) and _CODE.fullmatch(code) else "vies_unknown_error")
