"""What a profile must be: whom we bill, where they are, and what their documents say."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from billing.validators.address import Address, check_address
from billing.validators.checks import Checks
from billing.validators.tax_id import check_tax_id

BUYER_KINDS = ("consumer", "business")


@dataclass(frozen=True, slots=True)
class Personal:
    """The part that is sealed under the profile's own key. Never logged, never told to a provider."""

    name: str = field(repr=False)
    email: str | None = field(default=None, repr=False)
    address: Address = field(default_factory=Address, repr=False)
    tax_id: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class NewProfile:
    """A paying customer, for one account of the host application. `account_id` is stored in the clear: never a name.

    `anonymous_id`: None makes a random one.
    """

    account_id: str
    country: str
    personal: Personal
    timezone: str = "UTC"
    buyer_kind: str = "consumer"
    anonymous_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class ProfileChange:
    """The new state of what may change, whole: what is left out here is gone."""

    country: str
    personal: Personal
    timezone: str
    buyer_kind: str


def check_new_profile(new: NewProfile) -> None:
    """Raise `Refused` with every fault of `new`."""
    checks = Checks()
    check_account_id(checks, "account_id", new.account_id)
    _check(checks, new.country, new.personal, new.timezone, new.buyer_kind)
    checks.done()


def check_account_id(checks: Checks, field: str, value: str) -> None:
    """The host's id of an account: kept in the clear, so it says nothing of a person."""
    checks.text(field, value, most=200)
    if "@" in value:
        checks.fault(field, "account_id_is_personal", "give the account's id, not an e-mail address")


def check_profile_change(change: ProfileChange) -> None:
    """Raise `Refused` with every fault of `change`."""
    checks = Checks()
    _check(checks, change.country, change.personal, change.timezone, change.buyer_kind)
    checks.done()


def _check(checks: Checks, country: str, personal: Personal, timezone: str, buyer_kind: str) -> None:
    checks.country("country", country)
    checks.timezone("timezone", timezone)
    checks.one_of("buyer_kind", buyer_kind, BUYER_KINDS)
    checks.text("name", personal.name, most=200)
    checks.email("email", personal.email)
    check_address(checks, personal.address)
    check_tax_id(checks, "tax_id", personal.tax_id, country=country)
    if personal.tax_id and buyer_kind == "consumer":
        checks.fault(
            "tax_id",
            "consumer_with_tax_id",
            "a customer with a tax id is a business: say so (buyer_kind), or leave it out",
        )
