"""`/profiles/{id}`, the person: what is known of them, their rights, and links that they alone are given."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy.orm import Session

from billing.api.documents import Link, LookQuery
from billing.api.operation import Call, Operation
from billing.api.profiles import AddressGiven, Profile, shown
from billing.api.shapes import Shape, Why
from billing.flows import links, looking, rights
from billing.validators.api_key import Scope


class PersonalShown(Shape):
    """Name, e-mail, address and tax id, opened. Every look stands in the audit trail."""

    name: str
    email: str | None
    address: AddressGiven
    tax_id: str | None


class Exported(Shape):
    """All that is kept about a person, opened: their own part, and both parties of every document."""

    data: dict[str, Any]


def _personal(call: Call) -> PersonalShown:
    _mine(call)
    found = looking.open_profile(call.parts, call.id, order=call.bare_order(call.query.reason))
    return PersonalShown.model_validate(found, strict=False)


def _export(call: Call) -> Exported:
    _mine(call)
    return Exported(data=rights.export(call.parts, call.id, order=call.bare_order(call.query.reason)))


def _erase(call: Call) -> None:
    _mine(call)
    rights.erase(call.parts, call.id, order=call.order(_told(call), reason=call.body.reason))


def _link(call: Call) -> None:
    call.do(
        lambda session: Link(url=links.profile_link(call.parts, session, shown(session, call.seller_id, call.id).id))
    )


def _revoke(call: Call) -> None:
    _mine(call)
    links.revoke_links(call.parts, call.id, order=call.order(_told(call), reason=call.body.reason))


def _mine(call: Call) -> None:
    with call.parts.begin() as session:
        shown(session, call.seller_id, call.id)


def _told(call: Call) -> Callable[[Session], Profile]:
    return lambda session: shown(session, call.seller_id, call.id)


OPERATIONS = (
    Operation("GET", "/profiles/{id}/personal", "show_personal", "Name, e-mail, address and tax id of a customer.",
              Scope.PERSONAL, _personal, PersonalShown, query=LookQuery),
    Operation("GET", "/profiles/{id}/export", "export_person", "A copy of all that is kept about a person.",
              Scope.PERSONAL, _export, Exported, query=LookQuery),
    Operation("POST", "/profiles/{id}/erase", "erase_person",
              "Forget a person, once nothing of theirs is open; issued documents stay. It can't be taken back.",
              Scope.OPERATE, _erase, Profile, body=Why),
    Operation("POST", "/profiles/{id}/link", "link_to_profile",
              "A link to the customer's page: all that is open, and the payment method.", Scope.WRITE, _link, Link,
              status=201),
    Operation("POST", "/profiles/{id}/revoke-links", "revoke_links",
              "Make every link handed out to a customer so far worthless.", Scope.WRITE, _revoke, Profile, body=Why),
)  # fmt: skip
