"""The Python API: `import billing`. The same commands, in the host's transaction where it has one."""

from __future__ import annotations

from billing.commands.subscription.cancel import CancelWhen, Unused
from billing.commands.subscription.change import ChangeWhen, Proration
from billing.flows.order import Done, Order
from billing.flows.previewing import Preview
from billing.flows.subscribing import Subscribed
from billing.host.engine import Billing, connect
from billing.kernel.errors import Fault, ProviderRefused, ProviderUnavailable, ProviderUncertain, Refused, Stale
from billing.validators.address import Address
from billing.validators.coupon import NewCoupon
from billing.validators.payment_method import Consent
from billing.validators.price import NewPrice, NewTier
from billing.validators.product import NewProduct
from billing.validators.profile import NewProfile, Personal, ProfileChange
from billing.validators.subscription import NewItem, NewSubscription
from billing.validators.tax_rate import NewRateChange, NewTaxRate
from billing.validators.usage import NewUsage

__all__ = [
    "Address",
    "Billing",
    "CancelWhen",
    "ChangeWhen",
    "Consent",
    "Done",
    "Fault",
    "NewCoupon",
    "NewItem",
    "NewPrice",
    "NewProduct",
    "NewProfile",
    "NewRateChange",
    "NewSubscription",
    "NewTaxRate",
    "NewTier",
    "NewUsage",
    "Order",
    "Personal",
    "Preview",
    "ProfileChange",
    "Proration",
    "ProviderRefused",
    "ProviderUnavailable",
    "ProviderUncertain",
    "Refused",
    "Stale",
    "Subscribed",
    "Unused",
    "connect",
]
