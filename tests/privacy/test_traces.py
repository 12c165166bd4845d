"""A personal value is found however it is written; what is no such value is not."""

from __future__ import annotations

import base64
from urllib.parse import quote

import pytest

from billing.privacy.traces import Traces

NAME = "Käthe Müller-Łukasik"


@pytest.fixture
def traces() -> Traces:
    made = Traces()
    made.add("name", NAME)
    made.add("address.postal_code", "10115")
    made.add("address.line1", "Weg 1")
    return made


@pytest.mark.parametrize(
    "sent",
    [
        [f"for {NAME}"],
        [NAME.upper()],
        ["kathe", "muller"],
        ["x", "Käthe Mül", "ler-Łukasik"],
        [quote(NAME)],
        [quote(quote(NAME))],
        [base64.b64encode(NAME.encode()).decode()],
        [base64.urlsafe_b64encode(NAME.encode()).decode().rstrip("=")],
        [NAME.encode().hex()],
        ["Łukasik"],
    ],
)
def test_it_is_found_encoded_split_and_respelt(traces: Traces, sent: list[str]) -> None:
    assert traces.find(sent) == {"name"}


def test_ids_amounts_and_seconds_are_no_traces(traces: Traces) -> None:
    sent = ["1769101155", "cus_9s6XKzkNRiz8i3", "01910115-1011-7011-8101-151011510115", "usd", "weg1"]
    assert traces.find(sent) == set()
    assert traces.find(["berlin 10115"]) == {"address.postal_code"}
