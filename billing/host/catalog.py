"""What is sold, and for how much."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from billing.commands.coupon.create import create_coupon
from billing.commands.price.create import create_price
from billing.commands.product.create import create_product
from billing.commands.tax_rate.put import put_tax_rate
from billing.flows.moving import Moved, move_price
from billing.host.acting import Acting
from billing.host.joining import HostSession, within
from billing.validators.coupon import NewCoupon
from billing.validators.price import NewPrice
from billing.validators.product import NewProduct
from billing.validators.tax_rate import NewTaxRate


class Catalog(Acting):
    """Products, prices, coupons, rates."""

    def create_product(self, new: NewProduct, *, session: HostSession | None = None) -> UUID:
        """A thing that has prices."""
        with within(self.parts, session) as tx:
            return create_product(tx, seller_id=self.seller_id, new=new, now=self._now(tx)).id

    def create_price(self, new: NewPrice, *, session: HostSession | None = None) -> UUID:
        """A price; it never changes."""
        with within(self.parts, session) as tx:
            return create_price(tx, seller_id=self.seller_id, new=new, now=self._now(tx)).id

    def create_coupon(self, new: NewCoupon, *, session: HostSession | None = None) -> UUID:
        """A discount; it never changes."""
        with within(self.parts, session) as tx:
            return create_coupon(tx, seller_id=self.seller_id, new=new).id

    def put_tax_rate(self, new: NewTaxRate, *, session: HostSession | None = None) -> UUID:
        """Make the rate of that name be so, for later documents."""
        with within(self.parts, session) as tx:
            return put_tax_rate(tx, seller_id=self.seller_id, new=new).id

    def move_price(self, old: str, new: str, *, dry_run: bool = False) -> Iterator[Moved]:
        """Move every subscription of one price to another, page by page in transactions of its own; each as it is done.

        Interrupted, it is simply done again.
        """
        return move_price(self.parts, seller_id=self.seller_id, old_code=old, new_code=new, dry_run=dry_run)
