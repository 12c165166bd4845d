"""Billing within the host's process, for one seller. Charges are the workers' work: nothing here waits for one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
from sqlalchemy.orm import Session

from billing import wiring
from billing.commands.coupon.create import create_coupon
from billing.commands.credit.grant import grant_credit
from billing.commands.price.create import create_price
from billing.commands.product.create import create_product
from billing.commands.profile.change import change_profile
from billing.commands.profile.create import create_profile
from billing.commands.subscription.cancel import CancelWhen, Unused
from billing.commands.subscription.change import ChangeWhen, Proration
from billing.commands.usage.record import Recorded, record_usage
from billing.flows import changing, correcting, payment_methods, previewing, refunding
from billing.flows.charging import charge_once
from billing.flows.order import Order
from billing.flows.parts import Parts
from billing.flows.previewing import Preview
from billing.flows.start import start
from billing.flows.subscribing import Subscribed, subscribe_within
from billing.host.joining import borrowed, within
from billing.host.owning import check_own
from billing.queries.api.invoices import documents, the_invoice
from billing.queries.api.subscriptions import the_subscription
from billing.queries.operations.finding import find_seller, only_seller
from billing.queries.operations.paging import Facts
from billing.queries.payment_method import the_provider_account
from billing.settings import load
from billing.validators.coupon import NewCoupon
from billing.validators.payment_method import Consent
from billing.validators.price import NewPrice
from billing.validators.product import NewProduct
from billing.validators.profile import NewProfile, ProfileChange
from billing.validators.subscription import NewItem, NewSubscription
from billing.validators.usage import NewUsage


def connect(seller: str | None = None) -> Billing:
    """Billing by this process's environment, for the seller of that code; None: the only one there is.

    Raises `Refused`: those of `flows.start`, `seller_not_found`, `seller_missing`.
    """
    parts = wiring.build(load(), in_background=True)
    start(parts)
    with parts.begin() as session:
        seller_id = only_seller(session) if seller is None else find_seller(session, seller)
    return Billing(parts, seller_id)


class Billing:
    """One seller's billing. Safe to share between threads; made after a fork.

    Each method takes the host's SQLAlchemy `session`, on the same database by psycopg 3, and joins its transaction; or
    makes a transaction of its own without one. All raise `Refused`, with every fault, and `Stale`; what is another
    seller's is refused like what is nobody's (`subscription_not_found` and so on).
    """

    def __init__(self, parts: Parts, seller_id: UUID) -> None:
        self.parts, self.seller_id = parts, seller_id

    def now(self) -> datetime:
        """Business time, such as the start of what begins now."""
        with self.parts.begin() as tx:
            return self._now(tx)

    def borrow(
        self, connection: psycopg.Connection[Any], *, on_commit: Callable[[Callable[[], None]], Any]
    ) -> AbstractContextManager[Session]:
        """A session in the open transaction of another library's connection. See `host.joining.borrowed`."""
        return borrowed(self.parts, connection, on_commit=on_commit)

    def create_product(self, new: NewProduct, *, session: Session | None = None) -> UUID:
        """A thing that has prices."""
        with within(self.parts, session) as tx:
            return create_product(tx, seller_id=self.seller_id, new=new, now=self._now(tx)).id

    def create_price(self, new: NewPrice, *, session: Session | None = None) -> UUID:
        """A price; it never changes."""
        with within(self.parts, session) as tx:
            return create_price(tx, seller_id=self.seller_id, new=new, now=self._now(tx)).id

    def create_coupon(self, new: NewCoupon, *, session: Session | None = None) -> UUID:
        """A discount; it never changes."""
        with within(self.parts, session) as tx:
            return create_coupon(tx, seller_id=self.seller_id, new=new).id

    def create_profile(self, new: NewProfile, *, session: Session | None = None) -> UUID:
        """A customer, for one account of the host."""
        with within(self.parts, session) as tx:
            made = create_profile(tx, self.parts.keyring, seller_id=self.seller_id, new=new, now=self._now(tx))
            return made.id

    def change_profile(
        self,
        profile_id: UUID,
        change: ProfileChange,
        *,
        expected_version: int | None = None,
        session: Session | None = None,
    ) -> None:
        """The new state, whole: what is left out is gone."""
        with within(self.parts, session) as tx:
            check_own(tx, self.seller_id, "profile", profile_id)
            change_profile(
                tx,
                self.parts.keyring,
                profile_id=profile_id,
                change=change,
                now=self._now(tx),
                expected_version=expected_version,
            )

    def subscribe(self, new: NewSubscription, *, session: Session | None = None) -> Subscribed:
        """Subscribe, and invoice what is due now; a worker charges it after the commit."""
        with within(self.parts, session) as tx:
            (made,) = subscribe_within(self.parts, tx, seller_id=self.seller_id, new=[new])
            return made

    def preview_change(
        self,
        subscription_id: UUID,
        items: Sequence[NewItem],
        *,
        when: ChangeWhen = ChangeWhen.NOW,
        proration: Proration = Proration.PRORATE,
    ) -> Preview:
        """What a change would come to; its token applies it, to the cent, for 15 minutes."""
        with self.parts.begin() as tx:
            check_own(tx, self.seller_id, "subscription", subscription_id)
            return previewing.preview_change(
                self.parts, tx, subscription_id, items=items, when=when, proration=proration
            )

    def apply_preview(self, token: str, *, session: Session | None = None) -> None:
        """Do what a preview showed."""
        with within(self.parts, session) as tx:
            previewing.apply(self.parts, tx, token)

    def change(
        self,
        subscription_id: UUID,
        items: Sequence[NewItem],
        *,
        when: ChangeWhen = ChangeWhen.NOW,
        proration: Proration = Proration.PRORATE,
        expected_version: int | None = None,
        session: Session | None = None,
    ) -> None:
        """Give it `items`, the complete new list."""
        with within(self.parts, session) as tx:
            check_own(tx, self.seller_id, "subscription", subscription_id)
            changing.change(
                self.parts,
                tx,
                subscription_id,
                items=items,
                when=when,
                proration=proration,
                expected_version=expected_version,
            )

    def cancel(
        self,
        subscription_id: UUID,
        *,
        when: CancelWhen = CancelWhen.PERIOD_END,
        prorate: bool = False,
        unused: Unused = Unused.BALANCE,
        expected_version: int | None = None,
        session: Session | None = None,
    ) -> None:
        """End it, now or when the running period is over."""
        with within(self.parts, session) as tx:
            check_own(tx, self.seller_id, "subscription", subscription_id)
            changing.cancel(
                self.parts,
                tx,
                subscription_id,
                when=when,
                prorate=prorate,
                unused=unused,
                expected_version=expected_version,
            )

    def uncancel(self, subscription_id: UUID, *, session: Session | None = None) -> None:
        """Take a scheduled cancel back."""
        with within(self.parts, session) as tx:
            check_own(tx, self.seller_id, "subscription", subscription_id)
            changing.uncancel(self.parts, tx, subscription_id)

    def pause(self, subscription_id: UUID, *, session: Session | None = None) -> None:
        """Let boundaries pass unbilled."""
        with within(self.parts, session) as tx:
            check_own(tx, self.seller_id, "subscription", subscription_id)
            changing.pause(self.parts, tx, subscription_id)

    def resume(self, subscription_id: UUID, *, session: Session | None = None) -> None:
        """Bill again from the next boundary."""
        with within(self.parts, session) as tx:
            check_own(tx, self.seller_id, "subscription", subscription_id)
            changing.resume(self.parts, tx, subscription_id)

    def apply_coupon(self, subscription_id: UUID, code: str, *, session: Session | None = None) -> None:
        """Put a coupon in the place of any other."""
        with within(self.parts, session) as tx:
            check_own(tx, self.seller_id, "subscription", subscription_id)
            changing.apply_coupon(self.parts, tx, subscription_id, coupon_code=code)

    def record_usage(self, new: Sequence[NewUsage], *, session: Session | None = None) -> Recorded:
        """Up to 10,000 records, all or none. A repeated id is ignored."""
        with within(self.parts, session) as tx:
            return record_usage(tx, seller_id=self.seller_id, new=new, now=self._now(tx))

    def grant_credit(
        self, profile_id: UUID, *, amount_minor: int, currency: str, session: Session | None = None
    ) -> None:
        """Put credit into the balance. Not idempotent."""
        with within(self.parts, session) as tx:
            check_own(tx, self.seller_id, "profile", profile_id)
            grant_credit(tx, profile_id=profile_id, amount_minor=amount_minor, currency=currency, now=self._now(tx))

    def charge(
        self,
        profile_id: UUID,
        *,
        amount_minor: int,
        currency: str,
        description: str,
        tax_rate: str | None = "standard",
        session: Session | None = None,
    ) -> UUID:
        """Issue an invoice of one line; a worker charges it after the commit. Not idempotent."""
        with within(self.parts, session) as tx:
            check_own(tx, self.seller_id, "profile", profile_id)
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

    # What calls the provider stands in no transaction of the host's: a call may take seconds, or its answer be lost.

    def begin_payment_method(
        self, profile_id: UUID, consent: Consent, *, provider: str = "stripe", account: str = "default"
    ) -> payment_methods.MethodStarted:
        """Begin a method: what comes back goes to the provider's own form. Calls the provider."""
        with self.parts.begin() as tx:
            check_own(tx, self.seller_id, "profile", profile_id)
            account_id = the_provider_account(tx, provider=provider, code=account).id
        return payment_methods.add(self.parts, profile_id=profile_id, provider_account_id=account_id, consent=consent)

    def void(self, invoice_id: UUID, *, order: Order) -> None:
        """Take an open invoice back. Calls the provider."""
        with self.parts.begin() as tx:
            check_own(tx, self.seller_id, "invoice", invoice_id)
        correcting.void(self.parts, invoice_id, order=order)

    def mark_paid(
        self,
        invoice_id: UUID,
        *,
        order: Order,
        amount_minor: int | None = None,
        reference: str = "",
        received_at: datetime | None = None,
    ) -> None:
        """Note money that came another way. Calls the provider."""
        with self.parts.begin() as tx:
            check_own(tx, self.seller_id, "invoice", invoice_id)
        correcting.mark_paid(
            self.parts,
            invoice_id,
            amount_minor=amount_minor,
            reference=reference,
            received_at=received_at,
            order=order,
        )

    def refund(self, invoice_id: UUID, *, order: Order, amount_minor: int | None = None) -> refunding.Refunded:
        """Give back what was paid; a worker sends it. Not idempotent."""
        with self.parts.begin() as tx:
            check_own(tx, self.seller_id, "invoice", invoice_id)
        return refunding.refund(self.parts, invoice_id, amount_minor=amount_minor, order=order)

    def subscription(self, subscription_id: UUID, *, session: Session | None = None) -> Facts:
        """One subscription with its items and its last document. Raises `Refused` (`subscription_not_found`)."""
        with within(self.parts, session) as tx:
            check_own(tx, self.seller_id, "subscription", subscription_id)
            found = the_subscription(tx, self.seller_id, subscription_id)
        assert found is not None
        return found

    def invoice(self, invoice_id: UUID, *, session: Session | None = None) -> Facts:
        """One document with its lines and attempts. Raises `Refused` (`invoice_not_found`)."""
        with within(self.parts, session) as tx:
            check_own(tx, self.seller_id, "invoice", invoice_id)
            found = the_invoice(tx, self.seller_id, invoice_id)
        assert found is not None
        return found

    def invoices(self, profile_id: UUID, *, limit: int = 50, session: Session | None = None) -> list[Facts]:
        """A customer's newest invoices, without lines."""
        with within(self.parts, session) as tx:
            page = documents(tx, self.seller_id, after=None, limit=limit, profile=profile_id, kind="invoice")
            return page.rows

    def _now(self, session: Session) -> datetime:
        return self.parts.clock.now(session)
