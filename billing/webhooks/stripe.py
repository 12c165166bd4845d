"""`POST /webhooks/stripe[/<code>]`: raw bytes and signature go to the inbox; its commit is what a 2xx means."""

from __future__ import annotations

import structlog
from flask import Blueprint, Response, jsonify, request
from sqlalchemy.exc import DBAPIError

from billing.flows.inbox import receive
from billing.flows.parts import Parts
from billing.kernel.errors import Fault, Refused

_log = structlog.get_logger(__name__)

_CLOSED = {"no_secret", "unknown_account", "provider_not_configured"}
"""Refusals that are ours to mend: the provider keeps its delivery and tries again."""


def stripe_door(parts: Parts) -> Blueprint:
    """The receiver. Answers 200 (stored now or before), 400, 413, 415, or 503 where it can't store."""
    door = Blueprint("stripe", __name__)

    @door.post("/webhooks/stripe", defaults={"code": "default"})
    @door.post("/webhooks/stripe/<code>")
    def deliver(code: str) -> tuple[Response, int]:
        if request.mimetype != "application/json":
            return _refusal(Fault("Content-Type", "json_only", "send application/json"), 415)
        limit = parts.settings.billing_webhook_body_limit
        raw = request.stream.read(limit + 1)
        if len(raw) > limit:
            return _refusal(Fault("body", "body_too_large", f"send at most {limit} bytes"), 413)
        try:
            stored = receive(
                parts, provider="stripe", code=code, raw=raw, signature=request.headers.get("Stripe-Signature", "")
            )
        except Refused as refused:
            _log.warning("delivery_refused", code=refused.code, account=code)
            return _refusal(refused.faults[0], 503 if refused.code in _CLOSED else 400)
        except DBAPIError as error:
            _log.error("delivery_not_stored", error=type(error).__name__)
            return _refusal(Fault("database", "unavailable", "deliver again later"), 503)
        return jsonify(received=True, new=stored), 200

    return door


def _refusal(fault: Fault, status: int) -> tuple[Response, int]:
    return jsonify(error={"field": fault.field, "code": fault.code, "mend": fault.mend}), status
