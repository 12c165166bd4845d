"""What a customer does at the page, in their words."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from billing.flows import links
from billing.models import Invoice
from tests.flows.company import Company

GOOD = "4242 4242 4242 4242"
AUTHENTICATES = "4000 0000 0000 3220"
NO_FUNDS = "4000 0000 0000 9995"


class Visitor:
    """One browser profile: nothing kept from before."""

    def __init__(self, context: Any, company: Company) -> None:
        self._context = context
        self._company = company
        self.complaints: list[str] = []
        """What the browser's console had to complain about: a blocked script, a broken one."""
        self.page = self.tab()

    def tab(self) -> Any:
        """Another tab."""
        page = self._context.new_page()
        page.set_default_timeout(10_000)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", lambda said: self.complaints.append(said.text) if _is_bad(said) else None)
        return page

    def open_profile(self, profile_id: UUID, *, page: Any = None, query: str = "") -> Any:
        """Open the customer's page."""
        with self._company.parts.begin() as session:
            address = links.profile_link(self._company.parts, session, profile_id)
        return self._go(page, address + query)

    def open_invoice(self, invoice: Invoice, *, page: Any = None) -> Any:
        """Open an invoice's page."""
        with self._company.parts.begin() as session:
            address = links.invoice_link(self._company.parts, session, invoice.id)
        return self._go(page, address)

    def _go(self, page: Any, address: str) -> Any:
        page = page or self.page
        page.goto(address)
        return page

    def type_card(self, number: str, *, page: Any = None, agree: bool = True) -> None:
        """Open the card form, type a card into the provider's frame, and agree."""
        page = page or self.page
        page.click("#other")
        fields = page.frame_locator("#fields iframe")
        fields.locator("[name=number]").fill(number)
        fields.locator("[name=expiry]").fill("12 / 40")
        fields.locator("[name=cvc]").fill("123")
        if agree:
            page.check("#agreed")

    def choose_wallet(self, name: str) -> None:
        """Open the card form, choose a wallet among the provider's fields, and agree."""
        self.page.click("#other")
        self.page.frame_locator("#fields iframe").get_by_role("button", name=name).click()
        self.page.check("#agreed")

    def type_account(self, iban: str, name: str, email: str) -> None:
        """Open the form for a bank account, and type it and its holder into the provider's frame."""
        self.page.click("#by-bank")
        fields = self.page.frame_locator("#bank-fields iframe")
        for field, value in (("iban", iban), ("name", name), ("email", email)):
            fields.locator(f"[name={field}]").fill(value)

    def save(self, *, page: Any = None) -> None:
        (page or self.page).click("#save")

    def connect(self, *, agree: bool = True) -> None:
        """Ask for PayPal, and agree to the sentence there."""
        if self.page.locator("#wallet").is_hidden():
            self.page.click("#by-wallet")
        if agree:
            self.page.check("#wallet-agreed")
        self.page.click("#connect")

    def at_paypal(self, button: str, *, wallet: str = "B-SANDBOX-GOOD") -> None:
        """Choose that wallet on PayPal's own page, and press one of its buttons."""
        self.page.get_by_label("Wallet").select_option(wallet)
        self.page.get_by_role("button", name=button).click()

    def at_the_bank(self, button: str, *, page: Any = None) -> None:
        """Press `complete` or `fail` in the bank's frame."""
        (page or self.page).frame_locator("iframe[title=Authentication]").locator(f"#{button}").click()

    def reads(self, sentence: str, *, page: Any = None) -> None:
        """Wait until the page says so."""
        (page or self.page).locator("#told", has_text=sentence).wait_for()


def _is_bad(said: Any) -> bool:
    # A refused request is an answer that the page handles; the browser notes it as an error all the same.
    return said.type == "error" and "the server responded with a status of" not in said.text
