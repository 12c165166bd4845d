"""Create an endpoint. It hears of what is handed over from then on."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from billing.commands.endpoint.contact import set_contact
from billing.commands.endpoint.secrets import seal_secret
from billing.commands.key.obtain import endpoint_key
from billing.delivery.signature import new_secret
from billing.kernel.errors import Fault, Refused
from billing.kernel.ids import new_id
from billing.models import Endpoint
from billing.privacy.keyring import Keyring
from billing.validators.endpoint import NewEndpoint


def create_endpoint(session: Session, keyring: Keyring, *, seller_id: UUID, new: NewEndpoint) -> tuple[Endpoint, str]:
    """Write one that was checked. Returns it with its signing secret, which is never told again.

    Raises `Refused` (`endpoint_code_taken`).
    """
    id_, secret = new_id(), new_secret()
    key = endpoint_key(session, keyring, endpoint_id=id_)
    row = insert(Endpoint).values(
        id=id_,
        seller_id=seller_id,
        code=new.code,
        target=new.target,
        topics=sorted(set(new.topics)),
        document_links=new.document_links,
        secret=seal_secret(secret, key=key, endpoint_id=id_),
        version=1,
    )
    once = row.on_conflict_do_nothing(index_elements=[Endpoint.seller_id, Endpoint.code])
    endpoint = session.scalars(once.returning(Endpoint)).one_or_none()
    if endpoint is None:
        raise Refused(Fault("code", "endpoint_code_taken", f"{new.code} is taken; give another"))
    if new.contact is not None:
        set_contact(session, keyring, endpoint=endpoint, address=new.contact)
    return endpoint, secret
