"""`GET /metrics`: how the work stands, in Prometheus' text format, for who has the token.

Without one there is no page, but in the sandbox: it listens on this machine alone, and counts test data.
"""

from __future__ import annotations

import hmac
from collections import defaultdict
from collections.abc import Iterator, Sequence

from flask import Blueprint, Response, abort, request
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from billing.flows.measuring import GAUGES, Sample, measure
from billing.flows.parts import Parts

_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_ESCAPED = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


def metrics_door(parts: Parts) -> Blueprint:
    """Answers 200, 401 without the token, 404 where none is set outside the sandbox, 503 without the database."""
    door = Blueprint("metrics", __name__)

    @door.get("/metrics")
    def metrics() -> Response:
        token = parts.settings.billing_metrics_token
        if token is None or not token.get_secret_value():
            if not parts.settings.billing_sandbox:
                abort(404)
        elif not _bears(token.get_secret_value()):
            abort(401)
        try:
            samples = measure(parts)
        except (DBAPIError, PoolTimeout):
            abort(503)
        return Response("".join(f"{line}\n" for line in _lines(samples)), content_type=_TYPE)

    return door


def _bears(token: str) -> bool:
    given = request.headers.get("Authorization", "").encode()
    return hmac.compare_digest(given, f"Bearer {token}".encode())


def _lines(samples: Sequence[Sample]) -> Iterator[str]:
    """Every metric is told of, also one that has no number now: who reads knows that it exists."""
    by_name: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        by_name[sample.name].append(sample)
    for name, told in GAUGES.items():
        yield f"# HELP {name} {told}"
        yield f"# TYPE {name} gauge"
        for sample in by_name[name]:
            labels = ",".join(f'{label}="{value.translate(_ESCAPED)}"' for label, value in sample.labels)
            yield f"{name}{{{labels}}} {sample.value}" if labels else f"{name} {sample.value}"
