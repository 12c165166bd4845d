"""`GET /metrics`: the last audit in Prometheus' text format, for who has the token. Without one there is no page."""

from __future__ import annotations

import hmac
from collections.abc import Iterator

from flask import Blueprint, Response, abort, request
from sqlalchemy.exc import DBAPIError

from billing.flows.auditing import gauges
from billing.flows.parts import Parts
from billing.queries.operations.paging import Facts

_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def metrics_door(parts: Parts) -> Blueprint:
    """Answers 200, 401 without the token, 404 where none is set, 503 without the database."""
    door = Blueprint("metrics", __name__)

    @door.get("/metrics")
    def metrics() -> Response:
        token = parts.settings.billing_metrics_token
        if token is None or not token.get_secret_value():
            abort(404)
        given = request.headers.get("Authorization", "").encode()
        if not hmac.compare_digest(given, f"Bearer {token.get_secret_value()}".encode()):
            abort(401)
        try:
            facts = gauges(parts)
        except DBAPIError:
            abort(503)
        return Response("".join(f"{line}\n" for line in _lines(facts)), content_type=_TYPE)

    return door


_SINGLE = {
    "age_s": ("age_seconds", "Seconds since the last audit took its snapshot."),
    "clean_age_s": ("clean_age_seconds", "Seconds since the last audit that found nothing took its snapshot."),
    "whole_age_s": ("whole_age_seconds", "Seconds since the last audit of everything took its snapshot."),
    "took_s": ("duration_seconds", "How long the last audit took."),
    "rows_seen": ("rows", "Rows that the last audit looked at."),
}


def _lines(facts: Facts | None) -> Iterator[str]:
    yield "# HELP billing_audit_violations Violations that the last audit or the last whole one found, by invariant."
    yield "# TYPE billing_audit_violations gauge"
    for code, violations in sorted(facts["by_code"].items()) if facts else ():
        yield f'billing_audit_violations{{code="{code}"}} {violations}'
    for name, (metric, told) in _SINGLE.items():
        yield f"# HELP billing_audit_{metric} {told}"
        yield f"# TYPE billing_audit_{metric} gauge"
        if facts and facts[name] is not None:
            yield f"billing_audit_{metric} {facts[name]}"
