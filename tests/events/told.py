"""Holds what was told against the catalog: the schema of its topic, and no field beside those that it names."""

from __future__ import annotations

from functools import cache
from typing import Any

from jsonschema import Draft202012Validator
from sqlalchemy import select
from sqlalchemy.orm import Session

from billing.events.catalog import body, schema
from billing.models import OutboxEvent


def check_told(event: dict[str, Any]) -> None:
    """Raise `ValidationError` unless the body is as its schema says."""
    _validator(event["type"]).validate(event)


def check_outbox(session: Session) -> None:
    """The same of every event that is kept."""
    for row in session.scalars(select(OutboxEvent)):
        check_told(
            body(
                id_=row.id,
                seller_id=row.seller_id,
                topic=row.topic,
                object_type=row.object_type,
                object_id=row.object_id,
                occurred_at=row.occurred_at,
                payload=row.payload,
            )
        )


@cache
def _validator(topic: str) -> Draft202012Validator:
    """What is published may be added to; what the engine sends has no field that is not published."""
    closed = schema(topic)
    for part in (closed, closed["properties"]["object"], closed["properties"]["data"]):
        part["additionalProperties"] = False
    return Draft202012Validator(closed, format_checker=Draft202012Validator.FORMAT_CHECKER)
