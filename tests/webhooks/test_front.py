"""The front: what it answers by itself, what it hands on, and that neither a short read nor an error passes unseen."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any

import pytest
from werkzeug.test import Client
from werkzeug.wrappers import Response

from billing.webhooks.answer import Answer
from billing.webhooks.front import Front

_MOST = 1000


class _Pieces(io.RawIOBase):
    """A server's stream that gives few bytes at a time."""

    def __init__(self, body: bytes) -> None:
        self._left = body

    def readable(self) -> bool:
        return True

    def readinto(self, into: Any) -> int:
        piece, self._left = self._left[: min(7, len(into))], self._left[min(7, len(into)) :]
        into[: len(piece)] = piece
        return len(piece)


class _Asked:
    """A receiver that notes what it is given, behind a front, before an application that says so."""

    def __init__(self) -> None:
        self.given: list[tuple[str, bytes]] = []
        front = Front(Response("behind", 299), {"stripe": self._take}, most_bytes=_MOST)
        self.client = Client(front)

    def _take(self, code: str, raw: bytes, environ: Mapping[str, Any]) -> Answer:
        self.given.append((code, raw))
        if environ.get("HTTP_FAIL"):
            raise RuntimeError("of something that was sent")
        return {"received": True}, 200


@pytest.fixture
def asked() -> _Asked:
    return _Asked()


def test_a_delivery_reaches_its_receiver_with_its_accounts_code(asked: _Asked) -> None:
    for path, type_ in (
        ("/webhooks/stripe", "application/json; charset=utf-8"),
        ("/webhooks/stripe/shop", "application/x-www-form-urlencoded"),
        ("/webhooks/stripe/other", ""),
    ):
        answer = asked.client.post(path, data=b"{}", headers={"Content-Type": type_})
        assert (answer.status, answer.json, answer.mimetype) == ("200 OK", {"received": True}, "application/json")
    assert asked.given == [("default", b"{}"), ("shop", b"{}"), ("other", b"{}")]


def test_whatever_a_setting_may_call_an_account_is_reached(asked: _Asked) -> None:
    """`STRIPE_API_KEY__…` takes a code of any length; nobody's variable has a name of hundreds of letters."""
    code = "the_shop_of_2026_" * 4
    answer = asked.client.post(f"/webhooks/stripe/{code}", data=b"{}", headers={"Content-Type": "application/json"})
    assert (answer.status_code, asked.given) == (200, [(code, b"{}")])


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/webhooks/stripe"),
        ("POST", "/webhooks/stripe/"),
        ("POST", "/webhooks/stripe/a/b"),
        ("POST", "/webhooks/stripe/Shop"),
        ("POST", "/webhooks/stripe/the-shop"),
        ("POST", "/webhooks/stripe/%00"),
        ("POST", "/webhooks/stripe/a%0ab"),
        ("POST", "/webhooks/stripe/%ff"),
        ("POST", f"/webhooks/stripe/{'a' * 201}"),
        ("POST", "/webhooks/other"),
        ("POST", "/webhooks"),
        ("POST", "/pay/webhooks/stripe"),
    ],
)
def test_everything_else_is_for_the_application_behind(asked: _Asked, method: str, path: str) -> None:
    answer = asked.client.open(path, method=method, data=b"{}", headers={"Content-Type": "application/json"})
    assert answer.status_code == 299
    assert asked.given == []


def test_a_body_in_pieces_is_whole_and_one_of_a_byte_too_many_is_refused(asked: _Asked) -> None:
    for size, status in ((_MOST, 200), (_MOST + 1, 413), (20 * _MOST, 413)):
        stream = _Pieces(b"x" * size)
        given = {"CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(size), "wsgi.input": stream}
        answer = asked.client.open("/webhooks/stripe", method="POST", environ_overrides=given)
        assert answer.status_code == status
    assert [len(raw) for _, raw in asked.given] == [_MOST]


def test_a_body_that_is_cut_off_is_refused(asked: _Asked) -> None:
    given = {"CONTENT_TYPE": "application/json", "CONTENT_LENGTH": "100", "wsgi.input": _Pieces(b"{}")}
    answer = asked.client.open("/webhooks/stripe", method="POST", environ_overrides=given)
    assert (answer.status_code, json.loads(answer.data)["error"]["code"]) == (400, "body_cut_off")
    assert asked.given == []


def test_without_a_length_nothing_is_read_and_nothing_waits(asked: _Asked) -> None:
    given = {"CONTENT_TYPE": "application/json", "CONTENT_LENGTH": "", "wsgi.input": _Pieces(b"{}")}
    asked.client.open("/webhooks/stripe", method="POST", environ_overrides=given)
    assert asked.given == [("default", b"")]


def test_an_error_is_answered_without_a_word_of_what_was_sent(asked: _Asked) -> None:
    answer = asked.client.post(
        "/webhooks/stripe", data=b"{}", headers={"Content-Type": "application/json", "Fail": "1"}
    )
    assert answer.status_code == 500
    assert json.loads(answer.data) == {"error": {"field": "server", "code": "failed", "mend": "deliver again later"}}
