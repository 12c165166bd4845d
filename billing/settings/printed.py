"""Settings of documents: what they are set in, and by which way structured ones leave."""

from __future__ import annotations

import re
from typing import Literal, Self

from pydantic import model_validator

from billing.settings.charged import Charged
from billing.settings.forms import Address, Folder, listed

_TRANSPORT = re.compile(r"[A-Z]{2}:[\w.]+:\w+")


class Printed(Charged):
    """What decides of documents beside their own facts."""

    billing_fonts_dir: Folder = None
    """A folder of font files for scripts that the packaged fonts lack, in documents; see docs/documents.md."""
    billing_e_invoice_countries: str = ""
    """Countries whose structured invoices a transport of yours sends, such as IT,PL: see docs/documents.md."""

    billing_e_invoice_transports: str = ""
    """What hands structured invoices over, by country: IT:shop.sdi:send,PL:shop.ksef:Ksef. See docs/documents.md."""

    billing_exchange_rates: Literal["off", "ecb"] | None = None
    """Whether the ECB's rates are read, for tax in a seller's own currency. Unset: yes, but not in the sandbox."""
    ecb_url: Address = "https://www.ecb.europa.eu/stats/eurofxref"

    billing_vat_register: Literal["off", "vies"] | None = None
    """Whether VIES is asked about VAT numbers before a charge is reversed. Unset: yes, but not in the sandbox."""
    billing_vat_register_silent: Literal["wait", "accept"] = "wait"
    """While it gives no answer: such invoices wait as drafts, or form and check digit will do."""
    vies_url: Address = "https://ec.europa.eu/taxation_customs/vies/rest-api"

    @model_validator(mode="after")
    def _countries_are_codes(self) -> Self:  # noqa: N804 (an "after" validator is an instance's)
        if not all(re.fullmatch("[A-Z]{2}", each) for each in listed(self.billing_e_invoice_countries)):
            raise ValueError("BILLING_E_INVOICE_COUNTRIES: give countries such as IT,PL")
        return self

    @model_validator(mode="after")
    def _transports_are_named(self) -> Self:  # noqa: N804 (an "after" validator is an instance's)
        if not all(_TRANSPORT.fullmatch(each) for each in listed(self.billing_e_invoice_transports)):
            raise ValueError("BILLING_E_INVOICE_TRANSPORTS: give IT:package.module:name, one a country")
        return self

    @property
    def reads_rates(self) -> bool:
        """Whether exchange rates are read, and asked for before a document in a foreign currency is issued."""
        if self.billing_exchange_rates is not None:
            return self.billing_exchange_rates != "off"
        return not self.billing_sandbox

    @property
    def asks_vat_register(self) -> bool:
        """Whether a register is asked about VAT numbers."""
        if self.billing_vat_register is not None:
            return self.billing_vat_register != "off"
        return not self.billing_sandbox

    @property
    def e_invoice_transports(self) -> dict[str, str]:
        """`package.module:name` by country."""
        pairs = (each.partition(":") for each in listed(self.billing_e_invoice_transports))
        return {country: path for country, _, path in pairs}

    @property
    def e_invoice_countries(self) -> set[str]:
        """Countries whose structured invoices find a way: by a transport, or by the host application's own word."""
        return {*listed(self.billing_e_invoice_countries), *self.e_invoice_transports}
