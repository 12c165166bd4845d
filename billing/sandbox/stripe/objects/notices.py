"""Events, the endpoints that hear of them, and lists."""

from __future__ import annotations

from typing import Any

from billing.sandbox.stripe.values import Json, new_id

API_VERSION = "2026-10-28.endive"
"""The version that the pinned SDK speaks."""


def event(now: int, *, type: str, data: Json, request: Json) -> Json:
    """What happened to an object, with the object as it then was."""
    return {
        "id": new_id("evt"),
        "object": "event",
        "api_version": API_VERSION,
        "created": now,
        "data": data,
        "livemode": False,
        "pending_webhooks": 0,
        "request": request,
        "type": type,
    }


def webhook_endpoint(now: int, *, url: str, enabled_events: list[str], given: Json, id: str | None = None) -> Json:
    """A new endpoint, enabled. Its secret is kept elsewhere."""
    return {
        "id": id or new_id("we"),
        "object": "webhook_endpoint",
        "api_version": given.get("api_version"),
        "application": None,
        "created": now,
        "description": given.get("description"),
        "enabled_events": enabled_events,
        "livemode": False,
        "metadata": given.get("metadata", {}),
        "status": "enabled",
        "url": url,
    }


def listed(data: list[Any], *, has_more: bool, url: str) -> Json:
    """One page of a list."""
    return {"object": "list", "data": data, "has_more": has_more, "url": url}
