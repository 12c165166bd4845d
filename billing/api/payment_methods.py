"""`/payment-methods`: begun here, completed by the customer on the provider's form. Card data never comes this way."""

from __future__ import annotations

from hashlib import sha256
from typing import Literal
from uuid import NAMESPACE_URL, UUID, uuid5

from pydantic import Field
from sqlalchemy.orm import Session

from billing.api.operation import Call, Operation, missing
from billing.api.shapes import CODE, Id, Instant, Listed, Paging, Shape, Version, facts
from billing.flows import payment_methods as flow
from billing.flows.once import Once
from billing.kernel.errors import Fault, Refused
from billing.queries.api.payment_methods import payment_methods, the_method
from billing.queries.api.profiles import the_profile
from billing.queries.payment_method import the_provider_account
from billing.validators.api_key import Scope
from billing.validators.payment_method import Consent


class MethodBegin(Shape):
    """The customer's consent to later charges: to which text, when, where. `kind`: of the seller's `method_kinds`, the
    first of them where it is left out; each kind has a consent of its own."""

    profile_id: Id
    consent_text_version: str = Field(pattern=CODE)
    consent_at: Instant
    consent_channel: Literal["web", "app", "phone", "paper", "import"] = "web"
    provider: Literal["stripe", "paypal"] = "stripe"
    kind: Literal["card", "sepa_debit", "paypal", "stripe_paypal"] | None = None
    provider_account: str = Field(default="default", pattern="^[a-z0-9_]{1,50}$")


class MethodBegun(Shape):
    """What your page hands to the provider's own form, by its secret, which belongs to this one set-up; or, of PayPal,
    the page at PayPal (`approve_url`) where you send the customer to agree: then complete it."""

    id: Id
    provider: str
    setup_ref: str
    client_secret: str | None
    approve_url: str | None


class MethodAdopt(Shape):
    """A method that the provider keeps already, by its id there, and when the customer agreed to later charges; of a
    bank account also the mandate's id, so that notices of debits name it. What the provider doesn't know is 422."""

    profile_id: Id
    method_ref: str = Field(min_length=1, max_length=255)
    mandate_ref: str | None = Field(default=None, min_length=1, max_length=255)
    consent_text_version: str = Field(pattern=CODE)
    consent_at: Instant
    consent_channel: Literal["web", "app", "phone", "paper", "import"] = "import"
    provider: Literal["stripe", "paypal"] = "stripe"
    provider_account: str = Field(default="default", pattern="^[a-z0-9_]{1,50}$")
    make_default: bool = False


class PaymentMethod(Shape):
    """A method, by what may be shown of it."""

    id: Id
    profile_id: Id
    kind: str
    status: str
    is_default: bool
    brand: str | None
    last4: str | None
    exp_month: int | None
    exp_year: int | None
    wallet: str | None
    consent_at: Instant
    created_at: Instant
    version: Version


class MethodQuery(Paging):
    """Whose methods."""

    profile_id: Id


def _shown(session: Session, seller_id: UUID, id_: UUID) -> PaymentMethod:
    row = the_method(session, seller_id, id_)
    if row is None:
        raise missing("payment_method")
    return facts(PaymentMethod, row)


def _account(call: Call, given: MethodBegin | MethodAdopt) -> UUID:
    """The provider account, once the customer is known to be this seller's."""
    with call.parts.begin() as session:
        if the_profile(session, call.seller_id, given.profile_id) is None:
            raise Refused(Fault("profile_id", "profile_not_found", "give the id of a profile of yours"))
        return the_provider_account(session, provider=given.provider, code=given.provider_account).id


def _begin(call: Call) -> None:
    given: MethodBegin = call.body
    account = _account(call, given)

    def told(started: flow.MethodStarted) -> Once:
        said = MethodBegun(
            id=started.method_id,
            provider=started.provider,
            setup_ref=started.setup_ref,
            client_secret=started.client_secret,
            approve_url=started.approve_url,
        )
        return call.once(lambda _: said)

    flow.add(
        call.parts,
        profile_id=given.profile_id,
        provider_account_id=account,
        consent=Consent(given.consent_text_version, given.consent_at, given.consent_channel),
        kind=given.kind,
        # A repeat after a crash goes on with the set-up that it began; another request under the key begins another.
        method_id=uuid5(NAMESPACE_URL, f"billing/{call.seller_id}/setup/{call.key}/{sha256(call.request).hexdigest()}"),
        once=told,
    )


def _adopt(call: Call) -> None:
    given: MethodAdopt = call.body
    flow.adopt(
        call.parts,
        profile_id=given.profile_id,
        provider_account_id=_account(call, given),
        method_ref=given.method_ref,
        mandate_ref=given.mandate_ref,
        consent=Consent(given.consent_text_version, given.consent_at, given.consent_channel),
        as_default=given.make_default,
        once=lambda id_: call.once(lambda session: _shown(session, call.seller_id, id_)),
    )


def _complete(call: Call) -> None:
    _mine(call)
    flow.complete(call.parts, method_id=call.id, once=_told(call))


def _make_default(call: Call) -> None:
    _mine(call)
    flow.make_default(call.parts, method_id=call.id, expected_version=call.version, once=_told(call))


def _remove(call: Call) -> PaymentMethod:
    _mine(call)
    flow.remove(call.parts, method_id=call.id, expected_version=call.version)
    with call.parts.begin() as session:
        return _shown(session, call.seller_id, call.id)


def _show(call: Call) -> PaymentMethod:
    return _mine(call)


def _list(call: Call) -> Listed[PaymentMethod]:
    wanted: MethodQuery = call.query
    with call.parts.begin() as session:
        page = payment_methods(
            session, call.seller_id, profile_id=wanted.profile_id, after=wanted.after, limit=wanted.limit
        )
    return Listed[PaymentMethod](data=[facts(PaymentMethod, row) for row in page.rows], next=page.next)


def _told(call: Call) -> Once:
    return call.once(lambda session: _shown(session, call.seller_id, call.id))


def _mine(call: Call) -> PaymentMethod:
    with call.parts.begin() as session:
        return _shown(session, call.seller_id, call.id)


OPERATIONS = (
    Operation("GET", "/payment-methods", "list_payment_methods", "A customer's methods, newest first.", Scope.READ,
              _list, Listed[PaymentMethod], query=MethodQuery),
    Operation("POST", "/payment-methods", "begin_payment_method", "Begin a method at the provider.", Scope.WRITE,
              _begin, MethodBegun, body=MethodBegin, status=201),
    Operation("POST", "/payment-methods/adopt", "adopt_payment_method",
              "Take over a method that the provider keeps already.", Scope.WRITE, _adopt, PaymentMethod,
              body=MethodAdopt, status=201),
    Operation("GET", "/payment-methods/{id}", "show_payment_method", "One method.", Scope.READ, _show, PaymentMethod),
    Operation("POST", "/payment-methods/{id}/complete", "complete_payment_method",
              "Look whether the customer has completed it; the provider's event does so too.", Scope.WRITE, _complete,
              PaymentMethod),
    Operation("POST", "/payment-methods/{id}/make-default", "make_default_payment_method",
              "Charge this one from now on; what is open is tried at once.", Scope.WRITE, _make_default, PaymentMethod,
              versioned=True),
    Operation("DELETE", "/payment-methods/{id}", "remove_payment_method", "Charge it no more, here and there.",
              Scope.WRITE, _remove, PaymentMethod, versioned=True),
)  # fmt: skip
