"""Exchange rates: the port, and the European Central Bank's reference rates, published on working days."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Protocol
from xml.etree import ElementTree as ET

from billing.kernel.errors import Unavailable

ECB = "ECB"
ECB_URL = "https://www.ecb.europa.eu/stats/eurofxref"
_CUBE = "{http://www.ecb.int/vocabulary/2002-08-01/eurofxref}Cube"
_CURRENCY, _RATE = re.compile("[A-Z]{3}"), re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,12})?")
_DAILY, _HISTORY = "eurofxref-daily.xml", "eurofxref-hist-90d.xml"

Send = Callable[[str, str, Mapping[str, str]], tuple[bytes, int, Mapping[str, str]]]
"""Method, URL, headers → body, status, headers; bounded in time and size."""


@dataclass(frozen=True, slots=True)
class Rate:
    """Units of `currency` for one euro, as published on that day."""

    day: date
    currency: str
    per_euro: Decimal


class Rates(Protocol):
    """Who publishes rates."""

    source: str

    def read(self, *, history: bool) -> Sequence[Rate]:
        """The last day's; with `history`, those of some months. Raises `Unavailable`."""
        ...


class Ecb:
    """The European Central Bank's files."""

    source = ECB

    def __init__(self, send: Send, *, base: str = ECB_URL) -> None:
        self._send, self._base = send, base.rstrip("/")

    def read(self, *, history: bool) -> Sequence[Rate]:
        """See `Rates`."""
        url = f"{self._base}/{_HISTORY if history else _DAILY}"
        try:
            body, status, _ = self._send("GET", url, {"Accept": "application/xml"})
        except Exception as away:  # noqa: BLE001 (whatever breaks on the road: nothing is known then)
            raise Unavailable(f"the rates of the ECB can't be read ({type(away).__name__})") from None
        if status != 200:
            raise Unavailable(f"the rates of the ECB can't be read (http_{status})")
        return parsed(body)


def parsed(body: bytes) -> list[Rate]:
    """The rates of a file. Raises `Unavailable` where it is no such file: better none than a wrong one."""
    try:
        # Bounded in size by the road; the parser itself refuses entities that grow.
        root = ET.fromstring(body)  # noqa: S314
        found = [
            (date.fromisoformat(day.attrib["time"]), each.attrib["currency"], each.attrib["rate"])
            for day in root.iter(_CUBE)
            if "time" in day.attrib
            for each in day
        ]
    except (ET.ParseError, KeyError, ValueError):
        raise _unsound() from None
    if not all(_CURRENCY.fullmatch(currency) and _RATE.fullmatch(rate) for _, currency, rate in found):
        raise _unsound()
    rates = [Rate(day, currency.lower(), Decimal(rate)) for day, currency, rate in found]
    if not rates or any(rate.per_euro <= 0 for rate in rates):
        raise _unsound()
    return rates


def _unsound() -> Unavailable:
    return Unavailable("the rates of the ECB are not as they should be")
