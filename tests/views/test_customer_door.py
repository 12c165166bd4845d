"""The door of the customer's page: its headers, its languages, and what it refuses."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from flask.testing import FlaskClient
from sqlalchemy import create_engine, text

from billing.db.session import sessions
from billing.flows import links, operating, replacing
from billing.flows.order import Order
from billing.flows.parts import Parts
from billing.kernel.ids import new_id
from billing.views.customer import customer_page
from billing.views.headers import content_policy, page_headers
from billing.views.localising import texts
from billing.webhooks.app import create_app
from tests.flows.company import Company, company

NOT_TRIED = re.compile(r"can't be reached")


@pytest.fixture
def acme(database_url: str) -> Iterator[Company]:
    with company(database_url, patience_s=30) as fresh:
        yield fresh


@pytest.fixture
def browser(acme: Company) -> FlaskClient:
    return _browser(acme.parts)


def _browser(parts: Parts) -> FlaskClient:
    app = create_app(parts)
    app.register_blueprint(customer_page(parts))
    return app.test_client()


def _owing(acme: Company, method: str | None = None) -> UUID:
    profile_id = acme.customer("one", method=method)
    acme.subscribe("one", "one-basic")
    acme.settle()
    return profile_id


def _path(acme: Company, profile_id: UUID) -> str:
    with acme.parts.begin() as session:
        return "/pay/" + links.profile_link(acme.parts, session, profile_id).rpartition("/")[2]


def _invoice_path(acme: Company) -> str:
    with acme.parts.begin() as session:
        return "/pay/" + links.invoice_link(acme.parts, session, acme.invoices()[0].id).rpartition("/")[2]


def _refusal(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json["error"]["code"]


def test_the_page_says_what_is_owed_and_nothing_personal(acme: Company, browser: FlaskClient) -> None:
    page = browser.get(_path(acme, _owing(acme))).text
    assert "Acme GmbH" in page
    assert "€11.90" in page
    assert "Due 31 January 2026" in page
    assert acme.invoices()[0].number in page
    for personal in ("Person one", "one@example.com", "Street 1"):
        assert personal not in page


@pytest.mark.parametrize(
    ("accepts", "lang", "amount"),
    [
        ("de-AT,de;q=0.9,en;q=0.8", "de", "11,90\u00a0€"),
        ("fr", "fr", "11,90\u00a0€"),
        ("es-MX", "es", "11,90\u00a0€"),
        ("pl", "en", "€11.90"),
    ],
)
def test_the_page_speaks_the_visitors_language(
    acme: Company, browser: FlaskClient, accepts: str, lang: str, amount: str
) -> None:
    path = _path(acme, _owing(acme))
    page = browser.get(path, headers={"Accept-Language": accepts}).text
    assert f'<html lang="{lang}">' in page
    assert amount in page
    assert '<html lang="fr">' in browser.get(path + "?lang=fr", headers={"Accept-Language": accepts}).text


def test_every_answer_keeps_itself_to_itself(acme: Company, browser: FlaskClient) -> None:
    path = _path(acme, _owing(acme))
    for answer in (browser.get(path), browser.get(path + "/state"), browser.get("/pay/nonsense")):
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "Set-Cookie" not in answer.headers
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy


def test_only_the_providers_script_is_let_in_beside_ours() -> None:
    assert "script-src 'self' https://js.stripe.com https://*.js.stripe.com;" in content_policy(
        "https://js.stripe.com/endive/stripe.js"
    )
    assert "script-src 'self' http://127.0.0.1:7;" in content_policy("http://127.0.0.1:7/_sandbox/js")


def test_wallets_need_no_stranger_let_in_and_are_not_shut_out() -> None:
    # Stripe's script shows them in frames of its own origin, to which it passes on the right to ask for a payment.
    headers = page_headers("https://js.stripe.com/endive/stripe.js")
    hosts = set(re.findall(r"https://[^ ;]+", headers["Content-Security-Policy"]))
    assert {host.removesuffix("stripe.com") != host for host in hosts} == {True}
    assert "payment=" not in headers["Permissions-Policy"]


def test_the_page_has_nothing_inline_and_nothing_of_strangers(acme: Company, browser: FlaskClient) -> None:
    page = browser.get(_path(acme, _owing(acme))).text
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\bon[a-z]+=|style=", page)
    hosts = set(re.findall(r"""(?:src|href)="(https?://[^/"]+)""", page))
    assert hosts == {acme.witness_url}


@pytest.mark.parametrize("token", ["x", "A" * 62, "A" * 4000])
def test_a_link_that_is_none_is_not_found(browser: FlaskClient, token: str) -> None:
    answer = browser.get(f"/pay/{token}")
    assert (answer.status_code, "not complete" in answer.text) == (404, True)
    assert _refusal(browser.post(f"/pay/{token}/attempts", json={})) == (404, "link_invalid")


def test_a_revoked_link_is_gone(acme: Company, browser: FlaskClient) -> None:
    profile_id = _owing(acme)
    path = _path(acme, profile_id)
    links.revoke_links(acme.parts, profile_id, order=Order("ada", "a wrong address"))
    assert browser.get(path).status_code == 410
    assert _refusal(browser.post(path + "/attempts", json={})) == (410, "link_revoked")


@pytest.mark.parametrize(
    ("method", "sentence"),
    [
        ("pm_card_visa", "Invoice ACME-000001 is paid. Thank you."),
        ("pm_sandbox_processing", "A payment is under way."),
        ("pm_card_authenticationRequired", "Your bank wants you to confirm this payment."),
        ("pm_card_chargeCustomerFail", "The payment was declined."),
        ("pm_card_visa_chargeDeclinedLostCard", "This payment method can&#39;t be charged."),
    ],
)
def test_how_things_stand_is_said_in_one_sentence(
    acme: Company, browser: FlaskClient, method: str, sentence: str
) -> None:
    _owing(acme, method)
    page = browser.get(_invoice_path(acme)).text
    assert sentence in page
    assert page.count('role="status"') == 1


def test_an_invoice_that_was_taken_back_is_nothing_to_pay(acme: Company, browser: FlaskClient) -> None:
    _owing(acme)
    path = _invoice_path(acme)
    operating.void(acme.parts, acme.invoices()[0].id, order=Order("ada", "ordered twice"))
    assert "was canceled. Nothing is due on it." in browser.get(path).text
    assert _refusal(browser.post(path + "/attempts", json={})) == (409, "nothing_owed")


def test_an_invoice_that_was_written_off_says_whom_to_ask(acme: Company, browser: FlaskClient) -> None:
    _owing(acme)
    path = _invoice_path(acme)
    operating.mark_uncollectible(acme.parts, acme.invoices()[0].id, order=Order("ada", "insolvent"))
    assert "is closed. Please contact Acme GmbH" in browser.get(path).text


def test_an_invoice_that_was_replaced_leads_on_to_the_one_in_its_place(acme: Company, browser: FlaskClient) -> None:
    profile_id = _owing(acme)
    path = _invoice_path(acme)
    for reason in ("a wrong address", "and a wrong tax id"):
        (standing,) = [each for each in acme.invoices() if each.status == "open"]
        replacing.replace_invoice(acme.parts, standing.id, order=Order("ada", reason))
    (standing,) = [each for each in acme.invoices() if each.status == "open"]
    page = browser.get(path).text
    assert standing.number in page
    assert "€11.90" in page
    acme.give_method(profile_id, "pm_card_visa")
    assert browser.post(path + "/attempts", json={}).json["status"] == "paid"
    assert f"Invoice {standing.number} is paid. Thank you." in browser.get(path).text


def test_opening_a_page_changes_nothing(acme: Company, browser: FlaskClient) -> None:
    path = _path(acme, _owing(acme, "pm_card_authenticationRequired"))
    before = len(acme.payments())
    for method in (browser.get, browser.head):
        method(path)
    assert len(acme.payments()) == before
    assert browser.get(path + "/attempts").status_code == 405


@pytest.mark.parametrize(
    "given",
    [
        {"data": {"a": "1"}},
        {"data": "{}", "content_type": "text/plain"},
        {"json": {}, "headers": {"Sec-Fetch-Site": "cross-site"}},
        {"json": {}, "headers": {"Sec-Fetch-Site": "same-site"}},
    ],
)
def test_what_another_site_can_make_a_browser_send_is_refused(
    acme: Company, browser: FlaskClient, given: dict[str, Any]
) -> None:
    path = _path(acme, _owing(acme, "pm_card_visa_chargeDeclinedInsufficientFunds"))
    assert _refusal(browser.post(path + "/attempts", **given)) == (409, "not_from_this_page")
    assert len(acme.payments()) == 1


def test_a_card_is_begun_only_after_the_customer_agreed(acme: Company, browser: FlaskClient) -> None:
    path = _path(acme, _owing(acme))
    assert _refusal(browser.post(path + "/cards", json={})) == (409, "consent_missing")
    begun = browser.post(path + "/cards", json={"agreed": True}).json
    assert begun["secret"].startswith("seti_")
    assert _refusal(browser.post(f"{path}/cards/{begun['card']}", json={})) == (409, "setup_not_complete")


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"\xff", b"[" * 1000, b'{"agreed":' * 100, b'{"agreed": 1}'])
def test_nonsense_is_no_agreement(acme: Company, browser: FlaskClient, body: bytes) -> None:
    path = _path(acme, _owing(acme))
    for step in ("cards", "accounts", "wallets"):
        answer = browser.post(f"{path}/{step}", data=body, content_type="application/json")
        assert _refusal(answer) == (409, "consent_missing"), step


def test_nobody_finishes_another_customers_card(acme: Company, browser: FlaskClient) -> None:
    path, other = _path(acme, _owing(acme)), _path(acme, acme.customer("two", method=None))
    begun = browser.post(path + "/cards", json={"agreed": True}).json
    assert _refusal(browser.post(f"{other}/cards/{begun['card']}", json={})) == (409, "payment_method_not_found")
    assert _refusal(browser.post(f"{other}/attempts/{new_id()}", json={})) == (409, "payment_not_found")


def test_a_provider_out_of_reach_is_said_and_nothing_is_used_up(acme: Company) -> None:
    path = _path(acme, _owing(acme, "pm_card_chargeCustomerFail"))
    acme.revoke_key()
    answer = _browser(acme.parts).post(path + "/attempts", json={})
    assert (answer.status_code, answer.json["status"]) == (200, "not_tried")
    assert NOT_TRIED.search(answer.json["message"])


def test_too_many_requests_are_turned_away(acme: Company, browser: FlaskClient, monkeypatch: Any) -> None:
    monkeypatch.setattr("billing.views.limiting.MOST", 3)
    path = _path(acme, _owing(acme))
    codes = [browser.get(path + "/state").status_code for _ in range(4)]
    assert codes == [200, 200, 200, 429]


def test_opening_the_page_is_limited_too(acme: Company, browser: FlaskClient, monkeypatch: Any) -> None:
    monkeypatch.setattr("billing.views.limiting.MOST", 3)
    path = _path(acme, _owing(acme))
    answers = [browser.get(path) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert "many tries" in answers[-1].text


def test_another_link_at_each_try_is_counted_by_address(
    acme: Company, browser: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("billing.views.limiting.MOST_BY_ADDRESS", 3)
    codes = [browser.get(f"/pay/{token}").status_code for token in "abcd"]
    assert codes == [404, 404, 404, 429]
    path = _path(acme, _owing(acme))
    assert browser.get(path).status_code == 429
    assert browser.get(path, environ_overrides={"REMOTE_ADDR": "192.0.2.7"}).status_code == 200


def test_behind_a_proxy_the_address_is_the_one_that_it_saw(acme: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("billing.views.limiting.MOST_BY_ADDRESS", 1)
    settings = acme.parts.settings.model_copy(update={"billing_proxies": 1})
    behind, direct = _browser(replace(acme.parts, settings=settings)), _browser(acme.parts)
    said = [{"X-Forwarded-For": f"203.0.113.{visitor}, 192.0.2.{visitor}"} for visitor in (1, 2)]
    assert [behind.get("/pay/x", headers=each).status_code for each in said] == [404, 404]
    assert behind.get("/pay/x", headers={"X-Forwarded-For": "203.0.113.9, 192.0.2.1"}).status_code == 429
    assert [direct.get("/pay/x", headers=each).status_code for each in said] == [404, 429]


def test_a_body_that_comes_in_chunks_is_read_no_further_than_the_limit(acme: Company, browser: FlaskClient) -> None:
    body = io.BytesIO(b" " * 100_000)
    assert _refusal(_in_chunks(browser, _path(acme, _owing(acme)), body)) == (413, "body_too_large")
    assert body.tell() <= 1025


def test_what_no_link_of_ours_carries_is_not_read_and_asks_no_database(acme: Company) -> None:
    nowhere = create_engine("postgresql+psycopg://nobody@127.0.0.1:1/nothing")
    browser = _browser(replace(acme.parts, sessions=sessions(nowhere)))
    body = io.BytesIO(b" " * 100_000)
    token = _path(acme, _owing(acme)).rpartition("/")[2]
    altered = "B" if token[-1] == "A" else "A"
    assert _refusal(_in_chunks(browser, f"/pay/{token[:-1]}{altered}", body)) == (404, "link_invalid")
    assert body.tell() == 0


def _in_chunks(browser: FlaskClient, path: str, body: io.BytesIO) -> Any:
    as_servers_do = {"wsgi.input": body, "wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    return browser.post(path + "/cards", content_type="application/json", environ_overrides=as_servers_do)


def test_a_database_that_is_busy_or_away_is_said_in_words(acme: Company, database_url: str) -> None:
    path = _path(acme, _owing(acme))
    busy = create_engine(
        database_url.replace("postgresql://", "postgresql+psycopg://", 1),
        pool_size=1, max_overflow=0, pool_timeout=0.1,
    )  # fmt: skip
    browser = _browser(replace(acme.parts, sessions=sessions(busy)))
    with busy.connect():
        page = browser.get(path)
        assert (page.status_code, page.mimetype) == (503, "text/html")
        assert "answer right now" in page.text
        assert _refusal(browser.post(path + "/attempts", json={})) == (503, "unavailable")
        assert browser.get("/readyz").status_code == 503
        assert browser.post("/webhooks/stripe", json={}).json["error"]["code"] == "unavailable"
    busy.dispose()


def test_a_fault_of_ours_is_told_without_the_link(
    acme: Company, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = _path(acme, _owing(acme))
    monkeypatch.setattr("billing.flows.customer_page.show", lambda *_: 1 / 0)
    answer = _browser(acme.parts).get(path)
    assert (answer.status_code, answer.mimetype) == (500, "text/html")
    assert "answer right now" in answer.text
    assert _refusal(_browser(acme.parts).get(path + "/state")) == (500, "unavailable")
    said = "".join(capsys.readouterr())
    assert path.rpartition("/")[2] not in said


def test_without_a_key_for_browsers_no_card_is_asked_for(acme: Company) -> None:
    settings = acme.parts.settings.model_copy(update={"stripe_publishable_key": None})
    page = _browser(replace(acme.parts, settings=settings)).get(_path(acme, _owing(acme))).text
    assert 'id="other"' not in page
    assert "_sandbox/js" not in page


def test_what_the_seller_offers_and_the_currency_takes_can_be_given(acme: Company, browser: FlaskClient) -> None:
    path = _path(acme, acme.customer("one", method=None))

    def given(kinds: str, currency: str = "eur") -> list[str]:
        with acme.parts.begin() as session:
            said = {"kinds": kinds, "currency": currency}
            session.execute(text("UPDATE billing.seller SET method_kinds = :kinds, currency = :currency"), said)
        page = browser.get(path).text
        return [name for name in ("other", "by-wallet") if f'id="{name}"' in page]

    assert given("{card}") == ["other"]
    assert given("{card,stripe_paypal}") == ["other", "by-wallet"]
    assert given("{stripe_paypal}") == ["by-wallet"]
    assert given("{card,stripe_paypal}", "huf") == ["other"]


def test_all_languages_say_the_same_things() -> None:
    english = texts("en")

    def holes(words: dict[str, str]) -> dict[str, set[str]]:
        return {key: set(re.findall(r"{(\w+)}", text)) for key, text in words.items()}

    for language in ("de", "fr", "es"):
        other = texts(language)
        assert holes(other.words) == holes(english.words)
        assert holes(other.messages) == holes(english.messages)
