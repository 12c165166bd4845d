"""Who has what: subscribe, look ahead, change, end, and what was used."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from billing.commands.subscription.cancel import CancelWhen, Unused, gives_back
from billing.commands.subscription.change import ChangeWhen, Proration
from billing.commands.usage.record import Recorded, record_usage
from billing.flows import changing, previewing
from billing.flows.previewing import Preview
from billing.flows.subscribing import Subscribed, subscribe_within
from billing.host.acting import Acting, chosen
from billing.host.joining import HostSession, within
from billing.queries.api.subscriptions import the_subscription
from billing.queries.operations.paging import Facts
from billing.validators.subscription import NewItem, NewSubscription
from billing.validators.usage import NewUsage


class Subscriptions(Acting):
    """Subscriptions and usage."""

    def subscribe(self, new: NewSubscription, *, session: HostSession | None = None) -> Subscribed:
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
        with self._about("subscription", subscription_id, None) as tx:
            return previewing.preview_change(
                self.parts,
                tx,
                subscription_id,
                items=items,
                when=chosen(ChangeWhen, "when", when),
                proration=chosen(Proration, "proration", proration),
            )

    def preview_cancel(
        self, subscription_id: UUID, *, when: CancelWhen = CancelWhen.PERIOD_END, prorate: bool = False
    ) -> Preview:
        """What a cancel would come to; its token does it."""
        with self._about("subscription", subscription_id, None) as tx:
            return previewing.preview_cancel(
                self.parts, tx, subscription_id, when=chosen(CancelWhen, "when", when), prorate=prorate
            )

    def apply_preview(self, token: str, *, session: HostSession | None = None) -> None:
        """Do what a preview showed."""
        subscription_id = previewing.subscription_of(self.parts, token)
        with self._about("subscription", subscription_id, session) as tx:
            previewing.apply(self.parts, tx, token)

    def change(
        self,
        subscription_id: UUID,
        items: Sequence[NewItem],
        *,
        when: ChangeWhen = ChangeWhen.NOW,
        proration: Proration = Proration.PRORATE,
        expected_version: int | None = None,
        session: HostSession | None = None,
    ) -> None:
        """Give it `items`, the complete new list."""
        with self._about("subscription", subscription_id, session) as tx:
            changing.change(
                self.parts,
                tx,
                subscription_id,
                items=items,
                when=chosen(ChangeWhen, "when", when),
                proration=chosen(Proration, "proration", proration),
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
        session: HostSession | None = None,
    ) -> None:
        """End it, now or when the running period is over. What is paid and not used is given back with `prorate`, or
        where `unused` says that it be refunded.
        """
        when, unused = chosen(CancelWhen, "when", when), chosen(Unused, "unused", unused)
        with self._about("subscription", subscription_id, session) as tx:
            changing.cancel(
                self.parts,
                tx,
                subscription_id,
                when=when,
                prorate=gives_back(when, prorate=prorate, unused=unused),
                unused=unused,
                expected_version=expected_version,
            )

    def uncancel(self, subscription_id: UUID, *, session: HostSession | None = None) -> None:
        """Take a scheduled cancel back."""
        with self._about("subscription", subscription_id, session) as tx:
            changing.uncancel(self.parts, tx, subscription_id)

    def pause(self, subscription_id: UUID, *, session: HostSession | None = None) -> None:
        """Let boundaries pass unbilled."""
        with self._about("subscription", subscription_id, session) as tx:
            changing.pause(self.parts, tx, subscription_id)

    def resume(self, subscription_id: UUID, *, session: HostSession | None = None) -> None:
        """Bill again from the next boundary."""
        with self._about("subscription", subscription_id, session) as tx:
            changing.resume(self.parts, tx, subscription_id)

    def apply_coupon(self, subscription_id: UUID, code: str, *, session: HostSession | None = None) -> None:
        """Put a coupon in the place of any other."""
        with self._about("subscription", subscription_id, session) as tx:
            changing.apply_coupon(self.parts, tx, subscription_id, coupon_code=code)

    def record_usage(self, new: Sequence[NewUsage], *, session: HostSession | None = None) -> Recorded:
        """Up to 10,000 records, all or none. A repeated id is ignored."""
        with within(self.parts, session) as tx:
            return record_usage(tx, seller_id=self.seller_id, new=new, now=self._now(tx))

    def subscription(self, subscription_id: UUID, *, session: HostSession | None = None) -> Facts:
        """One subscription with its items and its last document. Raises `Refused` (`subscription_not_found`)."""
        with self._about("subscription", subscription_id, session) as tx:
            found = the_subscription(tx, self.seller_id, subscription_id)
        assert found is not None
        return found
