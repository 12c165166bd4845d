"""A customer connects PayPal at the customer's page, in a real browser: to the stand-in's page, and back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from uuid import UUID

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from billing.flows.start import pin
from billing.models import PaymentMethod
from billing.providers.stripe.witness import Witness
from billing.sandbox.paypal.app import create_app
from billing.sandbox.stripe.server import serving
from billing.sandbox.stripe.store import MEMORY, Store
from billing.settings import Settings
from tests.browser.pages import Visitor
from tests.flows.company import START, Company
from tests.flows.receiver import Receiver
from tests.providers.contract.worlds import paypal_provider

pytestmark = [pytest.mark.xdist_group("browser")]


@dataclass(frozen=True, slots=True)
class Wallets:
    """PayPal's side of a company that takes wallets beside cards."""

    acme: Company
    witness: Witness

    def owing(self) -> UUID:
        """A customer without any method, with an open invoice."""
        profile_id = self.acme.customer("one", method=None)
        self.acme.subscribe("one", "one-basic")
        self.acme.settle()
        return profile_id

    def moved(self) -> list[int]:
        return [each.amount_minor for each in self.witness.charges() if each.status == "succeeded"]

    def methods(self) -> list[PaymentMethod]:
        with self.acme.begin() as session:
            return list(session.query(PaymentMethod).order_by(PaymentMethod.id))


@pytest.fixture
def wallets(acme: Company) -> Iterator[Wallets]:
    receiver = Receiver()
    with serving(Store(MEMORY), seed=1, make=create_app) as standing:
        told = {
            "billing_public_url": receiver.url,
            "paypal_client_id": "sb-company",
            "paypal_client_secret": SecretStr("secret"),
            "paypal_api_base": standing.url,
        }
        cards = acme.parts.provider_for
        paypal = paypal_provider(standing.url, client_id="sb-company", read_s=30)
        acme.parts = replace(
            acme.parts,
            settings=Settings.model_validate(acme.parts.settings.model_dump() | told),
            provider_for=lambda name, code: paypal if name == "paypal" else cards(name, code),
        )
        pin(acme.parts, provider="paypal", code="default", livemode=False)
        receiver.serve(acme.parts)
        witness = Witness(standing.url, provider="paypal")
        witness.set_clock(START)
        yield Wallets(acme, witness)
        receiver.close()


def test_a_customer_connects_paypal_comes_back_and_has_paid(wallets: Wallets, visitor: Visitor) -> None:
    link = visitor.open_profile(wallets.owing()).url
    visitor.connect(agree=False)
    visitor.page.locator("#wallet-problem", has_text="Please agree").wait_for()
    assert wallets.methods() == []
    visitor.connect()
    visitor.at_paypal("Agree and continue")
    visitor.reads("Your payment has arrived")
    assert visitor.page.url.partition("?")[0] == link
    visitor.page.get_by_text("PayPal", exact=True).wait_for()
    (method,) = wallets.methods()
    assert (method.kind, method.status, method.is_default) == ("paypal", "active", True)
    assert (method.consent_text_version, method.consent_channel) == ("page-2026-11-paypal-en", "web")
    assert wallets.moved() == [1190]
    wallets.acme.settle()
    assert ([each.status for each in wallets.acme.invoices()], wallets.moved()) == (["paid"], [1190])
    assert link.rpartition("/")[2] not in str(list(wallets.witness.requests()))


def test_where_the_seller_offers_paypal_through_stripe_its_script_leads_there_and_back(
    wallets: Wallets, visitor: Visitor
) -> None:
    profile_id = wallets.owing()
    with wallets.acme.parts.begin() as session:
        session.execute(text("UPDATE billing.seller SET method_kinds = '{card,stripe_paypal}'"))
    link = visitor.open_profile(profile_id).url
    visitor.connect()
    visitor.page.click("#cancel")
    visitor.reads("It was not completed, so nothing was saved.")
    visitor.connect()
    visitor.page.click("#agree")
    visitor.reads("Your payment has arrived")
    visitor.page.get_by_text("PayPal", exact=True).wait_for()
    (_, method) = wallets.methods()
    assert (method.kind, method.status, method.is_default) == ("stripe_paypal", "active", True)
    assert method.mandate_ref
    assert method.consent_text_version == "page-2026-11-paypal-en"
    assert (wallets.moved(), [each.amount_minor for each in wallets.acme.witness.charges()]) == ([], [1190])
    assert link.rpartition("/")[2] not in str(list(wallets.acme.witness.requests()))


def test_who_cancels_at_paypal_is_told_that_nothing_was_saved_and_may_try_again(
    wallets: Wallets, visitor: Visitor
) -> None:
    visitor.open_profile(wallets.owing())
    visitor.connect()
    visitor.at_paypal("Cancel")
    visitor.reads("It was not completed, so nothing was saved.")
    assert ([each.status for each in wallets.methods()], wallets.moved()) == (["pending"], [])
    visitor.connect()
    visitor.at_paypal("Agree and continue", wallet="B-SANDBOX-LOST")
    visitor.reads("This payment method can't be charged")
    assert visitor.page.locator("#pay").count() == 0
    assert ([each.is_default for each in wallets.methods()], wallets.moved()) == ([False, True], [])
