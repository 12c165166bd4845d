from __future__ import annotations

import pytest

from billing.kernel.errors import Refused
from billing.validators.endpoint import NewEndpoint, check_new_endpoint

TOPICS = ("invoice.paid", "refund.updated")


def faults(target: str, *topics: str, plain: bool = False, subscribers: tuple[str, ...] = ()) -> list[str]:
    try:
        check_new_endpoint(NewEndpoint("shop", target, topics), topics=TOPICS, subscribers=subscribers, plain=plain)
    except Refused as refused:
        return [fault.code for fault in refused.faults]
    return []


@pytest.mark.parametrize(
    "target", ["https://shop.example/", "https://shop.example:8443/a?b=c", "https://[2606:4700::1111]/"]
)
def test_an_https_address_is_taken(target: str) -> None:
    assert faults(target) == []


@pytest.mark.parametrize(
    "target",
    ["", "shop.example", "ftp://shop.example/", "https://", "https://:443/", "https://a b/", "https://shop.example:x/",
     "https://shop.example:0/", "https://ümlaut.example/", "file:///etc/passwd", "https://shop.example/\r\nX: y"],
)  # fmt: skip
def test_what_is_no_address_is_refused(target: str) -> None:
    assert "not_an_address" in faults(target)


def test_credentials_have_no_place_in_an_address_and_plain_http_needs_a_network() -> None:
    assert faults("https://me:pass@shop.example/") == ["credentials_in_address"]
    assert faults("http://10.1.0.7/") == ["not_encrypted"]
    assert faults("http://10.1.0.7/", plain=True) == []


def test_a_subscriber_is_one_of_the_setting_and_no_other() -> None:
    assert faults("python:os:system") == ["unknown_subscriber"]
    assert faults("python:shop:on_event", subscribers=("python:shop:on_event",)) == []


def test_topics_are_of_the_catalog_or_all_of_a_noun() -> None:
    assert faults("https://shop.example/", "invoice.paid", "refund.*") == []
    assert faults("https://shop.example/", "invoice.sung", "*", "song.*") == ["unknown_topic"] * 3
