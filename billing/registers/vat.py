"""VAT numbers: the port, and the European Commission's VIES (REST), which asks the member state's own register.

What it answers besides (name and address) is dropped here. That nobody answers says nothing of a number. Where it does
not know the number of who asks, it is asked without: its answer is as good, and has no consultation number.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from billing.kernel.errors import Unavailable

_CODE = re.compile(r"[A-Z_]{1,60}", re.ASCII)
_NO_NUMBER = "INVALID_INPUT"
"""What was asked about can be no number of that state, however often it is asked: a no, as plain as any."""
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
            return self._ask(question)
        except _RequesterUnknown:
            return self._ask(replace(question, requester=None))

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
    except ValueError:
        raise Unavailable(f"vies_http_{status}") from None
    if not isinstance(told, dict):
        raise Unavailable(f"vies_http_{status}")
    error = _error_of(told)
    if error == _NO_NUMBER:
        return Answer(False, None)
    if error is not None:
        raise _unavailable(error)
    if status != 200 or not isinstance(told.get("valid"), bool):
        raise Unavailable(f"vies_http_{status}")
    return Answer(told["valid"], str(told.get("requestIdentifier") or "") or None)


def _error_of(told: dict[str, Any]) -> object | None:
    errors = told.get("errorWrappers")
    if isinstance(errors, list) and errors:
        return (errors[0].get("error") if isinstance(errors[0], dict) else None) or "unknown"
    user_error: object = told.get("userError")
    return None if user_error in (None, "", "VALID", "INVALID") else user_error


class _RequesterUnknown(Unavailable):
    """The seller's own number is none that VIES knows."""


def _unavailable(code: object) -> Unavailable:
    if code == "INVALID_REQUESTER_INFO":
        return _RequesterUnknown(f"vies_{code}")
    # It is logged: only what is a code is told.
    return Unavailable(f"vies_{code}" if isinstance(code, str) and _CODE.fullmatch(code) else "vies_unknown_error")
