"""The door of the customer's page: its headers, its languages, and what it refuses."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text

from billing.flows import links, operating, replacing
from billing.flows.order import Order
from billing.kernel.ids import new_id
from billing.validators.subscription import NewItem
from billing.views.headers import content_policy, page_headers
from billing.views.localising import texts
from tests.flows.company import Company
from tests.views.visiting import browser_of, owing, path_of, refusal

NOT_TRIED = re.compile(r"can't be reached")


def _invoice_path(acme: Company) -> str:
    with acme.parts.begin() as session:
        return "/pay/" + links.invoice_link(acme.parts, session, acme.invoices()[0].id).rpartition("/")[2]


def test_the_page_says_what_is_owed_and_nothing_personal(acme: Company, browser: FlaskClient) -> None:
    page = browser.get(path_of(acme, owing(acme))).text
    assert "Acme GmbH" in page
    assert "€11.90" in page
    assert "Due 31 January 2026" in page
    assert acme.invoices()[0].number in page
    for personal in ("Person one", "one@example.com", "Street 1"):
        assert personal not in page


def test_the_button_names_what_is_charged_where_the_provider_charges_whole_steps(
    acme: Company, browser: FlaskClient
) -> None:
    """14.685 KWD are owed, of which Stripe charges the tens."""
    acme.price("dinar", 12_340, currency="kwd")
    profile_id = acme.customer("one", method="pm_card_visa")
    acme.begin_subscription("one", "s1", NewItem("dinar"), collection="send_invoice")
    page = browser.get(path_of(acme, profile_id)).text
    assert "Pay KWD\u00a014.680 now" in page
    assert "Save card and pay KWD\u00a014.680" in page
    assert '<span class="amount">KWD\u00a014.685</span>' in page
    assert "<span>With your next invoice</span><strong>KWD\u00a00.005</strong>" in page


def test_the_button_leaves_out_what_is_too_little_to_be_charged(acme: Company, browser: FlaskClient) -> None:
    acme.price("small", 20)
    profile_id = acme.customer("one", method="pm_card_visa")
    for code, price in (("s1", "small"), ("s2", "basic")):
        acme.begin_subscription("one", code, NewItem(price), collection="send_invoice")
    page = browser.get(path_of(acme, profile_id)).text
    assert "Pay €11.90 now" in page
    assert "<span>To pay</span><strong>€12.14</strong>" in page
    assert "<span>With your next invoice</span><strong>€0.24</strong>" in page


def test_a_press_pays_what_the_page_showed_and_nothing_that_came_later(acme: Company, browser: FlaskClient) -> None:
    profile_id = acme.customer("one", method="pm_card_visa")
    for code in ("s1", "s2"):
        acme.begin_subscription("one", code, NewItem("basic"), collection="send_invoice")
    path = path_of(acme, profile_id)
    newest = re.search(r'data-newest="([^"]+)"', browser.get(path).text)
    assert newest
    acme.set_clock(acme.now() + timedelta(days=1))
    acme.begin_subscription("one", "s3", NewItem("basic"), collection="send_invoice")
    steps = [browser.post(path + "/attempts", json={"newest": newest[1]}) for _ in range(3)]
    assert [each.json.get("status") for each in steps[:2]] == ["paid", "paid"]
    assert refusal(steps[2]) == (409, "nothing_owed")
    assert sorted(each.status for each in acme.invoices()) == ["open", "paid", "paid"]
    for nobodys in (str(new_id()), "x", 5):
        assert refusal(browser.post(path + "/attempts", json={"newest": nobodys})) == (409, "nothing_owed")


def test_what_is_collected_by_itself_was_due_too_once_its_day_is_over(acme: Company, browser: FlaskClient) -> None:
    path = path_of(acme, owing(acme))
    acme.set_clock(acme.now() + timedelta(hours=6))
    assert "Due 31 January 2026" in browser.get(path).text
    acme.set_clock(acme.now() + timedelta(days=1))
    assert "Was due 31 January 2026" in browser.get(path).text


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
    path = path_of(acme, owing(acme))
    page = browser.get(path, headers={"Accept-Language": accepts}).text
    assert f'<html lang="{lang}">' in page
    assert amount in page
    assert '<html lang="fr">' in browser.get(path + "?lang=fr", headers={"Accept-Language": accepts}).text


def test_every_answer_keeps_itself_to_itself(acme: Company, browser: FlaskClient) -> None:
    path = path_of(acme, owing(acme))
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
    page = browser.get(path_of(acme, owing(acme))).text
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\bon[a-z]+=|style=", page)
    hosts = set(re.findall(r"""(?:src|href)="(https?://[^/"]+)""", page))
    assert hosts == {acme.witness_url}


@pytest.mark.parametrize("token", ["x", "A" * 62, "A" * 4000])
def test_a_link_that_is_none_is_not_found(browser: FlaskClient, token: str) -> None:
    answer = browser.get(f"/pay/{token}")
    assert (answer.status_code, "not complete" in answer.text) == (404, True)
    assert refusal(browser.post(f"/pay/{token}/attempts", json={})) == (404, "link_invalid")


def test_a_revoked_link_is_gone(acme: Company, browser: FlaskClient) -> None:
    profile_id = owing(acme)
    path = path_of(acme, profile_id)
    links.revoke_links(acme.parts, profile_id, order=Order("ada", "a wrong address"))
    assert browser.get(path).status_code == 410
    assert refusal(browser.post(path + "/attempts", json={})) == (410, "link_revoked")


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
    owing(acme, method)
    page = browser.get(_invoice_path(acme)).text
    assert sentence in page
    assert page.count('role="status"') == 1


def test_an_invoice_that_was_taken_back_is_nothing_to_pay(acme: Company, browser: FlaskClient) -> None:
    owing(acme)
    path = _invoice_path(acme)
    operating.void(acme.parts, acme.invoices()[0].id, order=Order("ada", "ordered twice"))
    assert "was canceled. Nothing is due on it." in browser.get(path).text
    assert refusal(browser.post(path + "/attempts", json={})) == (409, "nothing_owed")


def test_an_invoice_that_was_written_off_says_whom_to_ask(acme: Company, browser: FlaskClient) -> None:
    owing(acme)
    path = _invoice_path(acme)
    operating.mark_uncollectible(acme.parts, acme.invoices()[0].id, order=Order("ada", "insolvent"))
    assert "is closed. Please contact Acme GmbH" in browser.get(path).text


def test_an_invoice_that_was_replaced_leads_on_to_the_one_in_its_place(acme: Company, browser: FlaskClient) -> None:
    profile_id = owing(acme)
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
    path = path_of(acme, owing(acme, "pm_card_authenticationRequired"))
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
    path = path_of(acme, owing(acme, "pm_card_visa_chargeDeclinedInsufficientFunds"))
    assert refusal(browser.post(path + "/attempts", **given)) == (409, "not_from_this_page")
    assert len(acme.payments()) == 1


def test_a_card_is_begun_only_after_the_customer_agreed(acme: Company, browser: FlaskClient) -> None:
    path = path_of(acme, owing(acme))
    assert refusal(browser.post(path + "/cards", json={})) == (409, "consent_missing")
    begun = browser.post(path + "/cards", json={"agreed": True}).json
    assert begun["secret"].startswith("seti_")
    assert refusal(browser.post(f"{path}/cards/{begun['card']}", json={})) == (409, "setup_not_complete")


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"\xff", b"[" * 1000, b'{"agreed":' * 100, b'{"agreed": 1}'])
def test_nonsense_is_no_agreement(acme: Company, browser: FlaskClient, body: bytes) -> None:
    path = path_of(acme, owing(acme))
    for step in ("cards", "accounts", "wallets"):
        answer = browser.post(f"{path}/{step}", data=body, content_type="application/json")
        assert refusal(answer) == (409, "consent_missing"), step


@pytest.mark.parametrize("days", [True, "1", 1.0])
def test_what_is_no_number_of_days_is_no_agreement_to_it(acme: Company, browser: FlaskClient, days: object) -> None:
    path = path_of(acme, owing(acme))
    with acme.parts.begin() as session:
        session.execute(
            text(
                "UPDATE billing.seller SET method_kinds = '{card,sepa_debit}', debit_notice_days = 1, creditor_id = :id"
            ),
            {"id": "DE98ZZZ09999999999"},
        )
    agreed = {"agreed": True, "days": days}
    assert refusal(browser.post(path + "/accounts", json=agreed)) == (409, "consent_missing")
    assert browser.post(path + "/accounts", json=agreed | {"days": 1}).status_code == 200


def test_nobody_finishes_another_customers_card(acme: Company, browser: FlaskClient) -> None:
    path, other = path_of(acme, owing(acme)), path_of(acme, acme.customer("two", method=None))
    begun = browser.post(path + "/cards", json={"agreed": True}).json
    assert refusal(browser.post(f"{other}/cards/{begun['card']}", json={})) == (409, "payment_method_not_found")
    assert refusal(browser.post(f"{other}/attempts/{new_id()}", json={})) == (409, "payment_not_found")


def test_a_provider_out_of_reach_is_said_and_nothing_is_used_up(acme: Company) -> None:
    path = path_of(acme, owing(acme, "pm_card_chargeCustomerFail"))
    acme.revoke_key()
    answer = browser_of(acme.parts).post(path + "/attempts", json={})
    assert (answer.status_code, answer.json["status"]) == (200, "not_tried")
    assert NOT_TRIED.search(answer.json["message"])


def test_without_a_key_for_browsers_no_card_is_asked_for(acme: Company) -> None:
    settings = acme.parts.settings.model_copy(update={"stripe_publishable_key": None})
    page = browser_of(replace(acme.parts, settings=settings)).get(path_of(acme, owing(acme))).text
    assert 'id="other"' not in page
    assert "_sandbox/js" not in page


def test_what_the_seller_offers_and_the_currency_takes_can_be_given(acme: Company, browser: FlaskClient) -> None:
    path = path_of(acme, acme.customer("one", method=None))

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
