"""`/profiles`: who pays."""

from __future__ import annotations

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field
from sqlalchemy.orm import Session

from billing.api.operation import Call, Operation, missing
from billing.api.shapes import Country, Id, Instant, Listed, Paging, Shape, Timezone, Version, checked, facts
from billing.commands.profile.change import change_profile
from billing.commands.profile.create import create_profile
from billing.queries.api.profiles import profiles, the_profile
from billing.validators.address import Address
from billing.validators.api_key import Scope
from billing.validators.checks import Checks
from billing.validators.profile import NewProfile, Personal, ProfileChange, check_account_id

_MOST = 200
_TEXT = checked(lambda checks, field, value: checks.text(field, value, most=_MOST))
_LINE = checked(lambda checks, field, value: checks.optional_text(field, value, most=_MOST))


class AddressGiven(Shape):
    """Lines of an address; which of them a document needs, its country says."""

    line1: Annotated[str, Field(max_length=200), _LINE] = ""
    line2: Annotated[str, Field(max_length=200), _LINE] = ""
    city: Annotated[str, Field(max_length=100), _LINE] = ""
    postal_code: Annotated[str, Field(max_length=20), _LINE] = ""
    region: Annotated[str, Field(max_length=100), _LINE] = ""


class ProfileGiven(Shape):
    """The whole of what may change. Name, e-mail, address and tax id are stored encrypted and shown by no answer."""

    name: Annotated[str, Field(min_length=1, max_length=_MOST), _TEXT]
    country: Country
    email: Annotated[str, Field(max_length=254), checked(Checks.email)] | None = None
    address: AddressGiven = AddressGiven()
    tax_id: str | None = Field(default=None, max_length=30)
    timezone: Timezone = Field(default="UTC", description="IANA; where their days and months begin.")
    buyer_kind: Literal["consumer", "business"] = "consumer"


class ProfileCreate(ProfileGiven):
    """A new one."""

    account_id: Annotated[str, Field(min_length=1, max_length=_MOST), checked(check_account_id)] = Field(
        description="Your own id of the customer; stored in the clear, so never a name."
    )


class Profile(Shape):
    """A paying customer. Nothing personal."""

    id: Id
    account_id: str
    country: str
    timezone: str
    buyer_kind: str
    has_tax_id: bool
    on_hold: bool
    erased_at: Instant | None
    created_at: Instant
    version: Version


class ProfileQuery(Paging):
    """Which customers."""

    account_id: str | None = Field(default=None, max_length=200)


def shown(session: Session, seller_id: UUID, id_: UUID) -> Profile:
    """One of this seller's. Raises `Refused` (`not_found`)."""
    row = the_profile(session, seller_id, id_)
    if row is None:
        raise missing("profile")
    return facts(Profile, row)


def _personal(given: ProfileGiven) -> Personal:
    return Personal(
        name=given.name, email=given.email, address=Address(**given.address.model_dump()), tax_id=given.tax_id
    )


def _create(call: Call) -> None:
    given: ProfileCreate = call.body
    new = NewProfile(
        account_id=given.account_id,
        country=given.country,
        personal=_personal(given),
        timezone=given.timezone,
        buyer_kind=given.buyer_kind,
    )

    def act(session: Session) -> Profile:
        now = call.parts.clock.now(session)
        made = create_profile(session, call.parts.keyring, seller_id=call.seller_id, new=new, now=now)
        return shown(session, call.seller_id, made.id)

    call.do(act)


def _change(call: Call) -> Profile:
    given: ProfileGiven = call.body
    change = ProfileChange(
        country=given.country, personal=_personal(given), timezone=given.timezone, buyer_kind=given.buyer_kind
    )
    with call.parts.begin() as session:
        shown(session, call.seller_id, call.id)
        change_profile(
            session,
            call.parts.keyring,
            profile_id=call.id,
            change=change,
            now=call.parts.clock.now(session),
            expected_version=call.version,
        )
        return shown(session, call.seller_id, call.id)


def _show(call: Call) -> Profile:
    with call.parts.begin() as session:
        return shown(session, call.seller_id, call.id)


def _list(call: Call) -> Listed[Profile]:
    wanted: ProfileQuery = call.query
    with call.parts.begin() as session:
        page = profiles(session, call.seller_id, account=wanted.account_id, after=wanted.after, limit=wanted.limit)
    return Listed[Profile](data=[facts(Profile, row) for row in page.rows], next=page.next)


OPERATIONS = (
    Operation(
        "GET", "/profiles", "list_profiles", "Customers, in the order of their accounts.", Scope.READ, _list,
        Listed[Profile], query=ProfileQuery,
    ),
    Operation(
        "POST", "/profiles", "create_profile", "A customer, for one account of yours.", Scope.WRITE, _create, Profile,
        body=ProfileCreate, status=201,
    ),
    Operation("GET", "/profiles/{id}", "show_profile", "One customer.", Scope.READ, _show, Profile),
    Operation(
        "PUT", "/profiles/{id}", "change_profile", "The new state, whole: what is left out is gone.", Scope.WRITE,
        _change, Profile, body=ProfileGiven, versioned=True,
    ),
)  # fmt: skip
