"""The door of the customer's page where too much comes, or something of ours is away."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import create_engine

from billing.db.session import sessions
from tests.flows.company import Company
from tests.views.visiting import browser_of, owing, path_of, refusal


def test_too_many_requests_are_turned_away(acme: Company, browser: FlaskClient, monkeypatch: Any) -> None:
    monkeypatch.setattr("billing.views.limiting.MOST", 3)
    path = path_of(acme, owing(acme))
    codes = [browser.get(path + "/state").status_code for _ in range(4)]
    assert codes == [200, 200, 200, 429]


def test_opening_the_page_is_limited_too(acme: Company, browser: FlaskClient, monkeypatch: Any) -> None:
    monkeypatch.setattr("billing.views.limiting.MOST", 3)
    path = path_of(acme, owing(acme))
    answers = [browser.get(path) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert "many tries" in answers[-1].text


def test_another_link_at_each_try_is_counted_by_address(
    acme: Company, browser: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("billing.views.limiting.MOST_BY_ADDRESS", 3)
    codes = [browser.get(f"/pay/{token}").status_code for token in "abcd"]
    assert codes == [404, 404, 404, 429]
    path = path_of(acme, owing(acme))
    assert browser.get(path).status_code == 429
    assert browser.get(path, environ_overrides={"REMOTE_ADDR": "192.0.2.7"}).status_code == 200


def test_behind_a_proxy_the_address_is_the_one_that_it_saw(acme: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("billing.views.limiting.MOST_BY_ADDRESS", 1)
    settings = acme.parts.settings.model_copy(update={"billing_proxies": 1})
    behind, direct = browser_of(replace(acme.parts, settings=settings)), browser_of(acme.parts)
    said = [{"X-Forwarded-For": f"203.0.113.{visitor}, 192.0.2.{visitor}"} for visitor in (1, 2)]
    assert [behind.get("/pay/x", headers=each).status_code for each in said] == [404, 404]
    assert behind.get("/pay/x", headers={"X-Forwarded-For": "203.0.113.9, 192.0.2.1"}).status_code == 429
    assert [direct.get("/pay/x", headers=each).status_code for each in said] == [404, 429]


def test_a_body_that_comes_in_chunks_is_read_no_further_than_the_limit(acme: Company, browser: FlaskClient) -> None:
    body = io.BytesIO(b" " * 100_000)
    assert refusal(_in_chunks(browser, path_of(acme, owing(acme)), body)) == (413, "body_too_large")
    assert body.tell() <= 1025


def test_what_no_link_of_ours_carries_is_not_read_and_asks_no_database(acme: Company) -> None:
    nowhere = create_engine("postgresql+psycopg://nobody@127.0.0.1:1/nothing")
    browser = browser_of(replace(acme.parts, sessions=sessions(nowhere)))
    body = io.BytesIO(b" " * 100_000)
    token = path_of(acme, owing(acme)).rpartition("/")[2]
    altered = "B" if token[-1] == "A" else "A"
    assert refusal(_in_chunks(browser, f"/pay/{token[:-1]}{altered}", body)) == (404, "link_invalid")
    assert body.tell() == 0


def _in_chunks(browser: FlaskClient, path: str, body: io.BytesIO) -> Any:
    as_servers_do = {"wsgi.input": body, "wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    return browser.post(path + "/cards", content_type="application/json", environ_overrides=as_servers_do)


def test_a_database_that_is_busy_or_away_is_said_in_words(acme: Company, database_url: str) -> None:
    path = path_of(acme, owing(acme))
    busy = create_engine(
        database_url.replace("postgresql://", "postgresql+psycopg://", 1),
        pool_size=1, max_overflow=0, pool_timeout=0.1,
    )  # fmt: skip
    browser = browser_of(replace(acme.parts, sessions=sessions(busy)))
    with busy.connect():
        page = browser.get(path)
        assert (page.status_code, page.mimetype) == (503, "text/html")
        assert "answer right now" in page.text
        assert refusal(browser.post(path + "/attempts", json={})) == (503, "unavailable")
        assert browser.get("/readyz").status_code == 503
        assert browser.post("/webhooks/stripe", json={}).json["error"]["code"] == "unavailable"
    busy.dispose()


def test_a_fault_of_ours_is_told_without_the_link(
    acme: Company, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = path_of(acme, owing(acme))
    monkeypatch.setattr("billing.flows.customer_page.show", lambda *_: 1 / 0)
    answer = browser_of(acme.parts).get(path)
    assert (answer.status_code, answer.mimetype) == (500, "text/html")
    assert "answer right now" in answer.text
    assert refusal(browser_of(acme.parts).get(path + "/state")) == (500, "unavailable")
    said = "".join(capsys.readouterr())
    assert path.rpartition("/")[2] not in said
