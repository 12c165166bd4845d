"""The catalog: what each event looks like to the host application, by a JSON Schema a topic and version."""

from __future__ import annotations

import json
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any
from uuid import UUID

from billing.db.base import Json
from billing.kernel.clock import format_instant

_FOLDER = files("billing.events") / "schemas"


@cache
def versions() -> dict[str, int]:
    """The version of each topic that is sent: the highest of its schemas (`<topic>.v<version>.json`)."""
    found: dict[str, int] = {}
    for file in _FOLDER.iterdir():
        topic, _, version = file.name.removesuffix(".json").rpartition(".v")
        if topic:
            found[topic] = max(int(version), found.get(topic, 0))
    return found


def schema(topic: str, version: int | None = None) -> Json:
    """The JSON Schema (2020-12) of an event's whole body; by default of the version that is sent."""
    read: Json = json.loads((_FOLDER / f"{topic}.v{version or versions()[topic]}.json").read_text(encoding="utf-8"))
    return read


def body(
    *,
    id_: UUID,
    seller_id: UUID,
    topic: str,
    object_type: str,
    object_id: UUID,
    occurred_at: datetime,
    payload: Json,
) -> dict[str, Any]:
    """The event as it is delivered; each try of it says the same."""
    return {
        "id": str(id_),
        "type": topic,
        "version": versions()[topic],
        "timestamp": format_instant(occurred_at),
        "seller_id": str(seller_id),
        "object": {"type": object_type, "id": str(object_id)},
        "data": payload,
    }
