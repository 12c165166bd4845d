"""The customer's page in a real browser, with the stand-in's own fields: paying, the bank, another card, two tabs."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from uuid import UUID

import pytest
import requests
from sqlalchemy import text

from billing.kernel.status import InvoiceStatus
from billing.models import Invoice, PaymentMethod
from tests.browser.pages import AUTHENTICATES, GOOD, NO_FUNDS, Visitor
from tests.flows.company import Company

pytestmark = [pytest.mark.xdist_group("browser")]

AUTHENTICATE = "pm_card_authenticationRequired"


def _owing(acme: Company, method: str | None) -> UUID:
    profile_id = acme.customer("one", method=method)
    acme.subscribe("one", "one-basic")
    acme.settle()
    return profile_id


def _invoice(acme: Company) -> Invoice:
    return acme.invoices()[0]


def _charged(acme: Company) -> int:
    return sum(each.status == "succeeded" for each in acme.witness.charges())


def _methods(acme: Company) -> list[PaymentMethod]:
    with acme.begin() as session:
        return list(session.query(PaymentMethod).order_by(PaymentMethod.id))


def test_a_customer_without_a_card_gives_one_and_has_paid_and_only_the_provider_saw_it(
    acme: Company, visitor: Visitor
) -> None:
    profile_id = _owing(acme, None)
    visitor.open_profile(profile_id)
    visitor.type_card(GOOD, agree=False)
    visitor.save()
    visitor.page.locator("#problem", has_text="Please agree").wait_for()
    assert _methods(acme) == []
    visitor.page.check("#agreed")
    visitor.save()
    visitor.reads("Your payment has arrived")
    assert (_invoice(acme).status, _charged(acme)) == (InvoiceStatus.PAID, 1)
    (method,) = _methods(acme)
    assert (method.consent_text_version, method.consent_channel) == ("page-2026-11-en", "web")
    assert method.consent_at == acme.now()
    number = GOOD.replace(" ", "")
    witness = requests.get(f"{acme.witness_url}/_sandbox/requests", timeout=5).text
    assert number in witness.replace(" ", "")
    heard = b"\n".join(acme.heard)
    assert b"/cards" in heard
    assert number.encode() not in heard.replace(b" ", b"").replace(b"%20", b"").replace(b"+", b"")
    acme.settle()
    assert _charged(acme) == 1


def test_a_card_from_a_wallet_is_named_by_it_and_charged_later(acme: Company, visitor: Visitor) -> None:
    link = visitor.open_profile(_owing(acme, None)).url
    visitor.choose_wallet("Apple Pay")
    asked = json.loads(visitor.page.get_attribute("#fields iframe", "data-apple-pay"))
    assert asked["regularBilling"]["amount"] == _invoice(acme).total_minor
    assert asked["regularBilling"]["recurringPaymentIntervalUnit"] == "month"
    assert asked["billingAgreement"].startswith("By saving this card I allow")
    assert asked["managementURL"] == link.partition("/pay/")[0] + "/pay-manage"
    assert "Person one" not in str(asked)
    visitor.save()
    visitor.reads("Your payment has arrived")
    visitor.page.get_by_text("Visa ending in 4242 (Apple Pay)").wait_for()
    assert [(method.kind, method.wallet) for method in _methods(acme)] == [("card", "apple_pay")]
    assert _charged(acme) == 1


def test_a_bank_account_is_given_by_mandate_debited_later_and_its_holder_known_to_the_provider_alone(
    acme: Company, visitor: Visitor
) -> None:
    profile_id = _owing(acme, None)
    with acme.parts.begin() as session:
        session.execute(
            text("UPDATE billing.seller SET method_kinds = '{card,sepa_debit}', creditor_id = 'DE98ZZZ09999999999'")
        )
    visitor.open_profile(profile_id)
    visitor.type_account("AT61 1904 3002 3457 3201", "Sepa Holderson", "holder@example.net")
    visitor.page.get_by_text("creditor identifier DE98ZZZ09999999999").wait_for()
    visitor.page.get_by_text("at least 14 days before").wait_for()
    visitor.page.click("#bank-save")
    visitor.page.locator("#bank-problem", has_text="Please agree").wait_for()
    visitor.page.check("#bank-agreed")
    visitor.page.click("#bank-save")
    visitor.page.get_by_text("IBAN ending in 3201").wait_for()
    acme.settle()
    visitor.open_profile(profile_id)
    visitor.page.get_by_text("Will be debited on 14 February 2026").wait_for()
    assert visitor.page.locator("#pay").count() == 0
    (method,) = _methods(acme)
    assert (method.kind, method.notice_days) == ("sepa_debit", 14)
    assert method.consent_text_version == "page-2026-11-sepa-14d-en"
    assert method.mandate_ref
    assert method.mandate_reference
    heard = b"\n".join(acme.heard)
    with acme.begin() as session:
        tables = session.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'billing'")).all()
        for secret in ("Holderson", "holder@example", "0430023457320"):
            assert secret.encode() not in heard
            for table in tables:
                found = text(f"SELECT count(*) FROM billing.{table} r WHERE r::text LIKE '%{secret}%'")
                assert session.scalar(found) == 0, (table, secret)
    acme.set_clock(acme.now() + timedelta(days=14))
    acme.settle()
    visitor.open_profile(profile_id)
    visitor.reads("Your bank has been asked for the money")
    visitor.page.get_by_text("Being debited, about until 21 February 2026").wait_for()


def test_the_provider_is_not_told_the_link_and_the_way_back_finishes_the_card(acme: Company, visitor: Visitor) -> None:
    link = visitor.open_profile(_owing(acme, None)).url
    visitor.page.route("**/cards/*", lambda route: route.abort())
    visitor.type_card(GOOD)
    # The browser notes the failed request beside the page, which may tell of it first.
    with visitor.page.expect_console_message(lambda said: "net::ERR_FAILED" in said.text):
        visitor.save()
    visitor.page.locator("#problem", has_text="can't be reached").wait_for()
    witness = requests.get(f"{acme.witness_url}/_sandbox/requests", timeout=5).text
    back = link.partition("/pay/")[0] + "/pay-return?lang=en"
    assert back in witness
    assert link.rpartition("/")[2] not in witness
    visitor.page.unroute("**/cards/*")
    visitor.complaints.remove("Failed to load resource: net::ERR_FAILED")
    visitor.page.goto(f"{back}&setup_intent=seti_1&setup_intent_client_secret=seti_1_secret_2")
    visitor.page.wait_for_url("**/pay/*")
    # What was owed is paid with it, and the page is told anew: only then it goes nowhere by itself.
    visitor.reads("Your payment has arrived")
    visitor.page.get_by_text("Visa ending in 4242").wait_for()
    visitor.page.goto(back)
    visitor.reads("open the link that was sent to you")
    assert [method.status for method in _methods(acme)] == ["active"]


def test_the_bank_is_asked_and_the_customer_confirms(acme: Company, visitor: Visitor) -> None:
    profile_id = _owing(acme, AUTHENTICATE)
    visitor.open_profile(profile_id)
    visitor.reads("Your bank wants you to confirm")
    visitor.page.click("#pay")
    visitor.at_the_bank("complete")
    visitor.reads("Your payment has arrived")
    assert (_invoice(acme).status, _charged(acme)) == (InvoiceStatus.PAID, 1)


def test_a_payment_not_confirmed_is_declined_and_may_be_tried_again(acme: Company, visitor: Visitor) -> None:
    profile_id = _owing(acme, AUTHENTICATE)
    visitor.open_profile(profile_id)
    visitor.page.click("#pay")
    visitor.at_the_bank("fail")
    visitor.reads("was not confirmed")
    assert _charged(acme) == 0
    visitor.page.click("#pay")
    visitor.at_the_bank("complete")
    visitor.reads("Your payment has arrived")
    assert _charged(acme) == 1


def test_a_declined_card_is_replaced_also_by_one_whose_bank_is_asked_twice(acme: Company, visitor: Visitor) -> None:
    _owing(acme, "pm_card_visa_chargeDeclinedLostCard")
    knobs = {"save_declining_cards": False}
    requests.post(f"{acme.witness_url}/_sandbox/config", json=knobs, timeout=5).raise_for_status()
    visitor.open_invoice(_invoice(acme))
    visitor.reads("This payment method can't be charged")
    assert visitor.page.locator("#pay").count() == 0
    visitor.type_card(NO_FUNDS)
    visitor.save()
    visitor.page.locator("#problem", has_text="insufficient funds").wait_for()
    visitor.page.frame_locator("#fields iframe").locator("[name=number]").fill(AUTHENTICATES)
    visitor.save()
    visitor.at_the_bank("complete")
    visitor.at_the_bank("complete")
    visitor.reads("is paid. Thank you")
    assert _charged(acme) == 1
    assert [method.last4 for method in _methods(acme) if method.is_default] == ["3220"]


def test_what_was_said_of_the_old_card_goes_where_the_bank_of_another_says_no(acme: Company, visitor: Visitor) -> None:
    _owing(acme, "pm_card_visa_chargeDeclinedLostCard")
    visitor.open_invoice(_invoice(acme))
    visitor.reads("This payment method can't be charged")
    visitor.type_card(AUTHENTICATES)
    visitor.save()
    visitor.at_the_bank("fail")
    visitor.page.locator("#problem:not([hidden])").wait_for()
    assert not visitor.page.locator("#told").is_visible(), "two words on two cards, and nobody sees which is which"
    visitor.page.click("#new .back")
    assert visitor.page.locator("#told").is_visible(), "the old card is the present one again"
    assert _charged(acme) == 0


def test_pressed_twice_it_is_charged_once(acme: Company, visitor: Visitor) -> None:
    profile_id = _owing(acme, "pm_card_chargeCustomerFail")
    acme.give_method(profile_id, "pm_card_visa")
    visitor.open_profile(profile_id)
    visitor.page.evaluate("() => { const pay = document.getElementById('pay'); pay.click(); pay.click(); }")
    visitor.reads("Your payment has arrived")
    assert _charged(acme) == 1
    acme.settle()
    assert _charged(acme) == 1


def test_two_tabs_are_one_payment(acme: Company, visitor: Visitor) -> None:
    profile_id = _owing(acme, AUTHENTICATE)
    first, second = visitor.page, visitor.tab()
    for tab in (first, second):
        visitor.open_profile(profile_id, page=tab)
        tab.click("#pay")
        tab.frame_locator("iframe[title=Authentication]").locator("#complete").wait_for()
    visitor.at_the_bank("complete", page=first)
    visitor.reads("Your payment has arrived", page=first)
    visitor.at_the_bank("fail", page=second)
    visitor.reads("Your payment has arrived", page=second)
    assert (_charged(acme), len(acme.payments())) == (1, 2)


def test_several_invoices_are_paid_at_one_press_oldest_first(acme: Company, visitor: Visitor) -> None:
    profile_id = _owing(acme, "pm_card_chargeCustomerFail")
    acme.subscribe("one", "one-more")
    acme.settle()
    acme.give_method(profile_id, "pm_card_visa")
    visitor.open_profile(profile_id, query="?lang=de")
    visitor.page.get_by_role("button", name="23,80\u00a0€ jetzt bezahlen").click()
    visitor.reads("Ihre Zahlung ist eingegangen")
    paid = [payment.invoice_id for payment in acme.payments() if payment.kind == "on_session"]
    assert paid == [invoice.id for invoice in sorted(acme.invoices(), key=lambda each: each.issued_at)]


def test_a_page_that_the_browser_kept_is_loaded_anew_when_the_customer_comes_back_to_it(
    acme: Company, visitor: Visitor
) -> None:
    """Safari keeps a page as it was, whatever its headers say: with the debt that is paid, or its buttons disabled."""
    profile_id = _owing(acme, "pm_card_chargeCustomerFail")
    acme.give_method(profile_id, "pm_card_visa")
    page = visitor.open_profile(profile_id)
    assert page.locator("#pay").is_visible()
    acme.pay_by_hand()
    came_back = "dispatchEvent(new PageTransitionEvent('pageshow', {persisted: %s}))"
    page.evaluate(came_back % "false")
    assert page.locator("#pay").is_visible(), "a page that was just loaded is not loaded once more"
    with page.expect_navigation():
        page.evaluate(came_back % "true")
    assert page.locator("#pay").count() == 0


def test_an_expired_link_and_a_closed_invoice_say_so_in_one_sentence(acme: Company, visitor: Visitor) -> None:
    profile_id = _owing(acme, "pm_card_visa")
    visitor.open_invoice(_invoice(acme))
    visitor.reads(f"Invoice {_invoice(acme).number} is paid. Thank you.")
    acme.parts = replace(acme.parts, settings=acme.parts.settings.model_copy(update={"billing_link_days": -1}))
    visitor.open_profile(profile_id)
    visitor.page.get_by_text("This link has expired. Please ask for a new one.").wait_for()
