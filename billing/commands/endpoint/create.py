"""Create an endpoint. It hears of what is handed over from then on."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Session

from billing.commands.endpoint.contact import set_contact
from billing.commands.endpoint.secrets import seal_secret
from billing.commands.key.obtain import endpoint_key
from billing.delivery.signature import new_secret
from billing.kernel.errors import Fault, Refused
from billing.kernel.ids import new_id
from billing.models import Endpoint
from billing.privacy.keyring import Keyring
from billing.queries.endpoint import endpoint_of_code
from billing.validators.endpoint import NewEndpoint


def create_endpoint(session: Session, keyring: Keyring, *, seller_id: UUID, new: NewEndpoint) -> tuple[Endpoint, str]:
    """Write one that was checked. Returns it with its signing secret, which is never told again.

    Raises `Refused` (`endpoint_code_taken`).
    """
    if endpoint_of_code(session, seller_id=seller_id, code=new.code) is not None:
        raise Refused(Fault("code", "endpoint_code_taken", f"{new.code} is taken; give another"))
    id_, secret = new_id(), new_secret()
    key = endpoint_key(session, keyring, endpoint_id=id_)
    endpoint = Endpoint(
        id=id_,
        seller_id=seller_id,
        code=new.code,
        target=new.target,
        topics=sorted(set(new.topics)),
        document_links=new.document_links,
        secret=seal_secret(secret, key=key, endpoint_id=id_),
    )
    session.add(endpoint)
    session.flush()
    if new.contact is not None:
        set_contact(session, keyring, endpoint=endpoint, address=new.contact)
    return endpoint, secret
