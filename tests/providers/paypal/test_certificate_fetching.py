"""PayPal's certificate comes whole, or is away: then the event is delivered again later."""

from __future__ import annotations

import pytest

from billing.providers.paypal.client import fetched
from tests.registers.test_broken_answers import ROAD, answering


def test_a_certificate_that_breaks_off_is_away() -> None:
    with (
        answering(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n-----BEGIN") as url,
        pytest.raises(OSError, match="Error"),
    ):
        fetched(ROAD, url)
