"""What was billed, what became of the debt, and what moves money by hand."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from billing.commands.credit.grant import grant_credit
from billing.flows import correcting, crediting, external_money, links, operating, refunding, replacing
from billing.flows.charging import charge_once
from billing.flows.documents import Printed, document_pdf
from billing.flows.order import Order
from billing.flows.paying_out import pay_out
from billing.host.acting import Acting
from billing.host.joining import HostSession, within
from billing.queries.api.invoices import documents, the_invoice
from billing.queries.operations.paging import Facts
from billing.validators.checks import Checks


class Invoices(Acting):
    """Invoices, credit, corrections, refunds."""

    def grant_credit(
        self,
        profile_id: UUID,
        *,
        amount_minor: int,
        currency: str,
        prepaid: bool = False,
        session: HostSession | None = None,
    ) -> None:
        """Put credit into the balance; `prepaid`: the customer has paid it another way. Not idempotent."""
        with self._about("profile", profile_id, session) as tx:
            grant_credit(
                tx,
                profile_id=profile_id,
                amount_minor=amount_minor,
                currency=currency,
                now=self._now(tx),
                prepaid=prepaid,
            )

    def pay_out(
        self, profile_id: UUID, *, currency: str, amount_minor: int | None = None, session: HostSession | None = None
    ) -> int:
        """Send credit back to where it was paid from, all of it unless an amount is named; a worker sends it.

        Returns the amount. Not idempotent.
        """
        with self._about("profile", profile_id, session) as tx:
            return pay_out(self.parts, tx, profile_id, currency=currency, amount_minor=amount_minor)

    def charge(
        self,
        profile_id: UUID,
        *,
        amount_minor: int,
        currency: str,
        description: str,
        tax_rate: str | None = "standard",
        session: HostSession | None = None,
    ) -> UUID:
        """Issue an invoice of one line; a worker charges it after the commit. Not idempotent."""
        with self._about("profile", profile_id, session) as tx:
            issued = charge_once(
                self.parts,
                tx,
                profile_id,
                amount_minor=amount_minor,
                currency=currency,
                description=description,
                tax_rate=tax_rate,
            )
            return issued.id

    def invoice(self, invoice_id: UUID, *, session: HostSession | None = None) -> Facts:
        """One document with its lines and attempts. Raises `Refused` (`invoice_not_found`)."""
        with self._about("invoice", invoice_id, session) as tx:
            found = the_invoice(tx, self.seller_id, invoice_id)
        assert found is not None
        return found

    def invoices(self, profile_id: UUID, *, limit: int = 50, session: HostSession | None = None) -> list[Facts]:
        """A customer's newest invoices, at most 1,000 of them, without lines."""
        checks = Checks()
        checks.whole("limit", limit, least=1, most=1_000)
        checks.done()
        with within(self.parts, session) as tx:
            page = documents(tx, self.seller_id, after=None, limit=limit, profile=profile_id, kind="invoice")
            return page.rows

    def pay_link(self, invoice_id: UUID, *, session: HostSession | None = None) -> str:
        """An address at which the customer pays it, authenticates, or gives another card. For the customer alone."""
        with self._about("invoice", invoice_id, session) as tx:
            return links.invoice_link(self.parts, tx, invoice_id)

    def document(self, invoice_id: UUID, *, language: str | None = None) -> Printed:
        """The PDF as the customer gets it. It names both parties."""
        self._require("invoice", invoice_id)
        return document_pdf(self.parts, invoice_id, language=language)

    def retry(self, invoice_id: UUID, *, order: Order) -> None:
        """Have it charged now, outside its schedule."""
        self._require("invoice", invoice_id)
        operating.retry_invoice(self.parts, invoice_id, order=order)

    # What may call the provider stands in no transaction of the host's: a call may take seconds, or its answer be lost.

    def void(self, invoice_id: UUID, *, order: Order) -> None:
        """Take an open invoice back. Calls the provider."""
        self._require("invoice", invoice_id)
        correcting.void(self.parts, invoice_id, order=order)

    def write_off(self, invoice_id: UUID, *, order: Order) -> None:
        """Give up what is still owed; it is not tried again. Calls the provider."""
        self._require("invoice", invoice_id)
        correcting.mark_uncollectible(self.parts, invoice_id, order=order)

    def mark_paid(
        self,
        invoice_id: UUID,
        *,
        order: Order,
        amount_minor: int | None = None,
        reference: str = "",
        received_at: datetime | None = None,
    ) -> None:
        """Note money that came another way; what nothing is owed for becomes credit. May call the provider."""
        self._require("invoice", invoice_id)
        external_money.mark_paid(
            self.parts,
            invoice_id,
            amount_minor=amount_minor,
            reference=reference,
            received_at=received_at,
            order=order,
        )

    def credit(self, invoice_id: UUID, *, order: Order, amount_minor: int | None = None) -> correcting.Corrected:
        """Issue a credit note: off the debt, or into the balance. Not idempotent. May call the provider."""
        self._require("invoice", invoice_id)
        return crediting.credit(self.parts, invoice_id, amount_minor=amount_minor, order=order)

    def apply_credit(self, invoice_id: UUID, *, order: Order, amount_minor: int | None = None) -> correcting.Corrected:
        """Pay it out of the customer's balance, as far as that reaches. May call the provider."""
        self._require("invoice", invoice_id)
        return crediting.apply_credit(self.parts, invoice_id, amount_minor=amount_minor, order=order)

    def replace(self, invoice_id: UUID, *, order: Order) -> replacing.Replaced:
        """Credit it in full and issue a corrected one, as customer and rates stand now. Calls the provider."""
        self._require("invoice", invoice_id)
        return replacing.replace_invoice(self.parts, invoice_id, order=order)

    def refund(self, invoice_id: UUID, *, order: Order, amount_minor: int | None = None) -> refunding.Refunded:
        """Give back what was paid; a worker sends it. Not idempotent."""
        self._require("invoice", invoice_id)
        return refunding.refund(self.parts, invoice_id, amount_minor=amount_minor, order=order)
