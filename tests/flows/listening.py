"""Who listens to the engine: endpoints of a company, what is told to them, and what came of it."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import replace
from typing import Any
from uuid import UUID

from sqlalchemy import select, text

from billing.events.outbox import emit
from billing.events.topics import Topic
from billing.flows import delivery, endpoints
from billing.flows.order import Order
from billing.models import Delivery, DeliveryAttempt, Endpoint
from billing.sandbox.earpiece import Heard
from billing.validators.endpoint import NewEndpoint
from tests.flows.company import Company

ORDER = Order(actor="mara", reason="the shop wants to know")


def settle_on(acme: Company, **given: Any) -> None:
    acme.parts = replace(acme.parts, settings=acme.parts.settings.model_copy(update=given))


def listening(acme: Company, target: str, *topics: str, code: str = "shop") -> tuple[UUID, str]:
    """An endpoint and its secret; this machine may be reached."""
    settle_on(acme, billing_endpoint_networks="127.0.0.0/8")
    made = endpoints.add(acme.parts, seller_id=acme.seller_id, new=NewEndpoint(code, target, topics), order=ORDER)
    return made.done.subject_id, made.secret


def tell(acme: Company, object_id: UUID, topic: Topic = Topic.PROFILE_UPDATED) -> None:
    with acme.parts.begin() as session:
        emit(
            session, topic=topic, object_type="profile", object_id=object_id, seller_id=acme.seller_id,
            now=acme.parts.clock.now(session),
        )  # fmt: skip


def due(acme: Company, **columns: str) -> None:
    """Whatever waits is due, and no endpoint is paused. More columns of deliveries may be set back."""
    sets = "".join(f", {name} = {value}" for name, value in columns.items())
    with acme.parts.begin() as session:
        session.execute(
            text(f"UPDATE billing.delivery SET next_try_at = clock_timestamp(){sets} WHERE status = 'waiting'")
        )
        session.execute(text("UPDATE billing.endpoint SET paused_until = NULL"))


def go(acme: Company, id_: UUID) -> int:
    delivery.sweep(acme.parts)
    return delivery.deliver(acme.parts, id_)


def state(acme: Company, id_: UUID) -> Endpoint:
    with acme.begin() as session:
        return session.get_one(Endpoint, id_)


def rows(acme: Company) -> list[Delivery]:
    with acme.begin() as session:
        return list(session.scalars(select(Delivery).order_by(Delivery.outbox_id)))


def outcomes(acme: Company) -> list[str]:
    with acme.begin() as session:
        return list(session.scalars(select(DeliveryAttempt.outcome).order_by(DeliveryAttempt.created_at)))


def signed_by(heard: Heard, secret: str) -> bool:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    content = f"{heard.headers['webhook-id']}.{heard.headers['webhook-timestamp']}.".encode() + heard.body
    mac = "v1," + base64.b64encode(hmac.new(key, content, hashlib.sha256).digest()).decode()
    return mac in heard.headers["webhook-signature"].split(" ")
